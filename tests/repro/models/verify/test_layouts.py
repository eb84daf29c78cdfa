"""Goldens that name and shape a public network's tensors, without its outputs: the network runs on their input."""

from pathlib import Path

import numpy as np
import pytest
import torch

from repro.models import formats
from repro.models.build import build, build_meta
from repro.models.verify import golden
from repro.models.weights import import_tensors, shapes_of

FOLDER = Path(__file__).parents[3] / "golden" / "layouts"
GOLDENS = {file.stem: golden.read_json(file) for file in sorted(FOLDER.glob("*.json"))}


def test_the_layouts_are_there():
    assert len(GOLDENS) >= 28


def shape_of(data) -> list[int]:
    """Of the input as our networks take it."""
    axes = golden.LAYOUTS[data["input"]["layout"].split()[0]]
    return [data["input"]["shape"][axis] for axis in axes]


@pytest.mark.parametrize("name", GOLDENS)
def test_forward_gives_a_score_for_each_class(name):
    data = GOLDENS[name]
    model = golden.model_spec(data)
    with torch.no_grad():
        logits = build_meta(model).eval()(torch.empty(shape_of(data), device="meta"))
    assert logits.shape == (data["input"]["shape"][0], model.num_classes)


@pytest.mark.parametrize("name", GOLDENS)
def test_a_file_of_this_layout_is_imported_without_naming_its_format(name):
    data = GOLDENS[name]
    model = golden.model_spec(data)
    wanted = shapes_of(model)
    tensors = {f"module.{key}": torch.empty(shape, device="meta") for key, shape, _ in data["tensors"]}
    found, report = import_tensors(tensors, model, wanted, source=name)
    assert report.format == data["spec"]["checkpoint_format"]
    assert not report.missing and not report.unexpected and not report.shapes
    kept = {key for key in wanted if not key.endswith("num_batches_tracked")}
    assert kept <= set(found)
    assert formats.get(report.format).contract(model.backbone) == report.contract


@pytest.mark.slow
@pytest.mark.parametrize("name", GOLDENS)
def test_clips_do_not_mix_and_the_first_frame_matters(name):
    data = GOLDENS[name]
    torch.manual_seed(0)
    net = build(golden.model_spec(data)).eval()
    shape = [2, *shape_of(data)[1:]]
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    with torch.no_grad():
        both, alone = net(x), net(x[:1])
        torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-5 * float(alone.abs().max()))
        changed = x[:1].clone()
        changed[:, 0] += 1
        assert alone.isfinite().all() and not torch.equal(net(changed), alone)
