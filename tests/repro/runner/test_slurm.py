"""What the SLURM launcher does without a SLURM; with one: tests/cluster."""

from __future__ import annotations

import os
import signal
import sys
import threading

import pytest

from repro.core import stop_signal
from repro.core.errors import BadOption, ReproError
from repro.papers import find
from repro.papers.smoke import smoke_table
from repro.records import store
from repro.records.index import Index
from repro.runner import slurm
from repro.runner.jobs import Job, jobs_of, state_of


@pytest.fixture
def job():
    return jobs_of(smoke_table(find("table6")), rows=["tsn_r50"], cells=["static"], smoke=True)[0]


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """`squeue` and `scontrol` that print what a test says, and note how they were called."""
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def make(**printed):
        for name, text in printed.items():
            script = tmp_path / name
            script.write_text(f"#!/bin/sh\necho {name} $@ >> {tmp_path}/calls\ncat <<'END'\n{text}\nEND\n")
            script.chmod(0o755)
        return tmp_path / "calls"

    return make


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90", 90),
        ("90:30", 91),
        ("1:30:00", 90),
        ("1-12", 36 * 60),
        ("1-12:30", 36 * 60 + 30),
        ("1-0:0:1", 24 * 60 + 1),
    ],
)
def test_times_as_sbatch_reads_them(text, expected):
    assert slurm.minutes(text) == expected


@pytest.mark.parametrize("text", ["", "0", "soon", "1:2:3:4", "-5", "²", "9" * 5000])
def test_other_times_are_refused(text):
    with pytest.raises(BadOption):
        slurm.minutes(text)


@pytest.mark.parametrize("option", ["partition", "=a", "array=1-3", "requeue=false", "nodes=2", "ntasks-per-node=4"])
def test_options_that_cannot_be(option):
    with pytest.raises(BadOption, match="--slurm"):
        slurm.sbatch_parameters([option])


def test_options_go_where_submitit_takes_them():
    pytest.importorskip("submitit")
    made = slurm.sbatch_parameters(["partition=a", "gpus-per-node=2", "time=2:00:00", "reservation=r", "nodes=1"])
    assert made["slurm_partition"] == "a"
    assert made["slurm_gpus_per_node"] == 2
    assert made["slurm_time"] == 120
    assert made["slurm_additional_parameters"] == {"requeue": True, "reservation": "r"}


@pytest.mark.parametrize(
    "option",
    ["account=0123", "comment=true", "qos=1e3", "wckey=007", "reservation=00", "nodelist=0", "dependency=afterok:012",
     "job-id=true", "licenses=false", "mem=064G", "mem=4000", "constraint=01&02", "gpus=0x10", "comment=a b"],
)  # fmt: skip
def test_options_are_passed_on_as_they_are_written(option):
    key, _, text = option.partition("=")
    made = slurm.sbatch_parameters([option])
    found = {**made, **made["slurm_additional_parameters"]}
    key = key.replace("-", "_")
    assert found.get(f"slurm_{key}", found.get(key)) == text


def test_what_sbatch_is_given_holds_the_option_as_written(tmp_path):
    pytest.importorskip("submitit")
    from submitit.slurm.slurm import _make_sbatch_string

    made = slurm.sbatch_parameters(["account=0123", "mem=4000", "exclusive=true", "comment=true", "cpus-per-task=08"])
    known = {key.removeprefix("slurm_"): value for key, value in made.items() if key.startswith("slurm_")}
    text = _make_sbatch_string(command="x", folder=tmp_path, **known)
    for line in ("--account=0123", "--mem=4000", "--exclusive", "--comment=true", "--cpus-per-task=8", "--requeue"):
        assert f"#SBATCH {line}\n" in text


def test_flags_are_given_or_left_out():
    made = slurm.sbatch_parameters(["hold=true", "contiguous=false"])["slurm_additional_parameters"]
    assert made["hold"] is True and "contiguous" not in made


@pytest.mark.parametrize("option", ["setup=rm", "srun-args=x", "additional_parameters={}", "a b=1", "²=3", "x=a\nb"])
def test_what_is_no_option_of_sbatch_is_refused(option):
    with pytest.raises(BadOption, match="--slurm"):
        slurm.sbatch_parameters([option])


def test_a_line_that_is_told_to_stop_passes_it_on():
    code = (
        "import sys, time\nfrom repro.core import stop_signal\n"
        "with stop_signal.watching():\n"
        "    while not stop_signal.requested():\n        time.sleep(0.05)\n"
        "    sys.exit(stop_signal.EXIT_STOPPED)"
    )
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGUSR2))
    timer.start()
    assert slurm.run_line([sys.executable, "-c", code]) == stop_signal.EXIT_STOPPED
    timer.join()


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(1))\ntime.sleep(60)",
    ],
)
def test_a_line_that_dies_of_the_request_was_stopped_too(code):
    """While it still imports, or as torchrun ends."""
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    timer.start()
    assert slurm.run_line([sys.executable, "-c", code]) == stop_signal.EXIT_STOPPED
    timer.join()


