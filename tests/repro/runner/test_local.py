from __future__ import annotations

import os
import shlex
import signal
import threading
import time

import pytest

from repro import registry
from repro.core import stop_signal
from repro.core.spec import replace
from repro.engine.execution import Execution
from repro.papers import find
from repro.papers.smoke import smoke_table
from repro.records import store
from repro.records.index import Index
from repro.runner import local
from repro.runner.execute import Attempt, execute
from repro.runner.jobs import Job, expected_seconds, jobs_of, select, state_of
from repro.runner.local import State, run_local


@pytest.fixture(scope="module")
def jobs():
    return jobs_of(smoke_table(find("table6")), rows=["tsn_r50", "tsm_r50"], cells=["static"], smoke=True)


def test_a_job_travels_as_plain_data(jobs):
    assert Job.from_message(jobs[0].to_message()).experiment.id == jobs[0].experiment.id


def test_jobs_run_in_workers_and_are_skipped_afterwards(jobs):
    events = []
    state = run_local(jobs, device="cpu", width=2, replace=False, on_event=lambda what, *_: events.append(what))
    assert (state.done, state.failed) == (2, 0)
    assert events.count("start") == events.count("done") == 2
    assert select(jobs, "undone", Index(store.default_root(True))) == []
    assert len(select(jobs, "force", Index(store.default_root(True)))) == 2


def test_a_failure_is_a_record_with_its_reason(jobs):
    broken = replace(
        jobs[0].experiment, model=replace(jobs[0].experiment.model, method="dnr", method_options={"no": 1})
    )
    job = replace(jobs[0], experiment=broken)
    made = execute(job, Execution(device="cpu", threads=1))
    assert made.status == "failed"
    assert "no" in made.reason
    assert state_of(job, Index(store.default_root(True))) == "failed"
    assert select([job], "failed", Index(store.default_root(True))) == [job]
    assert select([job], "missing", Index(store.default_root(True))) == []


def test_what_another_process_finished_is_taken_over(jobs, monkeypatch):
    made = execute(jobs[0], Execution(device="cpu", threads=1))
    monkeypatch.setattr(Attempt, "measure", lambda _: pytest.fail("measured again"))
    assert execute(jobs[0], Execution(device="cpu", threads=1)) == made


def test_the_wait_for_another_process_ends_with_its_record(jobs, monkeypatch):
    measure = Attempt.measure

    def finish_meanwhile(self):
        monkeypatch.setattr(Attempt, "measure", measure)
        execute(self.job, self.how)
        self.wait()
        pytest.fail("went on waiting")

    monkeypatch.setattr(Attempt, "measure", finish_meanwhile)
    assert execute(jobs[0], Execution(device="cpu", threads=1)).status == "done"


def test_a_killed_worker_fails_its_job_and_the_others_go_on(jobs, monkeypatch):
    killed = []

    def kill_once(what, state, facts):
        if what == "start" and not killed:
            worker = next(w for w in state.workers if w.job is facts["job"])
            killed.append(facts["job"])
            threading.Timer(0.2, os.kill, (worker.process.pid, signal.SIGKILL)).start()

    state = run_local(jobs, device="cpu", width=1, replace=False, on_event=kill_once)
    assert (state.done, state.failed) == (1, 1)
    assert state_of(killed[0], Index(store.default_root(True))) == "failed"


def test_an_interrupt_ends_the_workers(jobs):
    pids = []

    def interrupt(what, state, facts):
        if what == "start":
            pids.extend(w.process.pid for w in state.workers)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_local(jobs, device="cpu", width=2, replace=False, on_event=interrupt)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and any(_alive(pid) for pid in pids):
        time.sleep(0.1)
    assert not any(_alive(pid) for pid in pids)


def _alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_eta_uses_what_was_seen(jobs):
    state = State(total=2, waiting=list(jobs))
    first, unknown = state.eta(1)
    assert unknown == 0
    state.count(jobs[0], "done", 600.0)
    assert state.eta(1)[0] == pytest.approx(first * (600 + 60) / (6 + 60)) == pytest.approx(2 * state.eta(2)[0])
    told = State(total=2, waiting=list(jobs), guesses={jobs[0].key: 2.0, jobs[1].key: 6.0})
    assert told.eta(1) == (8.0, 0)
    told.count(jobs[0], "done", 33.0)  # half an hour's guess would move; one of two seconds hardly does
    assert told.eta(1)[0] == pytest.approx(8.0 * 93 / 62)
    assert local.cores() >= 1


def test_of_trainings_on_own_data_nothing_is_guessed_until_one_has_ended(jobs):
    cell = next(one for one in jobs_of(find("table6")) if one.kind == "accuracy").experiment
    own = replace(cell, measure=replace(cell.measure, dataset="kinetics400"))
    trainings = [replace(jobs[0], experiment=own, seed=seed, cell="accuracy") for seed in range(3)]
    assert trainings[0].kind == "accuracy"
    state = State(total=4, waiting=[jobs[0], *trainings])
    assert state.eta(1) == (6.0, 3) and expected_seconds(trainings, Index(store.default_root(True))) == {}
    state.count(state.waiting.pop(), "done", 40.0)
    assert state.eta(1) == (86.0, 0)


