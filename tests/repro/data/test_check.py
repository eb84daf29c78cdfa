"""`data check`: each fault that a copy may have is found and named; nothing of the copy is touched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from video_corpus import FILES

from repro.core.errors import BadOption, NotConfigured
from repro.data import catalogue
from repro.data.check import check, last, state
from repro.data.check_rules import Seen, another_root, colour_order, label_map, start_index
from repro.data.datasets import open_index
from repro.data.indexing import Added, Source, add, summary


def added(mini, root=None, **more):
    return add(mini.name, Source(root or mini.root, tuple(map(str, mini.annotations)), mini.labels, **more)).catalogue


def kinds(done):
    return {finding.kind: str(finding) for finding in done.findings if finding.level != "note"}


@pytest.fixture
def copy(miniature, tmp_path):
    """A copy of a miniature to spoil."""

    def make(name):
        mini = miniature(name)
        shutil.copytree(mini.root, tmp_path / "copy")
        return mini, tmp_path / "copy"

    return make


@pytest.mark.parametrize("name", ["kinetics400", "sthv1", "sthv2"])
def test_a_good_copy_is_good(miniature, name):
    added(miniature(name))
    assert "not checked" in state(name)
    done = check(name, workers=2)
    assert done.ok and not kinds(done) and (done.checked, done.quarantined) == (12, 0)
    assert last(name) == done and "checked 12 of 12" in state(name) and state(name).endswith("good")


@pytest.mark.parametrize("name", ["kinetics400", "sthv2", "jester"])
def test_truncated_videos_are_set_aside_and_reported_as_missing(copy, name):
    mini, root = copy(name)
    added(mini, root)
    whole_copy = open_index(name, "val").fingerprint
    video = mini.videos["val"][1][0]
    path = next(path for path in root.rglob("*") if path.name in (video, f"{video}.mp4", f"{video}.webm"))
    broken = path / "00005.jpg" if path.is_dir() else path
    whole = broken.read_bytes()
    broken.write_bytes(whole[: len(whole) * 2 // 3])
    done = check(name)
    assert not done.ok and video in kinds(done)["corrupt"] and "truncated" in kinds(done)["corrupt"]
    index = open_index(name, "val")
    assert len(index) == 4 and list(index.problems) == [video] and index.fingerprint != whole_copy
    assert broken.stat().st_size < len(whole)  # nothing is mended or deleted
    broken.write_bytes(whole)
    assert check(name).ok and open_index(name, "val").fingerprint == whole_copy


@pytest.mark.parametrize("name", ["diving48", "sthv1"])
def test_a_training_video_that_is_held_out_under_another_name_is_told(copy, name):
    mini, root = copy(name)
    train, val = (
        next(path for path in root.rglob("*") if path.stem == mini.videos[split][1][0]) for split in ("train", "val")
    )
    if train.is_dir():
        shutil.rmtree(val)
        shutil.copytree(train, val)
    else:
        shutil.copy(train, val)
    added(mini, root)
    done = check(name)
    assert done.ok and "1 videos stand in train and are held out" in kinds(done)["leak"]
    assert train.stem in kinds(done)["leak"] and val.stem in kinds(done)["leak"]


def test_a_quarantined_training_video_is_left_out(copy):
    mini, root = copy("diving48")
    made = added(mini, root)
    (root / f"{mini.videos['train'][2][0]}.mp4").write_bytes(b"no video at all")
    assert check("diving48").quarantined == 1
    assert len(open_index("diving48", "train")) == 7
    assert catalogue.read_quarantine(made.folder) == {
        ("train", mini.videos["train"][2][0]): "not a video, truncated or damaged"
    }


HEALTHY = ["av1.mp4", "av1.webm", "h264.ts", "open.mp4", "cut.mp4", "no_first_key.mkv", "piped.mkv", "piped.webm",
           "piped.avi", "packed.avi", "two.mkv", "cover.mp4", "ten_bit.mp4", "prores.mov", "wmv2.wmv"]  # fmt: skip


def test_healthy_videos_of_any_kind_are_never_set_aside(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    for number, name in enumerate(HEALTHY):
        FILES[name](root / name).rename(root / f"v{number:02d}{Path(name).suffix}")
    for extra in root.glob(".*"):
        extra.unlink()
    rows = [{"vid_name": f"v{number:02d}", "label": number % 5} for number in range(len(HEALTHY))]
    (tmp_path / "Diving48_V2_test.json").write_text(json.dumps(rows))
    add("diving48", Source(root, (str(tmp_path / "Diving48_V2_test.json"),)))
    for decoder in ("auto", "pyav", "decord"):
        done = check("diving48", decoder=decoder)
        assert (done.checked, done.quarantined) == (len(HEALTHY), 0), [str(f) for f in done.findings]
        told = [str(finding) for finding in done.findings if finding.kind == "decoder"]
        assert len(told) == (decoder == "decord") and all("--decoder auto reads them" in text for text in told)


def test_bgr_frames_are_certain_beside_their_videos_and_suspected_without(miniatures_module, miniature, tmp_path):
    module, mini = miniatures_module, miniature("jester")
    classes = module.names_of("jester")
    for chosen in mini.videos.values():
        for video, label in chosen:
            module.write_frames(tmp_path / "bgr" / video, classes.index(label), bgr=True)
            module.write_video(tmp_path / "videos" / f"{video}.webm", classes.index(label), codec="libvpx-vp9")
    added(mini, tmp_path / "bgr")
    assert kinds(check("jester"))["colour"].startswith("suspect (colour): BGR? 12 of the 12")
    done = check("jester", videos=tmp_path / "videos")
    assert not done.ok and "12 of 12 frames equal" in kinds(done)["colour"]
    added(mini)
    assert not kinds(check("jester", videos=tmp_path / "videos"))


@given(st.lists(st.floats(-60, 60), max_size=40))
def test_a_majority_of_red_videos_is_never_suspected(values):
    seen = [Seen(12, value) for value in values]
    blue, red = sum(value < -2 for value in values), sum(value > 2 for value in values)
    assert not (blue <= red and colour_order("sthv1", seen))
    assert not colour_order("diving48", seen)


def test_other_start_indices_and_counts_are_told(miniatures_module, miniature, tmp_path):
    mini = miniature("jester")
    for chosen in mini.videos.values():
        for number, (video, _) in enumerate(chosen):
            miniatures_module.write_frames(tmp_path / "x" / video, 0, first=3 if number == 0 else 0)
    made = added(mini, tmp_path / "x")
    (found,) = start_index(made.rows)
    assert found.level == "error" and "from 0 in 10 folders, from 3 in 2 folders" in found.text
    assert "their first pictures are gone" in found.fix
    assert start_index([catalogue.Row("a", "val", 0, "a", frames=11, first=1)])[0].level == "note"
    listed = [catalogue.Row("a", "val", 0, "a", frames=11, first=1, listed_frames=12)]
    assert "most by -1" in start_index(listed)[1].text


def test_a_small_part_of_the_list_means_a_wrong_root_and_official_lists_are_compared(copy, tmp_path):
    mini, root = copy("kinetics400")
    shutil.rmtree(root / "train")
    made = added(mini, root)
    assert made.count("train") == (0, 8)
    assert "train: 8 of 8 videos of the annotations are missing" in kinds(check("kinetics400"))["wrong root"]
    official = tmp_path / "official_val.csv"
    text = mini.annotations[1].read_text().replace("abseiling", "archery")
    official.write_text(text + "archery,zzz,1,11,val,0\n")
    done = check("kinetics400", official=[official])
    assert "1 videos have another label than in official_val.csv" in kinds(done)["labels"]
    assert any("1 of 5 videos of official_val.csv are not here: zzz" in str(finding) for finding in done.findings)


def test_the_folder_of_another_dataset_that_numbers_its_videos_alike_is_suspected(miniature, tmp_path):
    mini, other = miniature("sthv1"), tmp_path / "20bn-jester-v1"
    shutil.copytree(mini.root, other)
    made = added(mini, other)
    (found,) = another_root(made)
    assert found.kind == "wrong root" and "'20bn-jester-v1' is named as Jester V1" in found.text
    assert str(found) in "\n".join(summary(Added(made, ())))
    assert "Jester V1" in kinds(check("sthv1"))["wrong root"]
    assert not another_root(added(mini)) and not another_root(added(miniature("jester")))
    above = tmp_path / "jester and others" / "sth-sth-v1"
    shutil.copytree(mini.root, above)
    assert not another_root(added(mini, above))
    assert not another_root(added(miniature("kinetics400")))


def test_a_sample_is_the_same_each_time_and_a_changed_file_is_told(copy, miniatures_module):
    mini, root = copy("diving48")
    added(mini, root)
    done, again = (check("diving48", sample=5) for _ in range(2))
    assert done.checked == again.checked == 5 and done.findings == again.findings
    for path in root.glob("*.mp4"):
        miniatures_module.write_video(path, 3, frames=14)
    assert "5 videos have changed since data add" in kinds(check("diving48", sample=5))["changed"]


def test_an_interrupted_check_goes_on_and_looks_again_at_what_has_changed(copy):
    mini, root = copy("diving48")
    added(mini, root)

    def stop(done, total):
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check("diving48", on_progress=stop)
    assert last("diving48") is None
    changed = root / f"{mini.videos['train'][1][0]}.mp4"
    changed.write_bytes(changed.read_bytes()[:-500])
    steps = []
    done = check("diving48", on_progress=lambda number, total: steps.append(number))
    assert steps == list(range(5, 13)) and done.quarantined == 1 and done.checked == 12
    steps.clear()
    check("diving48", on_progress=lambda number, total: steps.append(number))
    assert len(steps) == 12


def test_the_classes_of_a_part_are_compared_with_the_whole(miniature, tmp_path):
    mini = miniature("kinetics200")
    made = added(mini)
    assert "200 classes of kinetics400, alphabetically ordered" in str(label_map(made))
    names = list(made.header["classes"])
    strange = catalogue.Catalogue(made.folder, {**made.header, "classes": ["no such thing", *names[1:]]}, made.rows)
    assert label_map(strange)[0].level == "error" and "1 of 200 classes are none of kinetics400" in str(
        label_map(strange)
    )


def test_what_cannot_be_checked_says_why(tmp_path):
    from repro.data import dataset_config

    with pytest.raises(NotConfigured, match="data add jester --root"):
        check("jester")
    rows = [f"{split}/{label}.mp4,class {label},{split}" for split in ("train", "val") for label in range(27)]
    (tmp_path / "jester.csv").write_text("path,label,split\n" + "\n".join(rows) + "\n")
    dataset_config.add("jester", tmp_path / "jester.csv", 27)
    with pytest.raises(BadOption, match="no index to check"):
        check("jester")
    assert "the CSV" in state("jester")
    assert "27 classes, officially 118,562 train" in (dataset_config.remove("jester") and state("jester"))
