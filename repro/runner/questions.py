"""The trainings of a declared question as jobs: its arms and its probe's controls, at the seeds that are declared."""

from __future__ import annotations

from repro.evidence.aggregate import of_now
from repro.papers.question import Question
from repro.papers.questions import controls_of, experiments
from repro.records.index import Index
from repro.runner.jobs import Job

#: table and row under which the controls of probes have their records
CONTROLS = ("suite", "controls")


def jobs_of(one: Question) -> list[Job]:
    """Controls first: where one fails, nothing of the rest says anything."""
    found = [
        Job(*CONTROLS, control.experiment.model.name, one.probe, control.experiment, seed)
        for control in controls_of(one)
        for seed in range(control.seeds)
    ]
    for term in experiments(one).values():
        paper, _, table = term.table.partition("/")
        found += [Job(paper, table, term.row, term.cell, term.experiment, seed) for seed in range(one.seeds)]
    return found


def undone(one: Question, index: Index) -> list[Job]:
    """Those of its jobs that no record finishes, in whichever folder, each once."""
    jobs = {job.key: job for job in reversed(jobs_of(one))}
    found = of_now(one for id_ in {id_ for id_, _ in jobs} for one in index.everywhere(id_))
    done = {(one.id, one.seed) for one in found if one.status == "done"}
    return [job for key, job in reversed(jobs.items()) if key not in done]
