"""Runs that are killed at random moments and begun again end as those that nobody disturbs, bit for bit."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from repro.core import paths
from repro.core.spec import Experiment, Train, replace, to_dict
from repro.records import store
from repro.records.index import Index
from tests.repro.conftest import tiny_accuracy, tiny_csv, tiny_model
from tests.torture.tools import cases, draws, left, sound

__all__ = ["tiny_accuracy", "tiny_csv", "tiny_model"]

#: of a record: other in any two runs
_OF_THE_RUN = {"started", "finished", "wall_s", "command", "environment", "curve"}
_MOST_KILLS = 4


class Zygote:
    """Trainings as children of a process that has everything imported."""

    def __init__(self, experiment: Experiment) -> None:
        command = [sys.executable, "-m", "tests.torture.zygote", json.dumps(to_dict(experiment))]
        root = Path(__file__).parents[2]
        self.process = subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, out: Path, seed: int, seconds: float | None = None) -> int:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps({"out": str(out), "seed": seed, "seconds": seconds}) + "\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def end(self) -> None:
        self.process.communicate()


@pytest.fixture
def zygote(tiny_model, tiny_accuracy):
    train: Train = replace(tiny_accuracy.train, epochs=2)
    made = Zygote(Experiment(model=tiny_model, measure=replace(tiny_accuracy, train=train)))
    yield made
    made.end()


def outcome(out: Path) -> dict[str, Any]:
    """All that a run leaves and that does not tell of the run itself."""
    (record,) = Index(out).records()
    facts = {name: value for name, value in record.model_dump(mode="json").items() if name not in _OF_THE_RUN}
    facts["effective"] = {key: value for key, value in facts["effective"].items() if not key.startswith("resume")}
    facts["losses"] = [point.get("loss") for point in record.curve]
    facts["weights"] = (out / record.relative_path).with_suffix(".safetensors").read_bytes()
    facts["file of scores"] = store.scores_path(record, out).read_bytes()
    return facts


@cases(1, 12)
def test_killed_trainings_end_bit_equal(count, seed, zygote, tmp_path):
    random = draws("kills", seed)
    began = time.monotonic()
    assert zygote.run(tmp_path / "whole", 0) == 0
    usual = time.monotonic() - began
    whole = outcome(tmp_path / "whole")
    for number in range(count):
        out, kills = tmp_path / f"out{number}", random.randint(1, _MOST_KILLS)
        for _ in range(kills):
            status = zygote.run(out, 0, random.uniform(0, usual))
            assert status in (0, -9), status
        assert zygote.run(out, 0) == 0
        sound(out)
        found = outcome(out)
        differ = {
            name: (str(whole[name])[:500], str(found[name])[:500]) for name in whole if whole[name] != found[name]
        }
        assert differ == {}, f"sequence {number}"
        assert left(tmp_path) == [] and list((paths.cache() / "work").iterdir()) == []
