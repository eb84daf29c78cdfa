"""The embedded datasets: their files are whole, equal everywhere, and noticed when they are not."""

import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from repro.__main__ import main
from repro.core.errors import DataError, UnknownName
from repro.data import embedded, embedded_files
from repro.data.decode import frame_count, read_frames
from repro.data.drawing import FRAMES, MOTIONS, SHAPES, SIDE
from repro.data.probe_render import draw

SMALL = {"train": 16, "test": 8}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The folder of 16 + 8 videos."""
    folder = tmp_path_factory.mktemp("probes") / "small"
    embedded_files.write(folder, "order", SMALL, processes=2)
    return folder


def test_codec_keeps_no_direction_of_time():
    for label in range(0, 8, 2):
        forth = draw("order", "choose", label).planes
        decoded = embedded_files.decode_planes(embedded_files.encode(forth))
        assert decoded.shape == forth.shape
        back = embedded_files.decode_planes(embedded_files.encode(forth[::-1]))
        assert np.array_equal(back, decoded[::-1])
        assert np.abs(decoded.astype(int) - forth).mean() < 8


# ---- files


def test_classes_are_balanced_and_splits_share_nothing(small):
    seen = []
    for split, count in SMALL.items():
        files = embedded_files.listed(small, split)["files"]
        assert len(files) == count
        assert set(np.bincount([facts["label"] for facts in files.values()])) == {count // 8}
        seen += [facts["sha256"] for facts in files.values()]
    assert len(set(seen)) == sum(SMALL.values())


def test_equal_bytes_whatever_the_number_of_processes(tmp_path):
    sizes = {"train": 250, "test": 6}
    embedded_files.write(tmp_path / "a", "sight", sizes, processes=1)
    embedded_files.write(tmp_path / "b", "sight", sizes, processes=3)
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
    index = embedded.open_embedded("probe-order-smoke", "test")
    assert [video.id for video in index.videos] == ["test/00000", "test/00001"]
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
    first = embedded.open_embedded("probe-sight-smoke", "train")
    assert embedded.open_embedded("probe-sight-smoke", "train") == first
    assert embedded.open_embedded("probe-sight-smoke", "test").fingerprint != first.fingerprint
    assert embedded.check_embedded("probe-sight-smoke") == []


def test_unknown_names_are_refused():
    with pytest.raises(UnknownName, match="did you mean probe-order"):
        embedded.open_embedded("probe-ordre", "train")
    with pytest.raises(UnknownName, match="split of probe-order-smoke 'val'"):
        embedded.open_embedded("probe-order-smoke", "val")


def test_damage_is_noticed(capsys):
    assert main(["data", "check", "probe-order-smoke"]) == 0 and "good" in capsys.readouterr().out
    video = embedded.open_embedded("probe-order-smoke", "train").videos[1]
    content = video.path.read_bytes()
    video.path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert [line.split(":")[0] for line in embedded.check_embedded("probe-order-smoke")] == [str(video.path)]
    assert main(["data", "check", "probe-order-smoke"]) == 1
    told = capsys.readouterr().out
    assert "1 of 6 files not as written; rm -r" in told and video.path.name in told.replace("\n", "")
    for damage in (lambda: video.path.write_bytes(content[:-7]), video.path.unlink):
        damage()
        with pytest.raises(DataError, match=f"{video.path.name} is missing or has not its size.*rm -r .*smoke"):
            embedded.open_embedded("probe-order-smoke", "train")
    assert "missing" in embedded.check_embedded("probe-order-smoke")[0]
    assert embedded.open_embedded("probe-order-smoke", "test").videos  # the other split is whole


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"version": 2, "splits": {"train": {}}}'])
def test_a_damaged_manifest_is_told(text):
    embedded.open_embedded("probe-order-smoke", "train")
    (embedded.folder_of("probe-order-smoke") / "manifest.json").write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json .*rm -r"):
        embedded.open_embedded("probe-order-smoke", "train")


def test_first_use_by_several_processes_at_once():
    code = (
        "from repro.data.embedded import open_embedded; print(open_embedded('probe-order-smoke', 'test').fingerprint)"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    answers = [process.communicate() for process in started]
    assert [process.returncode for process in started] == [0] * 4, answers
    assert len({out for out, _ in answers}) == 1
    left = {path.name for path in embedded.folder_of("probe-order-smoke").parent.iterdir()}
    assert left == {"probe-order-smoke", ".probe-order-smoke.lock"}


def test_without_locks_the_first_writer_wins(tmp_path):
    """Two writers that both found nothing: one rename is refused, and both end with the same whole dataset."""
    folder = tmp_path / "made"
    embedded_files.write(folder, "order", {"train": 2, "test": 2})
    before = (folder / "manifest.json").stat().st_ino
    embedded_files.write(folder, "order", {"train": 2, "test": 2})
    assert (folder / "manifest.json").stat().st_ino == before
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_killed_writer_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "made"
    (tmp_path / ".made.0123.part" / "train").mkdir(parents=True)
    os.utime(tmp_path / ".made.0123.part", (0, 0))
    (folder / "train").mkdir(parents=True)  # a folder without a manifest is no dataset
    embedded_files.ensure(folder, "order", {"train": 2, "test": 2})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".made.lock", "made"]
    assert len(list((folder / "train").iterdir())) == 2


def test_files_name_no_machine(small):
    """Nothing but the pictures is in a file: no date, no path, no build of the encoder."""
    content = (small / "train" / "00000.mp4").read_bytes()
    assert b"x264" not in content
    assert b"Lav" not in content
    listed = json.loads((small / "manifest.json").read_text())["splits"]["train"]["files"]["train/00000.mp4"]
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
