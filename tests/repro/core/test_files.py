"""What is written is there whole or not at all, whoever dies; a living writer's work is left alone."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro.core import files
from repro.core.errors import ReproError
from repro.core.files import building, clear_left, only_writer, write_atomic, writing

_HALF = """
import os, sys, time
from pathlib import Path
from repro.core.files import building, writing
with building(Path(sys.argv[1]) / "folder") as part, writing(Path(sys.argv[1]) / "file") as file:
    file.write(b"half")
    file.flush()
    (part / "a").write_text("half")
    print("ready", flush=True)
    time.sleep(60)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_atomic(path, b"old")
    with pytest.raises(ZeroDivisionError), writing(path) as file:
        file.write(b"ne")
        1 / 0  # noqa: B018
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.json"]
    write_atomic(path, b"new")
    with pytest.raises(FileExistsError):
        write_atomic(path, b"other", over=False)
    assert path.read_bytes() == b"new" and names(tmp_path) == ["a.json"]
    write_atomic(tmp_path / "b", path)
    assert (tmp_path / "b").read_bytes() == b"new"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_is_told_with_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def full(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(ReproError, match=r"x\.pt .*cannot be written"):
        write_atomic(tmp_path / "x.pt", b"12345")
    assert names(tmp_path) == []


def test_without_hard_links_a_rename_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(files.os, "link", refuse)
    write_atomic(tmp_path / "a", b"1", over=False)
    with pytest.raises(PermissionError):
        write_atomic(tmp_path / "a", b"2", over=False)
    assert (tmp_path / "a").read_bytes() == b"1"


def test_a_folder_is_whole_or_absent_and_the_first_stays(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), building(tmp_path / "f") as part:
        (part / "a").write_text("1")
        1 / 0  # noqa: B018
    assert names(tmp_path) == []
    for text in ("first", "second"):
        with building(tmp_path / "f") as part:
            (part / "a").write_text(text)
    assert (tmp_path / "f" / "a").read_text() == "first" and names(tmp_path) == ["f"]


def test_what_a_dead_writer_left_goes_and_a_living_ones_stays(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _HALF, tmp_path], stdout=subprocess.PIPE)
    assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
    clear_left(tmp_path)
    assert len(names(tmp_path)) == 2
    writer.kill()
    writer.wait()
    with only_writer(tmp_path):
        assert names(tmp_path) == []


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_whoever_writes_a_file_has_the_usual_permissions(mask: int, tmp_path: Path) -> None:
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "record", b"x")
        with files.filling(tmp_path / "weights") as temporary:
            os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "record", tmp_path / "weights")} == {0o666 & ~mask}


def test_a_writer_that_was_stopped_is_waited_for_no_longer_than_said(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(files, "LOCKED_S", 0.3)
    with only_writer(tmp_path):
        with pytest.raises(ReproError, match=r"locked for 0\.3 s by a process that writes there, or was stopped"):
            with only_writer(tmp_path):
                pass
    with only_writer(tmp_path):
        write_atomic(tmp_path / "file", b"new")


def test_what_another_host_left_goes_by_its_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files.socket, "gethostname", lambda: "elsewhere")
    left = files.temporary_of(tmp_path / "a")
    monkeypatch.undo()
    left.write_bytes(b"half")
    (tmp_path / ".hidden.tmp").write_bytes(b"whose?")
    clear_left(tmp_path)
    assert len(names(tmp_path)) == 2
    for path in tmp_path.iterdir():
        os.utime(path, (time.time() - 2 * 86_400,) * 2)
    clear_left(tmp_path)
    assert names(tmp_path) == []


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    for place in (tmp_path / "none" / "a.txt", tmp_path):
        with pytest.raises(OSError) as told:
            files.write_atomic(place, b"x")
        assert told.value.filename == str(place)
