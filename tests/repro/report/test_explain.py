"""Every cell of every table can be explained."""

from __future__ import annotations

from functools import cache

import pytest

from repro import papers
from repro.__main__ import main
from repro.core import paths
from repro.core.errors import BadOption, UnknownName
from repro.papers import published
from repro.records.index import Index
from repro.report import build
from repro.report.build_table import table_view
from repro.report.explain import explain, split
from tests.repro.made_table import accuracy, record_of, speed

TABLES = list(papers.TABLES)


@cache
def reference() -> Index:
    return Index(paths.published().parent / "records")


def told(name: str, row: str, column: str) -> list[tuple[str, str]]:
    layout = papers.find(name)
    records = reference().of_table(name, layout.ids)
    return explain(build(layout, reference()), layout, row, column, records, {})


@pytest.mark.parametrize("name", TABLES)
def test_every_cell_has_an_answer(name):
    layout = papers.find(name)
    table, records = build(layout, reference()), reference().of_table(name, layout.ids)
    also = [one for one in published.load(layout.published_csv).columns if one not in ("row", "note")]
    for row, shown in zip(layout.rows, table.rows, strict=True):
        cells = {column.key: cell for column, cell in zip(table.columns, shown.cells, strict=True)}
        for column in dict.fromkeys([*cells, *also]):
            found = explain(table, layout, row.key, column, records, {})
            heads = [head for head, _ in found]
            assert all(text.strip() for _, text in found)
            assert "printed" in heads and "record" in heads, (row.key, column)
            said = [text for head, text in found if head == "record"]
            for record in cells[column].records if column in cells else ():
                assert any(record.rpartition("-s")[0] in text for text in said)
            if column in cells and cells[column].kind == "measured":
                assert "again" in heads and any(cells[column].text in text for head, text in found if head == "here")


def test_tanet_s_36():
    found = told("dnr/table6", "tanet_r50", "gflops")
    text = "\n".join(f"{head}: {line}" for head, line in found)
    assert "printed: 36 × 30" in text and "here: 32.76" in text
    assert "true at no crop, by no counter: 32.8 to 33.1 at 224, 42.8 to 43.2 at 256" in text
    assert "counters: at 224: GMACs 32.760, fvcore 32.938, ptflops 33.066" in text
    assert "counters: at 256: GMACs 42.7" in text
    assert "baselines/tanet.py" in text and "liu-zhy/temporal-adaptive-module@5fcb46f" in text
    assert "again: python -m repro run dnr/table6" in text


def test_a_cell_is_found_by_what_a_table_shows():
    assert told("dnr/table6", "TANet", "GFLOPs") == told("dnr/table6", "tanet_r50", "gflops")
    assert told("dnr/table6", "TSN+DNR", "top-1") == told("dnr/table6", "tsn_r50_dnr", "top1")
    with pytest.raises(UnknownName, match="unknown row"):  # two rows of one label
        told("adafuse/table5", "AdaFuse TSN", "top1")


def test_a_measured_value_has_its_printed_one_and_its_own_conditions():
    found = told("dnr/table6", "tdn_r50_dnr", "slowdown")
    assert any(head == "printed" and "1.24" in text for head, text in found)
    assert [head for head, text in found if "segments of" in text] == ["measured"]


@pytest.mark.parametrize("place", ["dnr/table6/tanet_r50/gflops", "psn/table4/psn_8_112/gflops"])
def test_nothing_is_told_twice(place):
    texts = [text for _, text in told(*split(place))]
    assert [one for one in texts if sum(one in other for other in texts) > 1] == []


def test_what_was_not_measured_says_how_it_would_be():
    found = told("dnr/table6", "tsn_r50", "top1")
    assert ("again", "python -m repro run dnr/table6 --rows tsn_r50 --only kinetics400") in found


def test_addresses():
    assert split("table6/tsn_r50/top1") == ("table6", "tsn_r50", "top1")
    assert split("dnr/table6/tsn_r50/top1") == ("dnr/table6", "tsn_r50", "top1")
    for wrong in ("table6", "table6/x", "a/b/c/d/e", "table6//top1"):
        with pytest.raises(BadOption, match="TABLE/ROW/COLUMN"):
            split(wrong)


def test_unknown_names_give_the_nearest():
    with pytest.raises(UnknownName, match="did you mean tanet_r50"):
        told("dnr/table6", "tanet_r5", "gflops")
    with pytest.raises(UnknownName, match="did you mean gflops"):
        told("dnr/table6", "tanet_r50", "gflop")


def test_the_verb_names_the_record_s_file(capsys, monkeypatch):
    monkeypatch.setenv("REPRO_RESULTS", str(paths.published().parent))
    assert main(["explain", "table6/tanet_r50/gflops", "--reference"]) == 0
    shown = capsys.readouterr().out
    path = next(line.split()[1] for line in shown.splitlines() if line.startswith("record "))
    assert path.endswith(".json") and "results" in path
    assert main(["explain", "table6/nobody/gflops"]) == 2
    assert "unknown row 'nobody'" in capsys.readouterr().err


def test_sittings_of_one_time_stand_in_one_line():
    layout = papers.find("dnr/table6")
    records = [record_of(layout, "tsn_r50_dnr", "speed", speed(0.5, 1.1), seed=seed) for seed in range(3)]
    found = dict(explain(table_view(layout, records), layout, "tsn_r50_dnr", "slowdown", records, {}))
    assert "sittings 1 to 3 beside it" in found["record"] and found["again"].endswith("speed --sittings 3 --force")


def test_seeds_of_one_training_stand_in_one_line():
    layout = papers.find("dnr/table6")
    records = [record_of(layout, "tsm_r50", "probe-order", accuracy(80.0 + seed), seed=seed) for seed in range(4)]
    found = explain(table_view(layout, records), layout, "tsm_r50", "probe_order", records, {})
    (record,) = [text for head, text in found if head == "record"]
    (again,) = [text for head, text in found if head == "again"]
    assert "seeds 0 to 3 beside it" in record and again.endswith("--only probe-order --seeds 4 --force")
