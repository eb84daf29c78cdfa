"""Whether a stream that does not tell where it ends was cut inside its last picture.

A decoder of arithmetic-coded pictures stops where the picture's own data says so, and never looks at what follows. Of a
picture that was cut it takes whatever follows for data: other bytes behind it give another picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import av
import numpy as np

from repro.data.packet_index import VideoFile

#: no start of anything, and unlike what pictures end with
_MORE = b"\xa5\x5a\xc3" * 40


def is_whole(video: VideoFile) -> bool:
    """Whether the last stored picture comes out, and the same whatever follows its data. HEVC."""
    packets = _last_groups(video)
    plain, more = (_last(packets, video.stream.codec_context, behind) for behind in (b"", _MORE))
    return plain is not None and more is not None and np.array_equal(plain.to_ndarray(), more.to_ndarray())


def _last_groups(video: VideoFile) -> list[bytes]:
    """The packets from the last key frame on; where the last one may be shown before it, from the one before that."""
    before: list[bytes] = []
    group: list[bytes] = []
    start = last = None
    for packet in video.packets():
        if packet.is_keyframe:
            before, group, start = group, [], packet.pts
        group.append(bytes(packet))
        last = packet.pts
    return group if start is not None and last is not None and start <= last else before + group


def _last(packets: Sequence[bytes], like: Any, behind: bytes) -> Any:
    """The picture of the last packet, behind which stand some bytes more; None where none comes out."""
    context = av.CodecContext.create(like.name, "r")
    context.extradata, context.thread_count = like.extradata, 1
    last = len(packets) - 1
    found = None
    for number, data in enumerate([*packets, None]):
        packet = None if data is None else av.Packet(data + behind if number == last else data)
        if packet is not None:
            packet.pts = number
        try:
            found = next((frame for frame in context.decode(packet) if frame.pts == last), found)
        except av.error.FFmpegError:  # a packet that holds no picture any more
            continue
    return found
