"""A user's day in small: a method with an option, real video files, two seeds, every format, the same command again."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from repro import registry
from repro.__main__ import main
from repro.core import paths
from repro.records.scores import Scores

GATE = '''
from dataclasses import dataclass
import torch
from torch import nn
from repro.registry import methods

@dataclass(frozen=True, kw_only=True)
class Options:
    start: float = 1.0
    """What each scale begins with."""

class Scale(nn.Module):
    def __init__(self, start):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(start))

    def forward(self, x):
        return x * self.scale

@methods.register("day_scale", summary="one scale", options=Options)
def insert(model, options):
    model.layer3 = nn.Sequential(model.layer3, Scale(options.start))
    return model
'''
TABLE = """
title = "Scales"
datasets = ["{csv}"]
modules = ["gate.py"]
backbone = "tiny_resnet"
frames = 4
seeds = 2
columns = "params gmacs top1 gain"
views = {{ clips = 1, crops = 1, crop = 32, resize = 0 }}
recipe = {{ epochs = 2, batch = 64, lr = 0.05, crop = 32, crop_rule = "random", resize = 0 }}

[[row]]
model = "tsn"
model_options = {{ blocks = 1, pool = true }}

[[row]]
model = "tsn"
model_options = {{ blocks = 1, pool = true }}
method = "day_scale"
options = {{ start = 0.5 }}
"""


@pytest.fixture
def mine(tmp_path, tiny_csv, own_registry, monkeypatch):
    monkeypatch.setattr(registry.methods, "_entries", dict(registry.methods._entries))
    (tmp_path / "gate.py").write_text(GATE)
    (tmp_path / "mine.toml").write_text(TABLE.format(csv=tiny_csv))
    monkeypatch.chdir(tmp_path)
    return Path("mine.toml")


def test_a_table_of_ones_own_is_run_shown_exported_and_run_again(mine, tiny_csv, capsys, tmp_path):
    assert main(["run", str(mine), "--jobs", "1", "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "TSN+day_scale (start=0.5)" in told and "over seeds and test videos" in told and "±" in told
    assert "tsn tiny seed 1: top-1 " in told
    records = sorted(paths.own().rglob("*-s*.json"))
    assert len(records) == 2 + 4 and {record.parents[1].name for record in records} == {"mine"}
    assert "own/mine" in (paths.results() / "report.html").read_text()
    assert main(["run", str(mine), "--dry-run"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    for form, mark in (("latex", r"\begin{table*}"), ("markdown", "### own/mine"), ("csv", "tsn"), ("html", "<table")):
        assert main(["table", str(mine), "--format", form]) == 0
        assert mark in capsys.readouterr().out
    assert main(["table", str(mine), "--full"]) == 0
    full = " ".join(capsys.readouterr().out.split())
    assert "batch 12 for the recipe's 64" in full and "Holm's correction" in full
    assert main(["explain", f"{mine}/tsn/tiny_top1"]) == 0
    assert "own/mine, TSN: top-1" in capsys.readouterr().out
    assert main(["report", str(mine), "--out", "r.html", "--figures", "figures"]) == 0
    assert (tmp_path / "figures" / "own-mine-accuracy-against-gmacs.svg").is_file()
    assert main(["bundle", str(mine), "--out", "review.zip"]) == 0
    with zipfile.ZipFile("review.zip") as archive:
        assert sum(name.startswith("records/") and name.endswith(".json") for name in archive.namelist()) == 6
    scores = Scores.load(next(paths.own().glob("own/mine/tsn/*-s0.npz")))
    np.savez("dump.npz", scores=scores.logits[:, 0], ids=np.array(scores.ids))
    given = ["--from", "npz", "--dataset", str(tiny_csv), "--as", "TSN (theirs)"]
    assert main(["scores", "import", "dump.npz", *given]) == 0
    capsys.readouterr()
    assert main(["table", str(mine)]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("PAIRED"))
    assert line.split("PAIRED")[1].strip().startswith("TSN (theirs) minus TSN")
    assert line.endswith(f"), {len(scores.ids)} videos, McNemar p 1") and len(line) <= 100


#: a SLURM of one machine: what sbatch is given runs at once, the tasks of its array in turn
TOOLS = {
    "sbatch": r"""#!/bin/bash
here=$(dirname "$0"); script="${!#}"; cp "$script" "$here/sent.sh"; touch "$here/busy"
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$script")
(
  for task in $(seq 0 "${last:-0}"); do
    export SLURM_JOB_ID=7$task SLURM_ARRAY_JOB_ID=7 SLURM_ARRAY_TASK_ID=$task SLURM_NTASKS=1 SLURM_LOCALID=0
    export SLURM_PROCID=0 SLURM_NODEID=0 SLURM_JOB_NUM_NODES=1 SLURM_JOB_NODELIST=here
    bash "$script"
  done
  rm "$here/busy"
) > "$here/log" 2>&1 < /dev/null &
echo "Submitted batch job 7"
""",
    "srun": r"""#!/bin/bash
while [[ "$1" == -* ]]; do [[ "$1" == *=* || "$1" == --unbuffered ]] && shift || shift 2; done
cd / && exec "$@"
""",
    "squeue": r"""#!/bin/bash
if [ -e "$(dirname "$0")/busy" ]; then printf '7_0|RUNNING|None\n7_1|RUNNING|None\n'; fi
""",
    "scontrol": "#!/bin/bash\n",
}


@pytest.mark.slow
def test_a_table_of_ones_own_through_slurm(mine, capsys, tmp_path, monkeypatch):
    """The script that sbatch gets, an array over the cells, runs from another folder; merge brings the records home."""
    pytest.importorskip("submitit")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name, text in TOOLS.items():
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    home = os.environ["REPRO_RESULTS"]
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path / "node"))
    assert main(["run", str(mine), "--only", "static", "--device", "cpu", "--launcher", "slurm", "--wait"]) == 0
    told, sent = capsys.readouterr().out, (tools / "sent.sh").read_text()
    assert "2 queued" in told and "#SBATCH --array=0-1" in sent, told
    assert len(list((tmp_path / "node").rglob("*-s0.json"))) == 2, (tools / "log").read_text()
    monkeypatch.setenv("REPRO_RESULTS", home)
    assert main(["records", "merge", str(tmp_path / "node" / "own")]) == 0
    assert main(["status", str(mine)]) == 0
    assert capsys.readouterr().out.count("done: static") == 2


@pytest.mark.slow
def test_the_papers_networks_on_ones_own_clips(mine, tiny_csv, capsys):
    small = ["--dataset", str(tiny_csv), "--views", "1x1", "--crop", "32", "--set", "epochs=1", "crop=32", "resize=0"]
    chosen = ["--rows", "tsn_r50", "--only", "own-tiny", "--jobs", "1", "--device", "cpu"]
    assert main(["run", "table6", *small, "pretrained=none", *chosen]) == 0
    assert "your tiny top-1" in capsys.readouterr().out
    assert main(["table", "table6", *small, "pretrained=none", "--full"]) == 0
    assert "Your data, not the paper's" in capsys.readouterr().out
