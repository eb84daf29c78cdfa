from __future__ import annotations

import collections
import errno
import os
import shutil

import pytest

from repro.cli.doctor_checks import places
from repro.cli.doctor_checks.check import FAIL, PASS, Check, run
from repro.core import paths


def outcome(call):
    return run(Check("it", "", call))


def test_an_empty_folder_that_does_not_exist_yet_passes_and_is_not_made():
    assert not paths.records().exists()
    assert outcome(places.records_folder).state == PASS
    assert not paths.records().exists()
    paths.records().mkdir(parents=True)
    assert "0 records" in outcome(places.records_folder).what
    assert not list(paths.records().iterdir())


def test_a_folder_that_is_a_file_is_told_with_another_place(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "file"))
    found = outcome(places.records_folder)
    assert found.state == FAIL and "is no folder" in found.what and "REPRO_RESULTS" in found.mend


def test_a_damaged_record_is_named():
    file = paths.records() / "dnr/table6/tsn_r50/0123456789abcdef-s0.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    found = outcome(places.records_folder)
    assert found.state == FAIL and "1 files" in found.what and "tsn_r50/0123456789abcdef-s0.json" in found.what


@pytest.mark.parametrize(
    ("free", "state", "variable"), [(50, PASS, ""), (1, FAIL, "REPRO_CACHE"), (0, FAIL, "REPRO_CACHE")]
)
def test_room_is_told_and_too_little_fails(monkeypatch, free, state, variable):
    usage = collections.namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage(100 << 30, 0, free << 30))
    found = outcome(places.disk)
    assert found.state == state and variable in found.mend and f"{free}" in found.what


@pytest.mark.parametrize(("call", "variable"), [(places.disk, "REPRO_CACHE"), (places.records_folder, "REPRO_RESULTS")])
@pytest.mark.parametrize(("number", "advice"), [(errno.ENOSPC, "make room"), (errno.EROFS, "chmod")])
def test_a_folder_that_takes_no_file_is_told_whatever_room_there_is(monkeypatch, call, variable, number, advice):
    def refused(*arguments, **options):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refused)
    found = outcome(call)
    assert found.state == FAIL and "cannot be written" in found.what
    assert advice in found.mend and variable in found.mend


def test_a_cache_below_a_file_fails(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "file" / "cache"))
    found = outcome(places.disk)
    assert found.state == FAIL and "REPRO_CACHE" in found.mend
