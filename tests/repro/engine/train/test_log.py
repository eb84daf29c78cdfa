from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from repro.core.spec import Accuracy, Model
from repro.engine.execution import Execution
from repro.engine.train import log as train_log
from repro.engine.train.fit import fit
from repro.engine.train.log import Log, read


def line(step: int) -> dict[str, Any]:
    rates = {name: 1.0 for name in ("loss", "top1", "lr", "grad_norm", "clips_per_s", "images_per_s", "data_wait")}
    return {"step": step, **rates}


def write(folder: Path, step: int, *steps: int) -> None:
    log = Log(folder, step)
    for number in steps:
        log.scalars(line(number))
    log.close()


def test_each_step_stands_once_after_going_on(tmp_path: Path) -> None:
    write(tmp_path, 0, 16, 32, 48)
    with (tmp_path / train_log.NAME).open("a") as file:
        file.write('{"step": 64, "lo')  # the process died here
    write(tmp_path, 32, 48, 64)
    assert [entry["step"] for entry in read(tmp_path)] == [16, 32, 48, 64]
    write(tmp_path, 0, 16)
    assert [entry["step"] for entry in read(tmp_path)] == [16]


def test_beside_process_0_nothing_is_written(tmp_path: Path) -> None:
    log = Log(None, 0)
    log.scalars(line(1))
    log.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="the extra tensorboard is not installed")
def test_tensorboard_has_the_same_scalars(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(tmp_path, 0, 16, 32)
    found = EventAccumulator(str(tmp_path)).Reload()
    assert set(found.Tags()["scalars"]) == {f"train/{name}" for name in line(0) if name != "step"}
    assert [event.step for event in found.Scalars("train/loss")] == [16, 32]


def test_without_tensorboard_the_log_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    write(tmp_path, 0, 16)
    assert [path.name for path in tmp_path.iterdir()] == [train_log.NAME]


def test_what_a_training_tells(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    facts: list[dict[str, Any]] = []
    fitted = fit(tiny_model, tiny_accuracy, 7, tmp_path, Execution(on_progress=facts.append), logs=tmp_path / "logs")
    lines = read(tmp_path / "logs")
    assert [entry["step"] for entry in lines] == [3, 6]
    for entry, point in zip(lines, fitted.curve, strict=True):
        for name in ("epoch", "loss", "top1", "lr", "grad_norm"):
            assert entry[name] == pytest.approx(point[name]), name
        assert entry["images_per_s"] == pytest.approx(4 * entry["clips_per_s"])
        assert 0 <= entry["data_wait"] <= 1
        assert entry["eta_s"] >= 0
    assert lines[-1]["eta_s"] == 0
    assert facts[-1]["loss"] == lines[-1]["loss"]
    json.dumps(lines, allow_nan=False)
