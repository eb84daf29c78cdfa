"""How the reference holds up: equal counts, ratios within their spread, accuracies within another run's."""

from __future__ import annotations

from pathlib import Path

from repro.evidence.held_up import held_up
from repro.papers.table import TableSpec
from repro.records import store
from repro.records.index import Index
from repro.records.schema import Record
from tests.repro.made_table import accuracy, record_of, speed, static


def both(tmp_path: Path, own: list[Record], reference: list[Record]) -> tuple[Index, Index]:
    for name, records in (("own", own), ("records", reference)):
        for record in records:
            store.write(record, tmp_path / name)
    return Index(tmp_path / "own"), Index(tmp_path / "records")


def test_what_agrees_is_counted_and_what_differs_is_told(tmp_path: Path, layout: TableSpec) -> None:
    def made(gmacs: float, ratio: float, top1: float) -> list[Record]:
        times = speed(0.7, ratio)
        times["against"]["ratios"] = [ratio - 0.01, ratio, ratio + 0.01]
        return [
            record_of(layout, "tsn_r50", "static", static(24_327_632, 32.7036)),
            record_of(layout, "tsn_r50_dnr", "static", static(28_366_864, gmacs)),
            record_of(layout, "tsn_r50", "speed", speed(0.5)),
            record_of(layout, "tsn_r50_dnr", "speed", times),
            record_of(layout, "tsn_r50", "probe-order", accuracy(top1)),
        ]

    same = held_up(layout, *both(tmp_path / "same", made(32.7, 1.40, 50.0), made(32.7, 1.42, 52.0)))
    assert [(one.what, one.agreed, one.compared, one.others) for one in same] == [
        ("counts", 2, 2, ()), ("time ratios", 1, 1, ()), ("accuracies", 1, 1, ()),
    ]  # fmt: skip
    other = held_up(layout, *both(tmp_path / "other", made(32.8, 1.60, 90.0), made(32.7, 1.42, 52.0)))
    assert [(one.agreed, one.compared) for one in other] == [(1, 2), (0, 1), (0, 1)]
    assert other[0].others == (
        "TSN + DNR, static: 28,366,864 parameters, 32.8 GMACs here, 28,366,864 parameters, 32.7 GMACs in the reference",
    )
    assert "1.600 times its host here, 1.420 in the reference" in other[1].others[0]
    assert "top-1 90.0 here, 52.0 in the reference" in other[2].others[0]


def test_a_card_is_not_held_against_a_processor(tmp_path: Path, layout: TableSpec) -> None:
    here = record_of(layout, "tsn_r50_dnr", "speed", speed(0.01, 1.1, device="cuda:0", device_name="A card"))
    there = record_of(layout, "tsn_r50_dnr", "speed", speed(0.7, 1.4))
    assert held_up(layout, *both(tmp_path, [here], [there])) == []


def test_nothing_of_ones_own_is_nothing_to_compare(tmp_path: Path, layout: TableSpec, records: list[Record]) -> None:
    assert held_up(layout, *both(tmp_path, [], records)) == []
