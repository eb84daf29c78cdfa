"""Frames by number are those pictures: of every kind of file, by every decoder that is used for it, alone or together.

The yardstick is plain: all pictures of the stream that ffmpeg would take, decoded in order by nothing but PyAV. Every
kind is tried in each run, with some choices of frames; `slow` tries every frame alone, and many more.
"""

from __future__ import annotations

import functools
import itertools
import shutil
import subprocess

import av
import numpy as np
import pytest
from video_corpus import FILES, PLAIN, STREAMS, TURNS, shown

from repro.core.errors import DecodeError
from repro.data.decode import decode_all, frame_count, read_frames, read_picked
from repro.data.decode_decord import NotUsed
from repro.data.packet_index import VideoFile

#: what decord is used for: H.264 in closed groups, VP8 and VP9, in MP4 and Matroska, 8 bits and progressive
DECORDS = {
    *PLAIN, "marked.mp4", "scenes.mkv", "odd_width_vp9.webm", "grey.mp4", "full_range.mp4", "bt709.mp4", "bt2020.mp4",
    "no_signs.mkv", "smpte240m.mp4", "two_large.mp4", "empty.mkv",
    "fragmented.mp4", "negative_offsets.mp4", "late.mp4", "late.mkv", "variable.mp4", "variable.mkv", "gap.mp4",
    "negative.mkv", "lost.mkv", "vp8.webm", "vp9.webm", "vp9.mp4", "cover.mp4", "cover.mkv", "turned_180.mp4",
    "mirrored.mp4", "upside_down.mp4", "doubled.mp4", "oblong.mp4", "oblong.mkv",
}  # fmt: skip
#: what PyAV has to decode from the start on, although it lies in MP4 or Matroska
IN_ORDER = {
    "interlaced.mp4", "fake_interlaced.mp4", "no_first_key.mkv", "no_first_key.mp4", "starts_open.mkv",
    "hevc_starts_open.mkv", "lost_refs.mp4", "lost_pyramid.mkv", "told.mp4", "wrong_order.mkv",
    "wrong_order_hevc.mkv", "below_zero.mkv", "below_zero.webm", "part2.mp4",
    "part2.mkv", "part2_fields.mp4", "mpeg2.mkv", "mjpeg.mov", "prores.mov", "ffv1.mkv", "odd.mkv", "h263.3gp",
}  # fmt: skip
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def in_order(path, stream=0) -> np.ndarray:
    """All pictures of a stream as they are shown, decoded one after the other."""
    with av.open(str(path)) as container:
        container.streams.video[stream].thread_type = "NONE"
        stored = (frame.to_ndarray(format="rgb24") for frame in container.decode(video=stream))
        return np.stack([shown(path.name, number, picture) for number, picture in enumerate(stored)])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """name -> its file and all its pictures, written when it is asked for."""
    folder = tmp_path_factory.mktemp("corpus")

    @functools.cache
    def get(name):
        path = FILES[name](folder / name)
        return path, in_order(path, STREAMS.get(name, 0))

    return get


def require(path, expected, decoder, choices):
    assert frame_count(path, decoder=decoder) == len(expected)
    for chosen in choices:
        made = read_frames(path, chosen, decoder=decoder)
        assert np.array_equal(made, expected[np.asarray(chosen)]), (decoder, chosen)


def some(count):
    """A few frames alone, all, and choices that overlap, repeat and go back."""
    rng = np.random.default_rng(count)
    yield from ([n] for n in {0, count - 1, *rng.integers(0, count, 4).tolist()})
    yield range(count)
    yield np.linspace(0, count - 1, 8).astype(int)
    yield from (rng.integers(0, count, size) for size in (2, 3, 12))


def every(count):
    """Each frame alone, pairs near and far, and many other choices."""
    rng = np.random.default_rng(0)
    yield from ([n] for n in range(count))
    yield from itertools.combinations(range(0, count, 3), 2)
    yield from itertools.pairwise(range(count))
    yield from (rng.integers(0, count, rng.integers(3, 20)) for _ in range(100))


@pytest.mark.parametrize("name", FILES)
def test_frames_by_number_are_those_pictures(written, name):
    path, expected = written(name)
    assert len({picture.tobytes() for picture in expected}) == len(expected) or name in ("edits_again.mp4", "joined.ts")
    require(path, expected, "pyav", some(len(expected)))
    picked = read_picked(path, np.arange)
    assert picked.decoder == "pyav" and np.array_equal(picked.frames, expected)
    if name in DECORDS:
        require(path, expected, "decord", some(len(expected)))
    else:
        with pytest.raises(DecodeError, match=r"decord .*; --decoder auto "):
            read_frames(path, [0], decoder="decord")


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_every_frame_alone_and_with_others(written, name):
    path, expected = written(name)
    for decoder in ("pyav", "decord") if name in DECORDS else ("pyav",):
        require(path, expected, decoder, every(len(expected)))


