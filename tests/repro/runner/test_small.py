"""`run real/small`: folds of whole groups, controls beside the accuracy; with marker real, real weights and clips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from repro.__main__ import main
from repro.core.spec import replace
from repro.data.datasets import open_index
from repro.data.sampling import indices
from repro.engine.train.freezing import freeze_stages
from repro.models import known_weights
from repro.models.build import build
from repro.models.weights import save_weights
from repro.papers import small
from repro.registry import datasets

CLIPS = Path(__file__).parents[4] / "shared" / "clips"


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Twelve clips of two classes in four groups."""
    root, lines = tmp_path_factory.mktemp("small"), ["path,label,group"]
    chosen = open_index("probe-order-smoke", "train").videos[:2]
    for number in range(12):
        content = chosen[number % 2].path.read_bytes()
        (root / f"{number}.mp4").write_bytes(content)
        lines.append(f"{number}.mp4,{'ab'[number % 2]},g{number // 3}")
    (root / "my.csv").write_text("\n".join(lines))
    return root / "my.csv"


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """MobileNetV2 under the name of the ImageNet set: random here, no package is fetched."""
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("REPRO_CACHE", str(tmp_path / "cache"))
    known = known_weights.find(small.WEIGHTS)
    torch.manual_seed(0)
    state = build(known.model).state_dict()
    save_weights(known.path, state, model=known.model, contract=known.contract, source_sha256=known.sha256)
    return state


def test_accuracies_stand_beside_their_controls_and_a_second_start_trains_nothing(clips, weights, tmp_path, capsys):
    call = ["run", small.NAME, "--dataset", str(clips), "--folds", "2", "--rows", "tsm", "--out", str(tmp_path / "out")]
    call += ["--set", "epochs=1", "crop=32", "resize=32"]
    assert main(call) == 0
    told = capsys.readouterr().out
    assert "12 clips of 2 classes in 4 groups; 2 folds of whole groups" in told
    rows = (
        "TSM ",
        "linear, frozen ImageNet",
        "linear, random",
        "linear, colour",
        "linear, geometry",
        "the largest class",
    )
    assert all(row in told for row in rows) and "shuffled  reversed" in told
    found = json.loads((tmp_path / "out" / "real-small-my.json").read_text())
    assert set(found["rows"][0]["orders"]) == {"shuffled", "reversed"} and found["rows"][0]["top1"]["n"] == 12
    records = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*-s0.json")}
    assert len(records) == 2 * 3, "for each fold a training, and two tests with frames in another order"
    told = json.loads(next(path for path in records if "train" in path.parts).read_text())
    assert told["effective"]["imagenet"]["name"] == small.WEIGHTS
    assert main(call) == 0
    assert {path: path.stat().st_mtime_ns for path in records} == records

    folds = [name for name in datasets.names() if name.startswith("my@") and "of2" in name]
    sides = [{split: open_index(name, split).videos for split in ("train", "val")} for name in folds]
    for side in sides:
        assert not {video.group for video in side["train"]} & {video.group for video in side["val"]}
    assert sorted(video.id for side in sides for video in side["val"]) == sorted(f"{n}.mp4" for n in range(12))


def test_frozen_stages_keep_weights_and_statistics(weights):
    model = small.experiment("tsm_dnr", "my", 2).model
    net = build(model)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    net.train()
    count = freeze_stages(net, small.FROZEN)
    net(torch.randn(2, 8, 3, 32, 32)).sum().backward()
    torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1.0).step()
    kept = ("conv1.", "bn1.", "layer1.", "layer2.")
    after = net.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith(kept))
    assert not torch.equal(before["fc.weight"], after["fc.weight"])
    assert count == sum(p.numel() for name, p in net.named_parameters() if name.startswith(kept))
    assert torch.equal(before["layer1.0.conv_dw.weight"], weights["layer1.0.conv_dw.weight"])
    assert not any("cell" in name for name in before if name.startswith(kept)), "DNR stands where it is trained"


def test_reversed_frames_are_those_of_the_test_from_the_last(tmp_path):
    for frames in (5, 16, 250):
        plain = indices("mmaction2.uniform_test_8", frames)
        assert np.array_equal(indices("repro.reversed_test_8", frames), plain[:, ::-1])


def test_what_is_missing_is_named(clips, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path))
    assert main(["run", small.NAME]) != 0
    assert "--dataset my.csv" in capsys.readouterr().err
    assert main(["run", small.NAME, "--dataset", str(clips)]) != 0
    assert "weights get mobilenetv2-imagenet" in capsys.readouterr().err
    assert main(["run", small.NAME, "--dataset", str(clips), "--rows", "tsmm"]) != 0
    assert "did you mean tsm" in capsys.readouterr().err


@pytest.mark.real
@pytest.mark.skipif(not CLIPS.is_dir(), reason="the clips are not beside this checkout")
def test_real_weights_on_real_clips_stand_beside_their_controls(tmp_path):
    """Real ImageNet weights on real frames, tested on sources not trained on: what holds at any accuracy."""
    from repro.cli.doctor_checks.check import NotHere
    from repro.cli.doctor_checks.real import trained
    from repro.engine.execution import Execution
    from repro.runner.small import measure
    from tests.repro.runner.real_clips import CLASSES, make

    try:
        trained(small.WEIGHTS)
    except NotHere as absent:
        pytest.skip(str(absent))
    source = make([CLIPS / name for name in ("demo.mp4", "test.mp4", "test.avi")], tmp_path, 2)
    train = replace(small.RECIPE, epochs=1, warmup_epochs=0, crop=64, resize=72)
    found = measure(source, folds=3, rows=["tsn", "tsm"], out=tmp_path / "out", how=Execution(), train=train)
    tsn, tsm, imagenet, chance, _, geometry, largest = found.rows
    assert (found.clips, found.classes, found.groups) == (24, len(CLASSES), 3)
    assert tsn.orders == {"shuffled": tsn.top1.value, "reversed": tsn.top1.value}, "TSN cannot tell an order"
    assert set(tsm.orders) == set(tsn.orders) and imagenet.label != chance.label
    assert geometry.top1.value <= largest.top1.value == 25, "size, rate and length are those of every class"
