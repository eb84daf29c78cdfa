"""The report: complete, offline, escaped, and the same for the same records."""

from __future__ import annotations

import html
import html.parser
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from repro import papers
from repro.core import paths
from repro.core.spec import replace
from repro.papers.table import FigureSpec, TableSpec
from repro.records.figures import Clip, Facts, Figure, Network
from repro.records.index import shown_records
from repro.records.schema import Record
from repro.records.store import Problem
from repro.report import write_report
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.embedded_data import BLOCK
from repro.report.latex import render_latex
from repro.report.markdown import render_markdown
from repro.report.page import Content, write_page
from tests.repro.made_table import render_page, unpack

HOSTILE = '</script><img src="https://example.org/x.png" onerror="alert(1)"> \'"'


@pytest.fixture
def page(layout: TableSpec, records: list[Record]) -> str:
    return _page(layout, records)


def _page(layout: TableSpec, records: list[Record], problems: tuple[Problem, ...] = ()) -> str:
    layout = replace(layout, figures=(FigureSpec(title="Accuracy against GMACs", x="gmacs224", y="top1"),))
    return render_page(_content(layout, records, problems=problems))


def _content(layout: TableSpec, records: list[Record], **more: Any) -> Content:
    return Content(layouts=[layout], tables=[table_view(layout, records)], records=records, **more)


class Page(html.parser.HTMLParser):
    """Ids, links, loaded addresses and tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.links.append(value or "")
            elif name in {"href", "src", "srcset", "action", "data", "poster"}:
                self.loads.append(value or "")


def _packs(page: str) -> dict[str, Any]:
    """What is packed in the page, unpacked, by id."""
    found = re.findall(r'<script type="application/octet-stream" id="([^"]+)">([^<]+)</script>', page)
    return {id: unpack(text) for id, text in found}


def _packed_records(page: str) -> list[dict[str, Any]]:
    return [one for id, pack in _packs(page).items() if id.startswith("pack-records-") for one in pack]


def test_every_record_is_there_and_every_link_arrives(page: str, records: list[Record]) -> None:
    found, packed = Page(page), _packed_records(page)
    assert len(found.ids) == len(set(found.ids))
    assert sorted(one["name"] for one in packed) == sorted(record.name for record in records)
    arrives = {*found.ids, *(one["name"] for one in packed)}
    assert found.links and [link for link in found.links if not link.startswith("#") or link[1:] not in arrives] == []
    told = json.dumps(packed)
    for part in ("table6", "A CPU <7>", "2.11.0", "MemoryError"):
        assert part in told
    assert found.tags.count("svg") == 2 and page.count("<svg ") == 4  # seeds and training curves are folded


def test_every_cell_has_an_address_and_names_its_records(page: str, layout: TableSpec, records: list[Record]) -> None:
    table, ids = table_view(layout, records), set(Page(page).ids)
    index = _packs(page)["pack-index"]
    for row in table.rows:
        for column, cell in zip(table.columns, row.cells, strict=True):
            assert f"{table.full_name}/{row.key}/{column.key}" in ids
            positions = index["cells"][table.full_name].get(row.key, {}).get(column.key, [])
            assert tuple(index["records"][position][0] for position in positions) == cell.records


def test_the_report_of_this_checkout_is_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Every table, record, claim, finding and figure that is there: ids are unique and links arrive."""
    monkeypatch.setenv("REPRO_RESULTS", str(paths.published().parent))
    write_report(tmp_path / "report.html", [papers.find(name) for name in papers.TABLES], shown_records())
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    found = Page(text)
    arrives = {*found.ids, *(one["name"] for one in _packed_records(text))}
    assert [id for id, count in Counter(found.ids).items() if count > 1] == []
    assert [link for link in found.links if link[1:] not in arrives] == []
    assert set(papers.TABLES) | {"front", "networks", "claims", "findings", "records"} <= set(found.ids)
    assert [one for one in found.loads if not one.startswith("data:")] == []


