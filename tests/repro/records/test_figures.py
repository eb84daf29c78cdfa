from __future__ import annotations

import json
import os

import pytest

from repro.core.errors import RecordError
from repro.records import figures
from repro.records.figures import Clip, Facts, Network

PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (30).to_bytes(4, "big") + (20).to_bytes(4, "big")


def facts(**more):
    given = {
        "kind": "gradcam", "title": "A <title>", "alt": 'what "is" seen', "caption": "c",
        "networks": [Network(label="TSN", model={"name": "tsn"}, weights_sha256="ab" * 32),
                     Network(label="TSM, random weights", model={"name": "tsm"}, weights_sha256=None)],
        "clip": Clip(name="clip.mp4", sha256="cd" * 32), "command": ["python", "-m", "repro", "inspect"],
        "environment": {}, "details": {"a": 1},
    }  # fmt: skip
    return Facts(**{**given, **more})


def test_what_is_written_is_read_back(tmp_path):
    path = figures.write("one", PNG, facts(), tmp_path)
    assert path.read_bytes() == PNG
    stored = figures.load_all(tmp_path)
    assert not stored.problems
    assert stored.figures == [("one", facts(), PNG)]
    figures.write("one", PNG + b"x", facts(title="new"), tmp_path)
    assert [figure.facts.title for figure in figures.load_all(tmp_path).figures] == ["new"]
    assert len(list(tmp_path.iterdir())) == 2


def test_without_a_folder_there_are_none(tmp_path):
    assert figures.load_all(tmp_path / "nothing") == ([], [])


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda p: p.with_suffix(".png").write_bytes(PNG + b"!"), "does not fit the PNG"),
        (lambda p: p.with_suffix(".png").unlink(), "not readable"),
        (lambda p: p.write_text("{"), "not readable"),
        (lambda p: p.write_text("[" * 100_000), "not readable"),
        (lambda p: p.write_text('{"x": 1e999}'), "not readable"),
        (lambda p: (p.unlink(), os.mkfifo(p)), "no file"),
        (lambda p: (p.with_suffix(".png").unlink(), os.mkfifo(p.with_suffix(".png"))), "no file"),
        (lambda p: (p.unlink(), p.symlink_to("/dev/zero")), "no file"),
        (lambda p: (p.unlink(), p.symlink_to(p)), "not readable"),
        (lambda p: os.truncate(p, 1 << 36), "MB; a record has at most"),
        (lambda p: p.write_text("[]"), "does not fit"),
        (lambda p: p.write_text(p.read_text().replace('"version": 1', '"version": 2')), "version 2"),
        (lambda p: p.write_text(json.dumps({**json.loads(p.read_text()), "title": 3})), "title"),
    ],
)
def test_a_damaged_one_is_a_problem_with_its_reason(tmp_path, break_it, reason):
    figures.write("one", PNG, facts(), tmp_path)
    break_it(tmp_path / "one.json")
    stored = figures.load_all(tmp_path)
    assert not stored.figures
    (problem,) = stored.problems
    assert problem.path.endswith("one.json") and reason in problem.reason
    with pytest.raises(RecordError):
        figures.load(tmp_path / "one.json")
