"""The first page: counts of what is there, what contradicts, and what is missing with the commands that mend it."""

from __future__ import annotations

from typing import Any

from repro import papers
from repro.core.spec import replace
from repro.evidence.claims import judge
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.report.build_table import table_view
from repro.report.summary import front, machines, needs


def test_what_was_measured_is_counted(layout: TableSpec, records: list[Record]) -> None:
    table = table_view(layout, records)
    found = front([table], records, [], [])
    assert (found.done, found.failed, found.kinds) == (8, 1, "3 static, 2 speed, 3 accuracy")
    assert found.seeds == [(1, 1), (2, 1)] and found.datasets == [("probe-order", 3)]
    (one,) = found.coverage
    kinds = [cell.kind for row in table.rows for cell in row.cells]
    assert one.measured == kinds.count("measured") and 0 < one.share < 100


def test_machines_are_told_apart_by_their_versions(records: list[Record]) -> None:
    other = records[0].environment | {"packages": {"torch": "3.0.0"}}
    elsewhere = records[0].model_copy(update={"environment": other})
    found = machines([*records, elsewhere])
    assert "torch 2.11.0" in found[0].versions
    assert [machine.kinds for machine in found] == ["3 static, 2 speed, 3 accuracy", "1 static"]


def test_reasons_that_differ_only_in_the_command_stand_together(layout: TableSpec) -> None:
    tables = [table_view(replace(layout, name=name), []) for name in ("table6", "table7")]
    found = {need.text: need for need in needs(tables)}
    run = found["not run"]
    assert run.commands == ("python -m repro run dnr/table6", "python -m repro run dnr/table7")
    assert run.tables == ("dnr/table6", "dnr/table7")
    data = found["not run: kinetics400 is not configured"]
    assert data.commands == ("python -m repro data add kinetics400",)
    assert not any(text.startswith(("not applicable", "quoted", "not published")) for text in found)


def _costly(results: dict[str, Any]) -> dict[str, Any]:
    """The counts of a network that costs twice as much."""
    twice = {size: {"gmacs": 2 * found["gmacs"]} for size, found in results["sizes"].items()}
    return {**results, "sizes": twice}


def test_cells_that_differ_from_print_are_named(layout: TableSpec, records: list[Record]) -> None:
    changed = [
        r if r.results.get("sizes") is None else r.model_copy(update={"results": _costly(r.results)}) for r in records
    ]
    table = table_view(layout, changed)
    found = front([table], records, [], [])
    assert table.verdicts["differs"] == len(found.differing) > 0
    rows = ("tsn_r50", "tsn_r50_dnr", "tsm_r50")
    assert [one.anchor for one in found.differing] == [f"dnr/table6/{row}/gflops" for row in rows]
    assert not any(one.explained for one in found.differing)


def test_a_quoted_row_is_nothing_that_a_run_would_fill(layout: TableSpec) -> None:
    quoted = replace(layout.rows[0], quoted_reason="not run: the paper quotes this row from another publication")
    assert needs([table_view(replace(layout, rows=(quoted,)), [])]) == []


def test_what_does_not_hold_stands_on_the_front_page() -> None:
    judged = judge(papers.claims("dnr"), [])
    found = front([], [], judged, [])
    assert found.contradicted and {one.by_arithmetic for one in found.contradicted} == {"does not hold"}
    assert all(one.claim.would_decide for one in found.undecided)
    assert found.dates == "" and found.machines == []
