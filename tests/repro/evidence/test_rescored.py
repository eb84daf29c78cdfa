"""Accuracies read from one file of scores, against those computed by hand."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from repro.__main__ import main
from repro.core.errors import BadOption
from repro.core.spec import Views, to_dict
from repro.evidence.rescored import read
from repro.records import metrics
from repro.records.scores import Scores
from repro.report.rescored import render_reading

RNG = np.random.default_rng(3)
VIEWS = Views(sampling="mmaction2.dense_test_8", clips=10, crops=3)
LOGITS = RNG.normal(size=(40, 30, 12)).astype(np.float32)
LABELS = RNG.integers(12, size=40)
IDS = [f"val/{n:011d}_000001_000011.mp4" for n in range(40)]
PROBLEMS = [{"id": f"val/{n:011d}_000001_000011.mp4", "problem": "cut"} for n in range(40, 44)]
SCORES = Scores(LOGITS, LABELS, IDS, PROBLEMS, 10, 3, {"views": to_dict(VIEWS), "split": "val"})


@pytest.mark.parametrize("fusion", ["logits", "softmax"])
def test_all_views_and_one_view(fusion):
    grid = LOGITS.astype(np.float64)
    grid = metrics.softmax(grid) if fusion == "softmax" else grid
    whole = read(SCORES, fusion=fusion)
    assert whole.test == "10x3" and whole.fusion == fusion
    assert whole.rates["top1"].scored.value == pytest.approx(100 * (grid.mean(1).argmax(1) == LABELS).mean())
    one = read(SCORES, clips=1, crops=1, fusion=fusion)
    assert one.test == "1x1"
    assert one.rates["top1"].scored.value == pytest.approx(100 * (grid[:, 4 * 3 + 2].argmax(1) == LABELS).mean())
    ten = read(SCORES, crops=1, fusion=fusion)
    assert ten.rates["top1"].scored.value == pytest.approx(100 * (grid[:, 2::3].mean(1).argmax(1) == LABELS).mean())
    assert one.rates["top1"].scored.method == "Wilson"


def test_the_fusion_of_the_test_is_the_default_and_features_are_logits():
    assert read(SCORES).fusion == "softmax"
    features, logits = read(SCORES, fusion="features"), read(SCORES, fusion="logits")
    assert features.rates == logits.rates
    assert "equals the mean of logits" in features.notes[0]


def test_bounds_hold_whatever_the_missing_videos_are():
    found = read(SCORES)
    assert (found.scored, len(found.missing)) == (40, 4)
    rate = found.rates["top1"]
    correct = round(rate.scored.value * 40 / 100)
    assert rate.low == pytest.approx(100 * correct / 44)
    assert rate.high == pytest.approx(100 * (correct + 4) / 44)
    text = "\n".join(render_reading(found))
    assert "4 missing" in text and f"all right {rate.high:.2f}" in text


def test_a_subset_counts_its_own_missing_videos(tmp_path):
    (tmp_path / "list.txt").write_text("00000000003\n00000000007\nelsewhere_0\n00000000041\n")
    found = read(SCORES, subset=str(tmp_path / "list.txt"))
    assert (found.scored, found.missing, found.beyond) == (2, ("elsewhere_0", "00000000041"), 38)
    right = metrics.fuse(LOGITS[[3, 7]], "softmax", range(30)).argmax(1) == LABELS[[3, 7]]
    assert found.rates["top1"].scored.value == 100 * right.mean()
    (tmp_path / "other.txt").write_text("zzz\n")
    with pytest.raises(BadOption, match="none of the 1 videos"):
        read(SCORES, subset=str(tmp_path / "other.txt"))


def test_the_verb_end_to_end_without_torch(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPRO_CONFIG", str(tmp_path / "config"))
    SCORES.save(tmp_path / "s.npz")
    (tmp_path / "list.txt").write_text("\n".join(f"{n:011d}" for n in range(0, 40, 4)))
    assert main(["scores", "--register", "ten", str(tmp_path / "list.txt")]) == 0
    capsys.readouterr()
    command = [
        "scores",
        str(tmp_path / "s.npz"),
        "--clips",
        "1",
        "--crops",
        "1",
        "--fusion",
        "softmax",
        "--on",
        "copy:ten",
    ]
    assert main(command) == 0
    told = capsys.readouterr().out
    assert "1x1 views, softmax, copy:ten: 10 videos scored, 30 scored beside them" in told
    assert "clip 5 of 10" in told
    assert main(["scores", str(tmp_path / "s.npz"), "--clips", "3"]) == 2
    assert "3 clips cannot be read from a test of 10" in capsys.readouterr().err
    code = f"import sys; from repro.__main__ import main; main({command!r}); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