def test_positions_of_the_index_are_those_of_the_packs(layout: TableSpec, records: list[Record]) -> None:
    many = [records[0].model_copy(update={"seed": seed}) for seed in range(2 * BLOCK + 3)]
    page = _page(layout, many)
    found = _packs(page)
    for position, line in enumerate(found["pack-index"]["records"]):
        one = found[f"pack-records-{position // found['pack-index']['block']}"][position % BLOCK]
        assert (one["name"], one["seed"]) == (line[0], line[4])


def test_the_files_of_a_table_are_those_that_the_command_writes(
    page: str, layout: TableSpec, records: list[Record]
) -> None:
    table = table_view(layout, records)
    files = _packs(page)["pack-files-dnr/table6"]
    assert files == {"csv": render_csv(table), "tex": render_latex(table), "md": render_markdown(table)}


def test_nothing_is_loaded(page: str) -> None:
    assert [load for load in Page(page).loads if not load.startswith("data:")] == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", page)


def test_the_same_records_give_the_same_bytes(layout: TableSpec, records: list[Record], page: str) -> None:
    assert _page(layout, list(reversed(records))) == page


def test_hostile_text_stays_text(layout: TableSpec, records: list[Record]) -> None:
    rows = tuple(replace(row, label=HOSTILE) for row in layout.rows)
    job = records[0].model_copy(update={"command": ["python", HOSTILE], "modules": {HOSTILE: "0" * 64}})
    failed = records[-1].model_copy(update={"reason": HOSTILE})
    hostile = _page(
        replace(layout, rows=rows, title=HOSTILE), [job, *records[1:-1], failed], (Problem(HOSTILE, HOSTILE),)
    )
    found = Page(hostile)
    assert "img" not in found.tags and found.tags.count("script") == page_scripts(hostile)
    assert html.escape("<img src=", quote=False) in hostile


def page_scripts(page: str) -> int:
    """The script itself, the packs, and what is folded: what was written into the page on purpose."""
    return 1 + len(_packs(page)) + page.count('<script type="text/html">')


def test_smoke_records_are_left_out(layout: TableSpec, records: list[Record]) -> None:
    smoke = [record.model_copy(update={"smoke": True}) for record in records]
    assert "Nothing is measured yet" in _page(layout, smoke)


def test_a_report_without_anything_says_so() -> None:
    assert "Nothing is measured yet" in render_page(Content(layouts=[], tables=[], records=[]))


def test_a_report_is_written_whole(tmp_path: Path, layout: TableSpec, records: list[Record]) -> None:
    target = tmp_path / "new" / "report.html"
    write_page(target, _content(layout, records))
    assert target.read_text(encoding="utf-8").endswith("</html>\n")
    assert [p.name for p in target.parent.iterdir()] == ["report.html"]


def test_the_report_needs_no_torch() -> None:
    code = "import sys, repro.report, repro.report.page; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_stored_figures_are_inlined_with_what_they_show(layout: TableSpec, records: list[Record]) -> None:
    header = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (30).to_bytes(4, "big") + (20).to_bytes(4, "big")
    facts = Facts(
        kind="gradcam",
        title=f"A strip {HOSTILE}",
        alt=f"seen {HOSTILE}",
        caption="what it is",
        networks=[
            Network(label="TSN", model={}, weights_sha256="ab" * 32),
            Network(label="TSM", model={}, weights_sha256=None),
        ],
        clip=Clip(name="clip.mp4", sha256="cd" * 32),
        command=["python", "-m", "repro", "inspect", "gradcam", "my clip.mp4"],
        environment={},
        details={},
    )
    text = render_page(_content(layout, records, pictures=[Figure("one", facts, header)]))
    found = Page(text)
    assert "figure-one" in found.ids and "#figures" in found.links
    assert all(address.startswith("data:") for address in found.loads)
    for part in ("ab" * 32, "cd" * 32, "random weights", html.escape("'my clip.mp4'"), 'width="30" height="20"'):
        assert part in text or part.replace("&#x27;", "&#39;") in text, part
    assert HOSTILE not in text
    assert "#figures" not in Page(_page(layout, records)).links