@pytest.mark.parametrize("name", FILES)
def test_only_what_packets_cannot_number_is_decoded_from_the_start(written, name):
    path, expected = written(name)
    assert decode_all(path)[0] == len(expected)
    with VideoFile(path) as video:
        assert (video.listing is None) == (name in IN_ORDER or not video.formats & {"mp4", "matroska"}), video.doubt


def test_the_corpus_is_large_and_decord_reads_what_is_plain():
    assert len(FILES) >= 100 and len(PLAIN) >= 10
    assert len(DECORDS & set(PLAIN)) >= 0.9 * len(PLAIN)


def ffmpegs(path) -> list[np.ndarray]:
    """What ffmpeg itself gives, as 8-bit RGB."""
    command = ["ffmpeg", "-v", "error", "-i", path, "-vsync", "passthrough", "-f", "image2pipe", "-c:v", "ppm"]
    data = subprocess.run([*command, "-pix_fmt", "rgb24", "-"], check=True, capture_output=True).stdout
    found, at = [], 0
    while at < len(data):
        head = data[at : at + 40].split(b"\n", 3)
        width, height = map(int, head[1].split())
        at += len(b"\n".join(head[:3])) + 1
        found.append(np.frombuffer(data, np.uint8, width * height * 3, at).reshape(height, width, 3))
        at += width * height * 3
    return found


#: where ffmpeg is asked in each run: several streams, turns, cuts, odd starts
ASKED = {*TURNS, "two.mp4", "two.mkv", "two_large.mp4", "cover.mp4", "cover.mkv", "cut.mp4", "cut_open.mp4",
         "edits.mp4", "edits_two.mp4", "edits_again.mp4", "no_first_key.mkv", "starts_open.mkv", "lost_refs.mp4",
         "packed.avi", "gap.avi"}  # fmt: skip


@needs_ffmpeg
@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in ASKED else [pytest.mark.slow]) for n in FILES])
def test_as_many_pictures_of_the_same_kind_as_ffmpeg_gives(written, name):
    path, _ = written(name)
    try:
        wanted = ffmpegs(path)
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg cannot read it")
    made = read_frames(path, range(frame_count(path)))
    assert made.shape == (len(wanted), *wanted[0].shape)
    assert np.abs(made.astype(int) - np.stack(wanted)).mean() < 8


#: written by ffmpeg alone
BY_FFMPEG = {
    "theora.ogv": ["-c:v", "libtheora", "-q:v", "7"],
    "twice.webm": ["-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "200k"],
    "dvd.vob": ["-c:v", "mpeg2video"],
    "camera.m2ts": ["-c:v", "libx264"],
    "tape.mxf": ["-c:v", "mpeg2video"],
    "real.rm": ["-c:v", "rv10"],
    "any.nut": ["-c:v", "mpeg4"],
}


@needs_ffmpeg
@pytest.mark.parametrize("name", BY_FFMPEG)
def test_what_ffmpeg_writes(written, tmp_path, name):
    source, _ = written("closed.mp4")
    base = ["ffmpeg", "-v", "error", "-y", "-i", source, *BY_FFMPEG[name]]
    passes = [["-pass", "1", "-f", "null", "-"], ["-pass", "2", tmp_path / name]] if name == "twice.webm" else None
    for more in passes or [[tmp_path / name]]:
        subprocess.run([*base, *more], check=True, cwd=tmp_path)
    expected = in_order(tmp_path / name)
    assert len(expected) >= 40
    require(tmp_path / name, expected, "pyav", some(len(expected)))
    with pytest.raises(NotUsed, match="--decoder auto"):
        read_frames(tmp_path / name, [0], decoder="decord")


@needs_ffmpeg
@pytest.mark.parametrize("start", ["0.5", "0.9", "1.2"])
@pytest.mark.parametrize("name", ["closed_long.mp4", "open.mp4", "strict_pyramid.mp4", "hevc_open.mp4", "open.ts"])
def test_a_cut_by_copy(written, tmp_path, name, start):
    source, _ = written(name)
    cut = tmp_path / name
    subprocess.run(["ffmpeg", "-v", "error", "-ss", start, "-i", source, "-c", "copy", cut], check=True)
    expected = in_order(cut)
    alone = ([number] for number in range(len(expected)))
    require(cut, expected, "pyav", itertools.chain(alone, some(len(expected))))


@needs_ffmpeg
def test_a_start_below_zero(written, tmp_path):
    source, expected = written("vp9.webm")
    more, cut = ["-c", "copy", "-avoid_negative_ts", "disabled"], tmp_path / "below.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-ss", "0.7", "-i", source, *more, cut], check=True)
    require(cut, expected, "pyav", some(len(expected)))
    with pytest.raises(NotUsed, match="shown before time 0; --decoder auto"):
        read_frames(cut, [0], decoder="decord")
