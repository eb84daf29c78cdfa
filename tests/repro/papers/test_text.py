"""What is said of tables, networks and claims: every shipped file is valid, and a fault is told by file and line."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from repro import papers
from repro.core.errors import RecordError
from repro.core.spec import replace
from repro.papers import published
from repro.papers.columns import registry
from repro.papers.comparison import Comparison
from repro.papers.text import read

FILES = sorted(published.folders()[0].glob("*.toml"))
FORMS = {"columns": "COLUMNS", "networks": "NETWORKS"}


def form(path: Path) -> str:
    if path.stem.endswith("_claims"):
        return "CLAIMS"
    return FORMS.get(path.stem) or ("TABLE" if "_" in path.stem else "SHARED")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_has_its_form(path: Path) -> None:
    assert read(path, form(path)).data


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
    items = {item.rpartition("=")[2].partition("@") for group in groups for item in group.split()}
    assert {name + at for name, at, _ in items} >= set(registry().data), "a column that no table shows"


def test_a_comparison_is_written_down_once() -> None:
    """What a table asks, a claim names; it does not say it again."""

    def bare(one: Comparison) -> Comparison:
        return replace(one, asks="", printed=True)

    asked = {bare(one) for name in papers.TABLES for one in papers.find(name).comparisons}
    named = [(claim.key, one) for claim in papers.claims() for one in claim.compares]
    assert [key for key, one in named if bool(one.asks) != (bare(one) in asked)] == []
    assert any(one.asks for _, one in named)


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
        ('[columns.top1]\ntitle = "t"\nunits = "%"\n', "line 3: unknown name 'units'; allowed: key, title, source"),
        ('[[notes]]\nsays = "a"\n[[notes]]\nsays = """\nb\n"""\nrow = "x"\n', "line 7: unknown name 'row'"),
        ('title = "a\n', "not readable as TOML"),
        ('[comparisons.one]\nasks = "?"\nsign = true\n', "line 3: sign is True"),
        ('footnotes = "a"\n', "line 1: footnotes is 'a'; allowed: a list"),
    ],
)
def test_a_fault_names_file_and_line(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "a_b.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecordError) as error:
        read(file)
    assert told in str(error.value)
