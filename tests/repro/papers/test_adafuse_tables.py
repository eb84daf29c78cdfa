"""AdaFuse's tables as data: rows as printed, networks that can be built, the experiments that tables share."""

from __future__ import annotations

import pytest

from repro.core.spec import Accuracy
from repro.models.build import build_meta
from repro.papers import find
from repro.papers.probe_cells import on_probe
from repro.papers.probes import ORDER
from repro.papers.with_method import with_method


def cell(table, row, name):
    return find(f"adafuse/{table}").row(row).cells[name]


def test_networks_that_differ_in_depth_and_loss_share_their_small_form():
    ids = {
        on_probe(cell(table, row, "static").model, ORDER).id
        for table, row in (
            ("table1", "adafuse_tsn_r18"), ("table3", "adafuse_tsn_r50_sthv1"), ("table5", "adafuse_tsn_r50_sthv1"),
            ("table6", "adafuse"), ("table4", "adafuse_tsn_r50_sthv1"),
        )
    }  # fmt: skip
    assert len(ids) == 1
    skip, reuse = (on_probe(cell("table6", row, "static").model, ORDER) for row in ("ada_skip", "ada_reuse"))
    assert skip.id != reuse.id and skip.model.method_options["actions"] == ("skip", "keep")


def test_values_that_the_paper_quotes_stand_apart_and_their_networks_are_hosts():
    rows = {row.key: row for row in find("adafuse/table5").rows}
    hosts = [key for key, row in rows.items() if row.host]
    assert hosts == [f"{net}_{data}" for data in ("sthv1", "sthv2") for net in ("tsn_inc", "tsn_r50", "tsm_r50")]
    assert {rows[key].section for key in hosts} == {"quoted"} and not any(rows[key].quoted_network for key in hosts)
    added = with_method(find("adafuse/table5"), "dnr").row("tsn_r50_sthv1_dnr")
    assert added.section == "added" and added.baseline == "tsn_r50_sthv1"


def test_recipes_are_those_of_the_scripts():
    for row, dataset, rate, decay, form, weight in (
        ("adafuse_tsn_r50_sthv1", "sthv1", 0.01, 5e-4, "upb", 0.125),
        ("adafuse_tsn_r50_sthv2", "sthv2", 0.02, 1e-4, "real", 0.075),
        ("adafuse_tsn_r50_jester", "jester", 0.02, 1e-4, "real", 0.05),
        ("adafuse_tsn_r50_minikinetics", "minikinetics", 0.02, 1e-4, "real", 0.1),
    ):
        experiment = cell("table3", row, dataset)
        measure, options = experiment.measure, experiment.model.method_options
        assert isinstance(measure, Accuracy) and measure.train is not None
        assert (measure.train.lr, measure.train.weight_decay) == (rate, decay)
        assert (options["efficiency"], options["efficiency_weight"]) == (form, weight)
        assert (measure.train.flip > 0) == (dataset == "minikinetics")
        assert (measure.test.crop, measure.test.count, experiment.model.pretrained) == (224, 1, "imagenet")


def test_rows_that_differ_in_the_loss_alone_are_counted_and_timed_once():
    assert cell("table5", "adafuse_tsn_r50_sthv1", "static").id == cell("table5", "adafuse_tsn_r50_sthv2", "static").id
    assert cell("table7", "h1024_l050", "static").id == cell("table7", "h1024_l100", "static").id
    assert cell("table7", "h1024_l050", "sthv2").id != cell("table7", "h1024_l100", "sthv2").id


@pytest.mark.parametrize(
    "table, row, millions",
    [
        ("table1", "adafuse_tsn_r18", 15.576), ("table1", "adafuse_tsn_inc", 14.499), ("table1", "lstm_r18", 13.367),
        ("table5", "adafuse_tsn_r50_sthv1", 37.687), ("table5", "adafuse_tsm_last_r50_sthv1", 39.083),
        ("table7", "h2048_l100", 54.296), ("table7", "h4096_l100", 84.723), ("table2", "adafuse_b3", 15.585),
        ("table2", "adafuse_b0", 8.189), ("table3", "lstm_r50_jester", 28.769), ("table3", "tsn_r50_jester", 23.563),
        ("table3", "adafuse_tsn_r50_jester", 37.386), ("table3", "adafuse_tsn_r50_minikinetics", 37.740),
    ],
)  # fmt: skip
def test_parameters_are_those_that_the_specification_derives(table, row, millions):
    net = build_meta(cell(table, row, "static").model)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.005)
