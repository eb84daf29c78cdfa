"""The verb on the machine: doctor."""

from __future__ import annotations

import argparse
import json

from repro.cli.common import Commands, prepare, verb


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(commands, "doctor", doctor, "what works on this machine, and how to mend what does not", "doctor")
    parser.add_argument("--only", nargs="+", default=[], metavar="CHECK", help="only these checks")
    parser.add_argument(
        "--real",
        nargs="?",
        const="",
        metavar="CLIP=CLASS",
        help="real weights on photos, and on a clip whose Kinetics class is known, instead; fetches up to 60 MB",
    )
    parser.add_argument("--json", action="store_true", help="plain data in place of text")


def doctor(args: argparse.Namespace) -> int:
    """Do all checks; 1 when one failed."""
    from repro.cli.doctor_checks.check import FAIL, Outcome
    from repro.cli.doctor_checks.diagnosis import diagnose, line, to_dict
    from repro.cli.doctor_checks.real import check_real

    console = prepare(args)

    def show(outcome: Outcome) -> None:
        if not args.json:
            console.print(line(outcome), markup=False)

    made = diagnose(args.only, show) if args.real is None else check_real(args.real, show)
    failed = sum(one.state == FAIL for one in made)
    if args.json:
        print(json.dumps(to_dict(made), indent=1))
    else:
        console.print(f"{len(made)} checks, {failed} failed, {sum(one.seconds for one in made):.0f} s")
    return 1 if failed else 0
