"""The file of scores: what comes back, of which version, and how much memory it takes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from repro.core.errors import DataError
from repro.engine.logit_buffer import Sheet, merged
from repro.records import metrics, scores
from repro.records.scores import Scores

RNG = np.random.default_rng(0)


def made(videos: int = 700, views: int = 6, classes: int = 4) -> Scores:
    logits = RNG.normal(size=(videos, views, classes)).astype(np.float32)
    labels = RNG.integers(classes, size=videos)
    return Scores(logits, labels, [f"v{n}.mp4" for n in range(videos)], [], 2, views // 2, {"dataset": "x"})


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    kept = made()
    digest = kept.save(tmp_path / "s.npz")
    found = Scores.load(tmp_path / "s.npz", digest)
    assert np.array_equal(found.logits, kept.logits) and np.array_equal(found.labels, kept.labels)
    assert (found.ids, found.problems, found.clips, found.crops, found.about) == (kept.ids, [], 2, 3, {"dataset": "x"})
    assert [file.name for file in tmp_path.iterdir()] == ["s.npz"]
    with np.load(tmp_path / "s.npz") as plain:
        assert np.array_equal(plain["logits"], kept.logits), "numpy alone can read it"


def test_a_file_of_the_first_version_is_read(tmp_path: Path) -> None:
    kept, buffer = made(3), io.BytesIO()
    none = np.array([], np.str_)
    np.savez_compressed(
        buffer, version=np.int64(1), logits=kept.logits, labels=kept.labels, ids=np.array(kept.ids), problem_ids=none,
        problems=none, views=np.array([2, 3]),
    )  # fmt: skip
    (tmp_path / "old.npz").write_bytes(buffer.getvalue())
    assert Scores.load(tmp_path / "old.npz").about == {}


def test_parts_that_do_not_fit_each_other_are_told(tmp_path: Path) -> None:
    kept = made(3)
    Scores(kept.logits, kept.labels, kept.ids[:2], [], 2, 3).save(tmp_path / "s.npz")
    with pytest.raises(DataError, match="do not fit each other"):
        Scores.load(tmp_path / "s.npz")


def test_blocks_hold_every_row_once() -> None:
    logits = made().logits
    assert np.array_equal(np.concatenate(list(scores.blocks(logits, 64))), logits)


def test_metrics_by_blocks_equal_those_of_the_whole() -> None:
    kept = made()
    fused = metrics.aggregate(kept.logits, "softmax", 2, 3)
    assert np.array_equal(fused, metrics.softmax(kept.logits).mean(axis=1))
    found = metrics.all_aggregations(kept.logits, kept.labels, 2, 3, "softmax")
    flat = kept.logits.reshape(-1, 4)
    assert found["view"] == metrics.rates(flat, np.repeat(kept.labels, 6))


def test_a_sheet_on_disk_keeps_little_in_memory_and_equals_an_array(tmp_path: Path) -> None:
    kept = made()
    sheet = Sheet(tmp_path, "t", 700, 6, 4)
    for position, row in enumerate(kept.logits):
        sheet.put(position, row)
    rows = sheet.rows
    sheet.remove()
    on_disk = Scores(rows, kept.labels, kept.ids, [], 2, 3, kept.about)
    assert on_disk.save(tmp_path / "a.npz") == kept.save(tmp_path / "b.npz")


def test_merged_rows_take_their_places(tmp_path: Path) -> None:
    rows = made(5).logits
    parts = iter([[(1, rows[1]), (3, rows[3])], [(0, rows[0])], [(4, rows[4]), (2, rows[2])]])
    assert np.array_equal(merged(parts, rows.shape, tmp_path), rows)
    assert not list(tmp_path.iterdir())
