"""DNR's tables as data: rows as printed, each the default row with one change, and what they share."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from repro.core.spec import Speed, diff
from repro.papers import TABLES, find, published
from repro.papers.probe_cells import waits
from repro.records.store import load_all
from repro.report.build_table import table_view
from repro.report.summary import differing
from repro.runner.jobs import jobs_of

RECORDS = Path(__file__).resolve().parents[3] / "results" / "records"
NAMES = [name for name in TABLES if name.startswith("dnr/")]
ABLATIONS = ["dnr/table1a", "dnr/table1b", "dnr/table1c", "dnr/table1d", "dnr/supp1"]


def cell(table, row, name):
    return find(f"dnr/{table}").row(row).cells[name]


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_changes_the_default_row_in_dnr_options_alone(name):
    default = cell("table1a", "cl_ct", "kinetics200")
    for row in find(name).rows[1:]:
        changed = diff(default, row.cells["kinetics200"])
        assert all(key.startswith("model.method_options.") for key in changed), (row.key, changed)


@pytest.mark.parametrize(
    "same",
    [
        [("table1a", "cl_ct"), ("table1c", "r4"), ("table1c", "d1"), ("table1d", "dnr_lstm"), ("table3", "bn_dnr_8"),
         ("table2", "tsn_resnet50_dnr")],
        [("table1a", "ct_bn2"), ("table1b", "ct_4"), ("table1d", "ct_lstm"), ("supp1", "d4_uni")],
        [("table1a", "cl_bn1"), ("table1b", "cl_1"), ("table1d", "cl_lstm")],
        [("table1b", "ct_2"), ("supp1", "d2_uni")],
        [("table1a", "baseline"), ("table2", "tsn_resnet50"), ("table3", "bn_8")],
    ],
)  # fmt: skip
def test_the_same_network_under_two_names_is_one_experiment(same):
    for one, other in pairwise(same):
        for name in ("static", "kinetics200"):
            assert cell(*one, name).id == cell(*other, name).id, (one, other)


def test_printed_values_of_shared_rows_agree():
    for tables in (
        ("dnr_table1a", "cl_ct", "dnr_table1c", "r4"),
        ("dnr_table1a", "ct_bn2", "dnr_supp_table1", "d4_uni"),
    ):
        one, other = published.load(tables[0]), published.load(tables[2])
        assert one.value(tables[1], "top1") == other.value(tables[3], "top1")


def test_a_method_is_timed_beside_its_host():
    for name in NAMES:
        table = find(name)
        for row in table.rows:
            for key, experiment in row.cells.items():
                measure = experiment.measure
                if isinstance(measure, Speed) and row.baseline:
                    against = measure.against
                    assert against is not None and against.method is None, (name, row.key, key)
                    assert not {k for k in diff(against, experiment.model) if not k.startswith("method")}


def test_batches_follow_the_linear_rule():
    for norm in ("bn", "gn"):
        for clips in (8, 6, 4):
            for key in (f"{norm}_{clips}", f"{norm}_dnr_{clips}"):
                row = find("dnr/table3").row(key)
                full = row.cells["kinetics200"].measure.train
                assert full.lr == pytest.approx(0.1 * clips / 8)
                assert (full.batch, full.clips_per_device) == (8 * clips, clips)
                assert row.cells["kinetics200"].model.options.get("norm", "bn") == norm


def test_something_something_starts_from_the_kinetics_row():
    table = find("dnr/table4")
    for ending in ("tsn_r50", "tsn_r50_dnr"):
        before = table.row(f"k400_{ending}").cells["kinetics400"]
        assert before.id == find("table6").row(ending).cells["kinetics400"].id
        for dataset in ("sthv1", "sthv2"):
            measure = table.row(f"{dataset}_{ending}").cells[dataset].measure
            assert measure.initial == before
            assert measure.datasets == ("kinetics400", dataset)


def test_interlacing_stands_apart_from_the_rest_of_dnr():
    table = find("dnr/table4")
    rows = {key: table.row(f"sthv1_{key}") for key in ("tsn_r50", "tsn_r50_dnr", "tsm_r50")}
    without = table.row("sthv1_tsn_r50_dnr_without_interlacing")
    changed = diff(rows["tsn_r50_dnr"].cells["sthv1"], without.cells["sthv1"])
    assert {key.rpartition(".")[2] for key in changed} == {"channel_interlacing"}
    plain = diff(rows["tsn_r50"].cells["sthv1"], rows["tsm_r50"].cells["sthv1"])
    assert {key.rpartition(".")[2] for key in plain} == {"name"}
    assert not without.cells["probe-order"].model.method_options.get("channel_interlacing")


def test_full_rows_with_a_pair_of_relays_have_interlacing_and_nothing_else_has_it():
    """Supplement B puts it before each pair; of a single CT or CL that is a reading, and the row says so."""
    single = 0
    for name in (*ABLATIONS, "dnr/table2", "dnr/table3"):
        for row in find(name).rows:
            methods = {k: dict(e.model.method_options) for k, e in row.cells.items() if e.model.method == "dnr"}
            pair = all(
                {"cl", "ct"}.isdisjoint(o for o in options if options[o] is None) for options in methods.values()
            )
            single += not pair
            assert ("our reading" in row.note) != pair, (name, row.key)
            for key, options in methods.items():
                assert options["channel_interlacing"] == pair, (name, row.key, key)
    assert single == 22


def test_trainings_on_kinetics_from_scratch_drop_what_the_supplement_says():
    for name in (*ABLATIONS, "dnr/table2", "dnr/table3", "dnr/table5"):
        for row in find(name).rows:
            assert row.cells["kinetics200"].model.dropout == 0.4, (name, row.key)


def test_a_run_of_a_table_trains_the_probes_of_its_own_questions_once():
    jobs = [job for job in jobs_of(find("dnr/table1a")) if job.cell.startswith("probe-")]
    asked = {(arm, one.probe) for one in find("dnr/table1a").questions for arm in one.arms if not waits(one)}
    assert {(job.row, job.cell) for job in jobs} == asked and {job.seed for job in jobs} == {0}


@pytest.fixture(scope="module")
def static_records():
    return [made for made in load_all(RECORDS).records if made.kind == "static"]


@pytest.mark.parametrize("name", NAMES)
def test_counted_cells_have_the_printed_digits_but_for_tanet(name, static_records):
    """Of the rows that the paper ran only TANet's printed 36 GFLOPs, in Table 6 and the supplement, are not counted."""
    layout = find(name)
    found = list(differing([table_view(layout, static_records)]))
    rows = {one.anchor.split("/")[2] for one in found}
    own = [row.key for row in layout.rows if row.section == "reproduced" and row.key in rows]
    assert own == (["tanet_r50", "tanet_r50_dnr"] if name in ("dnr/table6", "dnr/supp2") else [])


def test_what_dnr_adds_to_resnet50_rounds_to_the_printed_sizes(static_records):
    """Supplement: 4.1 M parameters and 0.006 GFLOPs, one evaluation of a cell in each layer; 0.009 are counted."""
    by_id = {made.id: made.results for made in static_records}

    def added(table, row):
        host = find(f"dnr/{table}").row(row).baseline
        with_it, without = (by_id[cell(table, key, "static").id] for key in (row, host))
        gmacs = with_it["sizes"]["224"]["gmacs"] - without["sizes"]["224"]["gmacs"]
        return with_it["params"] - without["params"], gmacs

    params, gmacs = added("table6", "tsn_r50_dnr")
    replaced = 2 * 2 * sum(blocks * width for blocks, width in ((3, 64), (4, 128), (6, 256), (3, 512)))
    assert round((params + replaced) / 1e6, 1) == 4.1
    assert round(sum(added("table1b", row)[1] for row in ("cl_1", "ct_8")), 3) == 0.006
    assert round(gmacs, 3) == 0.009
