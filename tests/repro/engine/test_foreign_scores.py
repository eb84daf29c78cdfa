"""Scores that other programs dumped: read without executing anything, matched to the dataset, compared in pairs."""

from __future__ import annotations

import io
import os
import pickle
import re
from collections import OrderedDict

import numpy as np
import pytest
import torch

from repro.__main__ import main
from repro.core.errors import DataError, WeightsError
from repro.data.datasets import open_index
from repro.engine.foreign_scores import from_elsewhere
from repro.evidence.score_comparison import compare
from repro.evidence.stats import mcnemar
from repro.models import pickled_arrays
from repro.records import metrics
from repro.records.scores import Scores


@pytest.fixture
def index(tiny_csv):
    return open_index(str(tiny_csv), "val")


def probabilities(index, seed=0):
    return metrics.softmax(np.random.default_rng(seed).normal(size=(len(index), 3)))


def entries(index, found, kind):
    """As mmaction2's own writers make them."""
    labels = [video.label for video in index.videos]
    if kind == "0.x":
        return [row.astype(np.float32) for row in found]
    if kind == "1.0":
        return [
            {"pred_scores": {"item": torch.tensor(row)}, "gt_labels": {"item": torch.tensor([label])}, "num_classes": 3}
            for row, label in zip(found, labels, strict=True)
        ]
    made = [
        {"pred_score": torch.tensor(row, dtype=torch.float32), "gt_label": torch.tensor([label]), "img_shape": (8, 8)}
        for row, label in zip(found, labels, strict=True)
    ]
    return [OrderedDict(one) for one in made] if kind == "ordered" else made


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("kind", ["0.x", "1.0", "1.2", "ordered"])
def test_a_pickle_of_mmaction2_is_what_it_holds(tmp_path, index, kind, protocol):
    found = probabilities(index)
    (tmp_path / "dump.pkl").write_bytes(pickle.dumps(entries(index, found, kind), protocol=protocol))
    scores, notes = from_elsewhere(tmp_path / "dump.pkl", "mmaction2", index, "TSM")
    again = metrics.aggregate(scores.logits, "softmax", scores.clips, scores.crops)
    np.testing.assert_allclose(again, found, atol=1e-6)
    assert scores.ids == [video.id for video in index.videos]
    assert scores.labels.tolist() == [video.label for video in index.videos]
    assert scores.about["elsewhere"]["label"] == "TSM" and scores.about["fingerprint"] == index.fingerprint
    assert ("nothing in it can confirm" in notes[0]) == (kind == "0.x")
    scores.save(tmp_path / "s.npz")
    np.testing.assert_array_equal(Scores.load(tmp_path / "s.npz").logits, scores.logits)


def test_views_that_are_not_averaged_stay_views(tmp_path, index):
    logits = np.random.default_rng(1).normal(size=(len(index), 4, 3))
    dump = [
        {"pred_score": torch.tensor(one), "gt_label": torch.tensor(video.label)}
        for one, video in zip(logits, index.videos, strict=True)
    ]
    (tmp_path / "dump.pkl").write_bytes(pickle.dumps(dump))
    scores, _ = from_elsewhere(tmp_path / "dump.pkl", "mmaction2", index, "x")
    assert (scores.clips, scores.crops) == (4, 1)
    np.testing.assert_allclose(scores.logits, logits, rtol=1e-6)


class Runs:
    def __init__(self, name):
        self.name = name

    def __reduce__(self):
        return os.mkdir, (self.name,)


