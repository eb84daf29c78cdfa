"""What a table asks of its rows: the printed difference, the measured one with its interval, never a stronger word."""

from __future__ import annotations

import pytest

from repro.core.errors import BadOption
from repro.core.spec import replace
from repro.evidence.comparisons import findings
from repro.papers.comparison import Comparison
from repro.papers.table import ColumnSpec, TableSpec
from repro.report.build_table import table_view
from tests.repro.made_table import accuracy, record_of, static

ASKS = "Does DNR help?"


def asked(layout: TableSpec, host: list[float], dnr: list[float], **more) -> str:
    runs = {"tsn_r50": host, "tsn_r50_dnr": dnr}
    records = {
        layout.row(row).cells["twin-temporal"].id: [
            record_of(layout, row, "twin-temporal", accuracy(value), seed=seed) for seed, value in enumerate(values)
        ]
        for row, values in runs.items()
    }
    pair = {"better": "tsn_r50_dnr", "worse": "tsn_r50"}
    question = Comparison(table=layout.full_name, asks=ASKS, cell="twin-temporal", **{**pair, **more})
    asking = replace(layout, comparisons=(question,))
    (told,) = findings(asking, lambda experiment: records.get(experiment.id, []) if experiment else [])
    return told


@pytest.mark.parametrize(
    ("host", "dnr", "answer"),
    [
        ([10.0, 11.0, 12.0], [90.0, 91.0, 92.0], ": yes there."),
        ([90.0, 91.0, 92.0], [10.0, 11.0, 12.0], ": no, the reverse there."),
        ([10.0, 50.0, 90.0], [20.0, 60.0, 95.0], ": undecided there."),
    ],
)
def test_the_answer_is_that_of_the_interval(layout: TableSpec, host, dnr, answer) -> None:
    told = asked(layout, host, dnr)
    assert told.startswith(f"{ASKS} Printed: +2.70. Measured here on twin-temporal: TSN + DNR minus TSN is ")
    assert told.endswith(answer)
    assert "(3 and 3 seeds)" in told


def test_two_seeds_in_common_are_needed(layout: TableSpec) -> None:
    told = asked(layout, [10.0], [90.0, 91.0])
    assert "Not answered: its cells have 1 seeds in common; python -m repro run dnr/table6 --seeds 3." in told


def test_an_effect_beyond_another_is_taken_seed_by_seed(layout: TableSpec) -> None:
    """The second difference is the first one's negative: 2 x (80, 81, 79) = 160 on average."""
    told = asked(layout, [10.0, 10.0, 10.0], [90.0, 91.0, 89.0], beyond=("tsn_r50", "tsn_r50_dnr"))
    assert "is +160.0 points" in told and told.endswith(": yes there.")
    assert "Printed: +5.40." in told


def test_a_row_that_nobody_prints_has_no_printed_difference(layout: TableSpec) -> None:
    rows = tuple(replace(row, published_row=None) if row.key == "tsn_r50" else row for row in layout.rows)
    assert "Printed" not in asked(replace(layout, rows=rows), [10.0, 11.0], [12.0, 13.0])


def test_a_question_on_no_row_is_refused(layout: TableSpec) -> None:
    with pytest.raises(BadOption, match="names no row"):
        replace(layout, comparisons=(Comparison(table="dnr/table6", asks=ASKS, better="tsn", worse="tsn_r50"),))


def test_a_slope_is_told_with_what_the_paper_says_of_it(layout: TableSpec) -> None:
    """Gains of 80 at 8 and -80 at 4: a slope of 40 points a clip in every seed, printed +2.70 and -2.70."""
    points = ((8.0, "tsn_r50_dnr", "tsn_r50"), (4.0, "tsn_r50", "tsn_r50_dnr"))
    more = {"better": "", "worse": "", "points": points, "along": "clip", "claim": "it grows", "sign": 1}
    told = asked(layout, [10.0, 10.5, 9.0], [90.0, 90.5, 89.5], **more)
    assert told.startswith(f"{ASKS}: it grows. Printed: +2.70, -2.70 at 8, 4, a slope of +1.35 points a clip. ")
    assert "Measured here: +80.2, -80.2 at 8, 4, a slope of +40.08 points a clip" in told
    assert told.endswith("over 3 seeds: supported on the twins.")
    assert "Not evaluated: its cells have 1 seeds in common" in asked(layout, [10.0], [90.0], **more)


def test_ratios_verdicts_on_print_and_their_reasons(layout: TableSpec) -> None:
    """Printed GFLOPs are 33 for both; 32.70 rounds to it, 36.00 does not."""
    columns = (
        ColumnSpec(
            key="ratio", title="ratio", source="ratio:static:sizes.224.gmacs", digits=3, absent="not applicable: it"
        ),
        ColumnSpec(key="own", title="GFLOPs", source="published:gflops"),
    )
    rows = tuple(
        replace(row, explained={"gflops": "because it is so"}) if row.key == "tsn_r50_dnr" else row
        for row in layout.rows
    )
    small = replace(layout, columns=columns, rows=rows)
    records = [
        record_of(small, "tsn_r50", "static", static(1, 32.7)),
        record_of(small, "tsn_r50_dnr", "static", static(1, 36.0)),
    ]
    table = table_view(small, records)
    found = {row.key: row.cells for row in table.rows}
    assert found["tsn_r50_dnr"][0].text == "1.101"
    assert found["tsn_r50"][0].text == "n/a"
    assert (found["tsn_r50"][1].spread, found["tsn_r50_dnr"][1].spread) == ("=", "≠")
    notes = [table.footnotes[note] for note in found["tsn_r50_dnr"][1].notes]
    assert any("because it is so" in note for note in notes)
