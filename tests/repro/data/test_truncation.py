"""A file that was cut says so, in every container that tells its length; what is whole or does not know passes."""

from __future__ import annotations

import functools
import re
import shutil
import struct
import subprocess

import av
import numpy as np
import pytest
from video_corpus import FILES

from repro.core.errors import DecodeError
from repro.data.decode import frame_count, read_frames
from repro.data.truncation import cut as told_of
from repro.data.video_facts import probe

#: one of each container that tells
CONTAINERS = [
    "closed.mp4", "faststart.mp4", "fragmented.mp4", "sliced.mov", "h263.3gp", "one_group.mkv", "vp9.webm", "part2.avi",
    "gif.gif", "h264.ts", "hevc.ts", "mpeg2.ts", "mpeg2.mpg", "mpeg1.mpg", "h264.flv", "wmv2.wmv",
]  # fmt: skip
#: those that do not
SILENT = ["piped.avi", "piped.mkv", "piped.webm", "raw.h264", "raw.hevc"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Each file encoded once: x264 gives other bits now and then, by what its memory held before."""
    folder = tmp_path_factory.mktemp("whole")
    kept = functools.cache(lambda name: FILES[name](folder / name).read_bytes())

    def write(name):
        (folder / name).write_bytes(kept(name))
        return folder / name

    return write


def with_junk(path, more):
    path.write_bytes(path.read_bytes() + more)
    return path


@pytest.mark.parametrize("name", FILES)
def test_whole_files_pass(written, name):
    assert told_of(written(name)) == ""


def require_told(whole, cut):
    """Most cuts, at any byte, are told with as many bytes as are missing at least; one between two units is not."""
    data, rng = whole.read_bytes(), np.random.default_rng(0)
    places = rng.integers(len(data) // 4, len(data) - 8, 25)
    told = 0
    for place in places.tolist():
        cut.write_bytes(data[:place])
        text = told_of(cut)
        bytes_ = re.match(r"truncated: (\d+) bytes", text)
        assert not bytes_ or 0 < int(bytes_[1]) <= len(data) - place
        told += bool(text)
    assert told >= 0.9 * len(places)
    cut.write_bytes(data[: int(len(data) * 0.6) | 1])
    for read in (frame_count, probe):
        with pytest.raises(DecodeError, match=r"truncated: ([0-9]+ bytes of [0-9]+ are missing|it ends in)"):
            read(str(cut))


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_cut_is_told(written, tmp_path, name):
    require_told(written(name), tmp_path / name)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.ogv", "libtheora"), ("a.wmv", "wmv1"), ("a.m2ts", "libx264"), ("a.vob", "mpeg2video"), ("a.mxf", "mpeg2video"),
     ("a.y4m", "wrapped_avframe"), ("a.ivf", "libvpx"), ("a.swf", "flv")],
)  # fmt: skip
def test_a_cut_of_what_ffmpeg_writes_is_told(written, tmp_path, name, codec):
    whole = tmp_path / f"whole-{name}"
    command = ["ffmpeg", "-v", "error", "-i", written("closed.mp4"), "-c:v", codec, "-q:v", "5", whole]
    subprocess.run(command, check=True)
    assert told_of(whole) == ""
    require_told(whole, tmp_path / name)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("name", "more"),
    [("a.ivf", ["-c:v", "libvpx"]), ("a.flv", []), ("a.mp4", ["-movflags", "dash+frag_keyframe+global_sidx"]),
     ("a.swf", ["-c:v", "flv"]), ("a.mxf", ["-c:v", "mpeg2video"])],
)  # fmt: skip
def test_what_a_header_or_an_index_names_is_missed_between_packets_too(written, tmp_path, name, more):
    """Copied packet by packet up to the 20th, and the rest cut off behind it."""
    command = ["ffmpeg", "-v", "error", "-i", written("closed.mp4"), "-g", "10", *more, tmp_path / name]
    subprocess.run(command, check=True)
    with av.open(str(tmp_path / name)) as container:
        ends = sorted(packet.pos + packet.size for packet in container.demux(video=0) if packet.size)
    data = (tmp_path / name).read_bytes()
    for end in ends[19:-1:5]:
        (tmp_path / name).write_bytes(data[:end])
        assert told_of(tmp_path / name).startswith("truncated: "), end


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("name", ["a.h264", "a.nut", "a.m2v", "a.dv", "a.gxf", "a.apng"])
def test_a_last_picture_that_is_not_whole_is_told(written, tmp_path, name):
    """Of streams without length or end; a cut between two pictures leaves nothing to see."""
    size = ["-s", "720x576"] if name in ("a.dv", "a.gxf") else []
    form = ["-pix_fmt", "yuv420p"] if name == "a.dv" else []
    command = ["ffmpeg", "-v", "error", "-i", written("closed.mp4"), *size, *form, "-t", "1", tmp_path / name]
    subprocess.run(command, check=True)
    assert frame_count(tmp_path / name) >= 25
    data = (tmp_path / name).read_bytes()
    told = 0
    for place in np.linspace(0.4, 0.98, 8):
        (tmp_path / name).write_bytes(data[: int(place * len(data)) | 1])
        try:
            frame_count(tmp_path / name)
        except DecodeError as error:
            told += "truncated" in str(error)
    assert told >= 6


def between_packets(whole, start, unit):
    """The file cut at each of its packets in the second half, at most 40 times."""
    data = whole.read_bytes()
    places = [place for place in range(start, len(data), unit)] if unit else []
    while not unit and (start := data.find(b"\0\0\1\xba", start + 1)) > 0:
        places.append(start)
    places = [place for place in places if place > len(data) // 2]
    return [data[:place] for place in places[:: max(1, len(places) // 40)]]


@pytest.mark.parametrize(("name", "unit"), [("h264.ts", 188), ("mpeg2.ts", 188), ("mpeg2.mpg", 0), ("mpeg1.mpg", 0)])
def test_a_cut_between_packets_leaves_no_half_picture(written, tmp_path, name, unit):
    """What is read of the rest is, picture by picture, that of the whole file, or the cut is told."""
    whole, told = read_frames(written(name), range(40)), 0
    cuts = between_packets(written(name), 0, unit)
    for data in cuts:
        (tmp_path / name).write_bytes(data)
        try:
            count = frame_count(tmp_path / name)
        except DecodeError as error:
            told += "truncated" in str(error)
            continue
        assert np.array_equal(read_frames(tmp_path / name, range(count - 3)), whole[: count - 3])
    assert told > len(cuts) // 10


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_a_stream_of_ogg_that_does_not_end_and_a_cut_sound_are_told(written, tmp_path):
    for name, codec in (("a.ogv", ["libtheora"]), ("a.ts", ["libx264", "-c:a", "mp2"])):
        sound = ["-f", "lavfi", "-i", "sine=duration=2"]
        command = ["ffmpeg", "-v", "error", "-i", written("closed.mp4"), *sound, "-c:v", *codec, tmp_path / name]
        subprocess.run(command, check=True)
        data = (tmp_path / name).read_bytes()
        assert told_of(tmp_path / name) == ""
        starts = re.finditer(b"OggS" if name == "a.ogv" else rb"(?s)\x47.{187}", data)
        told = []
        for place in [found.start() for found in starts if found.start() > len(data) // 2]:
            (tmp_path / name).write_bytes(data[:place])
            told.append(bool(told_of(tmp_path / name)))
        assert all(told) if name == "a.ogv" else any(told)


@pytest.mark.parametrize("name", ["piped.avi", "piped.mkv", "piped.webm"])
def test_a_cut_through_a_packet_of_a_stream_is_told(written, tmp_path, name):
    data = written(name).read_bytes()
    told = []
    for place in range(len(data) // 4, len(data), len(data) // 40):
        (tmp_path / name).write_bytes(data[:place])
        told.append(bool(told_of(tmp_path / name)))
    assert sum(told) >= 0.9 * len(told)
    assert told_of(with_junk(shutil.copy(written(name), tmp_path / name), b"TAG" + b"x" * 125)) == ""


@pytest.mark.parametrize(("name", "unit"), [("raw.hevc", 1), ("hevc.ts", 188)])
def test_a_stream_of_hevc_that_ends_inside_a_picture_is_told(written, tmp_path, name, unit):
    """Raw, any byte; in MPEG-TS between two of its packets. Between two pictures nothing can tell."""
    whole, data = packets_of(written(name)), written(name).read_bytes()
    places = range(len(data) // 3 // unit * unit, len(data), max(len(data) // 60 // unit, 1) * unit)
    inside = 0
    for place in places:
        (tmp_path / name).write_bytes(data[:place])
        cut = packets_of(tmp_path / name)
        if cut[-1] == whole[len(cut) - 1]:
            assert frame_count(tmp_path / name) < 40
        elif len(cut[-1]) < len(whole[len(cut) - 1]) - 1:
            inside += 1
            with pytest.raises(DecodeError, match="truncated"):
                read_frames(tmp_path / name, [0])
    assert inside > len(places) // 4


def packets_of(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize("name", SILENT)
def test_what_does_not_know_its_length_passes(written, name):
    assert told_of(written(name)) == "" and frame_count(written(name)) == 40


@pytest.mark.parametrize("name", ["closed.mp4", "h264.ts", "mpeg2.mpg", "h264.flv", "part2.avi", "one_group.mkv"])
@pytest.mark.parametrize("more", [bytes(300), b"TAG" + b"x" * 125, b"\n"])
def test_bytes_that_were_added_are_no_cut(written, tmp_path, name, more):
    whole = with_junk(shutil.copy(written(name), tmp_path / name), more)
    assert told_of(whole) == ""


def test_a_length_of_flv_that_is_a_little_off_is_no_cut(written, tmp_path):
    data = written("h264.flv").read_bytes()
    at = data.index(b"filesize\0") + len(b"filesize\0")
    for length, told in ((len(data) * 1.01, False), (len(data) * 2.0, True), (0.0, False), (float("nan"), False)):
        (tmp_path / "a.flv").write_bytes(data[:at] + struct.pack(">d", length) + data[at + 8 :])
        assert bool(told_of(tmp_path / "a.flv")) == told


HEADS = [b"\x1f\x07\0\xbf", bytes.fromhex("060e2b34020501010d0102010102040083000068") + bytes(40), b"FWS\6" + bytes(9),
         b"DKIF" + bytes(30), b"YUV4MPEG2 W8 H8 F25:1\nFRAME\n", b"GIF89a" + bytes(9), b"FLV\1\5\0\0\0\t" + bytes(9),
         b"\0\0\1\xbaD" + bytes(12), b"OggS" + bytes(30), b"\0\0\0\x40sidx\1" + bytes(60)]  # fmt: skip


@pytest.mark.parametrize("head", HEADS)
def test_a_beginning_of_any_length_is_no_fault(tmp_path, head):
    for length in range(1, len(head) + 1):
        (tmp_path / "a").write_bytes(head[:length])
        assert told_of(tmp_path / "a")[:10] in ("", "truncated:")


def test_avi_files_of_several_parts(tmp_path):
    part = b"RIFF" + (100).to_bytes(4, "little") + bytes(100)
    file = tmp_path / "long.avi"
    file.write_bytes(part + part)
    assert told_of(file) == ""
    file.write_bytes(part + part[:60])
    assert told_of(file).startswith("truncated: 48 bytes")
