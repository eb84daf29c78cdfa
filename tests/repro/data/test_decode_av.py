"""Skipping, draining and starting at key frames give bit for bit the frames of a plain decoding of the whole file."""

from __future__ import annotations

import av
import numpy as np
import pytest

from repro.core.errors import DecodeError
from repro.data import decode, decode_av, packet_index
from repro.data.decode import read_frames, read_picked
from repro.data.packet_index import VideoFile

COUNT, SIZE = 48, (64, 96)

#: file -> codec, group of pictures, B-frames, options of the encoder
CODECS = {
    "intra.mp4": ("libx264", 1, 0, {}),
    "no_b.mp4": ("libx264", 12, 0, {}),
    "b3_flat.mp4": ("libx264", 12, 3, {"x264-params": "b-pyramid=none:b-adapt=0"}),
    "b3_strict.mp4": ("libx264", 250, 3, {"x264-params": "b-pyramid=strict:b-adapt=0"}),
    "b7_pyramid.mp4": ("libx264", 250, 7, {"x264-params": "b-pyramid=normal:b-adapt=0:ref=5"}),
    "b7_pyramid.mkv": ("libx264", 16, 7, {"x264-params": "b-pyramid=normal:b-adapt=0:ref=5"}),
    "open_gop.mp4": ("libx264", 10, 3, {"x264-params": "open-gop=1:b-adapt=0"}),
    "refresh.mp4": ("libx264", 12, 0, {"x264-params": "intra-refresh=1"}),
    "interlaced.mp4": ("libx264", 12, 2, {"x264-params": "interlaced=1"}),
    "fields.mp4": ("mpeg4", 12, 0, {"flags": "+ildct+ilme"}),
    "sliced.mp4": ("libx264", 24, 3, {"x264-params": "slices=4:weightp=2"}),
    "hevc.mp4": ("libx265", 12, 3, {"x265-params": "log-level=none:pools=1:frame-threads=1"}),
    "hevc_layers.mp4": ("libx265", 250, 3, {"x265-params": "log-level=none:pools=1:frame-threads=1:temporal-layers=2"}),
    "vp8.webm": ("libvpx", 20, None, {"auto-alt-ref": "1", "lag-in-frames": "16"}),
    "vp9.webm": ("libvpx-vp9", 20, None, {"auto-alt-ref": "1", "lag-in-frames": "16"}),
    "part2.mp4": ("mpeg4", 12, 2, {}),
    "part2.mkv": ("mpeg4", 250, 0, {}),
    "av1.mp4": ("libsvtav1", 20, None, {"preset": "12"}),
}


def scene(number: int) -> np.ndarray:
    """A moving picture with grain: encoders make use of every kind of reference."""
    rng = np.random.default_rng(7)
    wide = rng.integers(0, 256, (20, 40, 3)).repeat(8, 0).repeat(8, 1).astype(np.uint8)
    y, x = 2 * number % 60, 3 * number % 150
    picture = wide[y : y + SIZE[0], x : x + SIZE[1]] // 2
    return picture + np.random.default_rng(number).integers(0, 40, picture.shape, dtype=np.uint8)


def encode(path, codec, gop, b_frames, options):
    if codec not in av.codec.codecs_available:
        pytest.skip(f"this PyAV has no {codec}")
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"threads": "1", **options})
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.gop_size = gop
        if b_frames is not None:
            stream.codec_context.max_b_frames = b_frames
        for number in range(COUNT):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(number), format="rgb24")))
        container.mux(stream.encode(None))
    return path


def full(path) -> np.ndarray:
    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "NONE"
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    folder, made = tmp_path_factory.mktemp("codecs"), {}

    def get(name):
        if name not in made:
            path = encode(folder / name, *CODECS[name])
            made[name] = path, full(path)
        return made[name]

    return get


