"""`python -m repro`."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys

from repro.core import stop_signal
from repro.core.errors import ReproError
from repro.core.plain_text import one_line, shown, use_on
from repro.core.process import without_collector

OURS = ("repro", "baselines", "methods")
INSTALL = "in the folder of pyproject.toml: pip install -e ."
#: of a disk that takes no more: the disk, the user's share, the largest file
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 a measurement failed or missed, 2 a usage error or one that nothing foresaw (its
    traceback goes into a file that is named), 75 stopped by a signal and to be started again, 130 interrupted.
    """
    use_on((sys.stdout, sys.stderr))
    try:
        code = _run(argv)
        if sys.stdout is not None:
            sys.stdout.flush()  # what is left may find a closed pipe or a full disk
        return code
    except BrokenPipeError:
        _write_no_more()
        return 0
    except KeyboardInterrupt:
        return _say("interrupted; the same command resumes", 130)
    except stop_signal.Stopped:
        return _say("stopped on request; the same command goes on from here", stop_signal.EXIT_STOPPED)
    except ReproError as error:
        return _say(str(error), 2)
    except Exception as error:
        return _say(_sentence(error), 2)


def _run(argv: list[str] | None) -> int:
    words = sys.argv[1:] if argv is None else argv
    with without_collector():  # what is imported stays
        from repro.cli.parser import build_parser

        parser = build_parser(*words[:1])
        args = parser.parse_args(words)
    if not hasattr(args, "run"):
        parser.print_help()
        return 0
    return int(args.run(args))


def _say(text: str, code: int) -> int:
    with contextlib.suppress(OSError, ValueError):  # nobody hears it
        print(f"repro: {shown(text)}", file=sys.stderr, flush=True)
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    _write_no_more()
    return code


def _write_no_more() -> None:
    """Let nothing that is still held back be written, and fail, when the process ends."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _sentence(error: Exception) -> str:
    """What went wrong, of the kinds that the system and the installation bring about; else where the account lies."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] not in OURS:
        return f"the package {(error.name or '').partition('.')[0]!r} is not installed; {INSTALL}"
    text = str(error)
    # a write does not tell of which file it was; libraries wrap the system's number in their own errors
    wrapped = re.search(r"\(os error (27|28|122)\)|PytorchStreamWriter failed writing", text)
    if wrapped or (isinstance(error, OSError) and error.errno in _FULL and error.filename is None):
        reason = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        return f"a disk is full, or a file larger than allowed (REPRO_CACHE, REPRO_RESULTS, --out){reason}"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{str(error.filename)!r}: {error.strerror}"
    if "can't allocate memory" in text or type(error).__name__ == "OutOfMemoryError":
        return f"not enough memory: {one_line(text)[:200]}; a smaller batch, size or file"
    if isinstance(error, RuntimeError) and text.startswith("Could not determine home directory"):
        return "a path begins with ~, and there is no such user, or this one has no home; write the whole path"
    if isinstance(error, RuntimeError) and text.startswith("Symlink loop from"):  # Python 3.11 and 3.12
        return f"{text.removeprefix('Symlink loop from ')}: a link that leads to itself"
    from repro.core.error_log import write
    from repro.registry import place_of

    what = f"{type(error).__name__}: {one_line(text)[:300]}" if text.strip() else type(error).__name__
    what += place_of(error)
    place = write(error, sys.argv[1:])
    return f"unexpected {what}; {f'the whole account is in {place}' if place else 'no file could be written'}"


if __name__ == "__main__":
    sys.exit(main())
