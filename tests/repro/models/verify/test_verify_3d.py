"""Goldens that take more than some seconds each; the others of the 3D networks run with `test_verify`."""

import json
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from repro.models.build import build_meta
from repro.models.verify import golden, verify
from repro.registry import models

GOLDENS = Path(__file__).parents[3] / "golden"
SLOW = sorted((GOLDENS / "slow").glob("*.json"))


def is_counted(file: Path) -> bool:
    data = json.loads(file.read_text())
    return "macs" in data and "input_frames" in models[data["spec"]["model"]].facts


COUNTED = [file for file in (*SLOW, *sorted(GOLDENS.glob("*.json"))) if is_counted(file)]


@pytest.mark.slow
@pytest.mark.parametrize("file", SLOW, ids=lambda file: file.stem)
def test_networks_equal_the_public_code(file):
    outcomes = verify.verify_file(file)
    assert {outcome.what for outcome in outcomes} >= {"parameters", "logits float64", "logits float32"}
    assert not [outcome.line() for outcome in outcomes if not outcome.passed]


@pytest.mark.parametrize("file", COUNTED, ids=lambda file: file.stem)
def test_operations_equal_the_public_code(file):
    data = golden.read_json(file)
    layout = golden.LAYOUTS[data["input"]["layout"].split()[0]]
    net = build_meta(golden.model_spec(data)).eval()
    x = torch.empty([data["input"]["shape"][axis] for axis in layout], device="meta")
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        net(x)
    assert counter.get_total_flops() // 2 == data["macs"]


@pytest.mark.parametrize(
    ("origin", "form"), [("pyslowfast", "pyslowfast"), ("mmaction2", "mmaction2"), ("plain", None)]
)
def test_the_format_names_the_form_of_the_network(origin, form):
    facts = {"model": "i3d", "backbone": "resnet50", "frames": 8, "num_classes": 4, "checkpoint_format": origin}
    assert golden.model_spec({"spec": facts}).options.get("form") == form
    given = {**facts, "model_options": {"form": "pyslowfast"}}
    assert golden.model_spec({"spec": given}).options["form"] == "pyslowfast"