def test_a_speed_of_another_machine_is_measured_again(monkeypatch):
    job = jobs_of(smoke_table(find("table6")), rows=["tsn_r50"], cells=["speed"], smoke=True)[0]
    root = store.default_root(True)
    assert execute(job, Execution(device="cpu", threads=1)).status == "done"
    assert state_of(job, Index(root)) == "done"
    monkeypatch.setattr("repro.core.environment.machine", lambda: ("another processor", 64))
    assert state_of(job, Index(root)) == "missing"
    assert execute(job, Execution(device="cpu", threads=1)).status == "done"
    assert state_of(job, Index(root)) == "done"
    assert len(list(root.rglob("superseded/*.json"))) == 1


_ECHO = """
import os
from pathlib import Path

from repro.registry import methods


@methods.register("echo", summary="tells which GPUs its process sees, and since when")
def insert(model, options):
    with Path(options["file"]).open("a") as file:
        print(os.environ["CUDA_VISIBLE_DEVICES"], os.getpid(), file=file)
    return model
"""


def test_one_job_a_gpu_each_sees_its_own(jobs, tmp_path):
    module = tmp_path / "echo.py"
    module.write_text(_ECHO)
    registry.load_module(module)
    told = [
        replace(
            job,
            experiment=replace(
                job.experiment,
                model=replace(
                    job.experiment.model, method="echo", method_options={"file": str(tmp_path / f"{number}.txt")}
                ),
            ),
        )
        for number, job in enumerate(jobs)
    ]
    seen = []

    def note(what, state, facts):
        seen.append({worker.gpu for worker in state.workers if worker.job})

    state = run_local(told, device="cpu", width=None, replace=False, on_event=note, gpus=["3", "GPU-5e"])
    assert (state.done, state.failed) == (2, 0)
    assert {"3", "GPU-5e"} in seen
    lines = [line.split() for number in (0, 1) for line in (tmp_path / f"{number}.txt").read_text().splitlines()]
    assert {gpu for gpu, _ in lines} == {"3", "GPU-5e"}
    assert len({(gpu, pid) for gpu, pid in lines}) == 2


@pytest.mark.parametrize(("together", "most"), [(False, 1), (True, 2)])
def test_timed_cells_run_alone_unless_asked(together, most):
    timed = jobs_of(smoke_table(find("table6")), rows=["tsn_r50", "tsm_r50"], cells=["static", "speed"], smoke=True)
    beside = []

    def note(what, state, facts):
        if what == "start" and facts["job"].kind == "speed":
            beside.append(sum(worker.job is not None for worker in state.workers))

    run_local(timed, device="cpu", width=2, replace=False, on_event=note, time_together=together)
    assert max(beside) == most


def test_each_sitting_of_times_is_a_process_of_its_own():
    timed = jobs_of(smoke_table(find("table6")), rows=["tsn_r50", "tsm_r50"], cells=["speed"], sittings=2, smoke=True)
    assert [job.name for job in timed] == [
        "tsn_r50 speed", "tsm_r50 speed", "tsn_r50 speed sitting 2", "tsm_r50 speed sitting 2",
    ]  # fmt: skip
    processes = {}

    def note(what, state, facts):
        if what == "done":
            processes.setdefault(facts["job"].seed, set()).update(worker.process.pid for worker in state.workers)

    state = run_local(timed, device="cpu", width=None, replace=False, on_event=note)
    assert state.done == 4 and all(len(pids) == 1 for pids in processes.values())
    assert processes[0] != processes[1]
    assert select(timed, "undone", Index(store.default_root(True))) == []


def test_the_line_of_a_job_gives_its_record(jobs, capsys):
    from repro.__main__ import main

    assert main(["run", "table6", "--smoke", "--rows", "tsn_r50", "--only", "static", "--dry-run"]) == 0
    line = capsys.readouterr().out.splitlines()
    assert len(line) == 1
    assert not store.default_root(True).exists()
    words = shlex.split(line[0])
    assert words[:3] == ["python", "-m", "repro"]
    assert main(words[3:]) == 0
    assert state_of(jobs[0], Index(store.default_root(True))) == "done"
    assert "report" not in capsys.readouterr().out


def test_gpus_are_named_or_found(monkeypatch, capsys):
    from repro.__main__ import main

    line = ["run", "table6", "--smoke", "--rows", "tsn_r50", "--only", "static", "--dry-run", "--launcher", "gpus"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
    assert main(line) == 0
    assert capsys.readouterr().out.startswith("CUDA_VISIBLE_DEVICES=5 python -m repro run dnr/table6 ")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert main(line) == 2
    assert "--gpus 0,1" in capsys.readouterr().err
    assert main([*line, "--gpus", "1,1"]) == 2


def test_the_processes_of_torchrun_take_note_of_a_request_to_stop(jobs, monkeypatch):
    def told(job, how, **options):
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop_signal.requested()
        raise stop_signal.Stopped

    before = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("nobody took note of the signal"))
    try:
        monkeypatch.setattr(local, "execute", told)
        with pytest.raises(stop_signal.Stopped):
            local.run_together(jobs, device="cpu", replace=False, on_event=lambda *_: None)
    finally:
        signal.signal(signal.SIGTERM, before)
