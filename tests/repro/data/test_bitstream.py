"""What packets tell: of real streams by x264, x265, libvpx and SVT-AV1, and of bytes made by hand."""

from __future__ import annotations

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_corpus import CLOSED, FILES, OPEN, Copied, x264

from repro.data.bitstream import reader_of, sight_of


def sights(path):
    """(packet of PyAV, what it is) for each packet of the first video stream."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        context = stream.codec_context
        reader = reader_of(context.codec.canonical_name, context.extradata)
        return [(packet, sight_of(reader, packet)) for packet in container.demux(stream) if packet.size]


def test_closed_groups_start_at_each_key_frame(tmp_path):
    seen = sights(x264(CLOSED)(tmp_path / "a.mp4"))
    assert [n for n, (_, sight) in enumerate(seen) if sight.starts] == [0, 12, 24, 36]
    assert all(sight.starts == sight.closed == packet.is_keyframe for packet, sight in seen)
    assert any(sight.between for _, sight in seen) and not any(sight.doubt or sight.told for _, sight in seen)


def test_open_groups_start_and_are_not_closed_and_refreshes_do_neither(tmp_path):
    seen = sights(x264(OPEN, gop=10, b_frames=3)(tmp_path / "open.mp4"))
    assert [n for n, (_, sight) in enumerate(seen) if sight.starts] == [0, 9, 19, 29]
    assert [n for n, (_, sight) in enumerate(seen) if sight.closed] == [0]
    seen = sights(x264("intra-refresh=1", b_frames=0)(tmp_path / "refresh.mp4"))
    assert sum(packet.is_keyframe for packet, _ in seen) > 1
    assert [n for n, (_, sight) in enumerate(seen) if sight.starts] == [0]


@pytest.mark.parametrize("name", ["hevc_open.mp4", "hevc.mp4", "av1.mp4", "vp9.webm", "vp8.webm"])
def test_other_codecs_start_at_key_frames(tmp_path, name):
    seen = sights(FILES[name](tmp_path / name))
    assert all(sight.starts == packet.is_keyframe for packet, sight in seen) and len(seen) == 40
    assert sum(sight.starts for _, sight in seen) == sum(sight.closed for _, sight in seen) or name == "hevc_open.mp4"
    assert not any(sight.doubt for _, sight in seen)


@pytest.mark.parametrize(
    ("params", "doubt"), [("interlaced=1", "fields"), ("fake-interlaced=1", "fields"), (CLOSED, "lost")]
)
def test_doubts(tmp_path, params, doubt):
    coded = x264(params, b_frames=0)
    if doubt == "lost":
        coded = Copied(coded, keep=lambda position, packet: position != 5)
    assert any(doubt in sight.doubt for _, sight in sights(coded(tmp_path / "a.mp4")))


def test_pictures_that_say_how_they_are_shown(tmp_path):
    assert all(sight.told for _, sight in sights(FILES["timed.mp4"](tmp_path / "timed.mp4")))
    assert any("turned" in sight.doubt for _, sight in sights(FILES["told.mp4"](tmp_path / "told.mp4")))
    header, message = b"\1" + bytes(20) + b"\xff\0", b"\x4e\x01\x2f\x02\x10\x10\x80"
    units = b"".join(len(unit).to_bytes(4, "big") + unit for unit in (message, b"\x26\x01\xaf"))
    assert "turned" in reader_of("hevc", header)(memoryview(units), True).doubt
    assert not reader_of("hevc", header)(memoryview(units[len(message) + 4 :]), True).doubt


def test_a_stream_without_parameters_in_front_is_a_doubt():
    for codec in ("h264", "hevc"):
        assert reader_of(codec, None)(memoryview(b"\0\0\0\5\x65\x88\x84\0\0"), True).doubt
        assert reader_of(codec, b"\0\0\0\1\x67\x42\0\0")(memoryview(b"\0\0\0\5\x65\x88\x84\0\0"), True).doubt


@pytest.mark.parametrize(
    ("byte", "shown", "starts"), [(0x10, True, True), (0x00, False, False), (0x11, True, False), (0x01, False, False)]
)
def test_vp8_hides_frames(byte, shown, starts):
    sight = reader_of("vp8", None)(memoryview(bytes([byte, 0, 0])), True)
    assert (sight.shown, sight.starts and sight.shown) == (shown, starts)


def test_vp9_frames_of_one_packet_are_counted():
    look = reader_of("vp9", None)
    hidden, shown, repeated, key = b"\x84\0\0", b"\x86\0\0", b"\x88", b"\x82\0\0"
    assert not look(memoryview(hidden), False).shown
    assert look(memoryview(shown), False).shown and look(memoryview(repeated), False).shown
    assert look(memoryview(key), True).starts and not look(memoryview(shown), True).starts

    def packet(*frames):
        index = bytes([0xC0 | len(frames) - 1]) + bytes(map(len, frames)) + bytes([0xC0 | len(frames) - 1])
        return memoryview(b"".join(frames) + index)

    assert look(packet(hidden, shown), False) == look(memoryview(shown), False)
    assert "2 pictures" in look(packet(shown, shown), False).doubt


@pytest.mark.parametrize("codec", ["h264", "hevc", "vp8", "vp9", "av1"])
@given(header=st.binary(max_size=60), data=st.binary(min_size=1, max_size=80), key=st.booleans())
def test_any_bytes_give_a_sight(codec, header, data, key):
    class Packet:
        is_keyframe = key

        def __buffer__(self, flags):
            return memoryview(data)

    reader = reader_of(codec, b"\x01" + header)
    try:
        made = reader(memoryview(data), key)
    except IndexError:
        return  # `sight_of` makes a doubt of it
    assert isinstance(made.doubt, str) and (made.starts or not made.closed or not key)
