from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace

import pytest

from repro.core import lease

ID = "c" * 64
_HOLD = """
import sys, time
from repro.core import lease
with lease.hold(sys.argv[1], 0):
    print("held", flush=True)
    time.sleep(60)
"""


def start_holder():
    process = subprocess.Popen([sys.executable, "-c", _HOLD, ID], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def write(holder, *, age=0.0):
    path = lease.place(ID, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(holder)))
    then = time.time() - age
    os.utime(path, (then, then))
    return path


class Busy(Exception):
    pass


def give_up():
    raise Busy


def test_a_held_cell_is_seen_and_free_afterwards():
    assert lease.holder(ID, 0) is None
    with lease.hold(ID, 0) as before:
        assert before is None
        assert lease.holder(ID, 0).pid == os.getpid()
        assert lease.holder(ID, 1) is None
    assert not lease.place(ID, 0).exists()


def test_a_living_process_is_waited_for_and_a_killed_one_is_succeeded():
    other = start_holder()
    try:
        with pytest.raises(Busy), lease.hold(ID, 0, on_wait=give_up):
            pytest.fail("two hold it")
        assert lease.holder(ID, 0).pid == other.pid
    finally:
        other.kill()
        other.wait()
    assert lease.holder(ID, 0) is None
    with lease.hold(ID, 0, on_wait=give_up) as before:
        assert before.pid == other.pid


def test_another_machine_has_it_as_long_as_it_is_touched():
    far = replace(lease.this_process(), host="far", pid=1, token="far")
    write(far, age=lease.EXPIRY_S / 2)
    with pytest.raises(Busy), lease.hold(ID, 0, on_wait=give_up):
        pytest.fail("two hold it")
    write(far, age=lease.EXPIRY_S + 60)
    assert lease.holder(ID, 0) is None
    with lease.hold(ID, 0, on_wait=give_up) as before:
        assert before == far


def test_a_requeued_job_takes_over_from_its_earlier_start_on_another_node(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    write(replace(lease.this_process(), host="far", token="far"))
    with lease.hold(ID, 0, on_wait=give_up) as before:
        assert (before.job, before.host) == ("7", "far")
    write(replace(lease.this_process(), host="far", token="far", job="8"))
    with pytest.raises(Busy), lease.hold(ID, 0, on_wait=give_up):
        pytest.fail("two hold it")


def test_it_is_touched_while_it_is_held(monkeypatch):
    monkeypatch.setattr(lease, "BEAT_S", 0.05)
    with lease.hold(ID, 0):
        os.utime(lease.place(ID, 0), (0, 0))
        deadline = time.monotonic() + 10
        while lease.place(ID, 0).stat().st_mtime < 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert lease.place(ID, 0).stat().st_mtime > 1


def test_an_error_frees_it_and_a_stop_leaves_it_for_the_successor():
    with pytest.raises(ValueError), lease.hold(ID, 0):
        raise ValueError
    assert not lease.place(ID, 0).exists()
    with pytest.raises(KeyboardInterrupt), lease.hold(ID, 0):
        raise KeyboardInterrupt
    assert lease.place(ID, 0).exists()


def test_one_process_may_hold_it_twice():
    with lease.hold(ID, 0), lease.hold(ID, 0, on_wait=give_up) as before:
        assert before is None
    assert not lease.place(ID, 0).exists()


def test_of_many_that_see_it_lapsed_one_succeeds():
    gone = replace(lease.this_process(), host="far", token="far")
    path = write(gone, age=lease.EXPIRY_S + 60)
    barrier, winners = threading.Barrier(16), []

    def grab(number):
        mine = replace(lease.this_process(), token=f"t{number}")
        barrier.wait()
        if lease.take(path, mine)[0]:
            winners.append(mine.token)

    threads = [threading.Thread(target=grab, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert winners == [json.loads(path.read_text())["token"]]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


WRONG = {"pid": "12", "host": None, "token": 3, "job": [], "born": 1.5, "more": "x"}


@pytest.mark.parametrize("content", ["", "{}", "[1]", "not json", "[" * 100_000, *WRONG])
def test_what_is_no_lease_lapses_by_its_age_also_where_that_is_in_the_future(content):
    path = lease.place(ID, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    fields = asdict(lease.this_process()) | {content: WRONG[content]} if content in WRONG else None
    for age in (lease.EXPIRY_S + 60, -lease.EXPIRY_S - 60):
        path.write_text(json.dumps(fields) if fields else content)
        os.utime(path, (time.time() - age,) * 2)
        with lease.hold(ID, 0, on_wait=give_up):
            pass
    path.write_text(json.dumps(fields) if fields else content)
    with pytest.raises(Busy), lease.hold(ID, 0, on_wait=give_up):  # perhaps it is being written on a slow disk
        pytest.fail("taken at once")
    assert str(path) in lease.waited_for(ID, 0) and f"{lease.EXPIRY_S:.0f} s" in lease.waited_for(ID, 0)


def test_a_lease_from_the_future_lapses():
    write(replace(lease.this_process(), host="far"), age=-lease.EXPIRY_S - 60)
    assert lease.holder(ID, 0) is None
    with lease.hold(ID, 0, on_wait=give_up) as before:
        assert before.host == "far"


@pytest.mark.parametrize("token", ["a/b", "../../x", "x" * 5000, "\0", "é\n"])
def test_any_token_is_succeeded(token):
    write(replace(lease.this_process(), host="far", token=token), age=lease.EXPIRY_S + 60)
    with lease.hold(ID, 0, on_wait=give_up) as before:
        assert before.token == token
    assert not list(lease.place(ID, 0).parent.iterdir())


def odd(kind, path):
    if kind == "folder":
        (path / "inside").mkdir(parents=True)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(path if kind == "loop" else path.parent)


@pytest.mark.parametrize("kind", ["folder", "pipe", "loop", "link to a folder"])
def test_what_no_holder_makes_is_in_nobodys_way(kind):
    path = lease.place(ID, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    odd(kind, path)
    assert lease.holder(ID, 0) is None
    with lease.hold(ID, 0, on_wait=give_up) as before:
        assert before is None and lease.holder(ID, 0).pid == os.getpid()
    kept = [entry.name for entry in path.parent.iterdir()]
    assert len(kept) == (kind == "folder") and all(name.endswith(".set-aside") for name in kept)


def test_a_zombie_holds_nothing():
    other = start_holder()
    other.kill()
    os.waitid(os.P_PID, other.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet reaped
    try:
        assert lease.holder(ID, 0) is None
        with lease.hold(ID, 0, on_wait=give_up) as before:
            assert before.pid == other.pid
    finally:
        other.wait()


def test_it_is_said_who_is_waited_for_and_how_to_go_on():
    write(replace(lease.this_process(), host="far\x1b[31m", pid=7))
    told = lease.waited_for(ID, 0)
    assert "process 7 on far" in told and f"rm {lease.place(ID, 0)}" in told and told.isprintable()


def test_what_killed_takers_left_is_cleared():
    path = lease.place(ID, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    code = (
        "import sys, pathlib; from repro.core.files import temporary_of\n"
        "for place in sys.argv[1:]: temporary_of(pathlib.Path(place)).write_bytes(b'')"
    )
    path.with_suffix("").mkdir()
    subprocess.run([sys.executable, "-c", code, path, path.with_suffix("") / "step-1.pt"], check=True)
    (path.parent / f".{path.name}.0.next").touch()
    os.utime(path.parent / f".{path.name}.0.next", (0, 0))
    with lease.hold(ID, 0):
        assert sorted(entry.name for entry in path.parent.rglob("*")) == [path.with_suffix("").name, path.name]
