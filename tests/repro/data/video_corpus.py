"""Videos of every kind that people keep, written by PyAV: codec, container, order of pictures, cuts, streams, geometry.

`FILES` names each file and how it is written, `STREAMS` the stream to take where it is not the first, and `shown` turns
a stored picture as it is to be seen.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

COUNT, SIZE = 40, (48, 80)
_PLANE = np.random.default_rng(7).integers(0, 128, (40, 50, 3)).repeat(6, 0).repeat(6, 1).astype(np.uint8)


def scene(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """A plane that moves under grain: no two pictures are equal, and each is coded from those around it."""
    height, width = size
    y, x = 2 * number % (len(_PLANE) - height), 3 * number % (_PLANE.shape[1] - width)
    grain = np.random.default_rng(number).integers(0, 40, (height, width, 3), dtype=np.uint8)
    return _PLANE[y : y + height, x : x + width] + grain


@dataclass(frozen=True)
class Coded:
    """How a file is encoded; `stamps` gives a picture's time in milliseconds."""

    codec: str = "libx264"
    gop: int = 12
    b_frames: int | None = 2
    options: dict[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"
    size: tuple[int, int] = SIZE
    format: str | None = None
    container: dict[str, str] = field(default_factory=dict)
    stamps: Callable[[int], int] | None = None
    aspect: Fraction | None = None
    flags: Callable[[Any], None] | None = None
    """Called with each picture, before it is encoded."""
    count: int = COUNT
    cuts: int = 0
    """Pictures after which another scene begins; 0 for one scene."""

    def __call__(self, path: Path) -> Path:
        """Write it."""
        with av.open(str(path), "w", format=self.format, options=self.container) as container:
            self.into(container)
        return path

    def into(self, container: Any) -> None:
        """Write it to an open container."""
        stream = self.stream(container)
        for number in range(self.count):
            container.mux(stream.encode(self.picture(number)))
        container.mux(stream.encode(None))

    def stream(self, container: Any) -> Any:
        """A new stream of the container."""
        if self.codec not in av.codec.codecs_available:
            pytest.skip(f"this PyAV has no {self.codec}")
        stream = container.add_stream(self.codec, rate=25, options={"threads": "1", **self.options})
        stream.height, stream.width, stream.pix_fmt = *self.size, self.pix_fmt
        if self.codec not in ("gif", "apng", "png", "rawvideo", "prores", "ffv1", "huffyuv"):
            stream.codec_context.gop_size = self.gop
        if self.b_frames is not None:
            stream.codec_context.max_b_frames = self.b_frames
        if self.aspect is not None:
            stream.codec_context.sample_aspect_ratio = self.aspect
        if self.stamps is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        return stream

    def shown(self, number: int) -> int:
        """The picture of the scene that comes as that number."""
        return number + 977 * (number // self.cuts) if self.cuts else number

    def picture(self, number: int) -> av.VideoFrame:
        """The picture of that number, as the encoder takes it."""
        picture = av.VideoFrame.from_ndarray(scene(self.shown(number), self.size), format="rgb24")
        if self.stamps is not None:
            picture.pts, picture.time_base = self.stamps(number), Fraction(1, 1000)
        if self.flags is not None:
            self.flags(number, picture)
        return picture


def x264(params: str = "", **more: Any) -> Coded:
    """H.264 in small pictures, with its parameters."""
    return Coded(options={"preset": "veryfast", **({"x264-params": params} if params else {})}, **more)


def x265(params: str = "", **more: Any) -> Coded:
    """HEVC, with its parameters."""
    own = "log-level=none:pools=1:frame-threads=1"
    return Coded("libx265", options={"preset": "ultrafast", "x265-params": f"{own}:{params}".rstrip(":")}, **more)


OPEN = "open-gop=1:b-adapt=0:min-keyint=10"
CLOSED = "open-gop=0:b-adapt=0"


@dataclass(frozen=True)
class Copied:
    """The packets of a coded file, copied to another one: some left out, their times moved."""

    coded: Callable[[Path], Path]
    source: str = "mp4"
    keep: Callable[[int, Any], bool] = lambda position, packet: True
    shift: int = 0
    """Pictures by which times are moved towards the start."""
    keys: str = ""
    """`intra` marks each packet of an I-picture as a key frame."""
    stamps: str = ""
    """`decoding` says that pictures are shown in the order in which they are stored."""
    filter: str = ""
    container: dict[str, str] = field(default_factory=dict)
    format: str | None = None

    def __call__(self, path: Path) -> Path:
        """Write it."""
        whole = self.coded(path.with_name(f".{path.name}.{self.source}"))
        with av.open(str(whole)) as source, av.open(str(path), "w", format=self.format, options=self.container) as to:
            stream = source.streams.video[0]
            copy = to.add_stream_from_template(stream)
            shift = self.shift * int(1 / (stream.average_rate * stream.time_base))
            intra = intra_stamps(whole) if self.keys else set()
            filtered = av.bitstream.BitStreamFilterContext(self.filter, stream, copy) if self.filter else None
            for position, packet in enumerate(source.demux(stream)):
                if packet.dts is None or not packet.size or not self.keep(position, packet):
                    continue
                packet.is_keyframe = packet.is_keyframe or packet.pts in intra
                shown = packet.dts if self.stamps else packet.pts
                packet.pts, packet.dts = shown - shift, packet.dts - shift
                for made in filtered.filter(packet) if filtered else [packet]:
                    made.stream = copy
                    to.mux(made)
        return path


def intra_stamps(path: Path) -> set[int]:
    """Times of I-pictures."""
    with av.open(str(path)) as container:
        return {frame.pts for frame in container.decode(video=0) if frame.pict_type == av.video.frame.PictureType.I}


class Pipe(io.RawIOBase):
    """A file that can only be written to its end, as a pipe."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def piped(coded: Coded, format: str) -> Callable[[Path], Path]:
    """Written to a pipe: no length, no index."""

    def write(path: Path) -> Path:
        with Pipe(path) as pipe:
            sink = type("Sink", (), {"write": staticmethod(pipe.write)})()
            with av.open(sink, "w", format=format) as container:
                coded.into(container)
        return path

    return write


def together(first: Coded, second: Coded, cover: bool = False, defaults: bool = False) -> Callable[[Path], Path]:
    """Two video streams; the first is an attached picture if `cover`; both are default streams if `defaults`."""

    def write(path: Path) -> Path:
        with av.open(str(path), "w") as container:
            coded = (first, second)
            streams = [one.stream(container) for one in coded]
            if cover:
                streams[0].disposition = av.stream.Disposition.attached_pic
            for stream in streams if defaults else []:
                stream.disposition = av.stream.Disposition.default
            packets = []
            for stream, one in zip(streams, coded, strict=True):
                for number in range(one.count):
                    packets += stream.encode(one.picture(number))
                packets += stream.encode(None)
            for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
                container.mux(packet)
        return path

    return write


def attached(coded: Coded) -> Callable[[Path], Path]:
    """A cover picture as Matroska attaches it, larger than the video."""

    def write(path: Path) -> Path:
        still = Coded("mjpeg", 1, None, pix_fmt="yuvj420p", size=(200, 200), count=1)(path.with_name(".cover.mov"))
        with av.open(str(still)) as source:
            cover = bytes(next(packet for packet in source.demux(video=0) if packet.size))
        with av.open(str(path), "w") as container:
            container.add_attachment("cover.jpg", "image/jpeg", cover)
            coded.into(container)
        return path

    return write


def turned(matrix: tuple[float, float, float, float], coded: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """A display matrix (a, b, c, d) in the header of the track."""

    def write(path: Path) -> Path:
        data = bytearray(coded(path).read_bytes())
        at = data.index(b"tkhd") + 44
        a, b, c, d = (int(value * 65536) for value in matrix)
        data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
        path.write_bytes(data)
        return path

    return write


def edited(edits: list[tuple[int, int]], coded: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """An edit list of (duration, start), in pictures of 25 a second; a start of -1 is an empty edit."""

    def write(path: Path) -> Path:
        data = coded(path).read_bytes()
        scale = int.from_bytes(data[(at := data.index(b"mdhd")) + 16 : at + 20], "big")
        movie = int.from_bytes(data[(at := data.index(b"mvhd")) + 16 : at + 20], "big")
        entries = [
            struct.pack(">Iii", long * movie // 25, -1 if start < 0 else start * scale // 25, 65536)
            for long, start in edits
        ]
        body = b"elst" + bytes(4) + struct.pack(">I", len(entries)) + b"".join(entries)
        edts = b"edts" + struct.pack(">I", len(body) + 4) + body
        path.write_bytes(replaced(data, ["moov", "trak", "edts"], edts))
        return path

    return write


def replaced(data: bytes, names: list[str], body: bytes) -> bytes:
    """MP4 boxes with that of the path `names` replaced by type and body; `moov` lies last, so no offset moves."""
    out, at = b"", 0
    while at < len(data):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8].decode("latin1")
        inner = data[at + 4 : at + size]
        if name == names[0]:
            inner = body if len(names) == 1 else inner[:4] + replaced(inner[4:], names[1:], body)
        out += (len(inner) + 4).to_bytes(4, "big") + inner
        at += size
    return out


def joined(*parts: Coded) -> Callable[[Path], Path]:
    """One file after the other, byte by byte."""

    def write(path: Path) -> Path:
        pieces = [part(path.with_name(f".{number}.{path.name}")).read_bytes() for number, part in enumerate(parts)]
        path.write_bytes(b"".join(pieces))
        return path

    return write


def intra_at(numbers: Iterable[int]) -> Callable[[int, Any], None]:
    """Makes the pictures of these numbers I-pictures."""
    chosen = set(numbers)

    def mark(number: int, picture: Any) -> None:
        if number in chosen:
            picture.pict_type = av.video.frame.PictureType.I

    return mark


def after(first: int) -> Callable[[int, Any], bool]:
    """All packets from the one at that position on."""
    return lambda position, packet: position >= first


#: display matrix (a, b, c, d), and what it makes of a stored picture
TURNS: dict[str, tuple[tuple[float, float, float, float], Callable[[np.ndarray], np.ndarray]]] = {
    "turned_90.mp4": ((0, 1, -1, 0), lambda picture: np.rot90(picture, -1)),
    "turned_180.mp4": ((-1, 0, 0, -1), lambda picture: np.rot90(picture, 2)),
    "turned_270.mp4": ((0, -1, 1, 0), np.rot90),
    "mirrored.mp4": ((-1, 0, 0, 1), np.fliplr),
    "upside_down.mp4": ((1, 0, 0, -1), np.flipud),
    "transposed.mp4": ((0, 1, 1, 0), lambda picture: picture.swapaxes(0, 1)),
    "antitransposed.mp4": ((0, -1, -1, 0), lambda picture: np.rot90(picture, 2).swapaxes(0, 1)),
    "doubled.mp4": ((2, 0, 0, 2), lambda picture: picture),
    "no_turn.mp4": ((0, 0, 0, 0), lambda picture: picture),
}


def shown(name: str, number: int, picture: np.ndarray) -> np.ndarray:
    """A stored picture of the file of that name as it is to be seen."""
    if name.startswith("told"):  # the message holds for one picture
        return np.rot90(picture, 2) if number == 0 else picture
    return TURNS[name][1](picture) if name in TURNS else picture


SMALL = x264(CLOSED, size=(32, 48))
#: H.264 in closed groups, as any encoder writes it by default: what decord was made for
PLAIN: dict[str, Callable[[Path], Path]] = {
    "closed.mp4": x264(CLOSED),
    "closed_long.mp4": x264(CLOSED, gop=250),
    "no_b.mp4": x264(gop=12, b_frames=0),
    "one_group.mkv": x264(gop=250),
    "intra.mp4": x264(gop=1, b_frames=0),
    "strict_pyramid.mp4": x264(CLOSED + ":b-pyramid=strict", gop=20, b_frames=3),
    "pyramid.mkv": x264(CLOSED + ":b-pyramid=normal:ref=5", gop=16, b_frames=7),
    "sliced.mov": x264(CLOSED + ":slices=4:weightp=2", gop=24, b_frames=3),
    "faststart.mp4": x264(CLOSED, container={"movflags": "faststart"}),
    "baseline.mp4": Coded(options={"profile": "baseline", "preset": "veryfast"}, b_frames=0),
}
FILES: dict[str, Callable[[Path], Path]] = {
    **PLAIN,
    "open.mp4": x264(OPEN, gop=10, b_frames=3),
    "open.mkv": x264(OPEN, gop=10, b_frames=3),
    "open_pyramid.mp4": x264(OPEN + ":b-pyramid=normal", gop=10, b_frames=5),
    "open_10bit.mp4": x264(OPEN, gop=10, b_frames=3, pix_fmt="yuv420p10le"),
    "refresh.mp4": x264("intra-refresh=1", b_frames=0),
    "refresh_b.mkv": x264("intra-refresh=1", b_frames=2),
    "marked.mp4": Copied(x264("scenecut=0", gop=250, flags=intra_at(range(7, 40, 7))), keys="intra"),
    "ten_bit.mp4": x264(CLOSED, pix_fmt="yuv420p10le"),
    "odd_height.mp4": x264(CLOSED, size=(47, 80), pix_fmt="yuv444p"),
    "odd.mkv": Coded("mpeg4", size=(47, 79)),
    "odd_width.mp4": x264(CLOSED, size=(48, 79), pix_fmt="yuv444p"),
    "odd_vp9.webm": Coded("libvpx-vp9", 20, None, {"cpu-used": "8"}, size=(47, 79)),
    "odd_width_vp9.webm": Coded("libvpx-vp9", 20, None, {"cpu-used": "8"}, size=(48, 79)),
    "yuv422.mp4": x264(CLOSED, pix_fmt="yuv422p"),
    "yuv444.mp4": x264(CLOSED, pix_fmt="yuv444p"),
    "grey.mp4": x264(CLOSED, pix_fmt="gray"),
    "full_range.mp4": x264(CLOSED, pix_fmt="yuvj420p"),
    "bt709.mp4": x264(CLOSED + ":colorprim=bt709:transfer=bt709:colormatrix=bt709"),
    "interlaced.mp4": x264("interlaced=1"),
    "fake_interlaced.mp4": x264("fake-interlaced=1"),
    "fragmented.mp4": x264(CLOSED, container={"movflags": "frag_keyframe+empty_moov"}),
    "negative_offsets.mp4": x264(CLOSED, container={"movflags": "negative_cts_offsets"}),
    "late.mp4": x264(CLOSED, stamps=lambda n: 2000 + 40 * n),
    "late.mkv": x264(CLOSED, stamps=lambda n: 2000 + 40 * n),
    "variable.mp4": x264(CLOSED, stamps=lambda n: 40 * n + n * n % 37),
    "variable.mkv": x264(CLOSED, stamps=lambda n: 40 * n + n * n % 37),
    "gap.mp4": x264(CLOSED, stamps=lambda n: 40 * n + 5000 * (n > 17)),
    "cut.mp4": Copied(x264(CLOSED, gop=30), shift=10),
    "cut_open.mp4": Copied(x264(OPEN, gop=10, b_frames=3), keep=after(9), shift=15),
    "negative.mkv": Copied(x264(CLOSED), shift=3),
    "below_zero.mkv": Copied(x264(CLOSED), shift=15, container={"avoid_negative_ts": "disabled"}),
    "below_zero.webm": Copied(
        Coded("libvpx-vp9", 20, None, {"cpu-used": "8"}), "webm", shift=15, container={"avoid_negative_ts": "disabled"}
    ),
    "edits.mp4": edited([(10, -1), (20, 9)], x264(CLOSED)),
    "edits_two.mp4": edited([(10, 3), (12, 20)], x264(CLOSED, b_frames=0)),
    "edits_again.mp4": edited([(10, 5), (10, 5)], x264(CLOSED, b_frames=0)),
    "no_first_key.mkv": Copied(x264("b-adapt=0"), keep=after(5)),
    "no_first_key.mp4": Copied(x264("b-adapt=0"), keep=after(5)),
    "no_first_key.ts": Copied(x264("b-adapt=0"), keep=after(5)),
    "starts_open.mkv": Copied(x264(OPEN, gop=10, b_frames=3), keep=after(9)),
    "starts_open.mp4": Copied(x264(OPEN, gop=10, b_frames=3), keep=after(9)),
    "lost.mkv": Copied(x264(CLOSED), keep=lambda n, packet: packet.is_keyframe or n % 9),
    "lost_pyramid.mkv": Copied(x264(OPEN, gop=10, b_frames=3), keep=lambda n, packet: packet.is_keyframe or n % 7),
    "lost_refs.mp4": Copied(x264("ref=4:scenecut=0", gop=20, b_frames=0), keep=lambda n, packet: n % 11 != 5),
    "no_signs.mp4": Copied(x264(OPEN, gop=10, b_frames=3), filter="filter_units=remove_types=6"),
    "wrong_order.mkv": Copied(x264(CLOSED), stamps="decoding"),
    "wrong_order_hevc.mkv": Copied(x265("open-gop=0"), stamps="decoding"),
    "scenes.mkv": Copied(x264("min-keyint=250:scenecut=60:ref=5", gop=250, cuts=7), keys="intra"),
    "no_signs.mkv": Copied(x264(OPEN, gop=10, b_frames=3), filter="filter_units=remove_types=6"),
    "scenes.mp4": Copied(x264("min-keyint=250:scenecut=60:ref=5", gop=250, cuts=7), keys="intra"),
    "bt2020.mp4": x264(CLOSED + ":colorprim=bt2020:colormatrix=bt2020nc"),
    "smpte240m.mp4": x264(CLOSED + ":colormatrix=smpte240m"),
    "told.mp4": Copied(x264(CLOSED), filter="h264_metadata=display_orientation=insert:rotate=180"),
    "timed.mp4": x264(CLOSED + ":nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500"),
    "hevc.mp4": x265("open-gop=0"),
    "hevc_open.mp4": x265("open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0"),
    "hevc_open.mkv": x265("open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0"),
    "hevc_layers.mp4": x265("temporal-layers=2", gop=250, b_frames=3),
    "hevc_10bit.mp4": x265(pix_fmt="yuv420p10le"),
    "hevc_starts_open.mkv": Copied(x265("open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0"), keep=after(9)),
    "hevc_starts_open.mp4": Copied(x265("open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0"), keep=after(9)),
    "hevc_refresh.mp4": x265("intra-refresh=1:bframes=0"),
    "vp8.webm": Coded("libvpx", 20, None, {"auto-alt-ref": "1", "lag-in-frames": "16", "deadline": "realtime"}),
    "vp9.webm": Coded("libvpx-vp9", 20, None, {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}),
    "vp9.mp4": Coded("libvpx-vp9", 20, None, {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "8"}),
    "av1.mp4": Coded("libsvtav1", 20, None, {"preset": "12"}, size=(64, 96)),
    "av1.webm": Coded("libsvtav1", 20, None, {"preset": "12"}, size=(64, 96)),
    "av1_10bit.mkv": Coded("libsvtav1", 20, None, {"preset": "12"}, size=(64, 96), pix_fmt="yuv420p10le"),
    "part2.mp4": Coded("mpeg4", 12, 2),
    "part2.mkv": Coded("mpeg4", 250, 0),
    "part2_fields.mp4": Coded("mpeg4", 12, 0, {"flags": "+ildct+ilme"}),
    "packed.avi": Coded("mpeg4", 12, 2, container={}),
    "part2.avi": Coded("mpeg4", 12, 0),
    "gap.avi": Coded("mpeg4", 12, 0, stamps=lambda n: 40 * n + 400 * (n > 17)),
    "h264.avi": x264(CLOSED, b_frames=0),
    "h263.3gp": Coded("h263", 12, 0, size=(96, 128)),
    "mpeg2.mpg": Coded("mpeg2video", 12, 2),
    "mpeg2.mkv": Coded("mpeg2video", 12, 2),
    "mpeg2.ts": Coded("mpeg2video", 12, 2),
    "mpeg1.mpg": Coded("mpeg1video", 12, 2),
    "mjpeg.avi": Coded("mjpeg", 1, None, pix_fmt="yuvj420p"),
    "mjpeg.mov": Coded("mjpeg", 1, None, pix_fmt="yuvj420p"),
    "prores.mov": Coded("prores", 1, None, pix_fmt="yuv422p10le"),
    "ffv1.mkv": Coded("ffv1", 1, None),
    "huffyuv.avi": Coded("huffyuv", 1, None, pix_fmt="yuv422p"),
    "gif.gif": Coded("gif", 1, None, pix_fmt="rgb8"),
    "h264.ts": x264(CLOSED),
    "open.ts": x264(OPEN, gop=10, b_frames=3),
    "h264.flv": x264(CLOSED),
    "flv1.flv": Coded("flv", 12, 0),
    "wmv2.wmv": Coded("wmv2", 12, 0),
    "msmpeg4.avi": Coded("msmpeg4", 12, 0),
    "raw.h264": x264(CLOSED),
    "raw.hevc": x265("open-gop=0"),
    "hevc.ts": x265("open-gop=0"),
    "joined.ts": joined(x264(CLOSED, count=20), x264(CLOSED, count=20)),
    "piped.avi": piped(Coded("mpeg4", 12, 0), "avi"),
    "piped.mkv": piped(x264(CLOSED), "matroska"),
    "piped.webm": piped(Coded("libvpx", 20, None, {"deadline": "realtime"}), "webm"),
    "piped_open.mkv": piped(x264(OPEN, gop=10, b_frames=3), "matroska"),
    "two.mp4": together(SMALL, x264(CLOSED)),
    "two.mkv": together(SMALL, x264(CLOSED)),
    "empty.mkv": together(x264(CLOSED), Coded("mpeg4", 12, 0, size=(96, 128), count=0)),
    "two_large.mp4": together(SMALL, x264(CLOSED, size=(48, 80)), defaults=True),
    "cover.mp4": together(Coded("png", 1, None, pix_fmt="rgb24", size=(96, 128), count=1), x264(CLOSED), cover=True),
    "cover.mkv": attached(x264(CLOSED)),
    **{name: turned(matrix, x264(CLOSED)) for name, (matrix, _) in TURNS.items()},
    "oblong.mp4": x264(CLOSED, aspect=Fraction(4, 3)),
    "oblong.mkv": x264(CLOSED, aspect=Fraction(2, 3)),
}
#: file -> number of the video stream that ffmpeg takes; of "two.mp4" the first is marked as default
STREAMS = {"two.mkv": 1, "two_large.mp4": 1}
