"""`data add`: what the stored index holds, that it resumes, and that two copies are told apart."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from repro.core.errors import BadOption, DataError, UnknownName
from repro.data import catalogue, dataset_config, indexing
from repro.data.datasets import is_configured, open_index
from repro.data.indexing import Source, add


def source(mini, **more):
    return replace(Source(mini.root, tuple(map(str, mini.annotations)), mini.labels), **more)


def test_the_index_holds_ids_labels_counts_sizes_and_rates(miniature):
    made = add("kinetics400", source(miniature("kinetics400"))).catalogue
    row = made.rows[0]
    assert (row.frames, row.width, row.height, row.fps, row.first) == (12, 64, 48, 12.0, -1)
    assert row.bytes == (made.root / row.path).stat().st_size and row.id == "abc-_000000_000000_000010"
    assert made.count("train") == (8, 8) and made.header["media"] == "videos"
    index = open_index("kinetics400", "val")
    assert is_configured("kinetics400") and len(index) == 4 and index.classes[index.videos[0].label] == "abseiling"
    assert index.facts["missing"] == 0 and not index.problems
    assert (index.facts["short_side"], index.facts["fps"], "first_index" in index.facts) == (48, 12.0, False)
    frames = add("jester", source(miniature("jester"))).catalogue.rows[0]
    assert open_index("jester", "val").facts["first_index"] == 1
    assert (frames.frames, frames.width, frames.first, frames.fps) == (12, 64, 1, 0.0)


def test_a_copy_elsewhere_has_the_same_fingerprint_and_a_re_encoded_one_another(miniature, tmp_path):
    mini = miniature("diving48")
    first = open_after_add(mini)
    shutil.copytree(mini.root, tmp_path / "moved" / "deep")
    assert open_after_add(mini, root=tmp_path / "moved") == first
    changed = open_index("diving48", "train").videos[0].path
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    again = open_index("diving48", "train").fingerprint
    assert again != first, "without data add, too"
    assert open_after_add(mini, root=tmp_path / "moved") == again


def test_one_file_in_two_splits_is_refused(tmp_path, miniatures_module):
    miniatures_module.write_frames(tmp_path / "root" / "abseiling" / "v0", 0)
    (tmp_path / "root" / "abseiling" / "v1").symlink_to("v0")
    for other in ("./abseiling/v0", "abseiling/v1"):
        (tmp_path / "train_videofolder.txt").write_text("abseiling/v0 12 0\n")
        (tmp_path / "val_videofolder.txt").write_text(f"{other} 12 0\n")
        files = tuple(str(tmp_path / f"{split}_videofolder.txt") for split in ("train", "val"))
        with pytest.raises(DataError, match=r"abseiling/v.' is of two splits: train .* val as"):
            add("kinetics400", Source(tmp_path / "root", files))


def open_after_add(mini, **more):
    add(mini.name, source(mini, **more))
    return open_index(mini.name, "train").fingerprint


def test_missing_videos_are_listed_at_test_and_left_out_of_training(miniature, tmp_path):
    mini = miniature("sthv2")
    root = tmp_path / "copy"
    shutil.copytree(mini.root, root)
    gone = [mini.videos[split][0][0] for split in ("train", "val")]
    for video in gone:
        (root / f"{video}.webm").unlink()
    (root / f"{mini.videos['val'][1][0]}.webm").write_bytes(b"")
    added = add("sthv2", source(mini, root=root))
    assert any("1 cannot be opened: empty file" in line for line in indexing.summary(added))
    val, train = open_index("sthv2", "val"), open_index("sthv2", "train")
    assert len(val) == 4 and len(train) == 7 and gone[0] not in [video.id for video in train.videos]
    assert val.problems == {gone[1]: catalogue.MISSING, mini.videos["val"][1][0]: "empty file"}
    assert (val.facts["annotated"], val.facts["missing"], val.facts["unreadable"]) == (4, 1, 1)


def test_an_interrupted_start_goes_on(miniature, monkeypatch):
    mini = miniature("jester")
    seen = []

    def stop(done, total):
        seen.append(done)
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add("jester", source(mini), on_progress=stop)
    assert not is_configured("jester")
    rest = []
    add("jester", source(mini), on_progress=lambda done, total: rest.append(done))
    assert rest[0] == 6 and rest[-1] == 12 and is_configured("jester")


@pytest.mark.parametrize("damage", ["cut", "not json", "version", "gone"])
def test_a_damaged_index_says_how_to_build_it_again(miniature, damage):
    folder = add("jester", source(miniature("jester"))).catalogue.folder
    if damage == "cut":
        (folder / "videos.csv").write_bytes((folder / "videos.csv").read_bytes()[:-20])
    elif damage == "not json":
        (folder / "index.json").write_text("{")
    elif damage == "version":
        header = json.loads((folder / "index.json").read_text())
        (folder / "index.json").write_text(json.dumps({**header, "version": 99}))
    else:
        (folder / "videos.csv").unlink()
    with pytest.raises(DataError, match="data add jester --root"):
        open_index("jester", "val")


@pytest.mark.parametrize("wrong", [{"split": "vall"}, {"label": 27}, {"label": -1}])
def test_an_index_that_names_an_unknown_split_or_class_is_damaged(miniature, wrong):
    made = add("jester", source(miniature("jester"))).catalogue
    file = catalogue.write(made.folder, made.header, [replace(made.rows[0], **wrong), *made.rows[1:]])
    with pytest.raises(DataError, match=r"is of split .* and class .*"):
        catalogue.read(file)


def test_what_the_user_forgets_is_told(miniature, tmp_path):
    mini = miniature("diving48")
    with pytest.raises(BadOption, match="no annotation file lists a video"):
        add("diving48", source(mini, annotations=(str(mini.annotations[0]),)))
    shutil.copy(mini.annotations[1], tmp_path / "list.json")
    with pytest.raises(DataError, match=r"which split.*--annotations train="):
        add("diving48", source(mini, annotations=(str(tmp_path / "list.json"),)))
    add("diving48", source(mini, annotations=(f"val={tmp_path / 'list.json'}",)))
    with pytest.raises(UnknownName, match="allowed: val"):
        open_index("diving48", "train")
    with pytest.raises(DataError, match="wrong root"):
        add("diving48", source(mini, root=tmp_path))
    assert dataset_config.remove("diving48")


def test_a_video_with_two_labels_is_refused(miniature, tmp_path):
    mini = miniature("sthv1")
    text = mini.annotations[1].read_text()
    video = text.partition(";")[0]
    (tmp_path / "a-train.csv").write_text(text + f"{video};Folding something\n")
    files = (str(mini.annotations[0]), str(tmp_path / "a-train.csv"))
    with pytest.raises(DataError, match=rf"'{video}' has two labels.*line 1.*line 9"):
        add("sthv1", source(mini, annotations=files))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("template", ["img_{:05d}.jpg", "image_{:05d}.jpg", "{:06d}.jpg"])
def test_public_lists_of_frames_and_videos_name_the_same_videos(tmp_path, template, first, miniatures_module):
    """TSM's and TDN's rawframes lists and mmaction2's video lists, on one copy each."""
    for number in range(4):
        path = tmp_path / "frames" / "abseiling" / f"v{number}"
        miniatures_module.write_frames(path, 0, template=template, first=first)
    lines = [f"kinetics/images/abseiling/v{number} 12 0" for number in range(4)]
    for split, chosen in (("train", lines[:3]), ("val", lines[3:])):
        (tmp_path / f"{split}_videofolder.txt").write_text("\n".join(chosen))
    files = tuple(str(tmp_path / f"{split}_videofolder.txt") for split in ("train", "val"))
    made = add("kinetics400", Source(tmp_path / "frames", files)).catalogue
    assert made.header["media"] == "frames" and {row.first for row in made.rows} == {first}
    assert [row.id for row in made.rows] == ["v0", "v1", "v2", "v3"]
