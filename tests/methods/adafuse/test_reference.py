"""AdaFuse against a second implementation of it: networks that no stored golden covers, and what `verify` says of them.

TSM, TSM+Last, BN-Inception, and ResNet-18 with sampled decisions. The golden is made here from the layout of the
authors' checkpoint (names and shapes), at a smaller size than theirs, and goes through `verify` like any other file.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from repro.models.build import build
from repro.models.verify import golden, verify
from tests.methods.adafuse.adafuse_reference import Reference

GOLDEN = Path(__file__).parents[2] / "golden"
NOISE = "gumbel, PCG64(crc32('gumbel:' + block)), uniform(1e-12, 1) of (frames, channels, 3)"
CASES = {
    "adafuse_tsm_resnet50": ({"shift": True}, 64),
    "adafuse_tsm_last_resnet50": ({"shift": True, "stages": (4,)}, 64),
    "adafuse_tsn_bninception": ({}, 96),
    "adafuse_tsn_resnet18_noise": ({"noise": True}, 64),
}


def entry(block, codes):
    """A block of a golden's decisions."""
    per_frame = [[int((frame == code).sum()) for code in range(3)] for frame in codes]
    digest = hashlib.sha256(codes.numpy().astype(np.uint8).tobytes()).hexdigest()
    counts = np.sum(per_frame, axis=0).tolist()
    return {"block": block, "gated": True, "channels": codes.shape[1], "counts": counts, "per_frame": per_frame,
            "sha256": digest}  # fmt: skip


@torch.no_grad()
def made(name, *, frames=4):
    """(golden, the reference after its pass)."""
    options, side = CASES[name]
    data = golden.read_json(GOLDEN / "layouts" / f"{name}.json")
    data["spec"]["frames"] = frames
    data["input"] = data["input"] | {"shape": [1, frames, 3, side, side]}
    tensors = golden.state_dict(data)
    tensors |= {alias: tensors[shared] for alias, shared in data["aliases"].items()}
    reference = Reference(tensors, backbone=data["spec"]["backbone"], **options)
    logits = reference(torch.from_numpy(golden.network_input(data)[0]))
    ungated = [{"block": "layer1.0", "gated": False}] if "stages" in options else []
    data |= {
        "logits": [logits.tolist()],
        "policy_noise": NOISE if options.get("noise") else "none (argmax)",
        "decisions": [*ungated, *(entry(block, codes) for block, codes in reference.codes.items())],
    }
    return data, reference


@pytest.mark.parametrize("name", sorted(CASES))
def test_verify_passes_on_what_the_second_implementation_gives(name, tmp_path):
    data, reference = made(name)
    (tmp_path / f"{name}.json").write_text(json.dumps(data))
    found = {outcome.what: outcome for outcome in verify.verify_file(tmp_path / f"{name}.json")}
    assert all(outcome.passed for outcome in found.values()), [outcome.line() for outcome in found.values()]
    assert f"in {len(reference.codes)} blocks equal" in found["decisions"].note
    totals = np.sum([entry["counts"] for entry in data["decisions"] if entry["gated"]], axis=0)
    assert (totals > 0.05 * totals.sum()).all(), "each action is taken often enough to be tested"


@pytest.mark.parametrize("name", ["adafuse_tsm_resnet50", "adafuse_tsn_resnet18_noise"])
@torch.no_grad()
def test_the_cost_of_a_clip_is_the_sum_over_its_frames(name):
    data, reference = made(name)
    net = build(golden.model_spec(data)).double().eval()
    net.adafuse.force({block: codes for block, codes in reference.codes.items()})
    net(torch.from_numpy(golden.network_input(data)).double())
    frames = data["spec"]["frames"]
    both = float(net.adafuse.saved("real", last_frame_fault=False)[0]) * frames
    second = float(net.adafuse.saved("upb")[0]) * frames
    assert both - second == pytest.approx(reference.saved_first, rel=1e-9)
    assert second == pytest.approx(reference.saved_second, rel=1e-9)


#: GMACs of a clip of 8x224x224 that savings are taken from, policy included, 174 classes
_BASES = {
    ("tsn", "resnet18", ("hidden", 512)): 14.621,
    ("tsn", "resnet50", ("hidden_quota", 196608)): 33.380,
    ("tsn", "bninception", ("hidden", 128)): 16.416,
}


@pytest.mark.parametrize("case", list(_BASES))
def test_bases_are_those_of_the_authors_counter(case):
    from repro.core.spec import Model, frozen
    from repro.models.build import build_meta

    name, backbone, (option, value) = case
    shared = backbone != "bninception"
    model = Model(
        name=name, backbone=backbone, num_classes=174, method="adafuse",
        method_options=frozen({option: value, "shared_policy": shared}),
    )  # fmt: skip
    told = build_meta(model).adafuse.counts()
    assert told["gmacs_base_224"] == pytest.approx(_BASES[case], abs=0.002)
    assert told["gmacs_base_without_policy_224"] < told["gmacs_base_224"]


@pytest.mark.parametrize("hidden, gmacs", [(1024, 33.125), (2048, 33.368), (4096, 33.855)])
def test_bases_of_tsm_last_by_hidden_units(hidden, gmacs):
    from repro.models.build import build_meta
    from repro.papers.adafuse.networks import host, with_last

    told = build_meta(with_last(host("tsm", "resnet50"), hidden=hidden)).adafuse.counts()
    assert told["gmacs_base_224"] == pytest.approx(gmacs, abs=0.002)
