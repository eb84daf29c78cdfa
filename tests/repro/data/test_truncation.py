"""A file that was cut says so, in every container that tells its length; what is whole or does not know passes."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import pytest
from video_corpus import FILES

from repro.core.errors import DecodeError
from repro.data.decode import frame_count
from repro.data.truncation import missing_bytes
from repro.data.video_facts import probe

#: one of each container that tells
CONTAINERS = [
    "closed.mp4", "faststart.mp4", "fragmented.mp4", "sliced.mov", "h263.3gp", "one_group.mkv", "vp9.webm", "part2.avi",
    "h264.ts", "mpeg2.ts", "mpeg2.mpg", "mpeg1.mpg", "h264.flv", "wmv2.wmv",
]  # fmt: skip
#: those that do not
SILENT = ["piped.avi", "piped.mkv", "piped.webm", "gif.gif", "raw.h264"]


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return lambda name: FILES[name](folder / name)


def with_junk(path, more):
    path.write_bytes(path.read_bytes() + more)
    return path


@pytest.mark.parametrize("name", FILES)
def test_whole_files_pass(written, name):
    assert missing_bytes(written(name)) == 0


def require_told(whole, cut):
    """Most cuts, at any byte, are told with as many bytes as are missing at least; one between two units is not."""
    data, rng = whole.read_bytes(), np.random.default_rng(0)
    places = rng.integers(len(data) // 4, len(data) - 8, 25)
    told = 0
    for place in places.tolist():
        cut.write_bytes(data[:place])
        assert missing_bytes(cut) <= len(data) - place
        told += missing_bytes(cut) > 0
    assert told >= 0.9 * len(places)
    cut.write_bytes(data[: int(len(data) * 0.6) | 1])
    for read in (frame_count, probe):
        with pytest.raises(DecodeError, match=r"truncated: [0-9]+ bytes of [0-9]+ are missing"):
            read(str(cut))


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_cut_is_told(written, tmp_path, name):
    require_told(written(name), tmp_path / name)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize(
    ("name", "codec"), [("a.ogv", "libtheora"), ("a.wmv", "wmv1"), ("a.m2ts", "libx264"), ("a.vob", "mpeg2video")]
)
def test_a_cut_of_what_ffmpeg_writes_is_told(written, tmp_path, name, codec):
    whole = tmp_path / f"whole-{name}"
    command = ["ffmpeg", "-v", "error", "-i", written("closed.mp4"), "-c:v", codec, "-q:v", "5", whole]
    subprocess.run(command, check=True)
    assert missing_bytes(whole) == 0
    require_told(whole, tmp_path / name)


@pytest.mark.parametrize("name", SILENT)
def test_what_does_not_know_its_length_passes(written, name):
    assert missing_bytes(written(name)) == 0 and frame_count(written(name)) == 40


@pytest.mark.parametrize("name", ["closed.mp4", "h264.ts", "mpeg2.mpg", "h264.flv", "part2.avi", "one_group.mkv"])
@pytest.mark.parametrize("more", [bytes(300), b"TAG" + b"x" * 125, b"\n"])
def test_bytes_that_were_added_are_no_cut(written, tmp_path, name, more):
    whole = with_junk(shutil.copy(written(name), tmp_path / name), more)
    assert missing_bytes(whole) == 0


def test_avi_files_of_several_parts(tmp_path):
    part = b"RIFF" + (100).to_bytes(4, "little") + bytes(100)
    file = tmp_path / "long.avi"
    file.write_bytes(part + part)
    assert missing_bytes(file) == 0
    file.write_bytes(part + part[:60])
    assert missing_bytes(file) == 48
