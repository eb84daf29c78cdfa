from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Model, experiment_from_dict, frozen, replace
from repro.data.datasets import open_index
from repro.data.index import Index
from repro.engine.accuracy import measure_accuracy
from repro.engine.execution import Execution
from repro.engine.train import checkpoint, log, loop
from repro.engine.train import fit as train
from repro.engine.train import step as train_step
from tests.repro.engine import forked


class Stop(Exception):
    pass


def stop_at(step: int) -> Any:
    def progress(facts: dict[str, Any]) -> None:
        if facts["step"] == step:
            raise Stop

    return progress


def digest(net: nn.Module) -> str:
    return checkpoint.weights_sha256(net.state_dict())


@pytest.fixture(scope="module")
def index(tiny_csv: Path) -> Index:
    return open_index(str(tiny_csv), "train")


@pytest.fixture(scope="module")
def whole(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path_factory: pytest.TempPathFactory) -> train.Fitted:
    """An uninterrupted run."""
    return train.fit(tiny_model, tiny_accuracy, 7, tmp_path_factory.mktemp("whole"))


def untimed(curve: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in point.items() if key != "seconds"} for point in curve]


def test_the_curve_and_the_effective_values(whole: train.Fitted) -> None:
    assert [(point["epoch"], point["step"]) for point in whole.curve] == [(1, 3), (2, 6)]
    assert all(np.isfinite(list(point.values())).all() for point in whole.curve)
    assert all(0 <= point["top1"] <= 100 and point["grad_norm"] > 0 for point in whole.curve)
    assert whole.curve[0]["lr"] != whole.curve[1]["lr"]
    effective = whole.effective
    assert (effective["lr"], effective["steps"], effective["micro_batch"], effective["accumulation"]) == (0.02, 6, 4, 1)
    assert (effective["deviations"], effective["training_problems"], effective["resumes"]) == ([], [], 0)
    assert {group["name"] for group in effective["parameter_groups"]} >= {"weight", "norm", "linear weight"}
    assert whole.dataset["videos"] == 12
    json.dumps([whole.curve, effective, whole.dataset], allow_nan=False)


def test_same_seed_same_weights(
    whole: train.Fitted, tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path
) -> None:
    again = train.fit(tiny_model, tiny_accuracy, 7, tmp_path / "a", Execution(workers=2))
    assert digest(again.module) == digest(whole.module)
    assert untimed(again.curve) == untimed(whole.curve)
    other = train.fit(tiny_model, tiny_accuracy, 8, tmp_path / "b")
    assert digest(other.module) != digest(whole.module)


@pytest.mark.parametrize("every_s", [0.0, 1e9])
@pytest.mark.parametrize("micro_batch", [4, 2])
def test_a_stopped_run_goes_on_bit_for_bit(
    tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path, micro_batch: int, every_s: float
) -> None:
    more: dict[str, Any] = {"micro_batch": micro_batch, "checkpoint_every_s": every_s}
    expected = train.fit(tiny_model, tiny_accuracy, 7, tmp_path / "whole", Execution(**more))
    for step in (1, 3, 5):
        with pytest.raises(Stop):
            train.fit(tiny_model, tiny_accuracy, 7, tmp_path / "parts", Execution(on_progress=stop_at(step), **more))
    found = train.fit(tiny_model, tiny_accuracy, 7, tmp_path / "parts", Execution(**more))
    assert digest(found.module) == digest(expected.module)
    assert untimed(found.curve) == untimed(expected.curve)
    assert found.effective["resumes"] == (3 if every_s == 0 else 0)
    assert found.effective["accumulation"] == 4 // micro_batch


def test_a_finished_run_is_not_trained_again(
    whole: train.Fitted, tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path
) -> None:
    train.fit(tiny_model, tiny_accuracy, 7, tmp_path)
    steps: list[Any] = []
    again = train.fit(tiny_model, tiny_accuracy, 7, tmp_path, Execution(on_progress=steps.append))
    assert steps == []
    assert digest(again.module) == digest(whole.module)
    assert len(again.curve) == 2


