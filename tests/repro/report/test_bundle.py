"""The archive of a table's evidence: whole, readable without this package, the same whenever it is made."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from repro import papers
from repro.__main__ import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def results(tmp_path, monkeypatch):
    """A few records of the reference."""
    for row in ("tsn_r50", "tsn_r50_dnr"):
        shutil.copytree(ROOT / "results/records/dnr/table6" / row, tmp_path / "results/records/dnr/table6" / row)
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "results"))
    return tmp_path


def test_a_bundle_holds_table_claims_findings_records_and_commands(results, capsys):
    out = results / "review.zip"
    assert main(["bundle", "table6", "--out", str(out)]) == 0
    assert "record" in capsys.readouterr().out
    with zipfile.ZipFile(out) as archive:
        names = archive.namelist()
        expected = {"README.txt", "table.txt", "table.tex", "table.full.csv", "printed.csv", "findings.json"}
        assert expected | {"claims.json", "commands.txt"} <= set(names)
        stored = [name for name in names if name.startswith("records/") and name.endswith(".json")]
        there = list((results / "results/records").rglob("*-s*.json"))
        assert len(stored) == len(there) > 3
        assert json.loads(archive.read(stored[0]))["paper"] == "dnr"
        assert {one["key"] for one in json.loads(archive.read("claims.json"))} >= {"dnr-14"}
        commands = archive.read("commands.txt").decode().splitlines()
        assert "python -m repro run dnr/table6 --rows tsn_r50 --only static" in commands
        assert archive.read("printed.csv") == (ROOT / "results/published/dnr_table6.csv").read_bytes()
    again = results / "again.zip"
    assert main(["bundle", "table6", "--out", str(again)]) == 0
    assert out.read_bytes() == again.read_bytes()


def test_each_cell_has_its_command(results):
    out = results / "review.zip"
    assert main(["bundle", "table6", "--with", "psn", "--out", str(out)]) == 0
    with zipfile.ZipFile(out) as archive:
        commands = archive.read("commands.txt").decode()
    layout = papers.find("table6", ["psn"])
    for row in layout.rows:
        for cell in row.cells:
            assert f"--rows {row.key} --only {cell} --with psn" in commands


def test_another_ending_is_refused(results, capsys):
    assert main(["bundle", "table6", "--out", str(results / "review.tar")]) == 2
    assert "ends in .zip" in capsys.readouterr().err
