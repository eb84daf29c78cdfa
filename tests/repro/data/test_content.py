"""Digests of content: what they tell apart, and that the kept ones are never older than the files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from repro.core import paths
from repro.data import content


@pytest.fixture(autouse=True)
def _settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were just written count as written long ago."""
    monkeypatch.setattr(content, "_RACY_S", -1e9)


def one(path: Path) -> str:
    return content.digests(path.parent, [path])[0]


def kept(root: Path) -> list[Path]:
    return sorted((paths.cache() / "contents").glob("*.txt"))


def test_files_of_equal_size_that_change_places(tmp_path: Path) -> None:
    for name, fill in (("a", b"1"), ("b", b"2")):
        (tmp_path / name).write_bytes(fill * 1000)
    a, b = content.digests(tmp_path, [tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a").rename(tmp_path / "c")
    (tmp_path / "b").rename(tmp_path / "a")
    (tmp_path / "c").rename(tmp_path / "b")
    assert content.digests(tmp_path, [tmp_path / "a", tmp_path / "b"]) == [b, a] != [a, b]


def test_content_written_over_at_the_old_time_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"x" * 500)
    before, facts = one(file), file.stat()
    time.sleep(0.02)  # one tick of the file system's clock
    with file.open("r+b") as stream:
        stream.write(b"y")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert one(file) != before


@pytest.mark.parametrize("place", [0, 3_000_000, 5_999_999])
def test_a_large_file_counts_by_size_head_middle_and_tail(tmp_path: Path, place: int) -> None:
    for name in ("a", "copy", "other", "longer"):
        (tmp_path / name).write_bytes(bytes(6_000_000 + (name == "longer")))
    with (tmp_path / "other").open("r+b") as stream:
        stream.seek(place)
        stream.write(b"\1")
    a, copy, other, longer = (one(tmp_path / name) for name in ("a", "copy", "other", "longer"))
    assert a == copy and len({a, other, longer}) == 3


def frames(folder: Path, grey: int, count: int = 5) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        Image.fromarray(np.full((8, 8), grey + number, np.uint8)).save(folder / f"img_{number:05d}.bmp")
    return folder


def test_a_folder_counts_by_all_its_pictures(tmp_path: Path) -> None:
    first, same = one(frames(tmp_path / "a", 10)), one(frames(tmp_path / "same", 10))
    for hidden in ("._img_00001.bmp", ".DS_Store", "Thumbs.db", "flow_x_00001.bmp"):
        (tmp_path / "a" / hidden).write_bytes(b"junk")
    assert first == same == one(tmp_path / "a")
    frames(tmp_path / "a", 11)
    assert one(tmp_path / "a") == one(frames(tmp_path / "b", 11)) != first
    Image.fromarray(np.full((8, 8), 99, np.uint8)).save(tmp_path / "b" / "img_00002.bmp")
    assert one(tmp_path / "b") != one(tmp_path / "a")


def test_what_is_no_file_is_told_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_bytes(b"1")
    names = ["none", "file/below", "pipe", "loop", "x" * 300]
    found = content.digests(tmp_path, [tmp_path / name for name in names])
    assert found[:3] == [content.MISSING, content.MISSING, content.UNREADABLE]
    assert found[3] == found[4] == content.UNREADABLE


def test_what_is_kept_is_used_and_a_damaged_line_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.mp4"
    file.write_bytes(b"x" * 500)
    right = one(file)
    (store,) = kept(tmp_path)
    monkeypatch.setattr(content, "_digest", lambda seen: "new")
    assert one(file) == right, "read from the cache"
    whole = store.read_bytes()
    for damaged in (whole[:-4], whole.replace(right[:6].encode(), b"000000"), b"\xff\n\0 1 2\n", b""):
        store.write_bytes(damaged)
        content._read.cache_clear()
        assert one(file) == "new"


def test_a_file_that_may_still_be_written_to_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "_RACY_S", 1e9)
    (tmp_path / "a.mp4").write_bytes(b"x")
    one(tmp_path / "a.mp4")
    assert kept(tmp_path) == []


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "contents").write_bytes(b"a file where a folder should be")
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.mp4").write_bytes(b"x")
    assert one(tmp_path / "a.mp4") == one(tmp_path / "a.mp4")


WRITER = """
import sys
from pathlib import Path
from repro.data import content
content._RACY_S = -1e9
folder = Path(sys.argv[1])
for _ in range(20):
    content.digests(folder, sorted(folder.iterdir())[int(sys.argv[2])::3])
"""


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    for number in range(60):
        (tmp_path / f"{number:02d}.mp4").write_bytes(b"%d" % number)
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(part)]) for part in (0, 1, 2)]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    (store,) = kept(tmp_path)
    found = {line.split()[0]: line.split()[1] for line in store.read_text().splitlines() if line}
    assert sorted(found.values()) == sorted(content.digests(tmp_path, sorted(tmp_path.iterdir())))
