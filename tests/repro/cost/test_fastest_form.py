import copy
import shutil

import pytest
import torch
from torch import Tensor, nn

from methods.dnr.norm import DynamicNorm
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen, replace
from repro.cost import fastest_form
from repro.cost.fastest_form import fastest, relative_error
from repro.cost.onednn_fusion import FusedConv, fold, fuse
from repro.cost.speed import randomize
from repro.models.build import build, input_shape

NETWORKS = [
    Model(name=name, backbone="tiny_resnet", num_classes=8, method=method)
    for name in ("tsn", "tsm", "tanet")
    for method in (None, "dnr")
]
needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")


def network(model: Model) -> nn.Module:
    torch.manual_seed(0)
    net = build(model).eval()
    randomize(net, torch.Generator().manual_seed(0))
    return net


def name_of(model: Model) -> str:
    return f"{model.name}-{model.method}"


@torch.inference_mode()
@pytest.mark.parametrize("model", NETWORKS, ids=name_of)
def test_folding_and_fusing_keep_the_values(model: Model) -> None:
    net = network(model)
    x = torch.randn(input_shape(model, 32, batch=2))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    reference = net(x)
    folded = fold(net)
    assert relative_error(folded(x), reference) < 1e-5
    assert not any(isinstance(part, nn.BatchNorm2d) for part in _called(folded))
    if torch.backends.mkldnn.is_available():
        fused = fuse(net)
        assert relative_error(fused(x), reference) < 1e-5
        assert relative_error(fused(x[:1]), reference[:1]) < 1e-5
        convolutions = [part for part in fused.modules() if isinstance(part, FusedConv)]
        assert len(convolutions) == sum(isinstance(part, nn.Conv2d) for part in net.modules())
        # the stem, three blocks of conv1, conv2 and conv3: all have a ReLU behind them but those with DNR between
        assert sum(part.act[0] == "relu" for part in convolutions) == {None: 10, "dnr": 4}[model.method]
    assert torch.equal(net(x), reference)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@needs_onednn
@torch.inference_mode()
@pytest.mark.parametrize(
    "backbone, options, method",
    [
        ("tiny_inception", {}, {}),
        ("tiny_resnet", {"norm": "gn"}, {}),
        ("tiny_resnet", {"blocks": 3}, {"cl_distance": 2, "units": 2, "direction": "bi"}),
        ("tiny_resnet", {}, {"relay": "se"}),
    ],
)
def test_forms_of_dnr_keep_their_values(backbone: str, options: dict, method: dict) -> None:
    model = Model(
        name="tsn",
        backbone=backbone,
        num_classes=8,
        options=frozen(options),
        method="dnr",
        method_options=frozen(method),
    )
    net, x = network(model), torch.randn(input_shape(model, 32, batch=2))
    reference = net(x)
    assert relative_error(fold(net)(x), reference) < 1e-5
    assert relative_error(fuse(net)(x), reference) < 1e-5


@torch.inference_mode()
@pytest.mark.parametrize("name", ["tsm", "tdn"])
def test_a_whole_resnet(name: str) -> None:
    model = Model(name=name, backbone="resnet50", num_classes=8)
    net, x = network(model), torch.randn(input_shape(model, 64))
    assert relative_error(fold(net)(x), net(x)) < 1e-4


@needs_onednn
@torch.inference_mode()
def test_dnr_writes_over_the_convolution_that_it_alone_reads() -> None:
    model = NETWORKS[1]
    net, x = network(model), torch.randn(input_shape(model, 32))
    fused, reference = fuse(net), net(x)
    assert sum(part.in_place for part in fused.modules() if isinstance(part, DynamicNorm)) == 6
    assert not any(part.in_place for part in net.modules() if isinstance(part, DynamicNorm))
    for _ in range(2):
        assert relative_error(fused(x), reference) < 1e-5


