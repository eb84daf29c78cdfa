"""What holds for every network over a 2D backbone that the tables quote: size, cost, order of frames, methods."""

from pathlib import Path

import pytest
import torch

from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.cost.macs import count_macs
from repro.models.build import build, build_meta
from repro.models.verify.golden import model_spec, read_json

GOLDENS = Path(__file__).parents[1] / "golden"
TINY = {"tea": "tiny_resnet", "stm": "tiny_resnet", "teinet": "tiny_resnet", "gsm": "tiny_inception"}


def spec(name, frames=8, method=None, backbone=None, **options) -> Model:
    return Model(
        name=name,
        backbone=backbone or TINY[name],
        frames=frames,
        num_classes=7,
        method=method,
        method_options=frozen(options) if method else frozen(),
        options=frozen() if method else frozen(options),
    )


def stir(net):
    """Move every parameter a little, so that nothing rests on an initial zero or identity."""
    with torch.no_grad():
        for value in net.parameters():
            value.add_(torch.randn_like(value), alpha=0.1)
    return net


@pytest.mark.parametrize(
    ("name", "backbone", "frames", "size", "classes", "expected"),
    [
        ("tea", "resnet50", 8, 224, 174, (24_456_280, 34.537)),  # 34.537496
        ("tea", "resnet50", 16, 224, 174, (24_456_280, 69.075)),
        ("tea", "resnet50", 8, 224, 400, (24_919_354, 34.541)),
        ("tea", "resnet50", 8, 256, 174, (24_456_280, 45.109)),
        ("stm", "resnet50", 8, 224, 174, (24_035_194, 33.018)),
        ("stm", "resnet50", 16, 224, 174, (24_035_194, 66.035)),
        ("teinet", "resnet50", 8, 224, 174, (29_893_822, 32.877)),
        ("teinet", "resnet50", 8, 224, 400, (30_356_896, 32.880)),
        ("gsm", "bninception", 8, 224, 174, (10_499_650, 16.339)),
        ("gsm", "bninception", 8, 224, 400, (10_731_300, 16.341)),
        ("gsm", "inceptionv3", 8, 229, 174, (22_207_586, 26.693)),
        ("gsm", "inceptionv3", 8, 229, 400, (22_670_660, 26.696)),
    ],
)
def test_size_and_cost(cost, name, backbone, frames, size, classes, expected):
    assert cost(name, backbone, frames, size, classes) == expected


@pytest.mark.parametrize("name", ["tea_resnet50", "gsm_bninception"])
def test_cost_is_that_of_the_authors_code(name):
    """The goldens have it of the public network, for the whole input."""
    golden = read_json(GOLDENS / f"{name}.json")
    net = build_meta(model_spec(golden)).eval()
    assert count_macs(net, torch.empty(golden["input"]["shape"], device="meta")) == golden["macs"]


@pytest.mark.parametrize("frames", [8, 16])
@pytest.mark.parametrize("name", TINY)
def test_all_parameters_learn(name, frames):
    torch.manual_seed(0)
    net = stir(build(spec(name, frames)))
    net(torch.randn(2, frames, 3, 32, 32)).square().sum().backward()
    assert [key for key, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("name", TINY)
def test_order_of_frames_matters_and_clips_do_not_mix(name):
    torch.manual_seed(0)
    net = stir(build(spec(name)).double()).eval()
    x = torch.randn(3, 8, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        together = net(x)
        assert torch.allclose(together, torch.cat([net(x[i : i + 1]) for i in range(3)]), rtol=1e-9, atol=1e-12)
        other = torch.cat([torch.randn_like(x[:1]), x[1:2], torch.randn_like(x[2:])])
        assert torch.allclose(net(other)[1], together[1], rtol=1e-9, atol=1e-12)
        assert not torch.allclose(net(x.flip(1)), together, rtol=1e-4)
        assert not torch.allclose(net(x[:, [0, 2, 1, 3, 4, 5, 6, 7]]), together, rtol=1e-4)


@pytest.mark.parametrize("name", TINY)
def test_a_clip_of_one_frame(name):
    net = build(spec(name, 1)).eval()
    assert net(torch.randn(2, 1, 3, 32, 32)).isfinite().all()


@pytest.mark.parametrize(
    ("name", "method", "options"),
    [
        ("tea", "dnr", {"cl": "bn1", "ct": "bn3"}),
        ("tea", "psn", {}),
        ("stm", "dnr", {}),
        ("stm", "psn", {}),
        ("teinet", "dnr", {}),
        ("teinet", "psn", {}),
        ("gsm", "dnr", {}),
        ("gsm", "psn", {}),
    ],
)
def test_methods_insert_and_learn(name, method, options):
    torch.manual_seed(0)
    if method == "psn":
        options = {"insert_after": ("conv1", "conv3")}
    net = build(spec(name, method=method, **options))
    logits = net(torch.randn(2, 8, 3, 32, 32))
    torch.nn.functional.cross_entropy(logits, torch.tensor([1, 3])).backward()
    assert logits.isfinite().all()
    assert [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize(
    ("name", "method", "options", "message"),
    [
        *((name, "adafuse", {}, "allowed: tsn or tsm") for name in TINY),
        ("tea", "dnr", {}, "reduction 4 does not divide 1 channels"),
    ],
)
def test_methods_that_do_not_fit_say_so(name, method, options, message):
    with pytest.raises(BadOption, match=message):
        build(spec(name, method=method, **options))


@pytest.mark.parametrize(
    ("name", "backbone", "options", "message"),
    [
        *((name, "resnet18", {}, "not published") for name in ("tea", "stm", "teinet", "gsm")),
        ("tea", "tiny_resnet", {"norm": "gn"}, "norm 'gn'"),
        *((name, None, {"hed": "clip"}, "hed") for name in TINY),
    ],
)
def test_bad_options(name, backbone, options, message):
    with pytest.raises(BadOption, match=message):
        build(spec(name, backbone=backbone, **options))
