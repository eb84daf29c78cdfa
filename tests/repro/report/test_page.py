"""The report: complete, offline, escaped, the same for the same records; sound in a real browser at phone width."""

from __future__ import annotations

import html
import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from repro.figure_store import Clip, Facts, Figure, Network
from repro.papers.layout import FigureSpec, TableSpec
from repro.record import Problem, Record
from repro.report.page import Content, flat, render_page, write_page
from repro.report.view import table_view
from repro.spec import replace

HOSTILE = '</script><img src="https://example.org/x.png" onerror="alert(1)"> \'"'
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


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


def test_every_record_is_there_and_every_link_arrives(page: str, records: list[Record]) -> None:
    found = Page(page)
    assert len(found.ids) == len(set(found.ids))
    assert {record.name for record in records} <= set(found.ids)
    assert found.links and all(link.startswith("#") and link[1:] in found.ids for link in found.links)
    for told in ("python -m repro run table6", "A CPU &lt;7&gt;", "torch 2.11.0", "model.backbone", "MemoryError"):
        assert told in page
    assert found.tags.count("svg") == 3  # the scatter, the seeds, the training curves


def test_nothing_is_loaded(page: str) -> None:
    assert [load for load in Page(page).loads if not load.startswith("data:")] == []
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest", page)


def test_the_same_records_give_the_same_bytes(layout: TableSpec, records: list[Record], page: str) -> None:
    assert _page(layout, list(reversed(records))) == page


def test_an_experiment_of_two_tables_has_two_anchors(layout: TableSpec, records: list[Record]) -> None:
    twice = [*records, records[0].model_copy(update={"table": "supp2"})]
    found = Page(_page(layout, twice))
    assert len(found.ids) == len(set(found.ids)) and f"{records[0].name}-2" in found.ids


def test_hostile_text_stays_text(layout: TableSpec, records: list[Record]) -> None:
    rows = tuple(replace(row, label=HOSTILE) for row in layout.rows)
    job = records[0].model_copy(update={"command": ["python", HOSTILE], "modules": {HOSTILE: "0" * 64}})
    failed = records[-1].model_copy(update={"reason": HOSTILE})
    hostile = _page(
        replace(layout, rows=rows, title=HOSTILE), [job, *records[1:-1], failed], (Problem(HOSTILE, HOSTILE),)
    )
    found = Page(hostile)
    assert "img" not in found.tags and found.tags.count("script") == 1
    assert html.escape("<img src=", quote=False) in hostile


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


def test_nested_data_is_told_by_dotted_names() -> None:
    assert flat({"a": {"b": 1, "c": {}}, "d": "x", "e": [1]}) == [("a.b", "1"), ("a.c", "{}"), ("d", "x"), ("e", "[1]")]


def test_the_report_needs_no_torch() -> None:
    code = "import sys, repro.report, repro.report.page; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def _browse(page: str, folder: Path) -> tuple[str, list[str]]:
    """What a 390 pixels wide window makes of a page: its own measurements, and what the browser's console said."""
    probe = """
    <script>
      const frame = document.querySelector("iframe");
      frame.onload = () => {
        const inner = frame.contentDocument, root = inner.documentElement;
        const first = inner.querySelector("table.results tbody th[scope=row]").getBoundingClientRect();
        const box = inner.querySelector(".scroll");
        box.scrollLeft = 300;
        const after = inner.querySelector("table.results tbody th[scope=row]").getBoundingClientRect();
        frame.contentWindow.location.hash = inner.querySelector("details").id;
        setTimeout(() => { document.body.dataset.told = JSON.stringify({
          width: frame.contentWindow.innerWidth, page: root.scrollWidth, scrolls: box.scrollWidth > box.clientWidth,
          sticky: Math.abs(first.left - after.left) < 2, open: inner.querySelector("details").open,
          images: inner.images.length, rows: inner.querySelectorAll("table.results tbody tr").length,
          drawn: inner.querySelector("svg.plot").getBoundingClientRect().height > 100,
        }); }, 200);
      };
      frame.srcdoc = document.querySelector("template").innerHTML.length ? PAGE : "";
    </script>"""
    source = "decodeURIComponent('" + "".join(f"%{byte:02x}" for byte in page.encode()) + "')"
    wrapper = folder / "phone.html"
    text = '<body style="margin:0"><template>x</template><iframe style="border:0;width:390px;height:800px"></iframe>'
    wrapper.write_text(text + probe.replace("PAGE", source))
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
        "--disable-dev-shm-usage", "--enable-logging=stderr", "--virtual-time-budget=4000", "--window-size=800,900",
        f"--user-data-dir={folder / 'profile'}", "--dump-dom", wrapper.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    told = re.search(r'data-told="([^"]*)"', done.stdout)
    console = [line for line in done.stderr.splitlines() if ":CONSOLE" in line]
    return (html.unescape(told.group(1)) if told else ""), console


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_in_a_browser_at_phone_width(layout: TableSpec, records: list[Record], tmp_path: Path) -> None:
    rows = tuple(replace(row, label=HOSTILE) if row.key == "tsm_r50" else row for row in layout.rows)
    told, console = _browse(_page(replace(layout, rows=rows), records), tmp_path)
    assert console == []
    found = json.loads(told)
    assert found["width"] == 390 and found["page"] <= 390, found
    assert found["scrolls"] and found["sticky"] and found["open"] and found["drawn"], found
    assert found["images"] == 0 and found["rows"] == len(rows) + 2


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
def test_the_browser_check_sees_faults(page: str, tmp_path: Path) -> None:
    broken = page.replace("<main>", '<main><script>missing()</script><p style="width:900px">wide</p>')
    told, console = _browse(broken, tmp_path)
    assert any("missing is not defined" in line for line in console)
    assert int(re.search(r'"page":(\d+)', told).group(1)) > 390  # type: ignore[union-attr]


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
