"""Results of another program as rows of one's own table; the choice among networks that were trained here."""

from __future__ import annotations

import csv
import shutil

import numpy as np
import pandas as pd
import pytest

import repro
from repro import papers
from repro.__main__ import main
from repro.data.datasets import open_index
from repro.data.user_data import dataset_name
from repro.records import metrics

TABLE = """
title = "Mine"
datasets = ["tiny.csv"]
backbone = "tiny_resnet"
pretrained = "none"
columns = "params top1 gain"
views = { clips = 1, crops = 1, crop = 32, resize = 32 }
[recipe]
like = "dnr.kinetics400"
epochs = 1
batch = 4
crop = 32
resize = 32
warmup_epochs = 0
[[row]]
model = "tsn"
label = "TSN"
"""


@pytest.fixture
def place(tmp_path, tiny_csv):
    """The tiny dataset, a table on it, and scores by video and class as a CSV."""
    here = tmp_path / "here"
    shutil.copytree(tiny_csv.parent, here)
    (here / "mine.toml").write_text(TABLE)
    index = open_index(str(here / "tiny.csv"), "val")
    scores = metrics.softmax(np.random.default_rng(0).normal(size=(len(index), 3)))
    with (here / "dump.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", *index.classes])
        rows.writerows([video.id, *map(str, row)] for video, row in zip(index.videos, scores, strict=True))
    right = scores.argmax(1) == [video.label for video in index.videos]
    return here, 100 * right.mean()


def imported(here, capsys, label="TSM (mmaction2)", more=()):
    words = ["scores", "import", str(here / "dump.csv"), "--from", "csv", "--dataset", str(here / "tiny.csv")]
    assert main([*words, "--as", label, *more]) == 0
    return capsys.readouterr().out


def test_others_results_are_a_row_of_one_s_own_table(place, tmp_path, capsys):
    here, top1 = place
    mine = str(here / "mine.toml")
    assert [row.label for row in papers.find(mine).rows] == ["TSN"]
    imported(here, capsys)
    table = repro.table(mine)
    row = next(row for row in table.layout.rows if "elsewhere" in row.label)
    assert row.label == "TSM (mmaction2), from elsewhere"
    frame = table.to_frame()
    assert top1 in [pytest.approx(value) for value in frame.loc[row.key]["here"].dropna()]
    assert pd.isna(frame.loc[row.key, ("here", "params")])
    assert "another program (csv, dump.csv)" in " ".join(table.notes()["text"])
    for form in ("text", "markdown", "latex", "html", "csv"):
        assert main(["table", mine, "--full", "--format", form]) == 0
        assert "from elsewhere" in capsys.readouterr().out
    for words in (["show", mine], ["status", mine], ["report", "--out", str(tmp_path / "r.html")], ["records", "ls"]):
        assert main(words) == 0, words
    assert "unexpected" not in capsys.readouterr().err

    dump = (here / "dump.csv").read_text()
    (here / "dump.csv").write_text(dump.replace("0.", "0.0", 1))
    out = imported(here, capsys)
    again = [row for row in papers.find(mine).rows if "elsewhere" in row.label]
    assert len(again) == 1, "of one label the last counts"
    assert main(["scores", out.rsplit("scores: ", 1)[1].strip()]) == 0


def test_they_are_never_run_and_take_no_method(place, capsys):
    here, _ = place
    imported(here, capsys)
    mine = str(here / "mine.toml")
    for more in ([], ["--seeds", "2"], ["--force"], ["--with", "dnr"]):
        assert main(["run", mine, *more, "--dry-run"]) == 0
        out = capsys.readouterr().out
        assert "mmaction2" not in out and ("--with dnr" in out or "tsn_dnr" not in out)
    assert main(["table", mine, "--with", "dnr"]) == 0
    assert "TSN+dnr" in (out := capsys.readouterr().out) and "(mmaction2), from elsewhere" in out
    assert main(["show", mine]) == 0 and "Scores of another program" in capsys.readouterr().out


def test_it_is_a_row_of_that_very_dataset_alone(place, capsys):
    here, _ = place
    imported(here, capsys)
    name = dataset_name(str(here / "tiny.csv"))
    lines = (here / "tiny.csv").read_text().splitlines()
    (here / "tiny.csv").write_text("\n".join(lines[:-1]))
    assert dataset_name(str(here / "tiny.csv")) != name
    assert [row.label for row in papers.find(str(here / "mine.toml")).rows] == ["TSN"]


def test_a_choice_among_one_s_own_networks(place, capsys):
    here, _ = place
    mine = str(here / "mine.toml")
    assert main(["run", mine, "--records-only", "--jobs", "1"]) == 0
    choose = ["choose", "--dataset", "tiny", "--from", mine, "--threads", "1", "--form", "eager", "--repeats", "3"]
    assert main([*choose, "--budget", "100s"]) == 0
    out = capsys.readouterr().out
    assert "CHOSEN  TSN: " in out and "own/mine, measured, 1 seed" in out and "8 frames at 32x32, eager" in out
    assert main([*choose, "--budget", "0.001ms"]) == 1
    out = capsys.readouterr().out
    assert "NOTHING FITS 0.001 ms. Nearest is TSN" in out and "It fits with --budget" in out
