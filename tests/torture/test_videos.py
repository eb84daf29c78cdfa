"""Damaged videos, and what only looks like one: each is frames or a listed fault, and nothing else happens."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from repro.data import decode
from repro.data.pool import Pool, Problem
from tests.torture.damage import bytes_damaged
from tests.torture.tools import cases, draws

#: container -> codec
FORMS = {"a.mp4": "libx264", "b.mkv": "libx264", "c.avi": "mpeg4", "d.ts": "mpeg2video", "e.webm": "libvpx-vp9",
         "f.mov": "mjpeg", "g.flv": "flv1", "h.mpg": "mpeg1video"}  # fmt: skip
#: what decoders choose by; put into a file where it does not belong
MARKS = (b"xvc1", b"avc1", b"hvc1", b"moov", b"mdat", b"stsz", b"\x1aE\xdf\xa3", b"RIFF", b"\x00\x00\x00\x01",
         b"\xff" * 8, b"\x00" * 64, b"elst", b"tkhd", b"trun", b"#EXTM3U", b"av01", b"mp4v",
         b"\x7f\xff\xff\xff")  # fmt: skip
SECONDS = 20.0
PLAYLISTS = {
    "list.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\na.mp4\n#EXT-X-ENDLIST\n",
    "list.m3u8": b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n",
    "cat.mp4": b"ffconcat version 1.0\nfile 'a.mp4'\nfile 'a.mp4'\n",
    "cat2.mkv": b"ffconcat version 1.0\nfile a.mp4\nduration 1\n",
    "list.mpd": b"<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'><Period><AdaptationSet>"
                b"<Representation id='1'><BaseURL>a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>",
    "s.sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "s.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 9 RTP/AVP 96\n",
    "p.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'><image href='a.mp4'/></svg>",
    "p.mp4": b"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'></svg>",
    "t.mp4": b"not a video\n" * 100, "n.mp4": b"\0" * 4096, "e.mp4": b"", "pls.mp4": b"[playlist]\nFile1=a.mp4\n",
    "smil.mp4": b"<smil><body><video src='a.mp4'/></body></smil>",
    "asx.mp4": b"<asx><entry><ref href='a.mp4'/></entry></asx>",
    "img%03d.png": b"\x89PNG\r\n\x1a\n", "img000.png": b"\x89PNG\r\n\x1a\n",
}  # fmt: skip


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    pictures = np.random.default_rng(0).integers(0, 255, (6, 6, 6, 3), dtype=np.uint8).repeat(8, 1).repeat(8, 2)
    made = []
    for name, codec in FORMS.items():
        if codec not in av.codec.codecs_available:
            continue
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=Fraction(25))
            stream.width = stream.height = 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for picture in pictures:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(stream.encode())
        made.append(folder / name)
    return made


def decoded(files: list[Path], folder: Path) -> list[tuple[Path, object]]:
    """What the decoder processes make of each."""
    pool = Pool(decode.decode_all, workers=2, timeout_s=SECONDS)
    return list(zip(files, pool.run(((str(file),) for file in files), ahead=8), strict=True))


@cases(25, 500)
def test_a_damaged_video_is_frames_or_a_fault(count, seed, videos, tmp_path):
    draw = draws("videos", seed)
    files = []
    for number in range(count):
        one = draw.choice(videos)
        file = tmp_path / f"{number:04d}{one.suffix}"
        file.write_bytes(damaged(one.read_bytes(), draw))
        files.append(file)
    found = decoded([*files, *videos], tmp_path)
    for file, made in found:
        if isinstance(made, Problem):
            assert made.reason.strip() and "\n" not in made.reason and len(made.reason) < 2000, (file, made)
        else:
            assert made[0] > 0 and made[1].dtype == np.uint8 and made[1].ndim == 3, file
    assert all(not isinstance(made, Problem) for _, made in found[count:])  # whole ones, after all that


def damaged(content: bytes, draw: random.Random) -> bytes:
    made = bytes_damaged(content, draw, MARKS)
    if draw.random() < 0.3:  # a codec that there is no decoder of
        made = made.replace(draw.choice((b"avc1", b"hev1", b"V_MPEG4/ISO/AVC", b"FMP4", b"vp09")), b"xvc1")
    return made


def test_lists_and_pages_are_no_videos(videos, tmp_path):
    (tmp_path / "a.mp4").write_bytes(videos[0].read_bytes())
    for name, content in PLAYLISTS.items():
        (tmp_path / name).write_bytes(content)
    for file, made in decoded([tmp_path / name for name in PLAYLISTS], tmp_path):
        assert isinstance(made, Problem), file.name
