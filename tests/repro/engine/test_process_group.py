"""Real torchrun with two processes on the CPU: one voice, one record, and no process left waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from repro.core import paths
from repro.core.errors import BadOption
from repro.engine import process_group
from repro.records import store
from repro.records.store import load_all

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--rdzv-backend", "c10d"]
TORCHRUN += ["--rdzv-endpoint", "localhost:0"]
TRAIN = [
    "train",
    "tsm",
    "--backbone",
    "tiny_resnet",
    "--dataset",
    "probe-order-smoke",
    "--set",
    "epochs=1",
    "batch=2",
    "clips_per_device=1",
]


def start(*arguments: str | Path, code: str | None = None) -> subprocess.Popen[str]:
    what = ["-m", "repro"] if code is None else [code]
    return subprocess.Popen(
        [*TORCHRUN, *what, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str], timeout_s: float = 120) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=timeout_s)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return process.returncode, out, err


def test_alone_unless_torchrun_started_several(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    for name in told:
        monkeypatch.delenv(name, raising=False)
    assert paths.torchrun() is None
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    assert paths.torchrun() == (1, 2, 1)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert paths.torchrun() is None
    monkeypatch.delenv("LOCAL_RANK")
    assert paths.torchrun() is None
    with process_group.together("cpu") as device:
        process_group.enter(lambda reason: None)
        assert (device, process_group.meet(None), process_group.meet("why")) == ("cpu", None, "why")


def test_one_gpu_of_several_processes_is_refused() -> None:
    with pytest.raises(BadOption, match="each process takes its own GPU"):
        process_group.own_device("cuda:1", 0)


def test_train_prints_and_writes_once(tmp_path: Path) -> None:
    code, out, err = finish(start(*TRAIN, "--out", tmp_path))
    assert code == 0, err
    assert out.count("record:") == out.count("weights:") == 1
    assert "Warning" not in err
    (path,) = tmp_path.rglob("*.json")
    made = store.load(path)
    assert (made.effective["world_size"], made.effective["micro_batch"]) == (2, 1)
    code, out, err = finish(start(*TRAIN, "--out", tmp_path))
    assert code == 0, err
    assert out.count("record:") == 1
    assert store.load(path) == made


def test_a_table_on_two_processes(tmp_path: Path) -> None:
    code, out, err = finish(start("run", "table6", "--rows", "tsm_r50", "--smoke"), 300)
    assert code == 0, err
    assert out.count("cells to measure") == 1
    found = load_all(store.default_root(True))
    assert (len(found.records), found.problems) == (3, [])
    code, out, _ = finish(start("run", "table6", "--rows", "tsm_r50", "--smoke"))
    assert (code, out.count("nothing to do")) == (0, 1)


def test_a_slip_is_told_once(tmp_path: Path) -> None:
    began = time.monotonic()
    code, _, err = finish(start(*TRAIN, "epoch=3", "--out", tmp_path))
    assert code != 0
    assert err.count("repro: unknown field of the recipe 'epoch'") == 1
    assert time.monotonic() - began < 60


FAILING = """
import os, sys
from repro.engine import process_group
from repro.engine.distributed import Ranks
from repro.core.errors import ReproError
process_group.GRACE_S = 1.0
with process_group.together("cpu"):
    ranks = Ranks.current()
    if sys.argv[1] == "stage":
        process_group.enter(lambda reason: print("kept:", reason, flush=True))
    if ranks.rank == 1 and sys.argv[1] == "killed":
        os.kill(os.getpid(), 9)
    if ranks.rank == 1 and sys.argv[1] == "stage":
        process_group.meet("no such disk")
    if ranks.rank == 1:
        raise ReproError("no such disk")
    ranks.barrier()
"""


@pytest.mark.parametrize("where", ["stage", "outside"])
def test_who_waits_for_a_failed_process_is_ended_with_its_message(tmp_path: Path, where: str) -> None:
    script = tmp_path / "failing.py"
    script.write_text(FAILING)
    code, out, err = finish(start(where, code=str(script)), 60)
    assert code != 0
    assert err.count("repro: process 1: no such disk") == 1
    assert ("kept: process 1: no such disk" in out) == (where == "stage")


def test_a_killed_process_ends_the_others(tmp_path: Path) -> None:
    script = tmp_path / "killed.py"
    script.write_text(FAILING)
    began = time.monotonic()
    code, _, _ = finish(start("killed", code=str(script)), 60)
    assert code != 0
    assert time.monotonic() - began < 45


def test_ctrl_c_leaves_no_process(tmp_path: Path) -> None:
    long = [*TRAIN, "epochs=10000", "--out", tmp_path]
    process = start(*long)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("train.jsonl")) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert process.poll() is None
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = finish(process, 60)
    assert code != 0
    assert err.count("repro: interrupted; the same command resumes") <= 1
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
