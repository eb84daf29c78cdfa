"""Frames put one at a time, in any order, each resized by itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.core.errors import DecodeError
from repro.data.frame_buffer import Stack
from repro.data.resize import resize_short

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 12, 20, 3), dtype=np.uint8)


@pytest.mark.parametrize("short", [0, 8, 12])
def test_any_order_and_a_buffer_that_is_used_again(short):
    stack = Stack(Path("a.mp4"), short)
    stack.count = 3
    assert stack.missing() == [0, 1, 2]
    buffer = np.empty_like(FRAMES[0])
    for place in (2, 0):
        buffer[...] = FRAMES[place]
        stack.put(place, buffer)
    assert stack.missing() == [1]
    stack.put(1, FRAMES[1])
    assert np.array_equal(stack.frames(), resize_short(FRAMES, short))


def test_no_frames():
    assert Stack(Path("a.mp4")).frames().shape == (0, 0, 0, 3)


def test_another_size_is_refused():
    stack = Stack(Path("a.mp4"))
    stack.count = 2
    stack.put(0, FRAMES[0])
    with pytest.raises(DecodeError, match=r"a\.mp4.*size of the picture changes"):
        stack.put(1, FRAMES[1, :10])
