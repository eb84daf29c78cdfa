"""Training on two processes: the same batches as on one, and going on from one to the other."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from repro.core import stop_signal
from repro.core.spec import Accuracy, Experiment, Model, experiment_from_dict, replace, to_dict
from repro.engine.distributed import Ranks
from repro.engine.execution import Execution
from repro.engine.train import checkpoint, resume
from repro.engine.train.fit import Fitted, fit
from repro.engine.train.resume import TOLERANCE
from tests.repro.engine import forked


class Stop(Exception):
    pass


def one_of_two(spec: Path, work: Path, rank: int, meet: int, stop_at: int, micro: int, ask_at: int) -> list[Any]:
    dist.init_process_group("gloo", init_method=f"file://{work}.rendezvous{meet}", rank=rank, world_size=2)
    experiment = experiment_from_dict(json.loads(spec.read_text()))
    assert isinstance(experiment.measure, Accuracy)

    def stop(facts: dict[str, Any]) -> None:
        if facts["step"] == stop_at:
            raise Stop
        if facts["step"] == ask_at and rank == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    try:
        with stop_signal.watching():
            how = Execution(micro_batch=micro, on_progress=stop, checkpoint_every_s=600 if ask_at > 0 else 0)
            fitted = fit(experiment.model, experiment.measure, 7, work, how)
    except (Stop, stop_signal.Stopped):
        sys.exit(0)
    state = fitted.module.state_dict()
    torch.save(state, f"{work}.weights{rank}")
    dist.destroy_process_group()
    return json.loads(json.dumps([checkpoint.weights_sha256(state), fitted.effective, fitted.curve, fitted.notes]))


def run_two(folder: Path, work: str, attempt: int, stop: int = -1, micro: int = 1, ask: int = -1) -> list[Any]:
    files = folder / "spec.json", folder / work
    children = [forked.Child(one_of_two, *files, rank, attempt, stop, micro, ask) for rank in (0, 1)]
    return [child.result() for child in children]


def write_spec(folder: Path, model: Model, accuracy: Accuracy) -> None:
    (folder / "spec.json").write_text(json.dumps(to_dict(Experiment(model=model, measure=accuracy))))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """As the children have: sums are taken in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def plain(tiny_model: Model, tiny_accuracy: Accuracy) -> tuple[Model, Accuracy]:
    """Nothing that depends on the division: no dropout, statistics over all processes."""
    train = replace(tiny_accuracy.train, sync_bn=True)
    return replace(tiny_model, dropout=0.0), replace(tiny_accuracy, train=train)


