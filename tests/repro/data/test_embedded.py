"""The twins: what they show and hide; their files are whole, equal everywhere, and noticed when they are not."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from scipy import stats

from repro.core.errors import DataError, UnknownName
from repro.data import embedded, embedded_files
from repro.data.decode import frame_count, read_frames
from repro.data.drawing import FRAMES, MOTIONS, SHAPES, SIDE
from repro.data.twin_render import draw_pose, render
from tests.repro.data.frame_facts import bag, linear_accuracy, ordered, shape_facts

TEMPORAL = embedded.TWINS["twin-temporal"].content
APPEARANCE = embedded.TWINS["twin-appearance"].content
SMALL = {"train": 640, "val": 320}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A temporal twin of 640 + 320 videos: its folder; by split, the luma of its decoded files (videos, FRAMES, SIDE,
    SIDE) and facts about the shape in each frame."""
    folder = tmp_path_factory.mktemp("twins") / "small"
    embedded_files.write(folder, TEMPORAL, SMALL, processes=2)
    luma = {
        split: np.stack(
            [
                embedded_files.decode_planes((folder / file).read_bytes())[:, :SIDE]
                for file in embedded_files.listed(folder, split)["files"]
            ]
        )
        for split in SMALL
    }
    return folder, luma, {split: shape_facts(frames) for split, frames in luma.items()}


# ---- what the classes are


@pytest.mark.parametrize("pair", range(4))
def test_second_class_of_a_pair_is_the_first_reversed(pair):
    for seed in range(5):
        forth = render("temporal", 2 * pair, np.random.default_rng(seed))
        back = render("temporal", 2 * pair + 1, np.random.default_rng(seed))
        assert np.array_equal(back, forth[::-1])
        assert not np.array_equal(back, forth)


def test_codec_keeps_no_direction_of_time():
    for label in range(0, 8, 2):
        forth = render("temporal", label, np.random.default_rng(label))
        decoded = embedded_files.decode_planes(embedded_files.encode(forth, 36))
        assert decoded.shape == forth.shape
        assert np.array_equal(embedded_files.decode_planes(embedded_files.encode(forth[::-1], 36)), decoded[::-1])
        assert np.abs(decoded.astype(int) - forth).mean() < 8


@pytest.mark.parametrize("pair", range(4))
def test_a_random_frame_does_not_tell_what_moves(pair):
    """Position, size and angle of the shape in a frame drawn at random have one distribution, whatever moves."""

    def drawn(which, seed):
        rng = np.random.default_rng(seed)
        at = rng.integers(FRAMES, size=4000)
        poses = [draw_pose(which, rng) for _ in at]
        values = [
            [pose.x[i], pose.y[i], pose.radius[i], pose.angle[i] % (2 * np.pi)]
            for pose, i in zip(poses, at, strict=True)
        ]
        return np.array(values).T

    others = drawn((pair + 1) % 4, 100 + pair)
    for here, there in zip(drawn(pair, pair), others, strict=True):
        assert stats.ks_2samp(here, there).pvalue > 1e-3


