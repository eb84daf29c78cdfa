"""The report in a real browser: on a phone and a desktop, by mouse and by keyboard, on screen and in print."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro import papers
from repro.cli.parser import build_parser
from repro.core import paths
from repro.core.spec import replace
from repro.papers.table import FigureSpec, TableSpec
from repro.records.index import Index
from repro.records.schema import Record
from repro.report import write_report
from repro.report.build_table import table_view
from repro.report.page import Content
from tests.repro.made_table import render_page

from .chromium import COMMAND, Chromium

pytestmark = [pytest.mark.skipif(COMMAND is None, reason="no Chromium here"), pytest.mark.xdist_group("chromium")]

HOSTILE = '</script><img src="https://example.org/x.png" onerror="alert(1)"> \'"'


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with Chromium(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
def address(layout: TableSpec, records: list[Record], tmp_path: Path, browser: Chromium) -> str:
    """A report with a hostile label, opened on a desktop."""
    rows = tuple(replace(row, label=HOSTILE) if row.key == "tsm_r50" else row for row in layout.rows)
    figures = (FigureSpec(title="Accuracy against GMACs", x="gmacs224", y="top1"),)
    layout = replace(layout, rows=rows, figures=figures)
    page = tmp_path / "report.html"
    text = render_page(Content(layouts=[layout], tables=[table_view(layout, records)], records=records))
    page.write_text(text.replace('<details class="full">', '<details class="full" open>'))
    browser.media()
    browser.resize(1440, 1000)
    browser.console.clear()
    browser.open(page.as_uri())
    return page.as_uri()


def test_a_phone_scrolls_the_table_and_not_the_page(browser: Chromium, address: str) -> None:
    browser.resize(390, 844)
    browser.open(address)
    found = browser.run("""(() => {
      const box = document.querySelector("section.table .scroll"), first = box.querySelector("tbody th[scope=row]");
      box.scrollIntoView();
      const before = first.getBoundingClientRect().left;
      box.scrollLeft = 300;
      return { window: innerWidth, page: document.documentElement.scrollWidth, wide: box.scrollWidth > box.clientWidth,
        moved: Math.abs(before - first.getBoundingClientRect().left), images: document.images.length,
        menu: document.querySelector("#menu").open, plot: document.querySelector("svg.plot").clientHeight };
    })()""")
    assert found["window"] == 390 and found["page"] <= 390, found
    assert found["wide"] and found["moved"] < 2 and not found["menu"] and found["plot"] > 100, found
    assert found["images"] == 0 and browser.console == []


def test_the_check_of_the_console_sees_faults(browser: Chromium, address: str) -> None:
    browser.run("setTimeout(() => missing())")
    browser.wait("true")
    browser.run("new Promise((done) => setTimeout(done, 50))")
    assert any("missing is not defined" in line for line in browser.console)


def test_a_cell_opens_with_its_record_and_has_an_address(browser: Chromium, address: str) -> None:
    browser.run("document.getElementById('dnr/table6/tsn_r50_dnr/slow').click()")
    browser.wait("document.querySelector('#detail pre')")
    told = browser.run("document.querySelector('#detail').innerText")
    for part in (
        "TSN + DNR: slow-down",
        "1.40",
        "measured here",
        "python -m repro run table6",
        "A CPU <7>",
        "1.43 views/s",
    ):
        assert part in told, part
    assert browser.run("location.hash") == "#dnr/table6/tsn_r50_dnr/slow"
    browser.press("Escape")
    assert browser.run("document.querySelector('#detail').hidden && location.hash === ''")
    browser.open(f"{address}#dnr/table6/tsn_r50/order")
    browser.wait("document.querySelectorAll('#detail details').length === 2")
    browser.run("document.querySelector('#detail details').open = true")
    browser.wait("document.querySelectorAll('#detail svg polyline').length === 2")  # loss and lr
    assert browser.console == []


def test_a_record_has_an_address(browser: Chromium, address: str, records: list[Record]) -> None:
    browser.open(f"{address}#{records[-1].name}")
    browser.wait("!document.querySelector('#detail').hidden")
    assert "MemoryError: <i>none</i> left" in browser.run("document.querySelector('#detail').innerText")


def test_columns_are_sorted_within_sections_and_back(browser: Chromium, address: str) -> None:
    def shown() -> list[str]:
        rows = "[...document.querySelectorAll('tr[id]')].map((row) => row.id.split('/')[2])"
        return list(browser.run(rows))

    def press() -> str:
        return str(browser.run("""(() => {
          const all = [...document.querySelectorAll("table.results th")];
          const th = all.find((one) => one.textContent.startsWith("Top-1"));
          th.querySelector("button").click();
          return th.getAttribute("aria-sort");
        })()"""))  # fmt: skip

    first = shown()
    assert press() == "descending"
    down = shown()
    assert down[0] == first[0] and down[1:4] == ["tsn_r50_dnr", "tsm_r50", "tsn_r50"] and sorted(down) == sorted(first)
    assert press() == "ascending"
    assert shown()[1:4] == ["tsn_r50", "tsm_r50", "tsn_r50_dnr"] and shown()[-1] == down[-1]  # without a value: last
    assert press() == "None" and shown() == first


def test_the_search_finds_rows_and_records(browser: Chromium, address: str) -> None:
    browser.press("/")
    assert browser.run("document.activeElement.id") == "search"
    browser.call("Input.insertText", text="dnr probe-order")
    browser.wait("document.querySelectorAll('#hits a').length > 0")
    links = browser.run("[...document.querySelectorAll('#hits a')].map((a) => a.hash)")
    assert links[:2] == [
        "#dnr/table6/tsn_r50/order",
        "#dnr/table6/tsn_r50_dnr/order",
    ]  # their verdicts name the dataset
    assert len(links) == 6 and all(re.fullmatch(r"#[0-9a-f]{16}-s\d", link) for link in links[2:])
    browser.call("Input.insertText", text=" nowhere")
    browser.wait("document.querySelector('#hits').innerText.startsWith('0 found')")


def test_all_is_reached_by_keyboard(browser: Chromium, address: str) -> None:
    browser.press("Tab")
    assert browser.run("document.activeElement.className") == "skip"
    assert browser.run("document.activeElement.getBoundingClientRect().left") >= 0
    browser.run("document.getElementById('dnr/table6/tsn_r50/gmacs224').querySelector('a').focus()")
    assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for key, cell in (
        ("ArrowRight", "tsn_r50/params"),
        ("ArrowDown", "tsn_r50_dnr/params"),
        ("ArrowLeft", "tsn_r50_dnr/gmacs224"),
    ):
        browser.press(key)
        assert browser.run("document.activeElement.closest('td').id") == f"dnr/table6/{cell}"
    browser.press("Enter")
    browser.wait("!document.querySelector('#detail').hidden")
    assert browser.run("document.activeElement.id") == "detail"
    browser.press("Escape")
    assert browser.run("document.activeElement.closest('td').id") == "dnr/table6/tsn_r50_dnr/gmacs224"


def test_a_file_is_what_was_packed(browser: Chromium, address: str) -> None:
    found = browser.run("""new Promise((done) => {
      URL.createObjectURL = (blob) => { blob.text().then(done); return "blob:none"; };
      HTMLAnchorElement.prototype.click = () => {};
      document.querySelector("button[data-file=csv]").click();
    })""")
    assert found.startswith("row,label,section,deviations,pretrain")


def test_records_are_listed_when_they_come_into_sight(browser: Chromium, address: str, records: list[Record]) -> None:
    assert browser.run("document.querySelectorAll('#record-list tbody tr').length") == 0
    browser.run("document.querySelector('#records').scrollIntoView()")
    browser.wait(f"document.querySelectorAll('#record-list tbody tr').length === {len(records)}")
    browser.run(
        "document.querySelector('#record-filter').value = 'speed'; document.querySelector('#record-filter').oninput()"
    )
    browser.wait("document.querySelectorAll('#record-list tbody tr').length === 2")


def test_names_roles_and_headers(browser: Chromium, address: str) -> None:
    """What a screen reader gets: the browser's own accessibility tree has a name for everything that can be reached."""
    browser.run("document.querySelector('svg.plot').scrollIntoView()")
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    told = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")]
    roles = {role for role, _ in told}
    assert {"navigation", "main", "heading", "table", "columnheader", "rowheader", "searchbox", "image"} <= roles
    unnamed = [role for role, name in told if role in {"link", "button", "searchbox", "image", "table"} and not name]
    assert unnamed == []
    levels = browser.run("[...document.querySelectorAll('h1,h2,h3,h4')].map((h) => +h.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1 and all(b - a <= 1 for a, b in itertools.pairwise(levels))


def test_what_is_folded_is_made_when_it_is_opened(browser: Chromium, address: str) -> None:
    assert browser.run("document.querySelectorAll('details.more svg').length") == 0
    browser.run("document.querySelector('details.more').open = true")
    browser.wait("document.querySelectorAll('details.more svg').length === 2")
    assert browser.run("document.querySelectorAll('details.more script').length") == 0


def test_paper_shows_the_short_form_and_no_controls(browser: Chromium, address: str) -> None:
    browser.media("print")
    shown = "(name) => [...document.querySelectorAll(name)].some((one) => one.getClientRects().length)"
    for name in ("#contents", ".scripted", "#records", "details.full", "details.more"):
        assert not browser.run(f"({shown})('{name}')"), name
    for name in ("#front h1", "table.brief", "ul.told", "svg.plot"):
        assert browser.run(f"({shown})('{name}')"), name


def test_motion_is_asked_for_nowhere(browser: Chromium, address: str) -> None:
    moving = browser.run("""JSON.stringify([...document.querySelectorAll("*")].filter((one) => {
      const style = getComputedStyle(one);
      return style.animationName !== "none" || parseFloat(style.transitionDuration) || style.scrollBehavior !== "auto";
    }).map((one) => one.tagName))""")
    assert json.loads(moving) == []


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The report of all tables from the committed records."""
    page = tmp_path_factory.mktemp("real") / "report.html"
    index = Index(paths.published().parent / "records")
    write_report(page, [papers.find(name) for name in papers.TABLES], index)
    return page.as_uri()


def test_the_report_is_printed_on_thirty_pages_at_most(browser: Chromium, real: str, tmp_path: Path) -> None:
    browser.media()
    browser.resize(1400, 1000)
    browser.open(real)
    browser.pdf(tmp_path / "report.pdf")
    pages = len(re.findall(rb"/Type\s*/Page\b", (tmp_path / "report.pdf").read_bytes()))
    assert 5 < pages <= 30


def test_the_front_page_answers_three_questions(browser: Chromium, real: str) -> None:
    browser.media()
    browser.resize(1400, 1000)
    browser.open(real)
    told = browser.run("[...document.querySelectorAll('#front > .answers section')].map((one) => one.innerText)")
    assert [text.splitlines()[0] for text in told] == [
        "Which tables hold up?", "What contradicts its paper?", "Which network at which cost?",
    ]  # fmt: skip
    assert "printed counts are reproduced" in told[0] and "psn/table2 7 of 7" in " ".join(told[0].split())
    assert "cannot be true as printed" in told[1] and "Kinetics-400" in told[2] and "GMACs a video" in told[2]
    links = browser.run("[...document.querySelectorAll('#front a')].map((a) => decodeURIComponent(a.hash.slice(1)))")
    assert links and all(browser.run(f"!!document.getElementById({json.dumps(link)})") for link in links)


@pytest.mark.parametrize(
    ("asked", "first", "among"),
    [
        ("why GFLOPs differ", "GFLOPs x views: 106 × 30 ≠; 106.51 is printed cut", "36 is true at no crop"),
        ("TANet 36", "TANet (quoted), GFLOPs x views: 36 × 30 ≠", "TANet's printed 36 GFLOPs are true at no crop"),
        ("Why is TANet 36?", "TANet", "by no counter: 32.8 to 33.1 at 224"),
    ],
)
def test_a_question_finds_the_reason(browser: Chromium, real: str, asked: str, first: str, among: str) -> None:
    browser.media()
    browser.resize(1400, 1000)
    browser.open(real)
    browser.press("/")
    browser.call("Input.insertText", text=asked)
    browser.wait("document.querySelectorAll('#hits a').length > 0")
    found = browser.run("[...document.querySelectorAll('#hits a')].map((a) => a.textContent)")
    assert first in found[0] and any(among in one for one in found), found[:5]
    browser.run("document.querySelector('#hits a').click()")
    browser.wait("document.querySelector('#detail .verdict')?.textContent === 'differs'")


def test_what_is_asked_of_probes_is_found(browser: Chromium, real: str) -> None:
    browser.open(real)
    browser.run("search('does DNR help TSM?')")
    browser.wait("document.querySelectorAll('#hits a').length > 0")
    assert browser.run("document.querySelector('#hits a').textContent").startswith("Does DNR help TSM to read")


def test_texts_of_findings_stand_apart_in_the_search(browser: Chromium, real: str) -> None:
    browser.open(real)
    browser.run("search('throughput dnr_supp_table2')")
    browser.wait("document.querySelectorAll('#hits a').length > 0")
    found = browser.run("[...document.querySelectorAll('#hits a')].map((a) => a.textContent)")
    assert any(" · throughput · dnr_supp_table2/" in one for one in found)


def test_a_click_copies_the_command_of_a_cell(browser: Chromium, real: str) -> None:
    browser.media()
    browser.resize(1100, 1000)
    browser.open(f"{real}#dnr/table6/tsn_r50_dnr/gmacs224")
    browser.wait("document.querySelector('#detail .buttons .copy')?.textContent === 'Copy command'")
    browser.run("document.querySelector('#detail .buttons .copy').click()")
    browser.wait("document.querySelector('#detail .buttons .copy').textContent === 'Copied'")
    copied = browser.run("document.querySelector('#detail .buttons .copy').dataset.copied")
    assert copied.startswith("python -m repro run dnr/table6 ")
    assert copied.endswith("--rows tsn_r50_dnr --only static --force")
    assert build_parser().parse_args(shlex.split(copied)[3:]).rows == ["tsn_r50_dnr"]


@pytest.mark.parametrize("width", [1400, 1100, 412])
def test_nothing_on_the_page_is_wider_than_it(browser: Chromium, real: str, width: int) -> None:
    """The tables' overview too; only full tables and long lists scroll, in boxes of their own."""
    browser.media()
    browser.resize(width, 1000)
    browser.open(real)
    wide = browser.run("""(() => {
      document.querySelectorAll("section.table").forEach((one) => { one.style.contentVisibility = "visible"; });
      const edge = document.documentElement.clientWidth;
      return [...document.querySelectorAll("main :is(table, p, ul, svg, code, summary)")].filter((one) =>
        !one.closest(".scroll, details:not([open])") && one.getBoundingClientRect().right > edge + 1)
        .map((one) => `${one.tagName} in ${one.closest("section, header").id}: ${one.textContent.slice(0, 40)}`);
    })()""")
    assert wide == []


@pytest.mark.parametrize("width", [1400, 1100, 412])
def test_no_short_table_scrolls_sideways(browser: Chromium, real: str, width: int) -> None:
    browser.media()
    browser.resize(width, 1000)
    browser.open(real)
    found = browser.run("""(() => {
      document.querySelectorAll("section.table").forEach((one) => { one.style.contentVisibility = "visible"; });
      const tables = [...document.querySelectorAll("table.brief")], edge = document.documentElement.clientWidth;
      const out = (one) => one.getBoundingClientRect().right > edge || one.scrollWidth > one.clientWidth + 1;
      const size = (one) => parseFloat(getComputedStyle(one.querySelector("tbody td")).fontSize);
      const wide = tables.filter(out), least = Math.min(...tables.map(size));
      return { tables: tables.length, wide: wide.map((one) => one.closest("section").id), least,
        page: document.documentElement.scrollWidth };
    })()""")
    assert found["tables"] >= len(papers.TABLES) and found["wide"] == [] and found["least"] >= 12, found
    assert found["page"] <= width, found


def test_a_cell_of_the_short_table_opens_the_evidence_and_not_the_whole_table(browser: Chromium, real: str) -> None:
    browser.media()
    browser.resize(1100, 1000)
    browser.open(real)
    browser.run("document.querySelector('table.brief a[href=\"#dnr/table6/tanet_r50/gmacs_input\"]').click()")
    browser.wait("document.querySelector('#detail pre')")
    told = browser.run("document.querySelector('#detail').innerText")
    assert "TANet: GMACs at the printed input" in told
    assert browser.run("location.hash") == "#dnr/table6/tanet_r50/gmacs_input"
    browser.press("Escape")
    browser.run("document.querySelector('table.brief a[href=\"#dnr/table6/tanet_r50/gflops\"]').click()")
    browser.wait("document.querySelector('#detail').innerText.includes('true at no crop')")
    assert not browser.run("document.querySelector('#dnr\\\\/table6 details.full').open")
    browser.press("Escape")
    assert browser.run("document.activeElement.closest('table').className") == "brief"
