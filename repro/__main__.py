"""`python -m repro`."""

from __future__ import annotations

import errno
import os
import sys

from repro.core import stop_signal
from repro.core.errors import ReproError

OURS = ("repro", "baselines", "methods")
INSTALL = "in the folder of pyproject.toml: pip install -e ."


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 a measurement failed or missed, 2 a usage error, 75 stopped by a signal and to be
    started again, 130 interrupted.
    """
    try:
        return _run(argv)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in OURS:
            raise
        print(f"repro: the package {package!r} is not installed; {INSTALL}", file=sys.stderr)
        return 2
    except ReproError as error:
        print(f"repro: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)  # a write does not tell of which file it was
        if error.filename is None and not full:
            raise
        where = "a disk is full (REPRO_CACHE, REPRO_RESULTS, --out)" if full else repr(str(error.filename))
        print(f"repro: {where}: {error.strerror}", file=sys.stderr)
        return 2
    except stop_signal.Stopped:
        print("repro: stopped on request; the same command goes on from here", file=sys.stderr)
        return stop_signal.EXIT_STOPPED
    except KeyboardInterrupt:
        print("repro: interrupted; the same command resumes", file=sys.stderr)
        return 130


def _run(argv: list[str] | None) -> int:
    from repro.cli.parser import build_parser

    parser = build_parser()
    args = parser.parse_args(argv)
    if not hasattr(args, "run"):
        parser.print_help()
        return 0
    return int(args.run(args))


if __name__ == "__main__":
    sys.exit(main())
