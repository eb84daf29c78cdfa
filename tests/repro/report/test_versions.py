"""A table tells which version of a user's file it shows."""

from __future__ import annotations

import hashlib

import pytest

from repro import registry
from repro.core.spec import Experiment, Model, Static, frozen, replace
from repro.papers.table import RowSpec
from repro.report.build_table import table_view
from repro.report.provenance import versions
from tests.repro.made_table import record_of, static

TEXT = """
from repro.registry import methods
@methods.register("versioned", "mine")
def insert(model, options):
    return model
"""


@pytest.fixture
def own(tmp_path):
    """The sha256 of a user's file that registers a method."""
    (tmp_path / "mine.py").write_text(TEXT)
    registry.load_module(tmp_path / "mine.py")
    return hashlib.sha256(TEXT.encode()).hexdigest()


def with_code(layout, code):
    model = Model(name="tsn", backbone="resnet50", method="versioned", method_options=frozen(), code=code)
    cells = {"static": Experiment(model=model, measure=Static())}
    added = RowSpec(key="tsn_r50_versioned", label="TSN+versioned", cells=cells)
    return replace(layout, rows=(*layout.rows, added))


def test_file_and_version_are_told_and_others_counted(layout, records, own):
    assert versions(layout, records) == ""
    made = with_code(layout, own)
    assert versions(made, records) == f"mine.py, sha256 {own[:12]}"
    older = [record_of(with_code(layout, digit * 64), "tsn_r50_versioned", "static", static(1, 1.0)) for digit in "ab"]
    found = [*records, *older, record_of(made, "tsn_r50_versioned", "static", static(1, 1.0))]
    assert versions(made, found) == f"mine.py, sha256 {own[:12]} (2 other versions of it measured here)"
    assert table_view(made, found).code == versions(made, found)
