"""Goldens of AdaFuse: decisions, cost and noise, on a small network whose golden is made here."""

import hashlib
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from repro.core import spec
from repro.core.errors import WeightsError
from repro.models.build import build
from repro.models.verify import golden, verify

GOLDENS = Path(__file__).parents[3] / "golden"
FRAMES = 4
MODEL = spec.Model(
    name="tsn",
    backbone="tiny_resnet",
    frames=FRAMES,
    num_classes=3,
    method="adafuse",
    method_options=spec.frozen(hidden=8, shared_policy=False),
)


def entry(block: str, codes: torch.Tensor) -> dict:
    """As goldens have it, of codes (T, C)."""
    per_frame = [[int((frame == code).sum()) for code in range(3)] for frame in codes]
    digest = hashlib.sha256(codes.numpy().astype(np.uint8).tobytes()).hexdigest()
    return {"block": block, "gated": True, "per_frame": per_frame, "sha256": digest}


@pytest.fixture
def data() -> dict:
    """A golden of the network above, made by itself."""
    net = build(MODEL).double().eval()
    tensors = [[k, list(v.shape), str(v.dtype).removeprefix("torch.")] for k, v in net.state_dict().items()]
    facts = {"tensors": tensors, "input": {"shape": [1, FRAMES, 3, 32, 32], "layout": "NTCHW", "seed": 5}}
    net.load_state_dict({k: torch.from_numpy(np.asarray(v)) for k, v in golden.state_dict(facts).items()})
    with torch.no_grad():
        logits = net(torch.from_numpy(golden.network_input(facts)).double())
    adafuse = net.adafuse
    return facts | {
        "spec": {
            "model": "tsn",
            "backbone": "tiny_resnet",
            "frames": FRAMES,
            "num_classes": 3,
            "method": "adafuse",
            "method_options": {"hidden": 8, "shared_policy": False},
            "checkpoint_format": "plain",
        },
        "logits": logits.tolist(),
        "policy_noise": "none (argmax)",
        "decisions": [
            {"block": "stem", "gated": False},
            *(entry(block, codes[0]) for block, codes in adafuse.decisions().items()),
        ],
        "gflops": {"clip_real": float(adafuse.gmacs(last_frame_fault=True)[0])},
    }


def outcomes_of(tmp_path, data) -> dict[str, verify.Outcome]:
    (tmp_path / "g.json").write_text(json.dumps(data))
    return {outcome.what: outcome for outcome in verify.verify_file(tmp_path / "g.json")}


def test_decisions_and_cost_are_compared(tmp_path, data):
    found = outcomes_of(tmp_path, data)
    assert all(outcome.passed for outcome in found.values()), found
    assert {"decisions", "GMACs", "logits float64", "logits float32"} <= set(found)
    assert "in 3 blocks equal" in found["decisions"].note


def test_one_other_decision_is_a_miss(tmp_path, data):
    data["decisions"][2]["sha256"] = "0" * 64
    data["gflops"]["clip_real"] *= 1 + 1e-6
    found = outcomes_of(tmp_path, data)
    assert not found["decisions"].passed and found["decisions"].note == "layer2.0: sha256"
    assert not found["GMACs"].passed and found["GMACs"].relative_error == pytest.approx(1e-6, rel=0.01)


def test_another_number_of_blocks_is_said(tmp_path, data):
    del data["decisions"][-1]
    outcome = outcomes_of(tmp_path, data)["decisions"]
    assert not outcome.passed and "2 gated blocks" in outcome.note


def test_noise_is_made_again_from_the_name_of_the_block(tmp_path, data):
    data["policy_noise"] = "gumbel, PCG64(crc32('gumbel:' + block))"
    data["decisions"][1]["block"] = "another.name"
    model = golden.model_spec(data)
    net = build(model)
    case = verify.Case("g", data, model, net, {}, None, torch.empty(0))
    for prepare in verify.PREPARATIONS.values():
        prepare(case)
    for name, gate in zip(["another.name", "layer2.0", "layer3.0"], net.adafuse.gates.values(), strict=True):
        generator = np.random.Generator(np.random.PCG64(zlib.crc32(f"gumbel:{name}".encode())))
        uniform = generator.uniform(1e-12, 1, (FRAMES, gate.decided, 3))
        assert np.array_equal(gate.noise.numpy(), -np.log(-np.log(uniform)))
    pooled = torch.randn(FRAMES, 32)
    gate = net.eval().adafuse.gates["layer1.0"]
    decided = gate.decisions(pooled).argmax(-1)[0]
    expected = (gate.logits(pooled)[0].log_softmax(-1).double() + gate.noise) / 0.67
    assert torch.equal(decided, expected.argmax(-1))
    assert not torch.equal(decided, gate.logits(pooled)[0].argmax(-1))
    assert not outcomes_of(tmp_path, data)["decisions"].passed


def test_float32_is_compared_under_the_decisions_of_float64(tmp_path, data, monkeypatch):
    from methods.adafuse.gate import Gate

    exact = Gate.logits

    def rough(gate, pooled):
        logits = exact(gate, pooled)
        return logits if pooled.dtype == torch.float64 else -logits

    monkeypatch.setattr(Gate, "logits", rough)
    found = outcomes_of(tmp_path, data)
    assert found["logits float32"].passed and "with the decisions of float64" in found["logits float32"].note
    assert found["decisions"].passed


def test_a_released_file_names_shared_layers_twice():
    from repro.models.weights import import_tensors, shapes_of

    data = golden.read_json(GOLDENS / "adafuse_tsn_resnet18.json")
    model = golden.model_spec(data)
    wanted = shapes_of(model)
    shapes = {name: shape for name, shape, _ in data["tensors"]}
    shapes |= {alias: shapes[name] for alias, name in data["aliases"].items()}
    file = {f"module.{name}": torch.empty(shape, device="meta") for name, shape in shapes.items()}
    tensors, report = import_tensors(file, model, wanted, source="released.pth.tar")
    assert report.format == "adafuse-repo" and set(tensors) == set(wanted)
    assert len(report.dropped) == len(data["aliases"]) == 32
    own = spec.replace(model, method_options=spec.frozen(hidden=512, shared_policy=False))
    with pytest.raises(WeightsError):
        import_tensors(file, own, shapes_of(own), source="released.pth.tar")
