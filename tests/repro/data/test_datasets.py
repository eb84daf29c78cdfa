"""Names of datasets: listed without torch, opened when there is a place, refused with the command that mends it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from repro.core.errors import NotConfigured, UnknownName
from repro.data import datasets
from repro.registry import datasets as registry


def test_known_names_and_their_classes():
    counts = {
        name: registry[name].facts["num_classes"] for name in ("kinetics400", "sthv1", "sthv2", "jester", "diving48")
    }
    assert counts == {"kinetics400": 400, "sthv1": 174, "sthv2": 174, "jester": 27, "diving48": 48}
    assert datasets.is_configured("probe-order") and not datasets.is_configured("kinetics400")
    assert datasets.num_classes("minikinetics") == 200


def test_a_dataset_without_a_place_says_what_to_do():
    with pytest.raises(NotConfigured, match=r"kinetics400 is not configured.*data add kinetics400 --root"):
        datasets.open_index("kinetics400", "val")


def test_unknown_names_are_suggested():
    with pytest.raises(UnknownName, match="did you mean kinetics400"):
        datasets.open_index("kinetics-400", "val")


def test_a_csv_is_a_dataset(tmp_path, write_csv):
    file = write_csv(tmp_path / "my.csv", [("a.mp4", "x", "train"), ("b.mp4", "y", "val")])
    assert len(datasets.open_index(str(file), "train")) == 1
    assert datasets.is_configured(str(file)) and datasets.num_classes(str(file)) == 2
    assert not datasets.is_configured(str(tmp_path / "none.csv"))


def test_a_third_party_registers_a_dataset(tmp_path, write_csv, own_registry):
    from repro.data.index import read_csv

    file = write_csv(tmp_path / "my.csv", [("a.mp4", "x", "val")])
    registry.add("test-third-party", lambda name, split: read_csv(file, split), origin="test", num_classes=1)
    assert len(datasets.open_index("test-third-party", "val")) == 1


def test_listing_and_workers_import_no_torch():
    code = (
        "import repro.data.datasets, repro.data.pool, repro.data.views_of_video, sys; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_embedded_videos_are_counted_without_being_written(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path))
    assert [datasets.video_count("probe-order", split) for split in ("train", "choose", "test")] == [4096, 1024, 4096]
    assert not list(tmp_path.iterdir())