def _direction_accuracy(small, features):
    """Mean over the four pairs of the accuracy of telling the two directions apart, the pair being known."""
    _, _, facts = small
    train, val = (features(facts[split]) for split in ("train", "val"))
    label = {split: np.arange(count) % 8 for split, count in SMALL.items()}
    rates = []
    for pair in range(4):
        a, b = (label[split] // 2 == pair for split in ("train", "val"))
        rates.append(linear_accuracy(train[a], label["train"][a] % 2, val[b], label["val"][b] % 2))
    return rates


def test_a_bag_of_frames_is_at_chance_on_the_direction(small):
    rates = _direction_accuracy(small, bag)
    assert abs(np.mean(rates) - 0.5) < 3 * 0.5 / np.sqrt(SMALL["val"])


def test_the_same_frames_in_order_tell_the_direction(small):
    rates = _direction_accuracy(small, ordered)
    assert min(rates[:3]) > 0.9, rates  # the trend of a moment says little of a rotation


def test_one_frame_is_at_chance_on_all_classes(small):
    _, luma, facts = small
    rng = np.random.default_rng(0)
    at = {split: (np.arange(n), rng.integers(FRAMES, size=n)) for split, n in SMALL.items()}
    train, val = (
        np.concatenate([facts[split][at[split]], luma[split][at[split]][:, ::5, ::5].reshape(n, -1) / 255], 1)
        for split, n in SMALL.items()
    )
    rate = linear_accuracy(train, np.arange(SMALL["train"]) % 8, val, np.arange(SMALL["val"]) % 8)
    assert abs(rate - 0.125) < 3 * np.sqrt(0.125 * 0.875 / SMALL["val"])


# ---- files


def test_classes_are_balanced_and_splits_share_nothing(small):
    folder, _, _ = small
    seen = []
    for split, count in SMALL.items():
        files = embedded_files.listed(folder, split)["files"]
        assert len(files) == count
        assert set(np.bincount([facts["label"] for facts in files.values()])) == {count // 8}
        seen += [facts["sha256"] for facts in files.values()]
    assert len(set(seen)) == sum(SMALL.values())


def test_equal_bytes_whatever_the_number_of_processes(tmp_path):
    sizes = {"train": 250, "val": 6}
    embedded_files.write(tmp_path / "a", APPEARANCE, sizes, processes=1)
    embedded_files.write(tmp_path / "b", APPEARANCE, sizes, processes=3)
    assert (tmp_path / "a" / "manifest.json").read_bytes() == (tmp_path / "b" / "manifest.json").read_bytes()
    for split, count in sizes.items():
        files = sorted((tmp_path / "a" / split).iterdir())
        assert len(files) == count
        assert all(file.read_bytes() == (tmp_path / "b" / split / file.name).read_bytes() for file in files)
    assert embedded_files.problems(tmp_path / "b") == []


@pytest.mark.parametrize("name", sorted(embedded.EMBEDDED))
def test_sizes_are_whole_classes_or_smoke(name):
    assert all(count % 8 == 0 or name.endswith("-smoke") for count in embedded.EMBEDDED[name].sizes.values())
    assert embedded.EMBEDDED[name].classes in (SHAPES, MOTIONS)


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_read_back_through_the_common_path(decoder):
    pytest.importorskip("decord" if decoder == "decord" else "av")
    index = embedded.open_embedded("twin-temporal-smoke", "val")
    assert [video.id for video in index.videos] == ["val/00000", "val/00001"]
    assert [video.label for video in index.videos] == [0, 1]
    assert index.classes == MOTIONS
    for video in index.videos:
        assert frame_count(video.path, decoder=decoder) == FRAMES
        frames = read_frames(video.path, np.arange(FRAMES), decoder=decoder)
        assert frames.shape == (FRAMES, SIDE, SIDE, 3)
        luma = embedded_files.decode_planes(video.path.read_bytes())[:, :SIDE].astype(float)
        gray = frames @ np.array([65.481, 128.553, 24.966]) / 255 + 16
        assert np.abs(gray - luma).mean() < 2


def test_splits_have_their_own_fingerprints_and_opening_twice_agrees():
    first = embedded.open_embedded("twin-appearance-smoke", "train")
    assert embedded.open_embedded("twin-appearance-smoke", "train") == first
    assert embedded.open_embedded("twin-appearance-smoke", "val").fingerprint != first.fingerprint
    assert embedded.check_embedded("twin-appearance-smoke") == []


def test_unknown_names_are_refused():
    with pytest.raises(UnknownName, match="did you mean twin-temporal"):
        embedded.open_embedded("twin-temporla", "train")
    with pytest.raises(UnknownName, match="split of twin-temporal-smoke 'test'"):
        embedded.open_embedded("twin-temporal-smoke", "test")


def test_damage_is_noticed():
    video = embedded.open_embedded("twin-temporal-smoke", "train").videos[1]
    content = video.path.read_bytes()
    video.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert [line.split(":")[0] for line in embedded.check_embedded("twin-temporal-smoke")] == [str(video.path)]
    for damage in (lambda: video.path.write_bytes(content[:-7]), video.path.unlink):
        damage()
        with pytest.raises(DataError, match=f"{video.path.name} is missing or has not its size.*rm -r .*smoke"):
            embedded.open_embedded("twin-temporal-smoke", "train")
    assert "missing" in embedded.check_embedded("twin-temporal-smoke")[0]
    assert embedded.open_embedded("twin-temporal-smoke", "val").videos  # the other split is whole


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2, "splits": {"train": {}}}'])
def test_a_damaged_manifest_is_told(text):
    embedded.open_embedded("twin-temporal-smoke", "train")
    (embedded.folder_of("twin-temporal-smoke") / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json .*rm -r"):
        embedded.open_embedded("twin-temporal-smoke", "train")


def test_first_use_by_several_processes_at_once():
    code = (
        "from repro.data.embedded import open_embedded; print(open_embedded('twin-temporal-smoke', 'val').fingerprint)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 4, answers
    assert len({out for out, _ in answers}) == 1
    left = {path.name for path in embedded.folder_of("twin-temporal-smoke").parent.iterdir()}
    assert left == {"twin-temporal-smoke", ".twin-temporal-smoke.lock"}


def test_without_locks_the_first_writer_wins(tmp_path):
    """Two writers that both found nothing: one rename is refused, and both end with the same whole dataset."""
    folder = tmp_path / "twin"
    embedded_files.write(folder, TEMPORAL, {"train": 2, "val": 2})
    before = (folder / "manifest.json").stat().st_ino
    embedded_files.write(folder, TEMPORAL, {"train": 2, "val": 2})
    assert (folder / "manifest.json").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["twin"]


def test_a_killed_writer_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "twin"
    (tmp_path / ".twin.0123.part" / "train").mkdir(parents=True)
    os.utime(tmp_path / ".twin.0123.part", (0, 0))
    (folder / "train").mkdir(parents=True)  # a folder without a manifest is no dataset
    embedded_files.ensure(folder, TEMPORAL, {"train": 2, "val": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".twin.lock", "twin"]
    assert len(list((folder / "train").iterdir())) == 2


def test_files_name_no_machine(small):
    """Nothing but the pictures is in a file: no date, no path, no build of the encoder."""
    folder, _, _ = small
    content = (folder / "train" / "00000.mp4").read_bytes()
    assert b"x264" not in content
    assert b"Lav" not in content
    listed = json.loads((folder / "manifest.json").read_text())["splits"]["train"]["files"]["train/00000.mp4"]
    assert listed == {"label": 0, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


# ---- metrics


def test_direction_metrics():
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 7])
    assert embedded.direction_metrics(labels, labels) == {"pair_top1": 100.0, "direction_top1": 100.0}
    assert embedded.direction_metrics(labels, labels ^ 1) == {"pair_top1": 100.0, "direction_top1": 0.0}
    half = embedded.direction_metrics(labels, np.array([0, 0, 2, 2, 0, 0, 0, 0]))
    assert half == {"pair_top1": 50.0, "direction_top1": 50.0}
    nothing = embedded.direction_metrics(labels, (labels + 2) % 8)
    assert nothing["pair_top1"] == 0.0
    assert np.isnan(nothing["direction_top1"])