def test_damaged_checkpoints_cost_time_only(
    whole: train.Fitted, tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        train.fit(tiny_model, tiny_accuracy, 7, tmp_path, Execution(on_progress=stop_at(4), checkpoint_every_s=0))
    newest = max(tmp_path.glob("step-*.pt"))
    newest.write_bytes(newest.read_bytes()[:-100])
    found = train.fit(tiny_model, tiny_accuracy, 7, tmp_path)
    assert digest(found.module) == digest(whole.module)
    assert "damaged" in found.notes[0]
    for path in tmp_path.glob("step-*.pt"):
        path.write_bytes(b"")
    found = train.fit(tiny_model, tiny_accuracy, 7, tmp_path)
    assert digest(found.module) == digest(whole.module)
    assert "started again from the beginning" in found.notes[-1]


def test_a_checkpoint_of_another_experiment_is_refused(
    tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path
) -> None:
    with pytest.raises(Stop):
        train.fit(tiny_model, tiny_accuracy, 7, tmp_path, Execution(on_progress=stop_at(1), checkpoint_every_s=0))
    with pytest.raises(ReproError, match=r"has experiment .*rm -r"):
        train.fit(replace(tiny_model, dropout=0.4), tiny_accuracy, 7, tmp_path)
    with pytest.raises(ReproError, match="has seed 7, this run has 8"):
        train.fit(tiny_model, tiny_accuracy, 8, tmp_path)


def test_killed_at_any_moment_and_started_again(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    """SIGKILL in the first epoch, in the second, while a checkpoint may be written, and during the test."""
    from repro.core.spec import Experiment, to_dict

    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, partial_bn=True))
    (tmp_path / "spec.json").write_text(json.dumps(to_dict(Experiment(model=tiny_model, measure=accuracy))))
    torch.set_num_threads(1)
    expected = measure_accuracy(tiny_model, accuracy, 7, tmp_path / "whole")
    for line, delay in (("train 1", 0.0), ("train 3", 0.02), ("train 5", 0.0), ("test 2", 0.0)):
        assert run_and_kill(tmp_path, line, delay), f"never saw {line!r}"
    assert not run_and_kill(tmp_path, "no such line", 0.0)
    killed = (tmp_path / "work" / "scores.npz").read_bytes()
    assert killed == expected["scores_path"].read_bytes()


def told_run(spec: Path, work: Path) -> None:
    experiment = experiment_from_dict(json.loads(spec.read_text()))
    assert isinstance(experiment.measure, Accuracy)

    def tell(facts: dict[str, Any]) -> None:
        forked.tell(f"{facts['phase']} {facts.get('step', '')}".strip())

    measure_accuracy(experiment.model, experiment.measure, 7, work, Execution(on_progress=tell, checkpoint_every_s=0))


def run_and_kill(folder: Path, line: str, delay: float) -> bool:
    """Start or go on; kill when `line` is told. False: the run came to its end."""
    child = forked.Child(told_run, folder / "spec.json", folder / "work")
    while (seen := child.told()) is not None:
        if seen == line:
            time.sleep(delay)
            child.process.kill()
            return child.ended() == -signal.SIGKILL
    assert child.ended() == 0
    return False


