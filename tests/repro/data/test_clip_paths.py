from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from repro.core.errors import BadOption, DataError
from repro.data.clip_paths import clips_of


@pytest.fixture
def tree(tmp_path):
    """Videos in two class folders, a folder of frames, what systems and people leave beside them."""
    for name in ("run/v10.mp4", "run/v9.mp4", "run/notes.txt", "run/._v9.mp4", "Jump/a [1].AVI", "__MACOSX/v9.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"0")
    (tmp_path / "frames").mkdir()
    for number in range(3):
        Image.new("RGB", (4, 4)).save(tmp_path / "frames" / f"{number}.png")
    return tmp_path


def told(tree, *names):
    return [clip.relative_to(tree).as_posix() for clip in clips_of(str(tree / name) for name in names)]


def test_a_folder_of_clips_and_a_clip_of_frames(tree):
    assert told(tree, "") == ["frames", "Jump/a [1].AVI", "run/v9.mp4", "run/v10.mp4"]
    assert told(tree, "frames") == ["frames"]
    (tree / "run" / "thumbnail.png").write_bytes((tree / "frames/0.png").read_bytes())
    assert told(tree, "run") == ["run/v9.mp4", "run/v10.mp4"]


@pytest.mark.parametrize("name", ["a.ogv", "b.M2TS", "c.mts", "d.vob", "e.gif", "f.mxf", "g.asf", "h.dv"])
def test_videos_of_any_container_are_found(tmp_path, name):
    (tmp_path / name).write_bytes(b"0")
    assert told(tmp_path, "") == [name]


def test_a_folder_that_cannot_be_read_is_told_unless_the_system_made_it(tree, monkeypatch):
    listing = os.scandir

    def scandir(path):  # root may read all
        if Path(path).name in ("run", "lost+found"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    (tree / "lost+found").mkdir()
    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(DataError, match="run' cannot be read: Permission denied"):
        clips_of([tree])
    (tree / "run").rename(tree / ".run")
    assert told(tree, "") == ["frames", "Jump/a [1].AVI"]


def test_patterns_and_names_that_look_like_patterns(tree):
    assert told(tree, "run/*.mp4", "run/v9.mp4") == ["run/v9.mp4", "run/v10.mp4"]
    assert told(tree, "*/v?.mp4")[-1] == "run/v9.mp4"
    assert told(tree, "Jump/a [1].AVI") == ["Jump/a [1].AVI"]
    assert told(tree, "f*") == ["frames"]
    with pytest.raises(DataError, match=r"no file is named like .*\*\.webm"):
        clips_of([str(tree / "*.webm")])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.txt", "run/v10.mp4\n\n  run/v9.mp4  \nabsent.mp4\n"),
        ("list.lst", "\ufeffrun/v10.mp4\r\nrun/v9.mp4\r\nabsent.mp4"),
        ("list.csv", 'label,path\nx,run/v10.mp4\n"y, z",run/v9.mp4\n,absent.mp4\n'),
    ],
)
def test_lists_are_relative_to_themselves_and_keep_what_is_absent(tree, name, content):
    (tree / name).write_text(content, encoding="utf-8")
    assert told(tree, name) == ["run/v10.mp4", "run/v9.mp4", "absent.mp4"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("list.txt", "", "names no file that exists"),
        ("list.txt", "a film of letters\n", "names no file that exists, first 'a film of letters'"),
        ("list.csv", "file\nrun/v9.mp4\n", "no column `path`"),
        ("list.csv", "", "no column `path`"),
        ("list.csv", "label,path\nx,run/v9.mp4\ny\n", "line 3: 'y'; allowed: label,path"),
        ("list.csv", "label,path\na, b,run/v9.mp4\n", "line 2: 'a, b,run/v9.mp4'"),
        ("list.csv", "path,label\n,x\nrun/v9.mp4,x\n", "line 2: ',x'"),
        ("list.csv", "path,path\nrun/v9.mp4,run/v10.mp4\n", "line 1: 'path,path'"),
        ("list.txt", b"\xff\xfe\x00", "not UTF-8"),
    ],
)
def test_a_list_that_is_none_is_told(tree, name, content, told):
    (tree / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=told):
        clips_of([tree / name])


def test_no_clip_and_no_file(tree):
    (tree / "empty").mkdir()
    with pytest.raises(DataError, match="without videos and pictures"):
        clips_of([tree / "empty"])
    with pytest.raises(BadOption, match=r"curl -LO https://a.org/b.mp4"):
        clips_of(["https://a.org/b.mp4"])
    assert clips_of([tree / "absent.mp4"]) == [tree / "absent.mp4"]  # told when it is read
