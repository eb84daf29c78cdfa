"""CPU time of loading: every way makes the same views of a real clip, and what does not is not timed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from rich.console import Console

from repro.cli.data_speed_text import render_data_speed
from repro.core.errors import BadOption, DataError
from repro.cost import loading_speed, mmaction2_pipeline
from repro.cost.loading_speed import CASES, PUBLIC, DataSpeed, measure
from repro.cost.test_clips import CLIPS, clip_file
from repro.data.packet_index import VideoFile

FRAMES = 80


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    return clip_file("340x256 GOP 12", folder, FRAMES)


def rendered(result):
    console = Console(file=io.StringIO(), width=200)
    console.print(render_data_speed([result]))
    return console.file.getvalue()


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
def test_every_way_is_timed_as_often(clip, case):
    result = measure(clip, case, repeats=2)
    assert result.left_out == {} and set(result.times_s) == {PUBLIC, "decord", "pyav", "auto"}
    assert {len(times) for times in result.times_s.values()} == {2}
    assert result.chosen == "pyav" and result.fastest in ("decord", "pyav")
    assert case in rendered(result) and mmaction2_pipeline.resizer()[1] in rendered(result)


@pytest.mark.parametrize("case", CASES)
def test_the_public_pipeline_makes_the_views_of_the_suite(clip, case):
    views = CASES[case]
    made, own = mmaction2_pipeline.test_views(clip, views), loading_speed.own_views(clip, views, "decord")
    assert made.shape == own.shape == (views.count, 8, 3, views.crop, views.crop)
    assert np.array_equal(made, own)  # 256 pixels need no resizing


def test_resizing_of_the_public_pipeline_is_ours_to_a_grey_level():
    from repro.data.resize import resize

    frame = np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)
    for made in (mmaction2_pipeline.resizer()[0](frame, 32, 46), mmaction2_pipeline.resized_by_torch(frame, 32, 46)):
        assert np.abs(made.astype(int) - resize(frame, 32, 46)).max() <= 1


def test_a_way_that_makes_other_views_or_fails_is_left_out_and_named(clip, monkeypatch):
    monkeypatch.setattr(mmaction2_pipeline, "test_views", lambda path, views: np.zeros((1, 8, 3, 224, 224), np.uint8))
    result = measure(clip, "8 sparse", repeats=1)
    assert result.left_out == {PUBLIC: "other frames"} and result.ratio is None and result.ratio_spread is None
    assert "public pipeline left out: other frames" in rendered(result)


def test_figures():
    times = {PUBLIC: [0.4, 0.3, 0.2], "auto": [0.1, 0.1, 0.1], "pyav": [0.1, 0.08, 0.05], "decord": [0.3, 0.3, 0.3]}
    result = DataSpeed("a.mp4", "8 sparse", "pyav", times, {})
    assert result.median() == 0.1 and result.ratio == pytest.approx(3) and result.fastest == "pyav"
    assert result.ratio_spread == pytest.approx([2.5, 3.5]) and result.behind == pytest.approx(1.25)
    assert "auto took 1.25 times the time of pyav" in rendered(result)


def test_wrong_options_and_files_are_refused(clip, tmp_path):
    with pytest.raises(BadOption, match="8 sparse"):
        measure(clip, "9 sparse")
    with pytest.raises(BadOption, match="1 or more"):
        measure(clip, "8 sparse", repeats=0)
    with pytest.raises(DataError, match="no such file"):
        measure(tmp_path / "none.mp4", "8 sparse")
