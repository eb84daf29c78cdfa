"""What came of a job, as its record."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro import record, registry
from repro.spec import to_dict

if TYPE_CHECKING:
    from repro.run import Job


def write_failure(job: Job, reason: str, *, replace: bool = False) -> record.Record:
    """The record of a job whose process died and could not write its own."""
    made = failure(job, reason)
    with contextlib.suppress(record.RecordExists):  # another process has finished it meanwhile
        record.write(made, record.default_root(job.smoke), replace=replace)
    return made


def failure(job: Job, reason: str) -> record.Record:
    """What is recorded of a job whose process died, or waits for one that did."""
    from repro.environment import git_state, packages

    return compose(job, {}, reason, {"packages": packages(), "git": dict(git_state())}, datetime.now(UTC), 0.0)


def compose(
    job: Job,
    found: dict[str, Any],
    reason: str | None,
    facts: dict[str, Any],
    began: datetime,
    wall_s: float,
) -> record.Record:
    """The record of one attempt, failed if there is a `reason`; `found` is what was measured, `facts` on what."""
    from repro.environment import command

    return record.Record(
        id=job.experiment.id,
        paper=job.paper,
        table=job.table,
        row=job.row,
        cell=job.cell,
        kind=job.kind,
        seed=job.seed,
        status="done" if reason is None else "failed",
        reason=reason,
        smoke=job.smoke,
        spec=to_dict(job.experiment),
        results=found.get("results", {}),
        effective=found.get("effective", {}),
        weights_sha256=found.get("weights_sha256"),
        dataset=found.get("dataset"),
        decoder=found.get("decoder"),
        environment=facts,
        command=command(),
        modules={Path(path).name: digest for path, digest in registry.loaded_modules.items()},
        started=began.isoformat(timespec="seconds"),
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
        wall_s=round(wall_s, 2),
        curve=found.get("curve", []),
    )