@pytest.mark.parametrize("name", CODECS)
def test_every_frame_alone_and_any_choice_of_frames(coded, name):
    path, expected = coded(name)
    assert len(expected) == COUNT
    for number in range(COUNT):
        assert np.array_equal(read_frames(path, [number], decoder="pyav")[0], expected[number]), number
    rng = np.random.default_rng(0)
    for size in (2, 5, 8, 30, COUNT):
        chosen = np.sort(rng.choice(COUNT, size, replace=False))
        assert np.array_equal(read_frames(path, chosen, decoder="pyav"), expected[chosen]), chosen


def test_skipping_leaves_pictures_out(coded):
    """So that the test above cannot pass because nothing is skipped."""
    path, _ = coded("b3_flat.mp4")
    with VideoFile(path) as video:
        listing = video.listing
        target = listing.shown[10]
        runs = decode_av.runs_of(listing, [target])
        skipping = len(list(decode_av.decoded(video, runs, {listing.stamps[target]: 0})))
        everything = len(list(decode_av.decoded(video, runs, None)))
    assert skipping < everything - 3


def test_a_frame_that_does_not_come_out_makes_it_decode_all(coded, monkeypatch):
    path, expected = coded("no_b.mp4")
    monkeypatch.setattr(packet_index.Listing, "key_before", lambda self, position: position)
    assert np.array_equal(read_frames(path, [5, 17, 30], decoder="pyav"), expected[[5, 17, 30]])


@pytest.mark.parametrize("name", ["b7_pyramid.mp4", "vp9.webm"])
def test_a_file_too_large_to_keep_is_read_twice(coded, monkeypatch, name):
    path, expected = coded(name)
    monkeypatch.setattr(packet_index, "_KEPT_BYTES", 1000)
    assert np.array_equal(read_frames(path, [3, 40, 20], decoder="pyav"), expected[[3, 40, 20]])


def test_a_video_decoded_in_order_that_is_too_large_to_keep_is_decoded_twice(clip_folder, monkeypatch):
    expected = full(clip_folder / "bframes.avi")
    monkeypatch.setattr(decode_av, "_KEPT_BYTES", 1000)
    assert np.array_equal(read_frames(clip_folder / "bframes.avi", [29, 0, 7], decoder="pyav"), expected[[29, 0, 7]])


@pytest.mark.parametrize("name", ["fields.mp4", "b3_flat.mp4"])
def test_what_is_drawn_at_random_is_drawn_once(coded, name):
    path, expected = coded(name)
    rng, drawn = np.random.default_rng(0), []

    def pick(n):
        drawn.append(rng.integers(0, n, 6))
        return drawn[-1]

    picked = read_picked(path, pick)
    assert picked.decoder == "pyav" and len(drawn) == 1
    assert np.array_equal(picked.frames[picked.place], expected[drawn[0]])


def test_a_size_that_changes_is_refused(write_video, tmp_path):
    parts = [write_video(tmp_path / f"{n}.mpg", size=(48, 64 * n), codec="mpeg2video") for n in (1, 2)]
    both = tmp_path / "both.mpg"
    both.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(DecodeError, match="size of the picture changes"):
        read_frames(both, range(decode.frame_count(both, decoder="pyav")), decoder="pyav")


def test_tags_that_are_no_utf8_are_no_reason_to_refuse_a_video(write_video, tmp_path):
    video, tagged = write_video(tmp_path / "plain.mp4"), tmp_path / "tagged.mp4"
    with av.open(str(video)) as source, av.open(str(tagged), "w") as target:
        target.metadata["title"] = "Caf\u00e9"
        copy = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    written = tagged.read_bytes()
    assert written.count("\u00e9".encode()) == 1
    tagged.write_bytes(written.replace("\u00e9".encode(), b"\xe9\xff"))
    for decoder in decode.DECODERS:
        assert np.array_equal(read_frames(tagged, [0, 3], decoder=decoder), read_frames(video, [0, 3], decoder=decoder))
