"""The PyAV reader: seeks by time stamps where they can be trusted, decodes from the start where they cannot.

Packets are listed without decoding. In MP4 and Matroska their time stamps, sorted, number the frames. AVI with
packed B-frames, MPEG streams and others are decoded from the start, twice (to count, then to read). Packets that an
edit list hides are left out, and rotation is applied, as decord does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.data.decode import DecodeError

#: containers that give each frame the time when it is shown
_STAMPED = frozenset({"mp4", "matroska"})
#: PyAV's error -> what it means
_MEANINGS = {"InvalidDataError": "not a video, truncated or damaged", "EOFError": "truncated: it ends too early"}


def read(path: Path, unique: Callable[[int], np.ndarray]) -> np.ndarray:
    """Frames uint8 (K, H, W, 3) at the sorted, distinct indices `unique(frame count)`."""
    import av

    try:
        stamps, keys = _stamps(path)
        count = len(stamps) if stamps else _count(path)
        if count < 1:
            raise DecodeError(path, "no frames")
        numbers = unique(count)
        if not numbers.size:
            return np.empty((0, 0, 0, 3), dtype=np.uint8)
        frames = _by_stamp(path, stamps, keys, numbers) if stamps else _in_order(path, numbers)
        return _stacked(path, frames)
    except av.error.FFmpegError as error:
        raise DecodeError(path, _MEANINGS.get(type(error).__name__, f"pyav cannot decode it: {error}")) from error


def probe(path: Path) -> tuple[frozenset[str], str]:
    """The container's names and the video codec's."""
    import av

    try:
        container, stream = _open(path)
    except av.error.FFmpegError as error:
        raise DecodeError(path, _MEANINGS.get(type(error).__name__, f"it does not open: {error}")) from error
    with container:
        return _names(container), str(stream.codec_context.name)


def _names(container: Any) -> frozenset[str]:
    return frozenset(container.format.name.split(","))


def _open(path: Path) -> tuple[Any, Any]:
    import av

    container = av.open(str(path), metadata_errors="replace")
    if not container.streams.video:
        container.close()
        raise DecodeError(path, "no video stream, or no frames")
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    return container, stream


def _stamps(path: Path) -> tuple[list[int], list[int]]:
    """Sorted time stamps of all shown frames, and those of key frames; empty where they cannot number the frames."""
    container, stream = _open(path)
    with container:
        if not _names(container) & _STAMPED:
            return [], []
        stamps, keys = [], []
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None:
                return [], []
            if packet.is_keyframe:
                keys.append(packet.pts)
            if not packet.is_discard:
                stamps.append(packet.pts)
    return ([], []) if len(set(stamps)) != len(stamps) else (sorted(stamps), sorted(keys))


def _count(path: Path) -> int:
    container, stream = _open(path)
    with container:
        return sum(1 for _ in container.decode(stream))


def _in_order(path: Path, numbers: np.ndarray) -> Iterator[np.ndarray]:
    wanted = set(numbers.tolist())
    container, stream = _open(path)
    with container:
        for number, frame in enumerate(container.decode(stream)):
            if number in wanted:
                yield _rgb(frame)
            if number >= numbers[-1]:
                return


def _by_stamp(path: Path, stamps: list[int], keys: list[int], numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Decode on while the next frame lies in the same group of pictures, else seek to its key frame."""
    key_before = np.searchsorted(np.asarray(keys), np.asarray(stamps)[numbers], side="right") - 1
    container, stream = _open(path)
    with container:
        frames, at, group = container.decode(stream), None, 0
        for number, key in zip(numbers.tolist(), key_before.tolist(), strict=True):
            target = stamps[number]
            if key > group:
                container.seek(keys[key], stream=stream, backward=True)
                frames, at = container.decode(stream), None
            group = max(key, group)
            for frame in frames:
                at = frame.pts
                if at is not None and at >= target:
                    break
            if at != target:
                raise DecodeError(path, f"frame {number} of {len(stamps)} does not decode")
            yield _rgb(frame)


def _rgb(frame: Any) -> np.ndarray:
    image = frame.to_ndarray(format="rgb24")
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.rot90(image, turns) if turns else image


def _stacked(path: Path, frames: Iterator[np.ndarray]) -> np.ndarray:
    kept = list(frames)
    if len({frame.shape for frame in kept}) > 1:
        raise DecodeError(path, "the size of the picture changes within the video")
    return np.ascontiguousarray(np.stack(kept))


@dataclass(frozen=True)
class Facts:
    """What a video's container tells of it, without decoding."""

    frames: int
    width: int
    height: int
    fps: float


def facts(path: Path) -> Facts:
    """Frames (of the header, or counted packets), size in pixels before rotation, and frames per second."""
    import av

    try:
        container, stream = _open(path)
        with container:
            rate = stream.average_rate or stream.guessed_rate
            size = (stream.codec_context.width, stream.codec_context.height)
            frames = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
    except av.error.FFmpegError as error:
        raise DecodeError(path, _MEANINGS.get(type(error).__name__, f"it does not open: {error}")) from error
    if frames < 1:
        raise DecodeError(path, "no frames")
    return Facts(frames, *size, float(rate) if rate else 0.0)


def decode_all(path: Path) -> int:
    """Decode every frame in order and keep none; returns how many there are."""
    import av

    try:
        return _count(path)
    except av.error.FFmpegError as error:
        raise DecodeError(path, _MEANINGS.get(type(error).__name__, f"pyav cannot decode it: {error}")) from error
