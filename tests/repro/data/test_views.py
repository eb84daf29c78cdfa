"""Crops, flips, resizing, normalization."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.core.errors import BadOption, DataError, UnknownName
from repro.data import resize, views

SIDE = st.integers(1, 500)


def test_three_crops_lie_left_right_middle():
    assert views.three_crops(256, 340, 256) == [(0, 0, 256, 256), (0, 84, 256, 256), (0, 42, 256, 256)]
    assert views.three_crops(256, 343, 256)[1] == (0, 86, 256, 256), "an odd rest is left out at the right"


def test_three_crops_of_a_portrait_lie_along_its_height():
    assert views.three_crops(340, 256, 256) == [(0, 0, 256, 256), (84, 0, 256, 256), (42, 0, 256, 256)]


def test_ten_crops_are_five_each_with_its_mirror():
    boxes = views.test_boxes(256, 340, 224, 10)
    assert [box for box, _ in boxes[::2]] == [box for box, _ in boxes[1::2]] == views.five_crops(256, 340, 224)
    assert [mirrored for _, mirrored in boxes] == [False, True] * 5
    assert [box[:2] for box, _ in boxes[::2]] == [(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)]


@settings(max_examples=60)
@given(height=SIDE, width=SIDE, size=SIDE, crops=st.sampled_from([1, 3, 5, 10]))
def test_crops_fit_or_are_refused(height, width, size, crops):
    if size > min(height, width):
        with pytest.raises(DataError, match="does not fit"):
            views.test_boxes(height, width, size, crops)
        return
    boxes = views.test_boxes(height, width, size, crops)
    assert len(boxes) == crops
    for (top, left, h, w), _ in boxes:
        assert (h, w) == (size, size) and 0 <= top <= height - h and 0 <= left <= width - w


def test_unknown_number_of_crops():
    with pytest.raises(BadOption, match="1, 3, 5, 10"):
        views.test_boxes(256, 256, 224, 4)


@settings(max_examples=100)
@given(height=SIDE, width=SIDE, size=SIDE, positions=st.sampled_from([5, 13]), seed=st.integers(0, 999))
def test_multi_scale_boxes_lie_in_the_frame(height, width, size, positions, seed):
    top, left, h, w = views.multi_scale_box(height, width, size, np.random.default_rng(seed), positions)
    assert 0 < h <= height and 0 < w <= width and 0 <= top <= height - h and 0 <= left <= width - w


def test_multi_scale_sides_and_positions():
    rng = np.random.default_rng(0)
    boxes = {views.multi_scale_box(256, 340, 224, rng) for _ in range(6000)}
    sides = {(h, w) for _, _, h, w in boxes}
    assert {side for pair in sides for side in pair} == {256, 224, 192, 168}
    assert len(sides) == 10, "four squares and three neighbouring pairs each way"
    assert len({box[:2] for box in boxes if box[2:] == (192, 192)}) == 13
    five = {views.multi_scale_box(256, 340, 224, rng, 5) for _ in range(3000)}
    assert len({box[:2] for box in five if box[2:] == (192, 192)}) == 5
    snapped = {side for _ in range(300) for side in views.multi_scale_box(258, 300, 224, rng)[2:]}
    assert 224 in snapped and 225 not in snapped, "225 is nearer than 3 to 224"


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32))
def test_random_resized_boxes_lie_in_the_frame(height, width, seed):
    top, left, h, w = views.random_resized_box(height, width, np.random.default_rng(seed))
    assert 0 < h <= height and 0 < w <= width and 0 <= top <= height - h and 0 <= left <= width - w


def test_random_resized_boxes_have_the_areas_and_shapes_asked_for():
    rng = np.random.default_rng(0)
    boxes = np.array([views.random_resized_box(256, 340, rng) for _ in range(4000)])
    areas, ratios = boxes[:, 2] * boxes[:, 3] / (256 * 340), boxes[:, 3] / boxes[:, 2]
    assert 0.079 < areas.min() < 0.1 and 0.9 < areas.max() <= 1
    assert 0.7 < ratios.min() < 0.78 and 1.3 < ratios.max() < 1.36
    assert views.random_resized_box(10, 400, rng) == (0, 195, 10, 10), "nothing fits into a strip"


@pytest.mark.parametrize("rule", ["multi_scale", "multi_scale_5", "random_resized", "random", "centre"])
def test_train_box(rule):
    top, left, h, w = views.train_box(rule, 60, 80, 48, np.random.default_rng(1))
    assert top + h <= 60 and left + w <= 80


def test_unknown_crop_rule():
    with pytest.raises(UnknownName, match="multi_scale"):
        views.train_box("mutli_scale", 60, 80, 48, np.random.default_rng(1))


def test_mirror_and_label_swap():
    frames = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    assert np.array_equal(views.crop(frames, (0, 1, 3, 2), mirrored=True), frames[:, :, [2, 1]])
    assert [views.swapped_label(label, views.FLIP_STHV2) for label in (86, 87, 166, 167, 5)] == [87, 86, 167, 166, 5]
    for pairs in (views.FLIP_STHV1, views.FLIP_STHV2):
        assert all(views.swapped_label(views.swapped_label(x, pairs), pairs) == x for x in range(174))


@pytest.mark.parametrize(
    ("source", "target"), [((48, 64), (20, 30)), ((20, 31), (40, 62)), ((7, 5), (5, 7)), ((1, 1), (3, 4))]
)
def test_resize_is_plain_bilinear(source, target):
    frames = np.random.default_rng(0).integers(0, 256, (3, *source, 3), dtype=np.uint8)
    made = resize.resize(frames, *target)
    x = torch.from_numpy(frames).permute(0, 3, 1, 2).double()
    y = torch.nn.functional.interpolate(x, size=target, mode="bilinear", align_corners=False)
    assert np.abs(made - y.permute(0, 2, 3, 1).numpy()).max() <= 0.501


@pytest.mark.parametrize(("size", "short", "expected"), [((240, 320), 256, (256, 341)), ((321, 240), 256, (342, 256))])
def test_short_side(size, short, expected):
    frames = np.zeros((1, *size, 3), np.uint8)
    assert resize.resize_short(frames, short).shape[1:3] == expected
    assert resize.resize_short(frames, 0) is frames
