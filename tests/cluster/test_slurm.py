"""A table's cells through a real SLURM of one node: stopped, killed, requeued, and the same table as without it.

Needs root, Debian and minutes: tox -e cluster.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from repro import papers, registry
from repro.core import lease, paths
from repro.data.known_datasets import KNOWN
from repro.engine.train import log as train_log
from repro.engine.train.resume import TOLERANCE
from repro.papers.smoke import smoke_table
from repro.records import store
from repro.records.index import Index
from repro.records.scores import Scores
from repro.records.store import load_all
from repro.runner import slurm as launch_slurm
from repro.runner.jobs import jobs_of, record_of

pytestmark = pytest.mark.cluster
SCRIPT = Path(__file__).with_name("slurm.sh")
MINIATURES = Path(__file__).parents[1] / "repro" / "data"
KILLED = Path(__file__).with_name("killed_table.py")
PATIENCE_S = 900


@pytest.fixture(scope="module")
def slurm():
    """The daemons, for as long as the tests of this file run."""
    if os.geteuid() or not shutil.which("apt-get"):
        pytest.skip("needs root on Debian")
    subprocess.run([SCRIPT, "install"], check=True, timeout=600)
    folder = tempfile.mkdtemp(prefix="repro-slurm-")
    try:
        # the daemons must not hold this process's pipes open
        subprocess.run([SCRIPT, "start", folder], check=True, timeout=120, stdin=subprocess.DEVNULL)
        yield f"{folder}/slurm.conf"
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=False, timeout=120)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def miniatures():
    """The builders of miniature copies."""
    spec = importlib.util.spec_from_file_location("miniatures", MINIATURES / "miniatures.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["miniatures"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _use(slurm, monkeypatch):
    monkeypatch.setenv("SLURM_CONF", slurm)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield
    subprocess.run(["scancel", "--me"], check=False)


def repro(*arguments):
    done = subprocess.run([sys.executable, "-m", "repro", *arguments], capture_output=True, text=True)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def until(true, what):
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.5)


def log(job):
    return Path(launch_slurm.ticket_of(job).log).read_text()


def test_smoke_cells_are_queued_once_and_recorded(monkeypatch):
    arguments = ["run", "table6", "--smoke", "--rows", "tsn_r50", "--launcher", "slurm"]
    queued = repro(*arguments, "--slurm", "partition=test", "cpus_per_task=1", "time=0:10:00")
    assert "4 queued" in queued.stdout, queued.stderr
    again = repro(*arguments, "--wait")
    assert "0 queued, 4 were in the queue already" in again.stdout
    assert again.returncode == 0, again.stderr
    jobs = jobs_of(smoke_table(papers.find("table6")), rows=["tsn_r50"], smoke=True)
    index = Index(store.default_root(True))
    made = {job.cell: record_of(job, index) for job in jobs}
    assert {cell: found.status for cell, found in made.items()} == dict.fromkeys(made, "done")
    assert made["static"].command[:5] == ["python", "-m", "repro", "run", "dnr/table6"]
    assert "failed" not in repro("status", "table6", "--smoke").stdout
    assert "--exclusive" in Path(launch_slurm.logs(), _script(jobs, "speed")).read_text()
    assert "--exclusive" not in Path(launch_slurm.logs(), _script(jobs, "static")).read_text()


def _script(jobs, cell):
    ticket = launch_slurm.ticket_of(next(job for job in jobs if job.cell == cell))
    return f"{ticket.job.partition('_')[0]}_submission.sh"


def test_miniature_copies_score_alike_through_slurm_and_without(miniatures, tmp_path, monkeypatch):
    """All seven: trained and tested from their official files; one of them also on two processes."""
    rows = list(KNOWN)
    for name in rows:
        assert repro(*miniatures.add_arguments(miniatures.build(name, tmp_path / name))).returncode == 0
    run = ["run", "own/miniatures", "--module", str(MINIATURES / "miniature_table.py"), "--device", "cpu"]
    done = repro(*run, "--launcher", "slurm", "--slurm", "cpus_per_task=1", "--wait")
    assert done.returncode == 0 and "7 queued" in done.stdout, done.stderr
    through = _miniature_scores(rows)
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "local"))
    assert repro(*run, "--records-only").returncode == 0
    local = _miniature_scores(rows)
    assert through[0] == local[0] and all(logits for logits, _ in local[0].values())
    assert through[1] == local[1] and through[1] in done.stdout

    one = _record_and_logits("sthv1")
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "together"))
    queue = ["--launcher", "slurm", "--slurm", "cpus_per_task=2", "--wait", "--records-only", "--processes", "2"]
    assert repro(*run, "--rows", "sthv1", *queue).returncode == 0
    two = _record_and_logits("sthv1")
    assert (one[0].effective["world_size"], two[0].effective["world_size"]) == (1, 2)
    assert one[0].results["top1"] == two[0].results["top1"]
    assert np.linalg.norm(one[1] - two[1]) <= TOLERANCE * np.linalg.norm(one[1])


def _record_and_logits(row):
    made = next(one for one in load_all().records if one.row == row)
    return made, Scores.load(store.scores_path(made)).logits


def _miniature_scores(rows):
    """Row -> (bytes of the logits, weights), and the table as text."""
    records = {made.row: made for made in load_all().records}
    assert {name: made.status for name, made in records.items()} == dict.fromkeys(rows, "done")
    scores = {name: Scores.load(store.scores_path(made)).logits.tobytes() for name, made in records.items()}
    table = repro("table", "own/miniatures", "--module", str(MINIATURES / "miniature_table.py")).stdout
    return {name: (scores[name], made.weights_sha256) for name, made in records.items()}, table


def test_what_slurm_refuses_is_told_in_one_line():
    done = repro("run", "table6", "--smoke", "--launcher", "slurm", "--slurm", "partition=nowhere")
    assert done.returncode == 2
    assert "partition" in done.stderr
    assert done.stderr.count("\n") == 1


def test_stopped_killed_and_requeued_the_table_is_the_same(miniatures, tmp_path, monkeypatch):
    """A training stopped by SIGTERM and requeued, killed by SIGKILL and queued again, done."""
    assert repro(*miniatures.add_arguments(miniatures.build("jester", tmp_path / "jester"))).returncode == 0
    cells = ["run", "own/killed", "--module", str(KILLED), "--device", "cpu", "--records-only"]
    registry.load_module(str(KILLED))
    other, training = jobs_of(papers.find("own/killed"))
    slurm = ["--launcher", "slurm", "--slurm", "cpus_per_task=1"]
    assert repro(*cells, *slurm).returncode == 0
    number = launch_slurm.ticket_of(training).job

    until(lambda: _step(training), "the first epoch")
    subprocess.run(["scancel", "--signal=TERM", number], check=True)
    until(lambda: "goes back into the queue" in log(training), "the requeue")
    stopped = _step(training)

    def on():
        """SLURM lets a requeued job wait for up to two minutes, or starts it at once."""
        subprocess.run(["scontrol", "update", f"JobId={number}", "StartTime=now"], check=False, capture_output=True)
        return log(training).count("cells to measure") == 2 and _step(training) > stopped

    until(on, "the second start")
    os.kill(lease.holder(training.experiment.id, 0).pid, signal.SIGKILL)
    until(lambda: number not in launch_slurm.live_jobs(), "the killed job's end")
    assert "ended with exit code -9" in repro("status", "own/killed", "--module", str(KILLED)).stdout
    assert log(other).count("cells to measure") == 1, "the requeue took another cell of the array with it"
    done = repro(*cells, *slurm, "--wait")
    assert done.returncode == 0, done.stderr
    through = _table_and_records()
    assert through[1]["long"].effective["resumes"] >= 1

    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "local"))
    assert repro(*cells).returncode == 0
    local = _table_and_records()
    assert through[0] == local[0]
    for row, made in local[1].items():
        assert (made.results, made.weights_sha256) == (through[1][row].results, through[1][row].weights_sha256)


def _table_and_records():
    table = repro("table", "own/killed", "--module", str(KILLED), "--format", "csv").stdout
    return table, {made.row: made for made in load_all().records}


def test_a_training_of_two_processes_is_requeued_and_goes_on(miniatures, tmp_path, monkeypatch):
    """Stopped by SIGUSR2, as before a time limit: the same weights as from torchrun without SLURM and stop."""
    assert repro(*miniatures.add_arguments(miniatures.build("jester", tmp_path / "jester"))).returncode == 0
    cells = ["run", "own/killed", "--rows", "long", "--module", str(KILLED), "--device", "cpu", "--records-only"]
    registry.load_module(str(KILLED))
    training = jobs_of(papers.find("own/killed"), rows=["long"])[0]
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "together"))
    slurm = ["--launcher", "slurm", "--slurm", "cpus_per_task=2", "--processes", "2"]
    assert repro(*cells, *slurm).returncode == 0
    number = launch_slurm.ticket_of(training).job
    until(lambda: _step(training) > 0, "the first epoch")
    subprocess.run(["scancel", "--signal=USR2", number], check=True)
    until(lambda: "goes back into the queue" in log(training), "the requeue")
    subprocess.run(["scontrol", "update", f"JobId={number}", "StartTime=now"], check=False, capture_output=True)
    assert repro(*cells, *slurm, "--wait").returncode == 0
    through = _table_and_records()[1]["long"]
    assert through.effective["resumes"] == 1 and through.effective["world_size"] == 2

    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "local"))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "repro"]
    subprocess.run([*torchrun, *cells], check=True, capture_output=True)
    local = _table_and_records()[1]["long"]
    assert (local.results, local.weights_sha256) == (through.results, through.weights_sha256)


def _step(training):
    """The last step of its log."""
    lines = train_log.read(paths.cache() / "logs" / launch_slurm._ticket(training).stem)
    return lines[-1]["step"] if lines else 0
