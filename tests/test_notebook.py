"""The notebook: executed as it lies there, and again where there is time."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "python.ipynb"


def test_it_was_executed_without_an_error_and_names_no_machine():
    book = nbformat.read(FILE, 4)
    nbformat.validate(book)
    cells = [cell for cell in book.cells if cell.cell_type == "code"]
    assert len(cells) >= 8 and all(cell.execution_count and cell.outputs for cell in cells)
    for cell in cells:
        ast.parse(cell.source)
        assert {output.output_type for output in cell.outputs} <= {"execute_result", "display_data"}
    text = FILE.read_text(encoding="utf-8")
    assert "/home/" not in text and "/tmp/" not in text and "/" + "work/" not in text


@pytest.mark.slow
def test_it_runs_again_and_its_tables_are_the_same(tmp_path, monkeypatch):
    client = pytest.importorskip("nbclient")
    monkeypatch.setenv("REPRO_RESULTS", str(ROOT / "results"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
    before, book = nbformat.read(FILE, 4), nbformat.read(FILE, 4)
    where = {"metadata": {"path": str(tmp_path)}}
    client.NotebookClient(book, timeout=600, kernel_name="python3", resources=where).execute()
    reading = [at for at, cell in enumerate(book.cells) if cell.cell_type == "code" and "repro.check" in cell.source]
    for at in reading:
        assert book.cells[at].outputs[-1].data == before.cells[at].outputs[-1].data
