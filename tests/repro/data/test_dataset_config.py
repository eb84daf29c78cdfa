from __future__ import annotations

import pytest

from repro.core import paths
from repro.core.errors import DataError, NotConfigured, ReproError
from repro.data import dataset_config
from repro.data.datasets import is_configured, open_index
from repro.data.label_maps import official


def write_csv(folder, classes=27, splits=("train", "val")):
    rows = [f"{split}/{label}.mp4,class {label},{split}" for split in splits for label in range(classes)]
    file = folder / "jester.csv"
    file.write_text("path,label,split\n" + "\n".join(rows) + "\n")
    return file


def test_a_dataset_is_found_once_its_place_is_told(tmp_path):
    with pytest.raises(NotConfigured, match="data add jester --root"):
        open_index("jester", "val")
    assert not is_configured("jester")
    assert dataset_config.add("jester", write_csv(tmp_path), 27) == {"train": 27, "val": 27}
    assert is_configured("jester")
    index = open_index("jester", "val")
    assert (index.name, len(index), len(index.classes)) == ("jester", 27, 27)
    assert index.videos[0].path.parent.parent == tmp_path
    assert dataset_config.remove("jester")
    assert not dataset_config.remove("jester")
    assert not is_configured("jester")


def test_names_of_the_release_are_numbered_in_its_order(tmp_path):
    names = official("jester")
    rows = [f"{split}/{number}.mp4,{name},{split}" for split in ("train", "val") for number, name in enumerate(names)]
    (tmp_path / "jester.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    dataset_config.add("jester", tmp_path / "jester.csv", 27)
    index = open_index("jester", "val")
    assert index.classes == names != tuple(sorted(names))
    assert [video.label for video in index.videos] == list(range(27))


@pytest.mark.parametrize("wrong", [{"classes": 26}, {"splits": ("train",)}])
def test_what_does_not_fit_is_not_remembered(tmp_path, wrong):
    with pytest.raises(ReproError):
        dataset_config.add("jester", write_csv(tmp_path, **wrong), 27)
    assert not is_configured("jester")


@pytest.mark.parametrize("text", ["not json", "[1]", '{"jester": 3}'])
def test_a_damaged_file_is_named(text):
    paths.config().mkdir(parents=True, exist_ok=True)
    (paths.config() / "datasets.json").write_text(text)
    with pytest.raises(DataError, match=r"datasets\.json"):
        dataset_config.place("jester")
