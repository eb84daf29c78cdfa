"""A user's CSV under a name of its own: added, checked, opened, and told to other processes."""

from __future__ import annotations

import csv
import re
import shutil

import pytest

from repro import registry
from repro.__main__ import main
from repro.core.errors import DataError
from repro.data import datasets, user_data
from repro.data.check_csv import check_csv


@pytest.fixture(autouse=True)
def _own_registry(own_registry, monkeypatch):
    monkeypatch.setattr(user_data, "_opened", {})


@pytest.fixture
def copy(tiny_csv, tmp_path):
    """The tiny dataset with a folder of its own, to be changed."""
    folder = tmp_path / "tiny"
    shutil.copytree(tiny_csv.parent, folder)

    def changed(change=lambda rows: None):
        rows = list(csv.reader((folder / "tiny.csv").open()))
        change(rows)
        with (folder / "tiny.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        return folder / "tiny.csv"

    return changed


def test_a_csv_gets_a_name_and_is_that_dataset(copy, capsys):
    file = copy()
    assert main(["data", "add", "mine", "--csv", str(file)]) == 0
    assert "mine: 12 train, 5 val; 3 classes" in capsys.readouterr().out
    assert datasets.is_configured("mine") and len(datasets.open_index("mine", "train")) == 12
    name = user_data.dataset_name("mine")
    assert name.startswith("mine@") and name.partition("@")[2] == user_data.dataset_name(str(file)).partition("@")[2]
    assert main(["data", "check", "mine", "--jobs", "1"]) == 0
    assert main(["data", "list"]) == 0
    assert re.search(rf"^ *mine +.*{re.escape(str(file))}", capsys.readouterr().out, re.MULTILINE)
    assert main(["data", "remove", "mine"]) == 0 and not datasets.is_configured("mine")


def test_the_suites_names_stay_what_they_are(copy, capsys):
    assert main(["data", "add", "probe-order", "--csv", str(copy())]) == 2
    assert "comes with the suite" in capsys.readouterr().err
    assert main(["data", "add", "no/name", "--csv", str(copy())]) == 2
    assert "letters, digits" in capsys.readouterr().err


def test_other_processes_open_what_they_are_told_of(copy):
    name = user_data.dataset_name(str(copy()))
    told = user_data.opened()
    del registry.datasets._entries[name]
    user_data.register(name, *told[name])
    assert len(datasets.open_index(name, "val")) == 5 and datasets.num_classes(name) == 3


def test_a_good_list_is_described(copy):
    done = check_csv(copy())
    assert done.ok and (done.checked, done.videos) == (17, 17)
    told = [str(finding) for finding in done.findings]
    assert any("train: 12 videos of 3 classes, 4 a class" in line for line in told)
    assert any("9 to 9 frames a video" in line for line in told)
    assert check_csv(copy(), sample=3).checked == 3


@pytest.mark.parametrize("option", ["--official", "--videos"])
def test_options_of_other_datasets_are_not_passed_over(option, copy, capsys):
    assert main(["data", "check", str(copy()), option, "x"]) == 2
    assert "with a dataset of its own folder" in capsys.readouterr().err


def test_what_would_go_wrong_is_told(copy, capsys):
    def spoil(rows):
        rows[1][0] = "nothing.mp4"
        rows.append(["again.mp4", "class2", "train"])

    file = copy(spoil)
    shutil.copy(file.parent / "2.mp4", file.parent / "again.mp4")
    (file.parent / "5.mp4").write_bytes((file.parent / "5.mp4").read_bytes()[:300])
    assert main(["data", "check", str(file), "--jobs", "1"]) == 1
    told = capsys.readouterr().out
    assert "nothing.mp4" in told and "5.mp4" in told and "error (unreadable)" in told
    assert "suspect (copy): one video several times: 2.mp4 (train), again.mp4 (train)" in told
    assert f"{file}: 18 of 18 videos decoded: errors, see above" in told


def test_a_list_that_is_none_is_told_with_its_line(copy, capsys):
    file = copy(lambda rows: rows.append(["x.mp4", "", "train"]))
    with pytest.raises(DataError, match="line 19"):
        check_csv(file)
    assert main(["data", "check", str(file)]) == 2


def test_a_class_without_a_test_video_is_suspect(copy):
    def leave_out(rows):
        rows[:] = [row for row in rows if row[1:] != ["class1", "val"]]

    assert any("val has no video of class1" in str(finding) for finding in check_csv(copy(leave_out)).findings)
