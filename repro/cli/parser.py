"""The verbs: arguments in, one function of the suite called, its outcome printed. No logic lives here."""

from __future__ import annotations

import argparse

from repro import __version__
from repro.cli import (
    data,
    doctor,
    evidence,
    explain,
    export,
    inspect,
    networks,
    plan,
    predict,
    questions,
    records,
    run,
    scores,
    tables,
    weights,
)

_SUBJECTS = (
    tables,
    explain,
    questions,
    run,
    plan,
    networks,
    weights,
    data,
    evidence,
    records,
    scores,
    predict,
    export,
    inspect,
    doctor,
)
_EXAMPLES = """examples:
  python -m repro run table6                 measure what this machine can; ends with the table and the report's path
  python -m repro table table6 --format latex
  python -m repro flops tsm --method dnr     parameters and GMACs by three counters
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m repro",
        description="Benchmark and reproduction suite for video action recognition.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"repro {__version__}")
    commands = parser.add_subparsers(title="verbs", metavar="VERB")
    for subject in _SUBJECTS:
        subject.add(commands)
    return parser
