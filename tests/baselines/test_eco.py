from itertools import pairwise

import pytest
import torch

from baselines.eco import ENSEMBLE, eco, eco_en_lite, eco_lite


@pytest.mark.parametrize(
    ("name", "frames", "params", "gmacs"),
    [
        ("eco", 8, 47_502_128, 32.207),
        ("eco_lite", 8, 37_503_856, 23.243),
        ("eco_lite", 16, 37_503_856, 46.486),
        ("eco_en_lite", 92, 150_015_424, 267.297),
    ],
)
def test_size_and_cost(cost, name, frames, params, gmacs):
    assert cost(name, "bninception", frames, 224) == (params, gmacs)


def test_full_has_lite_in_it():
    lite, full = (make("bninception", num_classes=3, frames=4).eval() for make in (eco_lite, eco))
    weights = {name: value for name, value in full.state_dict().items() if not name.startswith("fc.")}
    assert lite.load_state_dict(weights, strict=False).missing_keys == ["fc.weight", "fc.bias"]
    x = torch.randn(1, 3, 4, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(full.features(x)[:, 1024:], lite.features(x))


def test_members_of_the_ensemble_take_frames_evenly():
    with torch.device("meta"):
        net = eco_en_lite("bninception", num_classes=2, frames=92).eval()
    seen = []
    for member in net.members:
        member.forward = lambda x: seen.append(x[0, :, 0, 0, 0].tolist()) or torch.zeros(1, 2)
    x = torch.arange(92.0).view(1, 92, 1, 1, 1).expand(1, 92, 3, 2, 2)
    net(x)
    assert [len(frames) for frames in seen] == list(ENSEMBLE)
    for frames in seen:
        steps = {int(b - a) for a, b in pairwise(frames)}
        assert max(steps) - min(steps) <= 1 and frames[0] < 92 / len(frames) and frames[-1] >= 92 - 92 / len(frames)


@pytest.mark.parametrize(("make", "frames", "message"), [(eco, 6, "multiples of 4"), (eco_en_lite, 16, "allowed: 92")])
def test_impossible_frames_are_refused(make, frames, message):
    with pytest.raises(ValueError, match=message):
        make("bninception", num_classes=2, frames=frames)