def test_accumulation_makes_the_same_gradient(
    tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With batch normalization frozen and no dropout, two halves of a batch are the batch."""
    model = replace(tiny_model, dropout=0.0)
    monkeypatch.setattr(loop, "freeze_partial_bn", freeze_all_bn)
    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, partial_bn=True, epochs=1))
    one = train.fit(model, accuracy, 7, tmp_path / "one")
    two = train.fit(model, accuracy, 7, tmp_path / "two", Execution(micro_batch=2))
    for (name, a), b in zip(one.module.state_dict().items(), two.module.state_dict().values(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6), name
    assert one.curve[0]["loss"] == pytest.approx(two.curve[0]["loss"], rel=1e-4)


def freeze_all_bn(module: nn.Module) -> int:
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eval()
    return 0


def test_partial_bn_freezes_all_but_the_first(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    from repro.models.build import build

    torch.manual_seed(7)
    before = {name: value.clone() for name, value in build(tiny_model).state_dict().items()}
    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, partial_bn=True))
    fitted = train.fit(tiny_model, accuracy, 7, tmp_path)
    layers = [name for name, layer in fitted.module.named_modules() if isinstance(layer, nn.BatchNorm2d)]
    after = fitted.module.state_dict()
    assert fitted.effective["frozen_bn"] == len(layers) - 1
    for name in layers:
        for part in ("weight", "bias", "running_mean", "running_var"):
            same = torch.equal(before[f"{name}.{part}"], after[f"{name}.{part}"])
            assert same == (name != layers[0]), f"{name}.{part}"
    assert not torch.equal(before["conv1.weight"], after["conv1.weight"])


def test_partial_bn_leaves_other_normalizations() -> None:
    class Own(nn.modules.batchnorm._BatchNorm):
        pass

    net = nn.Sequential(nn.BatchNorm2d(2), nn.BatchNorm1d(2), Own(2), nn.BatchNorm2d(2), nn.BatchNorm2d(2))
    assert loop.freeze_partial_bn(net.train()) == 2
    assert [layer.training for layer in net] == [True, True, True, False, False]
    assert [layer.weight.requires_grad for layer in net] == [True, True, True, False, False]


def test_divergence_is_told_with_step_and_rate(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    wild = replace(tiny_accuracy, train=replace(tiny_accuracy.train, lr=1e30, clip_norm=0, warmup_epochs=0))
    with pytest.raises(ReproError, match=r"not finite at step \d of 6 \(epoch 0\), learning rate \d"):
        train.fit(tiny_model, wild, 7, tmp_path, Execution(checkpoint_every_s=0))
    assert not list(tmp_path.glob("step-*.pt"))


def test_a_bad_training_video_is_named(
    tiny_model: Model, tiny_accuracy: Accuracy, index: Index, tmp_path: Path
) -> None:
    videos = (replace(index.videos[0], path=tmp_path / "gone.mp4"), *index.videos[1:])
    spoiled = replace(index, videos=videos, fingerprint="spoiled")
    fitted = train.fit(tiny_model, tiny_accuracy, 7, tmp_path / "w", index=spoiled)
    assert [problem["id"] for problem in fitted.effective["training_problems"]] == [index.videos[0].id]


def with_a_hanging_video(index: Index, folder: Path) -> Index:
    """The first video's pictures are named pipes that nobody writes to: opening one never comes back."""
    (folder / "pipes").mkdir()
    for number in range(1, 10):
        os.mkfifo(folder / "pipes" / f"{number:05d}.jpg")
    videos = (replace(index.videos[0], path=folder / "pipes"), *index.videos[1:])
    return replace(index, videos=videos, fingerprint="with a pipe")


@pytest.mark.parametrize("workers", [0, 2])
def test_a_video_that_hangs_is_named_and_replaced(
    tiny_model: Model, tiny_accuracy: Accuracy, index: Index, tmp_path: Path, workers: int
) -> None:
    stalled = with_a_hanging_video(index, tmp_path)
    facts: list[dict[str, Any]] = []
    how = Execution(workers=workers, video_timeout_s=2.0, on_progress=facts.append)
    fitted = train.fit(tiny_model, tiny_accuracy, 7, tmp_path / "w", how, index=stalled)
    (problem,) = fitted.effective["training_problems"]
    assert problem["id"] == index.videos[0].id
    assert "no result within 2 s" in problem["problem"]
    told = [fact["problem"] for fact in facts if "problem" in fact]
    assert len(told) == 1 and "pipes: no result within 2 s" in told[0]
    lines = [line for line in log.read(tmp_path / "w") if "video" in line]
    assert [(line["video"], Path(line["path"]).name) for line in lines] == [(index.videos[0].id, "pipes")]


def test_a_video_that_hangs_ends_a_strict_training(
    tiny_model: Model, tiny_accuracy: Accuracy, index: Index, tmp_path: Path
) -> None:
    stalled = with_a_hanging_video(index, tmp_path)
    with pytest.raises(ReproError, match=r"training video .*pipes: no result within 2 s"):
        train.fit(
            tiny_model, tiny_accuracy, 7, tmp_path / "w", Execution(video_timeout_s=2.0, strict=True), index=stalled
        )


def test_what_cannot_be_is_refused(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    recipe = tiny_accuracy.train
    assert recipe is not None
    for changes, match in (
        ({"amp": "fp16"}, "fp16 on cpu"),
        ({"amp": "fp8"}, "amp 'fp8'"),
        ({"batch": 13}, "12 training videos are fewer"),
        ({"sampling": "tdn.train_4"}, "tdn.train_4"),
    ):
        with pytest.raises(ReproError, match=match):
            train.fit(tiny_model, replace(tiny_accuracy, train=replace(recipe, **changes)), 7, tmp_path)
    with pytest.raises(ReproError, match="no training recipe"):
        train.fit(tiny_model, replace(tiny_accuracy, train=None), 7, tmp_path)
    with pytest.raises(ReproError, match="has label 2"):
        train.fit(replace(tiny_model, num_classes=2), tiny_accuracy, 7, tmp_path)


def test_bf16_trains(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    half = replace(tiny_accuracy, train=replace(tiny_accuracy.train, amp="bf16", epochs=1))
    fitted = train.fit(tiny_model, half, 7, tmp_path)
    assert fitted.effective["amp"] == "bf16"
    assert all(p.dtype == torch.float32 for p in fitted.module.parameters())


@pytest.mark.gpu
@pytest.mark.parametrize("amp", ["off", "bf16", "fp16"])
def test_trains_on_cuda(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path, amp: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, amp=amp))
    found = measure_accuracy(tiny_model, accuracy, 7, tmp_path, Execution(device="cuda"))
    assert found["results"]["videos"] == 5


def test_global_flags_are_given_back(whole: train.Fitted) -> None:
    assert not torch.are_deterministic_algorithms_enabled()


def test_methods_and_other_networks_train(tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    accuracy = replace(tiny_accuracy, train=replace(tiny_accuracy.train, epochs=1))
    five = replace(accuracy.train, sampling="repro.centred5_train_4")
    for name, method in (("tsn", "dnr"), ("tanet", None), ("tdn", None)):
        model = Model(
            name=name, backbone="tiny_resnet", num_classes=3, frames=4, method=method, options=frozen(blocks=1)
        )
        measure = replace(accuracy, train=five) if name == "tdn" else accuracy
        assert len(train.fit(model, measure, 0, tmp_path / name).curve) == 1


def test_what_a_method_adds_to_the_loss_reaches_the_gradient():
    class Part(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(2.0))

        def losses(self):
            return {"square": self.weight**2}

    net = nn.Sequential(nn.Linear(3, 2), Part())
    total = sum(train_step.own_losses(net), torch.tensor(1.0))
    total.backward()
    assert total.item() == 5.0
    assert net[1].weight.grad.item() == 4.0
    assert train_step.own_losses(nn.Sequential(nn.Linear(2, 2))) == []


def test_a_recipe_may_take_fewer_videos(tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    assert tiny_accuracy.train is not None
    fewer = replace(tiny_accuracy, train=replace(tiny_accuracy.train, videos=8, clips_per_device=2, epochs=1))
    found = measure_accuracy(tiny_model, fewer, 0, tmp_path)
    assert found["dataset"]["train"]["videos"] == 8
    assert (found["effective"]["steps"], found["effective"]["micro_batch"]) == (2, 2)


@pytest.mark.parametrize("name", ["r2plus1d", "slowfast_8x8"])
def test_networks_of_volumes_train_and_are_scored(name: str, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    model = Model(name=name, backbone="tiny_resnet", num_classes=3, frames=8, dropout=0.0, method="dnr")
    assert tiny_accuracy.train is not None
    train = replace(tiny_accuracy.train, epochs=1, sampling="mmaction2.uniform_train_8", groups="plain")
    test = replace(tiny_accuracy.test, sampling="mmaction2.uniform_test_8_twice")
    found = measure_accuracy(model, replace(tiny_accuracy, train=train, test=test), 0, tmp_path)
    assert found["results"]["videos"] == 5
    assert found["effective"]["layout"] == "contiguous"
