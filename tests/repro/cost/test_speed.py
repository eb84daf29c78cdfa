import json

import pytest
import torch
from rich.console import Console

from repro.cli.cost_text import printed_gmacs, render_flops, render_speed, render_sweep
from repro.core.errors import BadOption
from repro.core.spec import Model, Speed, Static, replace
from repro.cost.macs import measure_static
from repro.cost.speed import measure_speed, randomize, sweep
from repro.models.build import build

HOST = Model(name="tsm", backbone="tiny_resnet", num_classes=8)
DNR = replace(HOST, method="dnr")
QUICK = Speed(size=32, repeats=3)


def text(renderable: object) -> str:
    console = Console(width=200, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_one_network_alone() -> None:
    result = measure_speed(HOST, replace(QUICK, batch=2), threads=1)
    assert len(result["times_s"]) == 3
    assert result["views_per_s"] == pytest.approx(2 / result["median_s"])
    low, high = result["iqr_s"]
    assert 0 < low <= result["median_s"] <= high
    assert (result["threads"], result["device"], result["precision"], result["form"]) == (1, "cpu", "fp32", "eager")
    assert result["warmup"] >= 3
    assert result["peak_memory_bytes"] > 10e6
    assert result["max_rel_error"] is None and result["against"] is None
    assert result["roofline"]["gmacs_per_view"] > 0
    json.dumps(result, allow_nan=False)


def test_beside_the_network_without_the_method() -> None:
    result = measure_speed(DNR, replace(QUICK, against=HOST), threads=1)
    against = result["against"]
    pairs = zip(result["times_s"], against["times_s"], strict=True)
    assert against["ratios"] == [a / b for a, b in pairs]
    assert against["ratio_iqr"][0] <= against["ratio_median"] <= against["ratio_iqr"][1]
    shown = text(render_speed(DNR, result))
    assert "time with / without" in shown and "tsm+dnr on tiny_resnet" in shown


def test_the_frozen_form_gives_the_same_beside_the_plain_network() -> None:
    psn = replace(HOST, method="psn", options={"pool": True})
    against = replace(psn, method=None)
    result = measure_speed(psn, replace(QUICK, form="frozen", against=against), threads=1)
    assert result["max_rel_error"] <= 1e-5
    assert (result["form"], result["form_detail"]["chosen"]) == ("frozen", "frozen")
    assert result["against"]["form_detail"] is None and len(result["against"]["ratios"]) == 3
    assert "form: frozen" in text(render_speed(psn, result))


def test_a_method_without_a_form_for_inference_is_refused() -> None:
    with pytest.raises(BadOption, match=r"'dnr' has no form for inference.*psn"):
        measure_speed(DNR, replace(QUICK, form="frozen"), threads=1)


def test_bf16_tells_its_effect_on_the_logits() -> None:
    result = measure_speed(HOST, replace(QUICK, precision="bf16"), threads=1)
    assert 0 < result["max_rel_error"] < 0.1
    assert "logits differ from eager fp32" in text(render_speed(HOST, result))


def test_the_fast_form_tells_what_was_tried() -> None:
    result = measure_speed(HOST, replace(QUICK, form="fast"), threads=1)
    assert result["max_rel_error"] <= 1e-5
    detail = result["form_detail"]
    assert detail["chosen"] in detail["candidates"]
    assert "eager" in text(render_speed(HOST, result))


def test_a_sweep_over_batches() -> None:
    results = sweep(HOST, replace(QUICK, repeats=1), [1, 2], threads=1)
    assert [result["batch"] for result in results] == [1, 2]
    assert "views/s" in text(render_sweep(HOST, results))


def test_global_state_is_left_alone() -> None:
    torch.manual_seed(3)
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    measure_speed(HOST, replace(QUICK, repeats=1), threads=1)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    "wrong", [{"precision": "fp4"}, {"form": "fastest"}, {"batch": 0}, {"repeats": 0}, {"size": -1}]
)
def test_impossible_settings_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(BadOption, match=str(next(iter(wrong.values())))):
        measure_speed(HOST, replace(QUICK, **wrong))


def test_randomized_statistics_are_seeded() -> None:
    nets = [build(HOST) for _ in range(2)]
    for net in nets:
        randomize(net, torch.Generator().manual_seed(1))
    first, second = (dict(net.named_buffers())["bn1.running_mean"] for net in nets)
    assert torch.equal(first, second) and first.abs().max() > 0


def test_flops_as_text_name_counters_sizes_and_units() -> None:
    model = Model(name="tsm", backbone="resnet50")
    result = measure_static(HOST, Static(sizes=(32,)))
    result["sizes"] = {"224": {"gmacs": 32.7}, "256": {"gmacs": 42.7, "fvcore": None}}
    shown = text(render_flops(model, result))
    assert "torch.utils.flop_counter / 2" in shown and "GMACs of one view" in shown and "failed" in shown
    assert "printed 33 (" in shown and "counted on crops of 224x224; the protocol tests on 256x256" in shown


def test_printed_numbers_are_found_by_network() -> None:
    assert ("dnr_table6", "tdn_r50", "36") in printed_gmacs(Model(name="tdn", backbone="resnet50"))
    assert printed_gmacs(HOST) == []


def test_a_batch_that_no_memory_holds_is_refused_at_once(capsys):
    from repro.__main__ import main

    assert main(["speed", "tsn", "--backbone", "tiny_resnet", "--batch", "1000000000"]) == 2
    said = capsys.readouterr().err
    assert "of input alone" in said and "at most" in said and "unexpected" not in said
