"""Resizing by blocks of rows gives bit for bit what the formula gives on the whole frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.data.resize import resize, resize_into


def sources(size, wanted):
    """For each wanted pixel: its two sources, and the share of the second."""
    place = np.clip((np.arange(wanted) + 0.5) * (size / wanted) - 0.5, 0, size - 1)
    first = place.astype(np.int64)
    return first, np.minimum(first + 1, size - 1), (place - first).astype(np.float32)


def plainly(frame, height, width):
    """Columns, then rows, in float32, all at once."""
    top, bottom, down = sources(frame.shape[0], height)
    left, right, across = sources(frame.shape[1], width)
    columns = frame[:, left].astype(np.float32)
    columns += (frame[:, right] - columns) * across[None, :, None]
    rows = columns[top]
    rows += (columns[bottom] - rows) * down[:, None, None]
    return (rows + np.float32(0.5)).astype(np.uint8)


@settings(max_examples=80)
@given(sizes=st.tuples(*[st.integers(1, 90)] * 4), seed=st.integers(0, 9))
def test_any_sizes(sizes, seed):
    height, width, wanted_height, wanted_width = sizes
    frame = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert np.array_equal(resize(frame, wanted_height, wanted_width), plainly(frame, wanted_height, wanted_width))


@pytest.mark.parametrize(("source", "target"), [((720, 1280), (256, 455)), ((190, 180), (224, 224))])
def test_the_sizes_of_datasets(source, target):
    frame = np.random.default_rng(1).integers(0, 256, (*source, 3), dtype=np.uint8)
    assert np.array_equal(resize(frame, *target), plainly(frame, *target))


def test_frames_with_padded_rows_cut_and_turned():
    """As decoders, crops and rotated videos give them."""
    padded = np.random.default_rng(2).integers(0, 256, (2, 60, 100, 3), dtype=np.uint8)
    for frames in (padded[:, :, :91], padded[:, 7:51, 3:80], np.rot90(padded, 1, (1, 2)), padded[:, :, ::-1]):
        made = resize(frames, 33, 47)
        assert all(np.array_equal(one, plainly(frame, 33, 47)) for one, frame in zip(made, frames, strict=True))
        same = np.empty(frames.shape[1:], np.uint8)
        resize_into(frames[0], same)
        assert np.array_equal(same, frames[0])
