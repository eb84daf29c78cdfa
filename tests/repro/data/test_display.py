"""Display matrices: all eight ways to show a picture, nearly quarter turns, and what is no quarter turn."""

from __future__ import annotations

from types import SimpleNamespace

import av
import numpy as np
import pytest
from av.sidedata.sidedata import Type
from video_corpus import CLOSED, TURNS, turned, x264

from repro.core.errors import DecodeError
from repro.data.decode import read_frames
from repro.data.display import matrix_of, upright

PICTURE = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)


def frame(*matrix):
    data = np.array([*matrix[:2], 0, *matrix[2:], 0, 0, 0, 1 << 30], dtype="<i4").tobytes()
    return SimpleNamespace(side_data={Type.DISPLAYMATRIX: data}, rotation=45)


@pytest.mark.parametrize("name", TURNS)
def test_each_turn_and_mirror(name):
    matrix, change = TURNS[name]
    shown = upright("a.mp4", PICTURE, frame(*(int(value * 65536) for value in matrix)))
    assert np.array_equal(shown, change(PICTURE))


def test_points_go_where_the_matrix_says():
    """(x, y) is shown at (ax + cy, bx + dy), moved so that the picture begins at (0, 0)."""
    for matrix, _ in list(TURNS.values())[:7]:
        a, b, c, d = matrix
        shown = upright("a.mp4", PICTURE, frame(*(int(value * 65536) for value in matrix)))
        corners = np.array([(a * x + c * y, b * x + d * y) for y in range(2) for x in range(3)])
        corners -= corners.min(0)
        for (x, y), value in zip(corners.astype(int), PICTURE.reshape(-1, 3), strict=True):
            assert np.array_equal(shown[y, x], value)


def test_nearly_a_quarter_turn_is_one_and_others_are_refused():
    assert upright("a.mp4", PICTURE, frame(400, 65536, -65536, 400)).shape == (3, 2, 3)
    with pytest.raises(DecodeError, match="turned by 45 degrees; allowed are quarter turns"):
        upright("a.mp4", PICTURE, frame(46341, 46341, -46341, 46341))


def test_without_a_matrix_it_is_shown_as_stored():
    assert matrix_of(SimpleNamespace(side_data={})) == (1, 0, 0, 1)


def test_a_slanted_video_is_a_listed_bad_video(tmp_path):
    path = turned((0.7, 0.7, -0.7, 0.7), x264(CLOSED, count=4))(tmp_path / "slant.mp4")
    with av.open(str(path)) as container:
        assert abs(next(container.decode(video=0)).rotation) == 45
    for decoder in ("auto", "decord"):
        with pytest.raises(DecodeError, match="quarter turns"):
            read_frames(path, [0], decoder=decoder)
