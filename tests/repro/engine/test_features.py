"""Frozen features of real files: those of the network, whatever way the clips are named."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from repro.__main__ import main
from repro.core.errors import BadOption, DataError
from repro.core.spec import Model, Views, frozen
from repro.data import clip_views
from repro.data.clip_controls import simple
from repro.data.datasets import open_index
from repro.data.index import Video
from repro.engine.features import Features, clips_in, extract
from repro.models import pretrained

VIEWS = Views(sampling="mmaction2.uniform_test_8", resize=0, crop=32)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Eight clips of two classes: a folder a class, and a CSV with groups."""
    root = tmp_path_factory.mktemp("clips")
    lines = ["path,label,group"]
    chosen = [video for video in open_index("probe-order-smoke", "train").videos[:2]]
    for number in range(8):
        name = f"{'ab'[number % 2]}/{number}.mp4"
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_bytes(chosen[number % 2].path.read_bytes())
        lines.append(f"{name},{'ab'[number % 2]},g{number // 2}")
    (root / "my.csv").write_text("\n".join(lines))
    return root


def _network():
    return pretrained.random(Model(name="tsn", backbone="tiny_resnet", num_classes=2, options=frozen(pool=True)))


@torch.no_grad()
def test_features_are_the_networks_mean_over_frames(clips, tmp_path):
    network = _network()
    found = extract(clips_in(clips / "my.csv"), network, VIEWS)
    pictures, _ = clip_views.views_of_clip(clips / "a/0.mp4", VIEWS, "auto")
    expected = network.module.features(network.normalize(torch.from_numpy(pictures))).mean((0, 1))
    np.testing.assert_allclose(found.values[found.ids.index("a/0.mp4")], expected, rtol=1e-5, atol=1e-6)
    assert found.classes == ("a", "b") and found.groups[:4] == ("g0", "g0", "g1", "g1")
    found.save(tmp_path / "f.npz")
    again = Features.load(tmp_path / "f.npz")
    assert np.array_equal(again.values, found.values) and again.about == found.about
    assert (again.ids, again.groups, again.labels.tolist()) == (found.ids, found.groups, found.labels.tolist())


def test_a_folder_a_class_is_the_same_clips_without_groups(clips):
    listed, classes = clips_in(clips)
    assert classes == ("a", "b") and [clip.label for clip in listed] == [0] * 4 + [1] * 4
    assert {clip.id for clip in listed} == {clip.id for clip in clips_in(clips / "my.csv")[0]}


def test_what_needs_no_network(clips):
    listed, _ = clips_in(clips / "my.csv")
    geometry, colour = (simple([clip.path for clip in listed], kind) for kind in ("geometry", "colour"))
    assert geometry[0].tolist()[:4] == [40, 40, 1, 16] and np.ptp(geometry, 0).max() == 0
    assert colour.shape == (8, 30) and np.allclose(colour[:, 6:14].sum(1), 1)


def test_a_network_without_features_and_a_file_that_is_none(clips, tmp_path):
    network = pretrained.random(Model(name="tsn", backbone="tiny_resnet", num_classes=2, frames=4))
    with pytest.raises(BadOption, match="gives 8 segments"):
        extract(clips_in(clips / "my.csv"), network, VIEWS)


def _deep(file):
    _odd(file, about="[" * 90_000)


def _odd(file, **changed):
    whole = {"values": np.ones((2, 3)), "labels": np.array([0, 1]), "ids": ["a", "b"], "classes": ["x", "y"]}
    np.savez(file, **(whole | {"groups": ["", ""], "about": "{}"} | changed))


@pytest.mark.parametrize(
    "damage",
    [
        lambda file: file.write_bytes(b"no archive"),
        os.mkfifo,
        Path.mkdir,
        np.savez,
        _deep,
        lambda file: _odd(file, values=np.ones(2)),
        lambda file: _odd(file, values=np.full((2, 3), np.nan)),
        lambda file: _odd(file, values=np.array([object()])),
        lambda file: _odd(file, labels=np.array([0, 2])),
        lambda file: _odd(file, ids=["a"]),
        lambda file: _odd(file, ids=3),
    ],
)
def test_what_is_no_file_of_features_is_told(damage, tmp_path):
    damage(tmp_path / "f.npz")
    with pytest.raises(DataError, match=r"features .*f\.npz"):
        Features.load(tmp_path / "f.npz")


def test_a_clip_that_cannot_be_read_is_left_out_and_told(clips, tmp_path, capsys):
    good = (clips / "a/0.mp4").read_bytes()
    for name, content in {"a/0.mp4": good, "a/bad.mp4": good[:500], "b/1.mp4": good, "b/2.mp4": b""}.items():
        (tmp_path / "c" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "c" / name).write_bytes(content)
    found = extract(clips_in(tmp_path / "c"), _network(), VIEWS)
    assert found.ids == ("a/0.mp4", "b/1.mp4") and found.labels.tolist() == [0, 1]
    assert [one["id"] for one in found.about["left_out"]] == ["a/bad.mp4", "b/2.mp4"]
    (tmp_path / "list.txt").write_text("c/a/0.mp4\nc/a/bad.mp4\n")
    how = ["--model", "tsn", "--backbone", "tiny_resnet", "--sampling", VIEWS.sampling, "--resize", "0", "--crop", "32"]
    assert main(["features", str(tmp_path / "list.txt"), *how, "--out", str(tmp_path / "new" / "f.npz")]) == 0
    assert "bad.mp4: " in capsys.readouterr().err and len(Features.load(tmp_path / "new" / "f.npz").ids) == 1
    with pytest.raises(DataError, match="none of 1 clips could be read; first"):
        extract(([Video("x", tmp_path / "c/b/2.mp4", -1)], ()), _network(), VIEWS)


def test_the_verb_tells_features_beside_what_needs_no_network(clips, tmp_path, capsys):
    how = ["--model", "tsn", "--backbone", "tiny_resnet", "--sampling", VIEWS.sampling, "--resize", "0", "--crop", "32"]
    out = str(tmp_path / "f.npz")
    assert main(["features", str(clips / "my.csv"), *how, "--out", out, "--folds", "2"]) == 0
    told = capsys.readouterr().out
    assert "8 clips of 2 classes in 4 groups, 2 folds of whole groups" in told
    assert all(row in told for row in ("random network's features", "geometry alone  ", "colour alone", " 50.00 %"))
    assert main(["features", out, "--folds", "2"]) == 0
    assert "random network's features" in capsys.readouterr().out
