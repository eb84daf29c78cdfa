"""`python -m repro`."""

from __future__ import annotations

import os
import sys

from repro import stopping
from repro.errors import ReproError


def main(argv: list[str] | None = None) -> int:
    """Run one command; 0 done, 1 a measurement failed or missed, 2 a usage error, 75 stopped by a signal and to be
    started again, 130 interrupted.
    """
    from repro.cli import build_parser

    parser = build_parser()
    args = parser.parse_args(argv)
    if not hasattr(args, "run"):
        parser.print_help()
        return 0
    try:
        return int(args.run(args))
    except ReproError as error:
        print(f"repro: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None:
            raise
        print(f"repro: {str(error.filename)!r}: {error.strerror}", file=sys.stderr)
        return 2
    except stopping.Stopped:
        print("repro: stopped on request; the same command goes on from here", file=sys.stderr)
        return stopping.EXIT_STOPPED
    except KeyboardInterrupt:
        print("repro: interrupted; the same command resumes", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
