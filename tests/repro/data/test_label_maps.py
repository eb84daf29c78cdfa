"""Label maps as people write them: read as meant, or refused by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repro.core.errors import DataError
from repro.data.class_names import MOST_CLASSES
from repro.data.label_maps import read

NAMES = ("run", "jump, high", "skip")


@pytest.mark.parametrize(
    "text",
    [
        "run\njump, high\nskip\n",
        "\ufeffrun\r\njump, high\r\nskip\r\n\r\n",
        "0 run\n1 jump, high\n2 skip\n",
        "0,run\n1,jump, high\n2,skip\n",
        "2\tskip\n0\trun\n1\tjump, high\n",
        'id,name\n0,run\n1,"jump, high"\n2,skip\n',
        "label_id;label\n1;jump, high\n0;run\n2;skip\n",
        "name,id\nrun,0\nskip,2\njump, high,1\n",
        "run,0\njump, high\t1\nskip;2\n",
        "id,name\n\n0,run\n1,jump, high\n\n2,skip\n",
        json.dumps(NAMES),
        json.dumps({"skip": "2", "run": 0, "jump, high": 1}),
    ],
)
def test_forms_of_one_map(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels.txt").write_text(text, encoding="utf-8", newline="")
    assert read(tmp_path / "labels.txt") == NAMES


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1 run\n2 jump\n3 skip\n", "numbers are 1 to 3 for 3 classes"),
        ("0,run\n2,jump\n", "numbers are 0 to 2"),
        ("id,name\n0,run\n0,jump\n", "numbers are 0 to 0"),
        ("id,name\nrun\njump\n", "not every line below its header"),
        ("id,name,count\n0,run,5\n", "3 columns"),
        ("label\nrun\njump\n", "line 1: 'label' may be a header"),
        ("run\n\njump\n", "line 2: the class name is empty"),
        ("run\njump\nrun\n", "line 3: 'run' stands on line 1 already"),
        ("caf\u00e9\nx\ncafe\u0301\n", "line 3: 'caf\u00e9' stands on line 1 already"),
        ("run\nru\uff4e\n", "look alike"),
        ("", "empty"),
        ("\n\n", "empty"),
        ("[1, 2", "not well-formed JSON"),
        ("[]", "holds 0 names"),
        ('{"a": "x"}', "does not give each class a number"),
        ('{"a": 0, "b": 2}', "not 0 to 1"),
        ('{"a": true, "b": 0}', "does not give each class a number"),
        ('{"a": ' + "9" * 5000 + "}", "cannot be read as JSON"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('[{"id": 0, "name": "run"}]', "is no class name"),
        ('["run", null]', "None is no class name"),
        ("run 0\njump 1\n", "'run 0' may be a name, or a number and a name"),
        ("walk 2\nrun 1\n", "'walk 2' may be"),
        ("0|run\n1|jump\n", "'0.run' may be"),
        ("run:0\njump:1\n", "'run:0' may be"),
        ("0.0,run\n1.0,jump\n", "'0.0,run' may be"),
        ("(0) run\n(1) jump\n", "may be a name, or a number"),
        ("-1,none\n0,run\n", "'-1,none' may be"),
        ("\uff10,run\n\uff11,jump\n", "may be a name, or a number"),
        ("0,run\njump\n", "'0,run' may be"),
        ("- run\n- jump\n", "'- run' may be"),
        ("<class>run</class>\n", "may be a remark"),
    ],
)
def test_what_may_be_meant_in_two_ways_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "labels.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=told):
        read(tmp_path / "labels.txt")


def test_names_may_begin_with_numbers(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("3 point shot\n2 hands up\n3 hands up\n")
    assert read(tmp_path / "labels.txt") == ("3 point shot", "2 hands up", "3 hands up")
    (tmp_path / "labels.txt").write_text("sign 1\nsign 0\n")
    assert read(tmp_path / "labels.txt") == ("sign 1", "sign 0"), "and end in them"


def test_long_maps(tmp_path: Path) -> None:
    """Of as many classes as are allowed: names that were compared in pairs would take hours."""
    (tmp_path / "labels.txt").write_text("\n".join(f"class {number:x}" for number in range(MOST_CLASSES)))
    assert len(read(tmp_path / "labels.txt")) == MOST_CLASSES
    (tmp_path / "labels.txt").write_text("\n".join(f"class {number:x}" for number in range(MOST_CLASSES + 1)))
    with pytest.raises(DataError, match="1 to 100000"):
        read(tmp_path / "labels.txt")


@pytest.mark.parametrize(
    "text",
    ["id,action\n1,jump\n0,run\n", "action number\n1 jump\n0 run\n", "0: run\n1: jump\n", "1) jump\n0) run\n",
     "0. run\n1. jump\n", "0 = run\n1 = jump\n", "Aktion;Nummer\njump;1\nrun;0\n"],
)  # fmt: skip
def test_numbers_are_meant_below_any_header_and_with_any_sign(tmp_path, text):
    (tmp_path / "labels.txt").write_text(text)
    assert read(tmp_path / "labels.txt") == ("run", "jump")


def test_a_line_of_megabytes_is_no_name(tmp_path):
    (tmp_path / "labels.txt").write_text("a" * 20_000_000)
    with pytest.raises(DataError, match="more than 2000 letters"):
        read(tmp_path / "labels.txt")


@pytest.mark.parametrize("remark", ["# my classes", "// mine"])
def test_a_remark_is_no_class(tmp_path, remark):
    (tmp_path / "labels.txt").write_text(f"{remark}\nrun\njump\n")
    with pytest.raises(DataError, match=r"line 1: .* may be a remark"):
        read(tmp_path / "labels.txt")
