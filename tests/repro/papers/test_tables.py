"""What holds of every table: the printed rows stand in it, its networks can be built, an empty place says why."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest

from repro.core.spec import content_id
from repro.models.build import build_meta
from repro.papers import TABLES, find, full_name, published

ROOT = Path(__file__).resolve().parents[3]
PRINTED = [name for name in TABLES if find(name).published_csv]


@pytest.fixture(scope="module")
def built() -> set[str]:
    """Content ids of networks that some table has built already."""
    return set()


@pytest.mark.parametrize("name", PRINTED)
def test_every_printed_row_is_there_once(name):
    table = find(name)
    printed = list(published.load(table.published_csv).rows)
    rows = [row.published_row for row in table.rows if row.published_row]
    if table.paper == "adafuse":  # by dataset here, by network there
        rows, printed = sorted(rows), sorted(printed)
    assert rows == printed


def test_naming_the_tables_imports_no_paper_and_no_torch():
    code = "import sys; from repro.papers import TABLES; print(len(TABLES), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    count, *modules = done.stdout.split()
    assert int(count) == len(TABLES)
    assert not {"torch", "numpy", "tomllib", "repro.papers.table", "repro.papers.dnr"} & set(modules)


def test_tox_has_an_environment_for_every_table():
    """Full names with a dash, and the short names that stand for one."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    (section,) = [name for name in tox.sections() if name.startswith("testenv:{")]
    names = section.removeprefix("testenv:{").removesuffix("}").split(",")
    assert [name for name in names if "-" in name] == [name.replace("/", "-") for name in TABLES]
    assert {full_name(name) for name in names} == set(TABLES) and len(set(names)) == len(names)


@pytest.mark.parametrize("name", TABLES)
def test_every_network_can_be_built_and_every_cell_has_a_column(name, built):
    table = find(name)
    shown = {column.cell for column in table.columns if column.measured}
    for row in table.rows:
        assert set(row.cells) <= shown, row.key
        for experiment in row.cells.values():
            if content_id(experiment.model) not in built:
                build_meta(experiment.model)
                built.add(content_id(experiment.model))


@pytest.mark.parametrize("name", TABLES)
def test_an_empty_place_has_a_reason_of_its_own(name):
    """A column that some row fills is, in every other row, filled, excused, or marked by the column."""
    table = find(name)
    for column in table.columns:
        if not column.measured:
            continue
        for row in table.rows:
            excused = row.section == "quoted" or {column.key, column.cell} & set(row.reasons)
            assert column.cell in row.cells or excused or column.absent != "not applicable", (row.key, column.key)