@pytest.fixture(scope="module")
def alone(plain: tuple[Model, Accuracy], tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    return fit(*plain, 7, tmp_path_factory.mktemp("alone"))


def distance(found: dict[str, Tensor], expected: dict[str, Tensor]) -> float:
    """Difference of all weights, relative to their norm; see `repro.engine.train.resume.TOLERANCE`."""
    a, b = (torch.cat([state[name].double().flatten() for name in expected]) for state in (found, expected))
    return float((a - b).norm() / b.norm())


def test_two_processes_see_the_batches_of_one(plain: tuple[Model, Accuracy], alone: Fitted, tmp_path: Path) -> None:
    write_spec(tmp_path, *plain)
    one, two = run_two(tmp_path, "two", 0, micro=2)
    assert one[0] == two[0]
    assert one[2][0]["loss"] == pytest.approx(alone.curve[0]["loss"], rel=1e-4)
    for found, expected in zip(one[2], alone.curve, strict=True):
        assert found["top1"] == expected["top1"]
        assert (found["loss"], found["grad_norm"]) == pytest.approx((expected["loss"], expected["grad_norm"]), rel=1e-3)
    assert distance(torch.load(tmp_path / "two.weights0"), alone.module.state_dict()) < TOLERANCE
    effective = one[1]
    assert (effective["world_size"], effective["micro_batch"], effective["accumulation"]) == (2, 2, 1)
    assert (effective["norm_batch"], effective["deviations"]) == (4, [])
    assert effective["synchronised_bn"] > 0
    assert effective["training_decoders"] == alone.effective["training_decoders"] == {"pyav": 24}


def test_a_smaller_last_batch_counts_each_clip_once(plain: tuple[Model, Accuracy], tmp_path: Path) -> None:
    """11 videos in batches of 4: of the last 3, one process takes 2 and the other 1."""
    model, accuracy = plain
    accuracy = replace(accuracy, train=replace(accuracy.train, videos=11, last_batch="smaller"))
    write_spec(tmp_path, model, accuracy)
    alone = fit(model, accuracy, 7, tmp_path / "one")
    two, other = run_two(tmp_path, "two", 0, micro=2)
    assert two[0] == other[0]
    assert distance(torch.load(tmp_path / "two.weights0"), alone.module.state_dict()) < TOLERANCE
    assert sum(two[1]["training_decoders"].values()) == sum(alone.effective["training_decoders"].values()) == 22
    assert (two[1]["steps_per_epoch"], two[1]["last_batch"], two[1]["steps"]) == (3, 3, 6)
    for found, expected in zip(two[2], alone.curve, strict=True):
        assert (found["loss"], found["top1"]) == pytest.approx((expected["loss"], expected["top1"]), rel=1e-4)


def test_from_one_process_to_two_and_back(plain: tuple[Model, Accuracy], alone: Fitted, tmp_path: Path) -> None:
    write_spec(tmp_path, *plain)

    class Stop(Exception):
        pass

    def stop(facts: dict[str, Any]) -> None:
        if facts["step"] == 2:
            raise Stop

    with pytest.raises(Stop):
        fit(*plain, 7, tmp_path / "moved", Execution(on_progress=stop, checkpoint_every_s=0))
    run_two(tmp_path, "moved", 0, stop=4, micro=2)
    last = fit(*plain, 7, tmp_path / "moved")
    assert distance(last.module.state_dict(), alone.module.state_dict()) < TOLERANCE
    for found, expected in zip(last.curve, alone.curve, strict=True):
        assert found["loss"] == pytest.approx(expected["loss"], rel=1e-3)
    moves = last.effective["resumed_on"]
    assert [(move["was"]["world_size"], move["now"]["world_size"]) for move in moves] == [(1, 2), (2, 1)]
    assert all("sums in another order" in move["tolerance"] for move in moves)
    assert "on 1 instead of 2 processes" in last.notes[0]
    assert last.effective["resumes"] == 2
    assert last.effective["training_decoders"] == {"pyav": 24}


def test_statistics_or_masks_that_change_are_told(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    class Stop(Exception):
        pass

    def stop(facts: dict[str, Any]) -> None:
        if facts["step"] == 2:
            raise Stop

    with pytest.raises(Stop):
        fit(tiny_model, tiny_accuracy, 7, tmp_path, Execution(on_progress=stop, checkpoint_every_s=0))
    found = fit(tiny_model, tiny_accuracy, 7, tmp_path, Execution(micro_batch=2))
    assert "batch normalization sees another number of clips" in found.effective["resumed_on"][0]["tolerance"]
    assert found.effective["accumulation"] == 2


def test_two_processes_end_with_the_same_weights(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    write_spec(tmp_path, tiny_model, tiny_accuracy)
    one, two = run_two(tmp_path, "whole", 0)
    assert one[0] == two[0]
    untimed = [[{k: v for k, v in point.items() if k != "seconds"} for point in run[2]] for run in (one, two)]
    assert untimed[0] == untimed[1]
    effective = one[1]
    assert (effective["world_size"], effective["micro_batch"], effective["accumulation"]) == (2, 1, 2)
    assert "of 2 devices" in effective["deviations"][0]


@pytest.mark.slow
def test_two_processes_go_on_bit_for_bit(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    write_spec(tmp_path, tiny_model, tiny_accuracy)
    one, _ = run_two(tmp_path, "whole", 0)
    run_two(tmp_path, "parts", 1, stop=4)
    again = run_two(tmp_path, "parts", 2)
    assert (again[0][0], again[1][0]) == (one[0], one[0])


def test_sums_move_to_process_0_and_problems_to_all() -> None:
    def part(loss: float, bad: float, problems: dict[str, str]) -> dict[str, Any]:
        random = checkpoint.random_state(torch.device("cpu"))
        return {
            "tally": torch.tensor([loss, 1.0, 4.0, 0.5, 2.0, bad]),
            "random": random,
            "problems": problems,
            "used": {"pyav": 3},
        }

    found = {"ranks": [part(1.0, -1, {"a": "cut"}), part(2.0, 5, {"b": "gone"})]}
    assert resume.own_part(found, Ranks(1, 2)) is found["ranks"][1]
    first, last = resume.own_part(found, Ranks(0, 3)), resume.own_part(found, Ranks(2, 3))
    assert first["tally"].tolist() == [3.0, 2.0, 8.0, 0.5, 2.0, 5.0]
    assert last["tally"].tolist() == [0.0, 0.0, 0.0, 0.5, 2.0, 5.0]
    assert (first["used"], last["used"]) == ({"pyav": 6}, {})
    assert first["problems"] == last["problems"] == {"a": "cut", "b": "gone"}
    assert first["random"] is not None and last["random"] is None


def test_one_process_that_is_asked_to_stop_stops_both(
    tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path
) -> None:
    """As when a scheduler takes away the second of two nodes; nothing else would save a state here."""
    write_spec(tmp_path, tiny_model, tiny_accuracy)
    assert run_two(tmp_path, "asked", 0, ask=1) == [None, None]
    assert [path.name for path in (tmp_path / "asked").glob("step-*.pt")] == ["step-000000002.pt"]
    assert run_two(tmp_path, "asked", 1)[0][1]["resumes"] == 1