@needs_onednn
@torch.inference_mode()
@pytest.mark.parametrize("name", ["tsn", "tdn"])
def test_the_graph_of_onednn_takes_it(name: str) -> None:
    model = Model(name=name, backbone="tiny_resnet", num_classes=8)
    net, x = network(model), torch.randn(input_shape(model, 32))
    _, detail = fastest(net, x, only="folded, TorchScript, oneDNN graph")
    assert detail["max_rel_error"] < 1e-5


class Odd(nn.Module):
    """Convolutions whose value is read twice, that are called twice, or whose sum is of two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))
        self.norm, self.shared = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        self.circular = nn.Conv2d(8, 8, 3, padding=1, padding_mode="circular")

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        y = self.norm(y) + y
        y = torch.relu(self.b(y) + self.c(x))
        y = self.c(y).relu()
        y = self.shared(self.circular(y)) + 1.0
        return (y + self.shared(x)).mean((2, 3))


@needs_onednn
@torch.inference_mode()
def test_what_may_not_be_fused_is_left() -> None:
    torch.manual_seed(0)
    net = Odd().eval()
    randomize(net, torch.Generator().manual_seed(0))
    x = torch.randn(2, 8, 9, 9)
    fused = fuse(net)
    assert relative_error(fused(x), net(x)) < 1e-5
    made = {name: part.act[0] for name, part in fused.named_modules() if isinstance(part, FusedConv)}
    assert made == {"a": "none", "b": "relu"}


class Volumes(nn.Module):
    """Convolutions over volumes and images; activations that oneDNN knows, alone and behind a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv3d(3, 8, 3, padding=1), nn.Conv3d(8, 8, (3, 1, 1), padding=(1, 0, 0), groups=8)
        self.c, self.d = nn.Conv3d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.norm, self.act, self.short = nn.BatchNorm3d(8), nn.SiLU(), nn.Hardtanh(-0.5, 0.5)

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.relu6(self.norm(self.a(x)))
        y = self.short(self.b(y))
        y = self.act(self.c(y) + y)
        z = y.transpose(1, 2).flatten(0, 1)
        return self.act(self.d(z)).mean((2, 3))


@needs_onednn
@torch.inference_mode()
def test_volumes_and_other_activations_are_fused() -> None:
    torch.manual_seed(0)
    net = Volumes().eval()
    randomize(net, torch.Generator().manual_seed(0))
    x = 4.0 * torch.randn(2, 3, 4, 9, 9)
    fused, reference = fuse(net), net(x)
    assert relative_error(fused(x), reference) < 1e-5
    made = {name: part.act for name, part in fused.named_modules() if isinstance(part, FusedConv)}
    assert made == {
        "a": ("hardtanh", (0.0, 6.0)),
        "b": ("hardtanh", (-0.5, 0.5)),
        "c": ("none", ()),  # behind the sum
        "d": ("swish", ()),
    }
    assert torch.equal(net(x), reference)