def test_a_line_that_fails_unasked_has_failed():
    assert slurm.run_line([sys.executable, "-c", "raise SystemExit(1)"]) == 1
    assert slurm.run_line([sys.executable, "-c", ""]) == 0


@pytest.mark.parametrize(("state", "again"), [("RUNNING", True), ("CANCELLED", False), ("PREEMPTED", False)])
def test_a_stopped_job_is_requeued_unless_it_was_cancelled_or_slurm_does_it(tools, state, again):
    calls = tools(squeue=state, scontrol="")
    assert slurm.requeue("7") is again
    assert ("scontrol requeue 7" in calls.read_text()) is again


@pytest.mark.parametrize(
    ("code", "restarts", "outcome"),
    [(0, 0, "failed"), (-9, 0, "failed"), (75, 0, "requeued"), (75, slurm.MAX_RESTARTS, "failed")],
)
def test_a_job_ends_with_a_record_or_goes_back(job, tools, monkeypatch, code, restarts, outcome):
    tools(squeue="RUNNING", scontrol="")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("SLURM_RESTART_COUNT", str(restarts))
    monkeypatch.setattr(slurm, "run_line", lambda command: code)
    assert slurm.Line(job, [])() == outcome
    assert state_of(job, Index(store.default_root(True))) == ("missing" if outcome == "requeued" else "failed")


def test_what_slurm_has_is_told_by_status(job, tools, capsys):
    from repro.__main__ import main

    slurm.write_ticket(job, slurm.Ticket("7_1", "/log"))
    tools(squeue="7_1|PENDING|Priority\n8|RUNNING|None")
    assert slurm.live_jobs() == {"7_1": "PENDING (Priority)", "8": "RUNNING"}
    assert main(["status", "table6", "--smoke"]) == 0
    assert "queued: static" in (out := capsys.readouterr().out) and "7_1: PENDING (Priority)" in out
    tools(squeue="8|RUNNING|None")
    assert main(["status", "table6", "--smoke"]) == 0
    assert "SLURM job 7_1 ended without a record: /log" in capsys.readouterr().out


def test_the_wait_gives_a_lost_job_its_failed_record(job, tools):
    slurm.write_ticket(job, slurm.Ticket("7", "/log"))
    tools(squeue="8|RUNNING|None", scontrol="JobId=7 JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125")
    assert slurm.wait([job], poll_s=0.01) == 1
    assert state_of(job, Index(store.default_root(True))) == "failed"


@pytest.fixture
def lines(monkeypatch):
    """What is submitted."""
    found = []

    def take(lines, parameters):
        found.extend(lines)
        return [f"9_{number}" for number in range(len(lines))]

    monkeypatch.setattr(slurm, "_submit", take)
    return found


def test_a_training_of_several_processes_is_started_by_torchrun(tools, lines):
    tools(squeue="8|RUNNING|None", sbatch="--partition=partition")
    jobs = jobs_of(smoke_table(find("table6")), rows=["tsn_r50"], smoke=True)
    slurm.submit(jobs, ["partition=a"], device="cpu", force=False, words=["--with", "dnr"], processes=2)
    assert len(lines) == len(jobs)
    for line in lines:
        torchrun = "torch.distributed.run" in line.program
        assert torchrun == (Job.from_message(line.message).kind == "accuracy")
        assert line.program[-2:] == ["--with", "dnr"]


def test_an_option_that_sbatch_lacks_is_named_with_the_nearest(tools):
    tools(sbatch="  -p, --partition=partition   x\n      --reservation=name")
    told = slurm.refusal(RuntimeError("sbatch: unrecognized option '--partitoin=a'"))
    assert "'partitoin'; did you mean partition" in str(told)
    assert "took no job: no such" in str(slurm.refusal(RuntimeError("no such\npartition")))


def test_what_was_queued_is_told_with_the_command_that_shows_it(tools, lines, capsys):
    from repro.__main__ import main

    tools(squeue="8|RUNNING|None")
    cells = ["run", "table6", "--smoke", "--rows", "tsn_r50", "--only", "static", "--launcher", "slurm"]
    assert main(cells) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "python -m repro status table6 --smoke" in said and "no option of --slurm asks for a GPU" in said
    assert main([*cells, "--device", "cpu"]) == 0
    assert "GPU" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "asks"),
    [
        ("gpus_per_node=1", True),
        ("--gpus=2", True),
        ("gres=gpu:h200:1", True),
        ("gres=shard:1", False),
        ("partition=gpu", False),
    ],
)
def test_options_that_give_a_gpu(option, asks):
    assert slurm.asks_for_gpu(["time=90", option]) == asks


def test_without_slurm_the_fault_is_told(job, monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ReproError, match="squeue"):
        slurm.submit([job], [], device="cpu", force=False)


@pytest.mark.parametrize("extra", [["--slurm", "a=b"], ["--gpus", "0"], ["--wait"], ["--processes", "2"]])
def test_no_option_of_another_launcher_is_passed_over(extra, capsys):
    from repro.__main__ import main

    assert main(["run", "table6", "--smoke", "--dry-run", *extra]) == 2
    assert extra[0] in capsys.readouterr().err
