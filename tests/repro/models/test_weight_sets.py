"""Raw and averaged weights side by side, as the training codes of the world write them."""

import pytest
import torch

from repro.core.errors import WeightsError
from repro.models import checkpoint_reader

NAMES = ("conv1.weight", "bn1.weight", "layer1.0.conv1.weight", "fc.weight", "fc.bias")
RAW = {name: torch.full((2, 3), float(number)) for number, name in enumerate(NAMES)}
MEAN = {name: value + 0.5 for name, value in RAW.items()}
COUNTER = torch.tensor(7)


def prefixed(prefix: str, tensors: dict[str, torch.Tensor], joint: str = ".") -> dict[str, torch.Tensor]:
    return {prefix + name.replace(".", joint): value for name, value in tensors.items()}


#: what the file holds -> (key of the raw ones, key of the averaged ones)
BESIDE = {
    "timm": ({"state_dict": RAW, "state_dict_ema": MEAN, "epoch": 3}, "state_dict", "state_dict_ema"),
    "mae": (
        {"model": RAW, "model_ema": MEAN, "optimizer": {"state": {0: {"m": RAW["fc.bias"]}}}},
        "model",
        "model_ema",
    ),
    "mmengine": (
        {"state_dict": RAW, "ema_state_dict": {"steps": COUNTER, **prefixed("module.", MEAN)}},
        "state_dict",
        "ema_state_dict",
    ),
    "torch swa": (
        {"model": RAW, "averaged_model": {"n_averaged": COUNTER, **prefixed("module.", MEAN)}},
        "model",
        "averaged_model",
    ),
    "swa": ({"state_dict": RAW, "swa_state_dict": MEAN}, "state_dict", "swa_state_dict"),
    "nested": ({"model": RAW, "ema": {"decay": 0.999, "module": MEAN}}, "model", "ema.module"),
    "basicsr": ({"params": RAW, "params_ema": MEAN}, "params", "params_ema"),
    "teacher": ({"student": prefixed("module.", RAW), "teacher": MEAN}, "student", "teacher"),
    "top level": ({**RAW, "ema": MEAN}, ".", "ema"),
    "unknown key": ({"state_dict": RAW, "current_model_state": MEAN}, "state_dict", "current_model_state"),
    "prefix": ({"state_dict": {**prefixed("model.", RAW), **prefixed("ema_model.", MEAN)}}, "state_dict", "ema_model"),
    "flat": ({**RAW, **prefixed("model_ema.", MEAN, "")}, ".", "model_ema"),
    "mmcv": ({"state_dict": {**RAW, **prefixed("ema_", MEAN, "_")}}, "state_dict", "state_dict.ema"),
    "camel": ({"netModel": RAW, "netEma": MEAN}, "netModel", "netEma"),
}


@pytest.mark.parametrize("kind", BESIDE)
def test_both_are_named_and_one_is_chosen(tmp_path, kind):
    content, raw, mean = BESIDE[kind]
    file = tmp_path / "c.pth"
    torch.save(content, file)
    with pytest.raises(WeightsError, match=r"c\.pth.*holds.*--weights-key") as caught:
        checkpoint_reader.read(file)
    assert raw in caught.value.allowed.split(", ") and mean in caught.value.allowed
    assert "\n" not in str(caught.value)
    for key, expected in ((raw, RAW), (mean, MEAN)):
        found = checkpoint_reader.read(file, key)
        values = [value for value in found.tensors.values() if value.shape == (2, 3)]
        assert [one.tolist() for one in values] == [one.tolist() for one in expected.values()]
        assert len(found.others) == 1


@pytest.mark.parametrize(("key", "kind"), [("ema", "timm"), ("ema", "mae"), ("EMA", "mmengine"), ("swa", "swa")])
def test_a_word_of_the_key_is_enough(tmp_path, key, kind):
    torch.save(BESIDE[kind][0], tmp_path / "c.pth")
    found = checkpoint_reader.read(tmp_path / "c.pth", key)
    assert found.key == BESIDE[kind][2]


def test_the_averaged_ones_of_mmcv_come_by_the_names_of_the_raw_ones(tmp_path):
    torch.save(BESIDE["mmcv"][0], tmp_path / "c.pth")
    assert checkpoint_reader.read(tmp_path / "c.pth", "ema").tensors.keys() == RAW.keys()


def test_an_unknown_key_lists_those_that_are_there(tmp_path):
    torch.save(BESIDE["timm"][0], tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="'polyak'; allowed: state_dict, state_dict_ema"):
        checkpoint_reader.read(tmp_path / "c.pth", "polyak")


def test_averages_without_names_are_told_and_not_taken(tmp_path):
    torch.save({"model": RAW, "ema": {"decay": 0.9, "shadow_params": list(MEAN.values())}}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match=r"model, ema\.shadow_params"):
        checkpoint_reader.read(tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="without names"):
        checkpoint_reader.read(tmp_path / "c.pth", "shadow_params")
    assert checkpoint_reader.read(tmp_path / "c.pth", "model").tensors.keys() == RAW.keys()
    torch.save({"ema": list(MEAN.values())}, tmp_path / "c.pth")
    with pytest.raises(WeightsError, match="ema is a list of tensors without names; allowed: a state dict"):
        checkpoint_reader.read(tmp_path / "c.pth")


def test_averages_that_an_optimizer_keeps_are_told(tmp_path):
    """As NeMo's, in a list of states beside the raw weights of Lightning."""
    kept = {"opt": {"state": {0: dict(MEAN)}}, "ema": tuple(MEAN.values()), "decay": 0.99}
    for content in ({"state_dict": RAW, "optimizer_states": [kept]}, {"state_dict": RAW, "optimizer": {"ema": MEAN}}):
        torch.save(content, tmp_path / "c.pth")
        with pytest.raises(WeightsError, match=r"raw and averaged weights: state_dict, optimizer(_states\.0)?\.ema"):
            checkpoint_reader.read(tmp_path / "c.pth")
        assert checkpoint_reader.read(tmp_path / "c.pth", "state_dict").tensors.keys() == RAW.keys()


@pytest.mark.parametrize(
    "content",
    [
        {"state_dict": RAW, "state_dict_ema": {name: value.clone() for name, value in RAW.items()}},
        {"state_dict": RAW, "best_acc1": torch.tensor(75.3), "rng_state": torch.zeros(9, dtype=torch.uint8)},
        {"state_dict": RAW, "optimizer": {"state": {0: dict(MEAN)}}, "criterion": dict(MEAN)},
        {"state_dict": RAW, "text_encoder": {"token.weight": torch.ones(3)}},
        {"state_dict_ema": RAW, "epoch": 3},
        {**RAW, "layer1.0.ema.conv.weight": torch.ones(2)},
        {**RAW, "ema.conv.weight": torch.ones(2), "ema.gate.weight": torch.ones(3)},
    ],
    ids=[
        "equal",
        "scalars",
        "optimizer",
        "another network",
        "averaged alone",
        "a layer called ema",
        "a part so called",
    ],
)
def test_where_one_alone_can_be_meant_nothing_is_asked(tmp_path, content):
    torch.save(content, tmp_path / "c.pth")
    found = checkpoint_reader.read(tmp_path / "c.pth").tensors
    assert all(torch.equal(found[name], RAW[name]) for name in RAW)
