from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from repro import papers
from repro.core import lease, paths, stop_signal
from repro.core.spec import replace
from repro.engine.execution import Execution
from repro.papers.smoke import smoke_table
from repro.records import store
from repro.records.index import Index
from repro.runner.execute import execute
from repro.runner.jobs import jobs_of, state_of


@pytest.mark.parametrize("number", stop_signal.SIGNALS)
def test_a_signal_is_noted_and_the_old_handlers_come_back(number):
    before = signal.getsignal(number)
    with stop_signal.watching():
        assert not stop_signal.requested()
        os.kill(os.getpid(), number)
        assert stop_signal.requested()
        assert stop_signal.name() == signal.Signals(number).name
    assert not stop_signal.requested()
    assert signal.getsignal(number) == before


def test_a_forked_child_dies_of_it_as_ever():
    code = (
        "import os, signal, time\nfrom repro.core import stop_signal\n"
        "with stop_signal.watching():\n"
        "    ready, tell = os.pipe()\n"
        "    child = os.fork()\n"
        "    if not child:\n        os.write(tell, b'1')\n        time.sleep(50)\n"
        "    os.read(ready, 1)\n"
        "    os.kill(child, signal.SIGTERM)\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), stop_signal.requested())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"{-signal.SIGTERM} False\n", done.stderr


def probe_job(epochs):
    job = jobs_of(smoke_table(papers.find("table6")), rows=["tsm_r50"], cells=["probe-order"], smoke=True)[0]
    measure = job.experiment.measure
    longer = replace(measure, train=replace(measure.train, epochs=epochs))
    return replace(job, experiment=replace(job.experiment, measure=longer))


def test_training_saves_its_state_stops_and_ends_as_if_it_had_not(tmp_path):
    job = probe_job(epochs=4)
    whole = execute(job, Execution(device="cpu", threads=1), index=Index(tmp_path / "whole"))

    def signal_once(facts):
        if facts.get("phase") == "train" and facts["step"] == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(stop_signal.Stopped), stop_signal.watching():
        execute(job, Execution(device="cpu", threads=1, on_progress=signal_once), index=Index(tmp_path / "parts"))
    assert state_of(job, Index(tmp_path / "parts")) == "missing"
    made = execute(job, Execution(device="cpu", threads=1), index=Index(tmp_path / "parts"))
    assert made.effective["resumes"] == 1
    assert made.weights_sha256 == whole.weights_sha256
    assert made.results == whole.results


def test_force_goes_on_in_the_same_scheduler_job_and_starts_afresh_in_another(tmp_path, monkeypatch):
    job = probe_job(epochs=3)

    def stop(facts):
        if facts.get("phase") == "train" and facts["step"] == 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    def stopped_in(number):
        monkeypatch.setenv("SLURM_JOB_ID", number)
        with pytest.raises(stop_signal.Stopped), stop_signal.watching():
            execute(job, Execution(device="cpu", threads=1, on_progress=stop), replace=True, index=Index(tmp_path))

    def resumes():
        monkeypatch.setattr("repro.core.lease._same_process", lambda *_: False)
        monkeypatch.setattr("repro.core.lease._lapsed", lambda *_: True)  # as if the first start's process had ended
        return execute(job, Execution(device="cpu", threads=1), replace=True, index=Index(tmp_path)).effective[
            "resumes"
        ]

    stopped_in("7")
    assert resumes() == 1
    monkeypatch.undo()
    stopped_in("8")
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    assert resumes() == 0


def test_the_command_stops_with_its_own_code_and_goes_on():
    """As a scheduler sees it. The cell is held by this process, so that the command surely still waits when told."""
    command = [sys.executable, "-m", "repro", "run", "table6", "--smoke", "--rows", "tsm_r50", "--only", "static"]
    job = jobs_of(smoke_table(papers.find("table6")), rows=["tsm_r50"], cells=["static"], smoke=True)[0]
    with lease.hold(job.experiment.id, 0):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert "1 smoke cell," in process.stdout.readline()
        asked = subprocess.run(
            [sys.executable, "-m", "repro", "status", "table6", "--smoke"], capture_output=True, text=True
        )
        assert "running: static " in asked.stdout
        assert f"    static: process {os.getpid()} on " in asked.stdout
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=120)
        assert (process.returncode, err.count("\n")) == (stop_signal.EXIT_STOPPED, 1), err
        assert state_of(job, Index(store.default_root(True))) == "missing"
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert state_of(job, Index(store.default_root(True))) == "done"


def test_a_training_by_hand_stops_with_its_state_saved(tmp_path):
    command = [sys.executable, "-m", "repro", "train", "tsm", "--backbone", "tiny_resnet", "--out", str(tmp_path)]
    command += ["--dataset", "probe-order-smoke", "--set", "epochs=100000", "batch=2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("train.jsonl")) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == stop_signal.EXIT_STOPPED, err
    assert err == "repro: stopped on request; the same command goes on from here\n"
    (log,) = tmp_path.rglob("train.jsonl")
    assert list((paths.cache() / "work" / log.parent.name).glob("step-*.pt"))
    assert not list(tmp_path.rglob("*.json")), "no record, not even of a failure"
