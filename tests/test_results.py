"""What is committed under results/: every record whole, every measured cell of a finished table backed by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.papers import TABLES, find
from repro.records import figures, store
from repro.records.index import Index, finishing
from repro.records.store import load_all
from repro.runner.jobs import jobs_of

#: tables whose records are still to be measured; `python -m repro run TABLE`, then take the name off
PENDING = {"dnr/supp2", "adafuse/speed"}

#: (table, cell) -> rows whose spec was corrected: another network or dropout than what had been timed or trained. Their
#: counts are measured again; times wait for a quiet machine. Take off what is done
OPEN = {
    ("dnr/table1a", "speed"): "ct_bn1 ct_bn2 cl_bn1 cl_bn2",
    ("dnr/table1b", "speed"): "ct_1 ct_2 ct_4 ct_8 cl_1 cl_2",
    ("dnr/table1d", "speed"): "cl_none cl_fc cl_se cl_lstm ct_none ct_fc ct_se ct_lstm",
    ("dnr/supp1", "speed"): "d2_uni d2_bi d4_uni d4_bi",
    ("dnr/table1c", "speed"): "d2",
    ("dnr/table5", "speed"): "r2plus1d_dnr slowfast_dnr slowfast_r50_dnr",
}

ROOT = Path(__file__).resolve().parent.parent / "results" / "records"


def test_every_record_is_sound_and_none_is_a_smoke_run():
    loaded = load_all(ROOT)
    assert not loaded.problems
    assert not [made.relative_path for made in loaded.records if made.smoke]
    for made in loaded.records:
        if made.scores is not None:
            store.scores_path(made, ROOT)


def test_every_figure_is_sound_and_shows_trained_networks():
    stored = figures.load_all(ROOT.parent / "figures")
    assert not stored.problems
    for figure in stored.figures:
        assert all(network.weights_sha256 for network in figure.facts.networks)


def test_only_known_tables_are_pending():
    assert set(TABLES) >= PENDING


@pytest.mark.parametrize("name", sorted(set(TABLES) - PENDING))
def test_every_cell_that_needs_no_dataset_is_measured(name):
    index = Index(ROOT)
    for job in jobs_of(find(name)):
        if job.cell.startswith("probe-"):  # trained with the question that declares it
            continue
        measured = job.seed in {one.seed for one in finishing(index.of(job.experiment.id))}
        waits = job.row in OPEN.get((name, job.cell), "").split()
        assert measured != waits, f"{job.name}: {'take it off OPEN' if waits else f'repro run {name}'}"


def test_a_probe_stands_in_no_column_of_a_real_dataset():
    for name in TABLES:
        table = find(name)
        for column in table.columns:
            datasets = {
                row.cells[column.cell].measure.dataset
                for row in table.rows
                if column.cell in row.cells and row.cells[column.cell].measure.kind == "accuracy"
            }
            assert len(datasets) <= 1
            if any(dataset.startswith("probe-") for dataset in datasets):
                assert "probe" in column.group
