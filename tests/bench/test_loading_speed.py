"""Every way of loading that is timed makes the same views of a real clip."""

from __future__ import annotations

import numpy as np
import pytest

from repro.cost.test_clips import CLIPS, clip_file
from repro.data.packet_index import VideoFile
from repro.data.resize import resize

from . import mmaction2_pipeline
from .loading_speed import CASES, PUBLIC, measure, own_views, ratio, ways

FRAMES = 80


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return clip_file("340x256 GOP 12", folder, FRAMES)


def test_clips_have_the_key_frames_their_names_say(clip, tmp_path):
    with VideoFile(clip) as video:
        assert (video.codec, video.size[1], len(video.listing.stamps)) == ("h264", 256, FRAMES)
        assert max(np.diff(video.listing.keys)) == 12
        assert video.stream.codec_context.has_b_frames
    long = clip_file("340x256 GOP 250", tmp_path, FRAMES)
    with VideoFile(long) as video:
        assert video.listing.keys == [0]
    written = long.stat().st_mtime_ns
    assert clip_file("340x256 GOP 250", tmp_path, FRAMES).stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [long.name] and len(CLIPS) == 4


@pytest.mark.parametrize("case", CASES)
def test_the_public_pipeline_makes_the_views_of_the_suite(clip, case):
    views = CASES[case]
    made, own = mmaction2_pipeline.test_views(clip, views), own_views(clip, views, "decord")
    assert made.shape == own.shape == (views.count, 8, 3, views.crop, views.crop)
    assert np.array_equal(made, own)  # 256 pixels need no resizing


def test_every_way_is_timed_as_often(clip):
    times = measure(clip, "8 sparse", repeats=2)
    assert set(times) == {PUBLIC, "decord", "pyav", "auto"} and {len(taken) for taken in times.values()} == {2}
    assert ratio({"a": [0.4, 0.3, 0.2], "b": [0.1, 0.1, 0.1]}, "a", "b") == pytest.approx(3)


def test_resizing_of_the_public_pipeline_is_ours_to_a_grey_level():
    frame = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    for made in (mmaction2_pipeline.resizer()[0](frame, 32, 46), mmaction2_pipeline.resized_by_torch(frame, 32, 46)):
        assert np.abs(made.astype(int) - resize(frame, 32, 46)).max() <= 1


def test_a_way_that_makes_other_views_is_left_out_and_named(clip, monkeypatch):
    monkeypatch.setattr(mmaction2_pipeline, "test_views", lambda path, views: np.zeros((1, 8, 3, 224, 224), np.uint8))
    runs, left_out = ways(clip, CASES["8 sparse"])
    assert left_out == {PUBLIC: "other frames"} and PUBLIC not in runs
