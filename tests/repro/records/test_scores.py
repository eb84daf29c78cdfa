"""The file of scores: what comes back, of which version, and how much memory it takes."""

from __future__ import annotations

import io
import os
import zipfile
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


WHOLE = {
    "version": np.int64(2), "labels": np.array([0, 1]), "ids": np.array(["a", "b"]), "views": np.array([1, 2]),
    "problem_ids": np.array([], np.str_), "problems": np.array([], np.str_), "about": np.array("{}"),
    "logits": np.ones((2, 2, 3), np.float32),
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"views": np.array(3)}, "views"),
        ({"views": np.array([0, 2])}, "views"),
        ({"views": np.array([1.0, 2.0])}, "views"),
        ({"logits": np.ones((2, 2), np.float32)}, "logits is an array of float32 with 2 axes"),
        ({"logits": np.ones((2, 2, 3), np.int64)}, "logits"),
        ({"logits": np.ones((2, 2, 0), np.float32)}, "no classes"),
        (
            {"logits": np.ones((0, 2, 3), np.float32), "labels": np.array([], int), "ids": np.array([], str)},
            "no videos",
        ),
        ({"version": np.int64(99)}, "version 99"),
        ({"ids": np.array(["a", "a"])}, "'a' stands in it twice"),
        ({"ids": np.array([1, 2])}, "ids"),
        ({"labels": np.array([0, 3])}, "labels from 0 to 3 for 3 classes"),
        ({"labels": np.array([0.0, 1.0])}, "labels"),
        ({"about": np.array("[1]")}, "about"),
        ({"about": np.array("[" * 100_000)}, "nested too deep"),
        ({"problems": np.array(["x"])}, "shorter|longer"),
        ({"stats": np.ones((2, 2, 1), np.float32)}, "stat_names"),
    ],
)
def test_odd_parts_are_named(tmp_path: Path, change: dict[str, np.ndarray], said: str) -> None:
    np.savez(tmp_path / "s.npz", **{**WHOLE, **change})
    with pytest.raises(DataError, match=rf"s\.npz cannot be read: .*({said})"):
        Scores.load(tmp_path / "s.npz")


def claiming(path: Path, shape: tuple[int, ...], *, size: int | None = None, deflated: bytes = b"") -> None:
    """Scores whose logits say that they are of this shape."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, values in {**WHOLE, "logits": None}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if values is None:
                    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(member, header)
                    member.write(deflated)
                else:
                    np.lib.format.write_array(member, np.asanyarray(values))


def test_a_small_file_that_claims_much_is_refused_before_it_is_read(tmp_path: Path) -> None:
    claiming(tmp_path / "s.npz", (2, 2, 2**30), deflated=bytes(2**20))
    with pytest.raises(DataError, match=r"claims 16 GiB, which the file does not hold"):
        Scores.load(tmp_path / "s.npz")


def test_more_than_memory_holds_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(10).save(tmp_path / "s.npz")
    monkeypatch.setattr("repro.core.environment.memory_at_hand", lambda: 100)
    with pytest.raises(DataError, match="memory are free"):
        Scores.load(tmp_path / "s.npz")


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00v\x00{}", b"<html>", b"PK\x05\x06" + bytes(18)]
)
def test_what_is_no_file_of_scores_is_told(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"s\.npz cannot be read"):
        Scores.load(tmp_path / "s.npz")


def test_places_that_hold_no_file_are_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.npz")
    for name in ("none.npz", "fifo.npz", "."):
        with pytest.raises(DataError, match="no such file"):
            Scores.load(tmp_path / name)


@pytest.mark.parametrize("name", ["ids", "problems", "about"])
def test_what_is_no_sign_of_unicode_is_no_text(tmp_path, name):
    path = tmp_path / "s.npz"
    Scores(np.ones((2, 1, 3), np.float32), np.zeros(2, np.int64), ["a", "b"], [{"id": "c", "problem": "d"}], 1, 1).save(
        path
    )
    with np.load(path) as data:
        arrays = dict(data)
    odd = arrays[name].copy()
    odd.reshape(-1).view(np.uint32)[0] = 0x11_0000
    np.savez(path, **{**arrays, name: odd})
    with pytest.raises(DataError, match="no sign of Unicode"):
        Scores.load(path)
