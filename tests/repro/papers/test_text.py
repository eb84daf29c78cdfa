"""What is said of tables, networks and claims: every shipped file is valid, and a fault is told by file and line."""

from __future__ import annotations

import csv
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro import papers
from repro.core.errors import RecordError
from repro.papers import published
from repro.papers.columns import columns, registry
from repro.papers.probe_cells import COLUMNS, DECIDED
from repro.papers.text import read

FILES = sorted(published.folders()[0].glob("*.toml"))
FORMS = {"columns": "COLUMNS", "networks": "NETWORKS", "probes": "PROBES"}


def form(path: Path) -> str:
    if path.stem.endswith("_claims"):
        return "CLAIMS"
    return FORMS.get(path.stem) or ("TABLE" if "_" in path.stem else "SHARED")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_has_its_form(path: Path) -> None:
    assert read(path, form(path)).data


def test_a_mark_of_byte_order_and_other_line_ends_are_no_content(tmp_path: Path) -> None:
    file = FILES[0]
    data = file.read_bytes()
    (tmp_path / file.name).write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n"))
    assert list(read(tmp_path / file.name, form(file)).data) == list(read(file, form(file)).data)


@pytest.mark.parametrize("name", list(papers.TABLES))
def test_every_table_is_what_its_file_says(name: str) -> None:
    """Unknown columns, rows that fit nothing, missing labels and texts are errors of `find`, with file and line."""
    table = papers.find(name)
    assert table.title and table.caption and all(row.label for row in table.rows)


def test_every_file_belongs_to_a_table_and_every_named_text_and_column_is_used() -> None:
    tables = {name.replace("/", "_") for name in papers.TABLES}
    shared = {name.partition("/")[0] for name in papers.TABLES}
    assert {path.stem for path in FILES if form(path) == "TABLE"} == tables
    assert {path.stem for path in FILES if form(path) == "SHARED"} <= shared
    whole = {path.stem: path.read_text(encoding="utf-8") for path in FILES}
    for paper in shared & set(whole):
        said = "".join(text for stem, text in whole.items() if stem.partition("_")[0] == paper)
        for name in read(FILES[0].with_name(f"{paper}.toml"), "SHARED").data.get("texts", {}):
            assert f'"@{name}"' in said, (paper, name)
    groups = [group["columns"] for path in FILES if form(path) == "TABLE" for group in read(path).data["groups"]]
    groups.append(" ".join(COLUMNS + DECIDED))
    items = {item.rpartition("=")[2].partition("@") for group in groups for item in group.split()}
    assert {name + at for name, at, _ in items} >= set(registry().data), "a column that no table shows"


def test_what_the_suite_adds_to_a_printed_row_is_not_printed() -> None:
    """Labels and networks are told apart from the paper's columns, so that nothing is compared by them."""
    for path in sorted(published.folders()[0].glob("*.csv")):
        head = next(csv.reader(path.read_text(encoding="utf-8").splitlines()))
        assert not {"label", "network"} & set(published.read(path).columns) and "row" == head[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("title = 3\n", "a_b.toml line 1: title is 3; allowed: str"),
        ('title = "a"\n\n[[groups]]\ntitle = "g"\n[[groups]]\ncolumns = 3\n', "line 6: columns is 3"),
        ('[labels]\na = "A"\nb = 1\n', "line 3: b is 1"),
        (
            '[columns.top1]\ntitle = "t"\nunits = "%"\n',
            "line 3: unknown name 'units'; allowed: key, title, short",
        ),
        ('[[notes]]\nsays = "a"\n[[notes]]\nsays = """\nb\n"""\nrow = "x"\n', "line 7: unknown name 'row'"),
        ('title = "a\n', "not readable as TOML"),
        ('[questions.one]\nasks = "?"\nseeds = true\n', "line 3: seeds is True"),
        ('footnotes = "a"\n', "line 1: footnotes is 'a'; allowed: a list"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "a_b.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError) as error:
        read(file)
    assert told in str(error.value)


@pytest.mark.parametrize("name", ["dnr_table3", "adafuse_table6", "networks", "psn_claims"])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(name: str, data: st.DataObject) -> None:
    """Signs put in or taken out anywhere give an error that names the file, or another text; nothing else."""
    whole = (FILES[0].with_name(f"{name}.toml")).read_text(encoding="utf-8")
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    put = data.draw(st.text(alphabet='ab"[]{}=.,@\n\\ 1-', max_size=6))
    with tempfile.TemporaryDirectory() as folder:
        for other in ("dnr.toml", "adafuse.toml"):
            shutil.copy(FILES[0].with_name(other), folder)
        file = Path(folder) / f"{name}.toml"
        file.write_text(whole[:start] + put + whole[end:], encoding="utf-8")
        try:
            text = read(file, form(file))
            if form(file) == "TABLE":
                columns(text)
        except RecordError as error:
            assert ".toml" in str(error)


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a_b.toml"
    file.write_text(f"footnotes = {'[' * 100_000}", encoding="utf-8")
    with pytest.raises(RecordError, match=r"a_b\.toml: not readable"):
        read(file)
