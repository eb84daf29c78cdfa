"""The cache of decoded frames: equal to decoding, keyed by what it was made of, rebuilt when damaged."""

from __future__ import annotations

import numpy as np
import pytest

from repro.core.errors import BadOption, DataError
from repro.data import cache
from repro.data.decode import read_frames
from repro.data.index import read_csv
from repro.data.pool import Problem


@pytest.fixture
def index(clip_folder, write_csv):
    rows = [(name, "0") for name in ("portrait.mp4", "gone.mp4", "one.mp4")]
    return read_csv(write_csv(clip_folder / "cached.csv", rows, header="path,label"), "val")


def test_frames_equal_decoding_and_problems_are_kept(index):
    made = cache.open_cache(index, resize=20)
    frames, place = made.source(0).read(lambda n: np.array([[n - 1, 0], [3, 3]]))
    assert np.array_equal(
        frames[place], read_frames(index.videos[0].path, [11, 0, 3, 3], resize_short=20).reshape(2, 2, 36, 20, 3)
    )
    assert made.source(1) == Problem("missing: no such file") and made.problems == {1: "missing: no such file"}


def test_it_is_built_once_and_again_when_damaged(index, monkeypatch):
    first = cache.open_cache(index)
    stamp = (first.folder / "frames.bin").stat().st_mtime_ns
    assert (cache.open_cache(index).folder / "frames.bin").stat().st_mtime_ns == stamp
    data = bytearray((first.folder / "frames.bin").read_bytes())
    data[100] ^= 1
    (first.folder / "frames.bin").write_bytes(data)
    again = cache.open_cache(index)
    assert np.array_equal(again.source(2).frames, read_frames(index.videos[2].path, [0]))
    (first.folder / "table.json").write_text("{")
    assert cache.open_cache(index).source(2).frames.shape == (1, 48, 64, 3)
    assert sorted(path.name for path in first.folder.parent.iterdir()) == [first.folder.name]


def test_it_serves_only_what_it_was_made_of(index):
    made = cache.open_cache(index)
    made.check(index, "auto", 0)
    for decoder, resize in (("pyav", 0), ("auto", 32)):
        with pytest.raises(BadOption, match="frame cache"):
            made.check(index, decoder, resize)


def test_a_large_dataset_is_refused(index, monkeypatch):
    monkeypatch.setattr(cache, "LIMIT_BYTES", 1000)
    with pytest.raises(DataError, match="train without a cache"):
        cache.open_cache(index)
