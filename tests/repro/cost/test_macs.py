import sys

import pytest
import torch
from torch import nn

from repro.core.errors import BadOption
from repro.core.spec import Model, Static, frozen, replace
from repro.cost.macs import count_macs, matching_sizes, measure_static
from repro.cost.meta_trace import shapes_only
from repro.models.build import build_meta, input_shape

TINY = Model(name="tsm", backbone="tiny_resnet", num_classes=8)


def gmacs(model: Model, size: int) -> float:
    return count_macs(build_meta(model).eval(), torch.empty(input_shape(model, size), device="meta")) / 1e9


@pytest.mark.parametrize(
    ("name", "params", "at_224", "fvcore"),
    [
        ("tsn", 24_327_632, 32.704, 32.88),
        ("tsm", 24_327_632, 32.704, 32.88),
        ("tanet", 25_590_320, 32.760, 32.94),
        ("tdn", 24_883_120, 35.642, 35.898),
    ],
)
def test_known_networks(name: str, params: int, at_224: float, fvcore: float) -> None:
    result = measure_static(Model(name=name, backbone="resnet50"), Static(sizes=(224,)))
    counts = result["sizes"]["224"]
    assert result["params"] == params
    assert result["failed"] == {}
    assert counts["gmacs"] == pytest.approx(at_224, abs=5e-4)
    assert counts["fvcore"] == pytest.approx(fvcore, abs=0.01)
    assert counts["gmacs"] <= counts["ptflops_aten"] < counts["gmacs"] * 1.004
    assert counts["ptflops"] > counts["fvcore"]
    assert matching_sizes(result, "36" if name == "tdn" else "33")


def test_the_printed_crop_and_the_tested_crop() -> None:
    model = Model(name="tsn", backbone="resnet50")
    assert gmacs(model, 224) == pytest.approx(32.704, abs=5e-4)
    assert gmacs(model, 256) == pytest.approx(42.713, abs=5e-4)


def test_dnr_adds_what_the_paper_says_to_parameters_and_little_to_macs() -> None:
    host = Model(name="tsn", backbone="resnet50")
    result = measure_static(Model(name="tsn", backbone="resnet50", method="dnr"), Static(sizes=(224,)))
    assert result["params_method"] == 4_039_232
    assert 0.006 < result["sizes"]["224"]["gmacs"] - gmacs(host, 224) < 0.02
    assert result["sizes"]["224"]["fvcore"] == pytest.approx(32.85, abs=0.02)


@pytest.mark.parametrize("method", [None, "dnr"])
def test_macs_are_linear_in_frames(method: str | None) -> None:
    def count(frames: int) -> float:
        # one cell evaluation of the first group costs less than the others: the relay distance grows with the frames
        options = frozen(relay_distance=frames // 2) if method else frozen()
        model = Model(name="tsm", backbone="tiny_resnet", frames=frames, method=method, method_options=options)
        return gmacs(model, 64)

    cells = count(8) * 2 - count(16)
    assert count(32) - count(16) == pytest.approx(2 * (count(16) - count(8)), rel=1e-9)
    assert cells == pytest.approx(0, abs=1e-9) if method is None else 0 < cells < 0.05 * count(8)


def test_the_table_of_modules_sums_to_the_whole() -> None:
    result = measure_static(TINY, Static(sizes=(32,)))
    top = [row for row in result["modules"] if "." not in row["name"]]
    assert sum(row["gmacs"] for row in top) == pytest.approx(result["sizes"]["32"]["gmacs"])
    assert sum(row["params"] for row in top) == result["params"]
    assert {"layer1", "layer1.0"} <= {row["name"] for row in result["modules"]}


def test_what_a_method_counts_of_itself_stands_in_the_result() -> None:
    psn = Model(name="tsn", backbone="tiny_resnet", num_classes=8, options={"pool": True}, method="psn")
    found = measure_static(psn, Static(sizes=(32,)))["method"]
    widths = (8, 16, 32, 64)  # a quarter of 32, 64, 128, 256 channels
    assert found["fusion_parameters"] == sum(width**2 for width in widths)
    assert (found["ir_interactions"], found["kernel_shapes"], found["dropped"]) == (4 * sum(widths), 16, 0.0)
    assert "method" not in measure_static(replace(psn, method=None), Static(sizes=(32,)))


def test_uncounted_operators_are_listed() -> None:
    uncounted = measure_static(TINY, Static(sizes=(32,)))["uncounted"]
    assert uncounted["gmacs"]["aten::add_"] == 3
    assert uncounted["gmacs"]["aten::relu_"] == uncounted["ptflops_aten"]["aten::relu_"]
    assert "aten::convolution" not in uncounted["gmacs"]
    assert uncounted["fvcore"]["aten::add_"] == 3


def test_counting_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    measure_static(TINY, Static(sizes=(32,)))
    said = capsys.readouterr()
    assert said.out == said.err == ""


def test_a_broken_counter_is_told_not_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ptflops", None)
    monkeypatch.setitem(sys.modules, "ptflops.pytorch_ops", None)
    result = measure_static(TINY, Static(sizes=(32,)))
    assert result["sizes"]["32"]["ptflops"] is None
    assert result["failed"]["ptflops"].startswith("ModuleNotFoundError")
    assert result["sizes"]["32"]["gmacs"] > 0


def test_an_impossible_crop_names_the_model() -> None:
    with pytest.raises(BadOption, match=r"i3d|tsm.*0x0"):
        measure_static(TINY, Static(sizes=(0,)))


@pytest.mark.parametrize(
    ("printed", "sizes"), [("33", {224}), (33.0, {224}), ("42.7", {256}), ("43", {256}), ("36", set()), (32.88, {224})]
)
def test_matching_sizes_round_to_the_printed_digits(printed: float | str, sizes: set[int]) -> None:
    result = {
        "sizes": {
            "224": {"gmacs": 32.704, "fvcore": 32.881, "ptflops": None},
            "256": {"gmacs": 42.713, "fvcore": 42.945, "ptflops": 43.17},
        }
    }
    assert {size for size, _ in matching_sizes(result, printed)} == sizes


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2), (2, 4, 9, 7)),
        (nn.Conv2d(4, 6, (1, 3), padding=(0, 2), dilation=2), (2, 4, 9, 9)),
        (nn.Conv1d(4, 6, 3, bias=False), (2, 4, 9)),
        (nn.Conv3d(4, 6, (3, 1, 1), padding=(1, 0, 0)), (2, 4, 5, 6, 6)),
    ],
)
def test_shapes_without_computing_are_the_computed_ones(layer: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.zeros(shape)
    expected = layer(x).shape
    with shapes_only():
        assert layer.to("meta")(x.to("meta")).shape == expected
