"""Decoding real files with both decoders: right frames in any order, typed errors, no growth of memory."""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys

import av
import numpy as np
import pytest
from PIL import Image

from repro.core.errors import BadOption, DataError, DecodeError, UnknownName
from repro.data import decode
from repro.data.decode import DECODERS, decode_all, frame_count, read_frames
from repro.data.decode_decord import NotUsed

FILES = {
    "h264.mp4": 40,
    "long_gop.mp4": 40,
    "portrait.mp4": 12,
    "odd.avi": 20,
    "bframes.avi": 30,
    "vp9.webm": 20,
    "one.mp4": 1,
    "still.mp4": 9,
    "part2.mp4": 30,
    "h264.flv": 30,
    "mpeg2.mpg": 30,
    "h264.mkv": 30,
}


#: of `FILES`, what decord would misnumber
NOT_DECORDS = {"odd.avi", "bframes.avi", "part2.mp4", "h264.flv", "mpeg2.mpg"}


def in_order(path) -> np.ndarray:
    """All frames, decoded one after the other by nothing but PyAV."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("name", FILES)
def test_any_indices_give_those_frames(clip_folder, name, decoder):
    path = clip_folder / name
    expected = in_order(path)
    if decoder == "decord" and name in NOT_DECORDS:
        with pytest.raises(NotUsed, match=r"decord is not used for it: .*; --decoder auto reads it"):
            frame_count(path, decoder=decoder)
        return
    assert frame_count(path, decoder=decoder) == len(expected) == FILES[name]
    rng = np.random.default_rng(0)
    for indices in ([len(expected) - 1], rng.integers(0, len(expected), 8), np.arange(len(expected))[::-1]):
        made = read_frames(path, indices, decoder=decoder)
        assert made.dtype == np.uint8 and np.array_equal(made, expected[np.asarray(indices)])


@pytest.mark.parametrize("name", ["h264.mp4", "long_gop.mp4", "vp9.webm", "h264.mkv"])
def test_a_long_video_of_large_pictures_is_shared_by_several_readers(clip_folder, name, monkeypatch):
    """No more frames than may lie decoded are taken by one reader of decord, from a key frame if there is one."""
    from repro.data import decode_decord

    monkeypatch.setattr(decode_decord, "_AHEAD_BYTES", 1)
    monkeypatch.setattr(decode_decord, "_BATCH", 5)
    expected = in_order(clip_folder / name)
    for indices in (np.arange(len(expected)), np.arange(len(expected))[1::2]):
        assert np.array_equal(read_frames(clip_folder / name, indices, decoder="decord"), expected[indices])


def test_parts_end_where_a_group_of_pictures_begins():
    from repro.data.decode_decord import parts_of_stretch

    numbers, keys = np.arange(0, 60, 2), np.array([0, 12, 24, 36, 48])
    parts = list(parts_of_stretch(numbers, keys, 8))
    assert [number for part in parts for number in part] == numbers.tolist() and max(map(len, parts)) <= 8
    assert {part[0] for part in parts} <= set(keys.tolist())
    assert [len(part) for part in parts_of_stretch(numbers, np.array([0]), 8)] == [8, 8, 8, 6]


@pytest.mark.parametrize("decoder", DECODERS)
def test_resize_of_the_short_side(clip_folder, decoder):
    assert read_frames(clip_folder / "portrait.mp4", [0, 1], decoder=decoder, resize_short=25).shape == (2, 45, 25, 3)
    assert read_frames(clip_folder / "h264.mp4", [0], decoder=decoder, resize_short=96).shape == (1, 96, 128, 3)


@pytest.mark.parametrize("decoder", DECODERS)
def test_broken_files_are_named_with_a_reason(bad_files, bad_reasons, decoder):
    for name, path in bad_files.items():
        with pytest.raises(DecodeError) as caught:
            read_frames(path, range(frame_count(path, decoder=decoder)), decoder=decoder)
        assert name in str(caught.value), name
        assert any(part in caught.value.problem for part in bad_reasons[name]), (name, caught.value.problem)
        assert "\n" not in caught.value.problem and len(caught.value.problem) < 300


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize(
    "name", ["a,b.mp4", "'quote\".mp4", "new\nline.mp4", "ünïcödé 视频.mp4", "-i.mp4", "concat:x.mp4"]
)
def test_hostile_names(clip_folder, tmp_path, monkeypatch, name, decoder):
    (tmp_path / name).write_bytes((clip_folder / "one.mp4").read_bytes())
    monkeypatch.chdir(tmp_path)
    assert read_frames(name, [0], decoder=decoder).shape == (1, 48, 64, 3)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("index", [40, -1])
def test_a_frame_out_of_range_is_refused(clip_folder, decoder, index):
    with pytest.raises(DecodeError, match="of 40 was asked for"):
        read_frames(clip_folder / "h264.mp4", [0, index], decoder=decoder)


@pytest.mark.parametrize("decoder", DECODERS)
def test_playlists_and_pictures_are_no_videos(clip_folder, tmp_path, monkeypatch, decoder):
    """They would show other files, which no fingerprint covers, and lose segments that are missing without a word."""
    for name in ("h264.mp4", "mpeg2.mpg"):
        (tmp_path / name).write_bytes((clip_folder / name).read_bytes())
    still = Image.new("RGB", (32, 32))
    for number in (0, 1):
        still.save(tmp_path / f"img{number:03d}.png")
    still.save(tmp_path / "img%03d.png")
    still.save(tmp_path / "still.mp4", format="JPEG")
    texts = {
        "list.mp4": "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nh264.mp4\n#EXTINF:2,\ngone.mp4\n#EXT-X-ENDLIST\n",
        "joined.mp4": "ffconcat version 1.0\nfile h264.mp4\nfile mpeg2.mpg\n",
        "drawing.mp4": '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>',
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "list.m3u8").write_text(texts["list.mp4"])
    monkeypatch.chdir(tmp_path)
    for name in (*texts, "list.m3u8", "img%03d.png", "img000.png", "still.mp4"):
        with pytest.raises(DecodeError, match="not a video"):
            frame_count(name, decoder=decoder)


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("code", [b"xvc1", b"\xff\xff\xff\xff", b"vvc1", b"\0\0\0\0"])
def test_a_codec_without_a_decoder_is_one_bad_video(clip_folder, tmp_path, code, decoder):
    data = (clip_folder / "h264.mp4").read_bytes()
    assert data.count(b"avc1") >= 1
    (tmp_path / "a.mp4").write_bytes(data.replace(b"avc1", code))
    with pytest.raises(DecodeError):
        read_frames(tmp_path / "a.mp4", [0], decoder=decoder)


def test_damaged_files_give_frames_or_one_sentence(clip_folder, tmp_path):
    rng = np.random.default_rng(0)
    for number in range(150):
        whole = clip_folder / list(FILES)[number % len(FILES)]
        data, place = bytearray(whole.read_bytes()), tmp_path / whole.name
        for at in rng.integers(0, len(data) if number % 2 else min(len(data), 1500), 20):
            data[at] = rng.integers(256)
        place.write_bytes(data)
        for decoder in DECODERS:
            try:
                count = frame_count(place, decoder=decoder)
                assert len(read_frames(place, [0, count - 1], decoder=decoder)) == 2
            except DecodeError as error:
                assert "\n" not in str(error)


def test_errors_survive_a_pipe():
    error = pickle.loads(pickle.dumps(DecodeError("/a/b.mp4", "empty file")))
    assert isinstance(error, DataError) and error.problem == "empty file" and "/a/b.mp4" in str(error)


def test_unknown_decoder(clip_folder):
    with pytest.raises(UnknownName, match="auto, decord, pyav"):
        read_frames(clip_folder / "one.mp4", [0], decoder="decrod")
    with pytest.raises(UnknownName):
        decode.version("opencv")
    assert [decode.version(name).split()[0] for name in DECODERS] == list(DECODERS)


def test_without_decord_pyav_is_suggested(clip_folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "decord", None)
    with pytest.raises(BadOption, match="--decoder pyav"):
        read_frames(clip_folder / "one.mp4", [0], decoder="decord")
    assert read_frames(clip_folder / "one.mp4", [0]).shape == (1, 48, 64, 3)


@pytest.mark.parametrize("decoder", DECODERS)
def test_all_frames_are_decoded_and_the_one_in_the_middle_is_kept(clip_folder, bad_files, decoder):
    count, middle = decode_all(clip_folder / "h264.mp4", decoder=decoder)
    assert count == 40 and np.array_equal(middle, in_order(clip_folder / "h264.mp4")[20])
    with pytest.raises(DecodeError, match=r"damaged|a packet holds 0 pictures"):
        decode_all(bad_files["zeroed.mp4"], decoder=decoder)


@pytest.mark.parametrize("decoder", DECODERS)
def test_opening_often_does_not_grow(clip_folder, decoder):
    code = (
        "import sys, resource\n"
        "from repro.data.decode import read_frames\n"
        "def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for i in range(120):\n"
        "    read_frames(sys.argv[1], [0, 39, 20], decoder=sys.argv[2])\n"
        "    if i == 19: first = peak()\n"
        "print(peak() - first)\n"
    )
    command = [sys.executable, "-c", code, str(clip_folder / "h264.mp4"), decoder]
    grown = int(subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout)
    unit = 1 if sys.platform != "darwin" else 1024
    assert grown / unit < 12 * 1024, f"{grown} KiB in 100 openings"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


def test_rotation_is_applied_by_both(write_video, tmp_path):
    path = tmp_path / "turned.mp4"
    data = bytearray(write_video(tmp_path / "plain.mp4", frames=10, size=(64, 128)).read_bytes())
    matrix = (
        (65536).to_bytes(4, "big") + bytes(12) + (65536).to_bytes(4, "big") + bytes(12) + (1 << 30).to_bytes(4, "big")
    )
    at = data.index(matrix, data.index(b"tkhd"))
    quarter = (0).to_bytes(4, "big") + (65536).to_bytes(4, "big") + bytes(4) + (-65536).to_bytes(4, "big", signed=True)
    data[at : at + 36] = quarter + bytes(16) + (1 << 30).to_bytes(4, "big")
    path.write_bytes(data)
    one, two = (read_frames(path, [0, 7], decoder=decoder) for decoder in ("decord", "pyav"))
    assert one.shape == two.shape == (2, 128, 64, 3) and np.array_equal(one, two)


def test_a_file_that_may_not_be_read_is_one_bad_video(tmp_path, monkeypatch):
    path = tmp_path / "a.mp4"
    path.write_bytes(b"x")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(DecodeError, match=r"cannot be read: .*Permission denied"):
        frame_count(path)
