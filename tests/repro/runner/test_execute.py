"""Jobs of a table: how many seeds, and one measurement for all rows and tables that share an experiment."""

from __future__ import annotations

import pytest
from rich.console import Console

from repro.cli.status import render_status
from repro.core.spec import Accuracy, replace
from repro.engine.execution import Execution
from repro.models.build import build_meta
from repro.papers import TABLES, find
from repro.papers.smoke import smoke_table
from repro.papers.table import TableSpec
from repro.records import store
from repro.records.index import Index
from repro.runner.execute import Attempt, execute
from repro.runner.jobs import jobs_of, select, state_of


@pytest.fixture(scope="module")
def table() -> TableSpec:
    """Two rows of the same network: their cells are the same experiments."""
    small = smoke_table(find("table6"))
    rows = (small.row("tsm_r50"), replace(small.row("tsm_r50"), key="again", label="again"))
    return replace(small, rows=rows, seeds={"probe-order": 3})


def test_the_table_says_how_many_seeds_and_the_caller_may_say_otherwise(table):
    def seeds(jobs):
        return [job.seed for job in jobs if (job.row, job.cell) == ("again", "probe-order")]

    assert seeds(jobs_of(table)) == [0, 1, 2]
    assert seeds(jobs_of(table, seeds=2)) == [0, 1]
    others = [job for job in jobs_of(table) if job.cell != "probe-order"]
    assert {job.seed for job in others} == {0}


def test_a_shared_experiment_is_measured_once(table):
    jobs = jobs_of(table, cells=["static"], smoke=True)
    other = jobs_of(replace(table, name="table5"), rows=["again"], cells=["static"], smoke=True)
    assert [job.row for job in jobs] == ["tsm_r50", "again"]
    root = store.default_root(True)
    assert [job.row for job in select(jobs, "undone", Index(root))] == ["tsm_r50"]
    made = execute(jobs[0], Execution(device="cpu", threads=1))
    for job in (*jobs, *other):
        assert state_of(job, Index(root)) == "done"
        assert execute(job, Execution(device="cpu", threads=1)) == made
    assert select([*jobs, *other], "undone", Index(root)) == []
    assert len(select([*jobs, *other], "force", Index(root))) == 1


def test_a_failure_elsewhere_is_told_and_a_later_success_counts(table, monkeypatch):
    here = jobs_of(table, rows=["tsm_r50"], cells=["static"], smoke=True)[0]
    there = replace(here, table="table5")
    root = store.default_root(True)
    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "measure", lambda _: 1 / 0)
        assert execute(there, Execution(device="cpu", threads=1)).status == "failed"
    assert state_of(here, Index(root)) == "failed"
    assert execute(here, Execution(device="cpu", threads=1)).status == "done"
    assert state_of(there, Index(root)) == "done"


def test_status_counts_seeds(table, capsys):
    render_status(table, Index(store.default_root(True)), Console(width=160), smoke=True)
    assert "missing: static input speed probe-order (3 seeds)" in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in TABLES if name.startswith("dnr/")])
def test_every_table_has_a_small_form(name):
    """Toy sizes throughout, and the initial trainings with them; nothing asks for more videos than there are."""
    for row in smoke_table(find(name)).rows:
        for experiment in row.cells.values():
            measure = experiment.measure
            build_meta(experiment.model)
            if isinstance(measure, Accuracy):
                assert all(dataset.endswith("-smoke") for dataset in measure.datasets), (row.key, measure.datasets)
                assert (measure.train.batch, measure.train.videos, measure.train.clips_per_device) == (2, 0, 0)


def test_a_row_that_starts_from_another_training_runs_end_to_end():
    (job,) = jobs_of(smoke_table(find("dnr/table4")), rows=["sthv1_tsn_r50"], cells=["probe-order"], smoke=True)
    before = replace(job.experiment, measure=replace(job.experiment.measure, dataset="probe-shapes-smoke"))
    tuned = replace(job.experiment, measure=replace(job.experiment.measure, initial=before))
    made = execute(replace(job, experiment=tuned), Execution(device="cpu", threads=1))
    assert made.status == "done", made.reason
    told = made.effective["initial"]
    assert told["experiment"] == made.experiment().measure.initial.id
    assert told["dataset"]["name"] == "probe-shapes-smoke"