class Branching(nn.Module):
    """fx cannot read it: its path depends on values."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        return y.mean((2, 3)) if y.sum() > 0 else y.amax((2, 3))


def test_a_network_that_fx_cannot_read_stays_eager() -> None:
    form, detail = fastest(Branching().eval(), torch.randn(1, 3, 8, 8))
    assert form(torch.randn(1, 3, 8, 8)).shape == (1, 4)
    assert detail["candidates"]["folded, channels_last"]["left_out"]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_trial_records_every_form(precision: str) -> None:
    model = NETWORKS[3]
    net, x = network(model), torch.randn(input_shape(model, 32))
    form, detail = fastest(net, x, precision=precision)
    assert detail["chosen"] in detail["candidates"]
    for entry in detail["candidates"].values():
        assert "median_s" in entry or entry["left_out"]
    with torch.inference_mode():
        error = relative_error(form(x), net(x))
    assert error <= (1e-5 if precision == "fp32" else 0.1)
    assert detail["max_rel_error"] == pytest.approx(error, abs=1e-5)


def test_a_form_that_is_wrong_is_not_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def builders(*_: object) -> dict[str, fastest_form.Builder]:
        return {"eager": lambda m, _: m, "wrong": lambda m, _: lambda x: m(x) * 1.001, "none": _broken}

    def _broken(module: nn.Module, example: Tensor) -> fastest_form.Form:
        raise OSError("no such operator here")

    monkeypatch.setattr(fastest_form, "builders", builders)
    net = network(NETWORKS[0])
    _, detail = fastest(net, torch.randn(input_shape(NETWORKS[0], 32)))
    assert detail["chosen"] == "eager"
    assert detail["candidates"]["wrong"]["left_out"] == "error above 1e-05"
    assert detail["candidates"]["none"]["left_out"] == "OSError: no such operator here"


def test_a_trial_without_any_form_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fastest_form, "builders", lambda *_: {"half": lambda m, _: lambda x: m(x) / 2})
    with pytest.raises(BadOption, match="half: error above"):
        fastest(network(NETWORKS[0]), torch.randn(input_shape(NETWORKS[0], 32)))


def test_one_form_alone_can_be_asked_for() -> None:
    x = torch.randn(input_shape(NETWORKS[0], 32))
    _, detail = fastest(network(NETWORKS[0]), x, only="folded, channels_last")
    assert list(detail["candidates"]) == [detail["chosen"]] == ["folded, channels_last"]


def test_memory_that_is_short_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def short(module: nn.Module, example: Tensor) -> fastest_form.Form:
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(fastest_form, "builders", lambda *_: {"a": short, "b": short})
    with pytest.raises(torch.OutOfMemoryError, match="no room"):
        fastest(network(NETWORKS[0]), torch.randn(input_shape(NETWORKS[0], 32)))


def test_compiling_without_a_compiler_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(fastest_form, "_onednn_graph", lambda *_: None)
    _, detail = fastest(network(NETWORKS[0]), torch.randn(input_shape(NETWORKS[0], 32)), compile=True)
    assert "C++ compiler" in detail["candidates"]["folded, torch.compile"]["left_out"]


def test_a_trial_that_runs_out_of_time_stops() -> None:
    net = network(NETWORKS[0])
    _, detail = fastest(net, torch.randn(input_shape(NETWORKS[0], 32)), trial_seconds=0.0)
    assert detail["chosen"] == "eager"
    assert sum(entry.get("left_out") == "no time left in the trial" for entry in detail["candidates"].values()) >= 1


def test_the_network_can_be_used_on_after_a_trial() -> None:
    model = replace(NETWORKS[2], frames=4, dropout=0.0)
    net, x = network(model), torch.randn(input_shape(model, 32))
    twin = copy.deepcopy(net)
    fastest(net, x)
    net.train()(x).sum().backward()
    twin.train()(x).sum().backward()
    for one, other in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(one.grad, other.grad)  # type: ignore[arg-type]


def _called(graph: torch.fx.GraphModule) -> list[nn.Module]:
    return [graph.get_submodule(str(node.target)) for node in graph.graph.nodes if node.op == "call_module"]


class Reread(nn.Module):
    """A sum whose other term is read again later, through a view."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.a(x))
        seen = y.flatten(2)
        z = self.b(x) + y
        return self.c(z).mean((2, 3)) + seen.mean(2)


@needs_onednn
@torch.inference_mode()
def test_memory_that_is_read_again_is_not_written_over() -> None:
    torch.manual_seed(0)
    net, x = Reread().eval(), torch.randn(2, 8, 9, 9)
    fused = fuse(net)
    assert relative_error(fused(x), net(x)) < 1e-5
    in_place = [part.in_place for part in fused.modules() if isinstance(part, FusedConv)]
    assert in_place == [False] * 3
    whole = fuse(network(NETWORKS[0]))
    assert sum(part.in_place for part in whole.modules() if isinstance(part, FusedConv)) == 3


@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16", "bf16"])
def test_on_a_card_two_modes_of_the_compiler_are_tried(precision):
    without = fastest_form.builders(nn.Identity(), "cuda", precision, compile=False)
    assert [
        name for name in fastest_form.builders(nn.Identity(), "cuda", precision, compile=True) if name not in without
    ] == [
        "folded, torch.compile, CUDA graph",
        "folded, torch.compile max-autotune, CUDA graph",
    ]
