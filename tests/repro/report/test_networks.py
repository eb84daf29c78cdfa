"""All networks on equal terms: what is compared with what, and what is left out and said so."""

from __future__ import annotations

import json

import pytest

from repro import papers
from repro.core import paths
from repro.core.spec import replace
from repro.papers import published
from repro.papers.table import TableSpec
from repro.records.index import Index
from repro.records.schema import Record
from repro.report import build
from repro.report.build_table import table_view
from repro.report.figures import sources
from repro.report.networks import Networks, networks
from repro.report.page import Content
from tests.repro.made_table import ENVIRONMENT, record_of, render_page, speed, static


def _networks(layouts: list[TableSpec], records: list[Record]) -> Networks:
    return networks(sources(layouts, [table_view(layout, records) for layout in layouts], records))


def test_a_line_holds_the_printed_accuracy_and_the_measured_cost_of_all_views(
    layout: TableSpec, records: list[Record]
) -> None:
    found = {one.key: one for one in _networks([layout], records).lines}
    assert set(found) == {"dnr/table6/tsn_r50", "dnr/table6/tsn_r50_dnr", "dnr/table6/tsm_r50"}
    line = found["dnr/table6/tsn_r50_dnr"]
    printed = published.load("dnr_table6").value("tsn_r50_dnr", "top1")
    assert printed is not None and (line.printed, line.dataset) == (printed.text, "kinetics400")
    assert (line.views, line.views_from, line.size) == (30, "printed", "224")
    assert line.video_gmacs == pytest.approx(30 * 32.7041) and line.params == pytest.approx(28.366864)
    assert line.speed == pytest.approx(1 / 0.7) and line.video_speed == pytest.approx(1 / 0.7 / 30)
    assert line.baseline == "dnr/table6/tsn_r50" and found["dnr/table6/tsm_r50"].speed is None
    assert line.on_front == ("GMACs", "speed") and found["dnr/table6/tsn_r50"].on_front == ("speed",)


def test_speeds_of_other_conditions_are_left_out_and_said_so(layout: TableSpec, records: list[Record]) -> None:
    fast = record_of(layout, "tsm_r50", "speed", speed(0.01, device="cuda", device_name="A GPU"))
    found = _networks([layout], [*records, fast])
    assert found.conditions == "A CPU <7> (cpu), 1 thread, fp32, eager form, batch 1" and found.elsewhere == 1
    assert next(one for one in found.lines if one.key.endswith("tsm_r50")).speed is None


def test_two_processors_of_one_name_are_compared_apart(layout: TableSpec, records: list[Record]) -> None:
    wide = {**ENVIRONMENT, "vectors": ["avx2", "avx512f"]}
    fast = record_of(layout, "tsm_r50", "speed", speed(0.01), environment=wide)
    found = _networks([layout], [*records, fast])
    assert found.conditions.startswith("A CPU <7> (cpu)") and found.elsewhere == 1
    assert fast.processor == "A CPU <7> with AVX-512"


@pytest.mark.parametrize(
    ("vectors", "told"),
    [(["avx2"], ""), ([], ""), (["avx2", "avx512f", "avx512_bf16"], " with bf16 arithmetic"), (None, "")],
)
def test_a_new_record_is_told_as_an_old_one_of_the_same_processor(layout, vectors, told) -> None:
    environment = ENVIRONMENT if vectors is None else {**ENVIRONMENT, "vectors": vectors}
    new = record_of(layout, "tsm_r50", "speed", speed(0.01), environment=environment)
    old = record_of(layout, "tsm_r50", "speed", speed(0.01, machine={"cpu_bf16": bool(told)}))
    assert new.processor == old.processor == f"A CPU <7>{told}"
    on_gpu = speed(0.01, device="cuda", device_name="A GPU")
    assert record_of(layout, "tsm_r50", "speed", on_gpu, environment=environment).processor == "A GPU"


def test_the_same_accuracy_of_the_same_network_stands_once(layout: TableSpec, records: list[Record]) -> None:
    again = replace(layout, name="other")
    found = _networks([layout, again], records)
    assert len(found.lines) == 3 and found.lines[0].tables == ("dnr/table6", "dnr/other")


def test_a_figure_needs_three_networks_and_draws_their_front(layout: TableSpec, records: list[Record]) -> None:
    (title, drawn), *more = _networks([layout], records).figures
    assert title == "Kinetics-400" and not more
    assert [drawing.title for drawing in drawn] == ["Kinetics-400: accuracy against GMACs."]
    assert drawn[0].svg.count("<circle") == 3 and 'class="pair"' in drawn[0].svg


def test_without_records_there_is_no_section(layout: TableSpec) -> None:
    assert _networks([layout], []).lines == []
    page = render_page(Content(layouts=[layout], tables=[table_view(layout, [])], records=[]))
    assert 'id="networks"' not in page


def test_the_page_shows_every_line(layout: TableSpec, records: list[Record]) -> None:
    smaller = record_of(layout, "tsm_r50_mine", "static", static(5, 0.5))
    page = render_page(Content(layouts=[layout], tables=[table_view(layout, records)], records=[*records, smaller]))
    section = page[page.index('id="networks"') : page.index('id="dnr/table6"')]
    assert section.count('<th scope="row">') == 3  # the user's own row has no printed accuracy
    assert "not timed" in section and "28.37" in section


def test_a_time_at_another_crop_than_the_tests_is_none(layout: TableSpec, records: list[Record]) -> None:
    """The test is of 32 pixels: once a count at 32 is there, it stands, and the time at 224 does not."""
    both = static(24_327_632, 32.7)
    both["sizes"]["32"] = both["sizes"]["224"] | {"gmacs": 0.67}
    kept = [one for one in records if (one.row, one.cell) != ("tsn_r50", "static")]
    found = _networks([layout], [*kept, record_of(layout, "tsn_r50", "static", both)])
    line = next(one for one in found.lines if one.key.endswith("tsn_r50"))
    assert (line.size, line.gmacs, line.speed) == ("32", 0.67, None)


def test_the_reference_compares_cost_and_time_of_the_same_view() -> None:
    layouts = [papers.find(name) for name in papers.TABLES]
    index = Index(paths.published().parent / "records")
    made = networks(sources(layouts, [build(layout, index) for layout in layouts], index.records()))
    found = {(one.label, one.dataset): one for one in made.lines}
    for label, size, gmacs in (("X3D-XL", "356", 48.41), ("SlowFast", "256", 36.10), ("TANet", "256", 42.78)):
        line = found[label, "kinetics400"]
        assert (line.size, round(line.gmacs, 2)) == (size, gmacs), label
    timed = set()
    for one in index.records():
        if one.kind == "speed":
            of = one.spec["model"], one.spec["measure"].get("against")
            timed |= {(model["name"], model["method"], str(one.spec["measure"]["size"])) for model in of if model}
    for line in made.lines:
        model = json.loads(line.network)
        assert line.speed is None or (model["name"], model["method"], line.size) in timed, line.key
    assert sum(line.speed is not None for line in made.lines) > 100
