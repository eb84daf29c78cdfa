"""The verb `table`: how much of a table is shown, and where its notes go."""

from __future__ import annotations

import csv
import os

import pytest

from repro.__main__ import main
from repro.core import paths
from repro.records import store


@pytest.fixture(autouse=True)
def reference(monkeypatch):
    monkeypatch.setenv("REPRO_RESULTS", str(paths.published().parent))


def shown(capsys, *words: str) -> str:
    assert main(["table", "table6", "--reference", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html", "csv"])
def test_rows_and_columns_are_chosen_in_every_format(form, capsys):
    for full in ([], ["--full"]):
        text = shown(capsys, "--format", form, "--rows", "tanet_r50", "--columns", "params", "top1", *full)
        assert "TANet" in text and "25.59" in text and "76.28" in text
        assert "TDN+DNR" not in text and "8x10x3" not in text


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html"])
def test_notes_are_none_short_or_full_in_every_format(form, capsys):
    for full, told in (([], "true at no crop"), (["--full"], "33.07 by ptflops")):
        none, short, every = (
            shown(capsys, "--format", form, "--notes", notes, *full) for notes in ("none", "short", "full")
        )
        assert len(none) < len(short) < len(every)
        assert told not in none and told in short and "Known differences" not in every
        assert "relay distance 4" in every


def test_quoted_rows_are_opened(capsys):
    folded, opened = shown(capsys), shown(capsys, "--rows", "quoted")
    assert "12 rows quoted" in folded and "X3D-XL" not in folded
    assert "12 rows quoted" not in opened and "X3D-XL" in opened


def test_a_file_is_written_where_a_link_leads_and_never_in_place_of_what_is_none(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("t.csv")
    shown(capsys, "--format", "csv", "--notes", "none", "--out", str(tmp_path / "link.csv"))
    assert (tmp_path / "link.csv").is_symlink() and "tanet" in (tmp_path / "t.csv").read_text()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "device").symlink_to("pipe")
    for name in ("pipe", "device", ".", "t.csv/x", "x" * 300):
        with pytest.raises(SystemExit):
            main(["table", "table6", "--out", str(tmp_path / name)])
        assert "--out" in capsys.readouterr().err
    assert (tmp_path / "pipe").is_fifo() and (tmp_path / "device").is_symlink()


def test_numbers_and_their_notes_are_two_files(tmp_path, capsys):
    target = tmp_path / "t.csv"
    shown(capsys, "--format", "csv", "--out", str(target))
    lines = list(csv.DictReader(target.open()))
    assert {line["gmacs_input"] for line in lines if line["row"] == "tanet_r50"} == {"32.76"}
    notes = list(csv.DictReader((tmp_path / "t.notes.csv").open()))
    assert any(note["row"] == "tanet_r50" and note["kind"] == "verdict" for note in notes)
    alone = tmp_path / "u.csv"
    shown(capsys, "--format", "csv", "--out", str(alone), "--notes", "none")
    assert alone.read_text() == target.read_text() and not (tmp_path / "u.notes.csv").exists()
    assert "deviation" not in shown(capsys, "--format", "csv")
    assert "\nrow,column,kind,text\n" in shown(capsys, "--format", "csv", "--notes", "full")


def test_unknown_rows_and_columns_give_the_nearest(capsys):
    for words, near in ((["--rows", "tanet_r5"], "tanet_r50"), (["--columns", "gflop"], "gflops")):
        for full in ([], ["--full"]):
            assert main(["table", "table6", *words, *full]) == 2
            assert f"did you mean {near}" in capsys.readouterr().err


def test_records_of_trainings_by_hand_are_listed_by_the_table_that_the_list_names(tmp_path, monkeypatch, capsys):
    stored = store.load_all(paths.published().parent / "records").records[0]
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    place = {"paper": "own", "table": "train", "row": "tsn", "cell": "train"}
    store.write(stored.model_copy(update={**place, "scores": None}), paths.own())
    assert main(["records", "ls"]) == 0 and "own/train" in capsys.readouterr().out
    assert main(["records", "ls", "own/train"]) == 0
    assert stored.name in capsys.readouterr().out
    assert main(["records", "ls", "own/trian"]) == 2