class Deep:
    def __reduce__(self):
        return eval, ("__import__('os').mkdir('ran')",)


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_executed(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    for content in ([Runs("ran")], {"pred_score": Runs("ran")}, [Deep()], Runs("ran"), [np.ones(3), Deep()]):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
        with pytest.raises(WeightsError, match=r"could run code, so it was not read|no pickle of arrays"):
            pickled_arrays.read(tmp_path / "d.pkl")
        assert not (tmp_path / "ran").exists()


def test_a_tensor_s_own_pickle_runs_nothing_either(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inner = io.BytesIO()
    torch.save(Runs("ran"), inner, _use_new_zipfile_serialization=False)

    class Storage:
        def __reduce__(self):
            return torch.storage._load_from_bytes, (inner.getvalue(),)

    (tmp_path / "d.pkl").write_bytes(pickle.dumps([Storage()]))
    with pytest.raises(WeightsError):
        pickled_arrays.read(tmp_path / "d.pkl")
    assert not (tmp_path / "ran").exists()


def claims_too_much():
    """An array of 2^40 numbers in a few bytes."""
    return pickle.dumps(np.zeros(4), protocol=2).replace(b"K\x04\x85", b"\x8a\x06\x00\x00\x00\x00\x00\x01\x85", 1)


@pytest.mark.parametrize(
    "content",
    [b"", b"no pickle", pickle.dumps([np.zeros(4)])[:-9], claims_too_much(), pickle.dumps(np.array([object()]))],
)
def test_what_is_damaged_or_claims_more_than_it_holds(tmp_path, content):
    (tmp_path / "d.pkl").write_bytes(content)
    with pytest.raises(WeightsError):
        pickled_arrays.read(tmp_path / "d.pkl")


@pytest.mark.parametrize("kind", [np.float64, np.float32, np.float16, np.int64, np.uint8, np.bool_, ">f4"])
@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_arrays_of_all_kinds_and_layouts(tmp_path, kind, protocol):
    array = np.arange(12).reshape(3, 4).astype(kind)
    content = {
        "c": array,
        "f": np.asfortranarray(array),
        "part": array[::2, 1:],
        "one": array[1, 2],
        "empty": array[:0],
    }
    (tmp_path / "d.pkl").write_bytes(pickle.dumps(content, protocol=protocol))
    found = pickled_arrays.read(tmp_path / "d.pkl")
    for name, expected in content.items():
        np.testing.assert_array_equal(found[name], expected)


def written(folder, index, form, order=(), drop=0, classes=None, labels=True):
    found = probabilities(index)
    rows = list(order or range(len(index)))[: len(index) - drop]
    names = [index.videos[at].id for at in rows]
    told = [index.videos[at].label for at in rows]
    if form == "npz":
        more = {"labels": told} if labels else {}
        np.savez(folder / "s.npz", scores=found[rows], ids=names, **more)
        return folder / "s.npz"
    heading = ["path", *(["label"] if labels else []), *(classes or index.classes)]
    columns = [index.classes.index(name) for name in (classes or index.classes)]
    lines = [
        [names[k], *([str(told[k])] if labels else []), *(repr(float(found[at, c])) for c in columns)]
        for k, at in enumerate(rows)
    ]
    (folder / "s.csv").write_text("\n".join(",".join(line) for line in [heading, *lines]))
    return folder / "s.csv"


@pytest.mark.parametrize("form", ["npz", "csv"])
def test_videos_are_found_by_name_in_any_order(tmp_path, index, form):
    order = [3, 1, 0, 4, 2]
    scores, notes = from_elsewhere(written(tmp_path, index, form, order), form, index, "x")
    assert scores.ids == [video.id for video in index.videos] and not notes
    np.testing.assert_allclose(np.exp(scores.logits[:, 0]), probabilities(index), atol=1e-6)
    fewer, notes = from_elsewhere(written(tmp_path, index, form, order, drop=1), form, index, "x")
    assert len(fewer.ids) == 4 and [one["id"] for one in fewer.problems] == [index.videos[2].id]
    assert notes == [f"1 of {len(index)} videos are not in the file"]


def test_classes_of_a_csv_are_found_by_name(tmp_path, index):
    turned = list(reversed(index.classes))
    scores, notes = from_elsewhere(written(tmp_path, index, "csv", classes=turned), "csv", index, "x")
    np.testing.assert_allclose(np.exp(scores.logits[:, 0]), probabilities(index), atol=1e-6)
    assert "another order" in notes[0]


def test_what_does_not_fit_the_dataset_is_an_error(tmp_path, index):
    found = probabilities(index)
    for content, told in (
        (entries(index, found, "1.2")[:-1], "names none"),
        (list(reversed(entries(index, found, "1.2"))), "labels are not those of"),
        ([np.ones(4) for _ in index.videos], "scores 4 classes"),
        ([*[np.ones(3) for _ in index.videos][:-1], np.ones(2)], "scores of shapes"),
        ({"a": 1}, "holds a dict"),
        ([{"score": 1}], "has no pred_score"),
    ):
        (tmp_path / "d.pkl").write_bytes(pickle.dumps(content))
        with pytest.raises(DataError, match=re.escape(told)):
            from_elsewhere(tmp_path / "d.pkl", "mmaction2", index, "x")
    np.savez(tmp_path / "s.npz", scores=found, ids=[*(video.id for video in index.videos[:-1]), "other.mp4"])
    with pytest.raises(DataError, match=r"first 'other\.mp4'"):
        from_elsewhere(tmp_path / "s.npz", "npz", index, "x")
    np.savez(tmp_path / "s.npz", scores=np.array([object()]))
    with pytest.raises(DataError):
        from_elsewhere(tmp_path / "s.npz", "npz", index, "x")
    for text, told in (
        ("path,a,b,c\n13.mp4,1,2\n", "line 2"),
        ("a,b,path\n1,2\n", "line 2: 2 fields"),
        ("path,a,b\n13.mp4,1,2,3\n", "line 2: 4 fields"),
        ("path,a,a\n13.mp4,1,2\n", "a column stands twice"),
    ):
        (tmp_path / "s.csv").write_text(text)
        with pytest.raises(DataError, match=told):
            from_elsewhere(tmp_path / "s.csv", "csv", index, "x")


def test_two_tests_are_compared_on_the_videos_of_both():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 400)
    right = {"a": rng.random(400) < 0.6, "b": rng.random(400) < 0.75}
    made = {}
    for name, hits in right.items():
        logits = np.zeros((400, 1, 4), np.float32)
        logits[np.arange(400), 0, np.where(hits, labels, (labels + 1) % 4)] = 1
        made[name] = Scores(logits, labels, [f"v{k}" for k in range(400)], [], 1, 1)
    b = made["b"]
    turned = Scores(b.logits[::-1][:300], b.labels[::-1][:300], b.ids[::-1][:300], [], 1, 1)
    found = compare(made["a"], turned)
    mine, theirs = right["a"][100:], right["b"][100:]
    assert found.videos == 300 and found.alone == (100, 0)
    assert found.top1 == pytest.approx((100 * mine.mean(), 100 * theirs.mean()))
    assert found.difference.value == pytest.approx(found.top1[1] - found.top1[0])
    assert found.difference.low < found.difference.value < found.difference.high
    assert found.only == ((mine & ~theirs).sum(), (~mine & theirs).sum()) and found.p == mcnemar(mine, theirs)
    with pytest.raises(DataError, match="share no video"):
        compare(made["a"], Scores(b.logits, b.labels, [f"w{k}" for k in range(400)], [], 1, 1))
    with pytest.raises(DataError, match="have two labels"):
        compare(made["a"], Scores(b.logits, (b.labels + 1) % 4, b.ids, [], 1, 1))


def test_from_the_command_line(tmp_path, tiny_csv, index, capsys):
    found = probabilities(index)
    (tmp_path / "dump.pkl").write_bytes(pickle.dumps(entries(index, found, "1.2")))
    csv = written(tmp_path, index, "csv")
    common = ["--dataset", str(tiny_csv), "--out", str(tmp_path / "runs")]
    assert (
        main(
            ["scores", "import", str(tmp_path / "dump.pkl"), "--from", "mmaction2", "--as", "TSM (mmaction2)", *common]
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "TSM (mmaction2), from elsewhere (mmaction2)" in out and "5 videos scored" in out
    first = out.rsplit("scores: ", 1)[1].strip()
    assert main(["scores", "import", str(csv), "--as", "other", *common]) == 0
    second = capsys.readouterr().out.rsplit("scores: ", 1)[1].strip()
    assert main(["scores", "compare", first, second]) == 0
    out = capsys.readouterr().out
    assert "B - A +0.00 points" in out and "p = 1" in out and "other, from elsewhere" in out
    assert main(["scores", first]) == 0 and "5 videos scored" in capsys.readouterr().out
    for words, told in (
        (["import", "x.json"], "lacks --from, --dataset, --as"),
        (["import", str(csv)], "lacks --dataset, --as"),
        (["compare", first], "two files, not 1"),
        ([], "lacks FILE.npz"),
    ):
        assert main(["scores", *words]) == 2 and told in capsys.readouterr().err
