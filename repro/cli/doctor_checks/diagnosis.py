"""All checks in their order, done and told."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from repro.cli.doctor_checks import networks, places, videos
from repro.cli.doctor_checks.check import ABSENT, FAIL, PASS, Check, Outcome, child, run_apart
from repro.core.errors import UnknownName

CHECKS: tuple[Check, ...] = (*videos.CHECKS, *networks.CHECKS, *places.CHECKS)


def diagnose(names: Sequence[str], on_outcome: Callable[[Outcome], None]) -> list[Outcome]:
    """The outcomes of the named checks, of all where none is named; a crash of one does not touch the others."""
    known = [check.name for check in CHECKS]
    for name in names:
        if name not in known:
            raise UnknownName("check", name, known, fix="python -m repro doctor")
    made = []
    for outcome in run_apart([name for name in known if not names or name in names], [sys.executable, "-m", __name__]):
        made.append(outcome)
        on_outcome(outcome)
    return made


def line(outcome: Outcome) -> str:
    """An outcome on a terminal: state, name, what was found, how to mend it."""
    state = {PASS: "pass", FAIL: "FAIL", ABSENT: "not here"}[outcome.state]
    text = f"{state:<9}{outcome.name:<16}{outcome.what}"
    return text + (f"\n{'':<25}to mend it: {outcome.mend}" if outcome.mend else "")


def to_dict(made: Sequence[Outcome]) -> dict[str, Any]:
    """Plain data for JSON."""
    return {"passed": not any(one.state == FAIL for one in made), "checks": [asdict(one) for one in made]}


if __name__ == "__main__":
    child(CHECKS, sys.argv[1:])
