"""Real files in each family's naming, made from our own networks."""

import re
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from repro.core.errors import WeightsError
from repro.core.spec import Model, canonical_json, frozen, replace
from repro.models import checkpoint_reader, formats, import_report, weights
from repro.models.build import build

TSN = Model(name="tsn", backbone="tiny_resnet", frames=4, num_classes=5)
MODELS = {
    "tsn": TSN,
    "tsm": replace(TSN, name="tsm"),
    "tanet": replace(TSN, name="tanet"),
    "tdn": replace(TSN, name="tdn"),
    "dnr": replace(TSN, method="dnr", method_options=frozen(relay_distance=2, channel_interlacing=False)),
}


def author(name: str) -> str:
    return re.sub(r"^", "module.", f"new_{name}" if name.startswith("fc.") else f"base_model.{name}")


def mmaction2(name: str, shift: bool = False) -> str:
    if name.startswith("fc."):
        return f"cls_head.fc_{name}".replace("fc_fc.", "fc_cls.")
    name = re.sub(r"(?<![\w.])bn1\.|(?<=\d\.)bn(\d)\.", lambda m: f"conv{m[1] or 1}.bn.", name)
    name = re.sub(r"downsample\.0\.", "downsample.conv.", name)
    name = re.sub(r"downsample\.1\.", "downsample.bn.", name)
    name = re.sub(r"\bconv(\d)\.(weight|bias)$", r"conv\1.conv.\2", name)
    if shift:
        name = re.sub(r"^(layer.*\.conv1\.conv)\.", r"\1.net.", name)
    return f"backbone.{name}"


def dnr(name: str) -> str:
    name = re.sub(r"^fc\.", "cls_head.fc_cls.", name) if name.startswith("fc.") else f"backbone.{name}"
    name = re.sub(r"(layer\d)\.(\d)", r"\1.ModuleList.\2", name)
    name = re.sub(r"\.(cl_)?cell\.([xh])\.", lambda m: f".lstm.w_{'ih' if m[2] == 'x' else 'hh'}.0.seq.", name)
    return f"module.{name}"


NAMINGS = {
    "tsm-repo/tsn": ("tsn", author),
    "tsm-repo/tsm": ("tsm", lambda name: re.sub(r"(layer\d\.\d\.conv1)\.", r"\1.net.", author(name))),
    "tanet-repo": ("tanet", lambda name: re.sub(r"(layer\d\.\d)\.(?!tam)", r"\1.net.", author(name))),
    "tdn-repo": ("tdn", lambda name: re.sub(r"base_model\.(layer\d)", r"base_model.\1_bak", author(name))),
    "mmaction2/tsn": ("tsn", mmaction2),
    "mmaction2/tsm": ("tsm", lambda name: mmaction2(name, shift=True)),
    "mmaction2/tanet": (
        "tanet",
        lambda name: mmaction2(name) if ".tam." in name else re.sub(r"(layer\d\.\d)\.", r"\1.block.", mmaction2(name)),
    ),
    "dnr-repo": ("dnr", dnr),
    "plain": ("tsn", lambda name: name),
}


@pytest.fixture(scope="module")
def states() -> dict[str, dict[str, torch.Tensor]]:
    """Trained-looking tensors of each small network: no two equal."""
    torch.manual_seed(0)
    made = {key: build(model).state_dict() for key, model in MODELS.items()}
    drawn = {
        key: {n: torch.randn(v.shape) if v.is_floating_point() else v + 7 for n, v in state.items()}
        for key, state in made.items()
    }
    for state in drawn.values():
        state |= {name: value.abs() for name, value in state.items() if name.endswith("running_var")}
    return drawn


def write(path: Path, state: dict[str, torch.Tensor], rename=lambda name: name, **more: object) -> Path:
    torch.save({"epoch": 1, "state_dict": {rename(name): value for name, value in state.items()}, **more}, path)
    return path


@pytest.mark.parametrize("naming", NAMINGS)
def test_round_trip_of_every_naming(tmp_path, states, naming):
    key, rename = NAMINGS[naming]
    file = write(tmp_path / "theirs.pth.tar", states[key], rename)
    report = weights.import_weights(file, MODELS[key], tmp_path / "ours.safetensors")
    assert report.fits and report.format == naming.partition("/")[0]
    assert not (report.missing or report.unexpected or report.shapes or report.problems)
    assert report.sha256 in import_report.render_report(report)

    module = build(MODELS[key])
    loaded = weights.load_weights(module, tmp_path / "ours.safetensors", MODELS[key])
    assert loaded.sha256 == report.sha256 and loaded.contract == formats.IMAGENET
    assert all(torch.equal(value, states[key][name]) for name, value in module.state_dict().items())


def test_metadata_says_what_the_file_is(tmp_path, states):
    file = write(tmp_path / "theirs.pth", states["tsm"], NAMINGS["tsm-repo/tsm"][1])
    weights.import_weights(file, MODELS["tsm"], tmp_path / "new" / "ours.safetensors")
    with safe_open(tmp_path / "new" / "ours.safetensors", framework="pt") as opened:
        facts = opened.metadata()
    assert facts["repro.format"] == "tsm-repo" and facts["repro.source"] == "theirs.pth"
    assert '"name":"tsm"' in facts["repro.model"] and '"RGB"' in facts["repro.contract"]
    assert str(tmp_path) not in "".join(facts.values())


def test_our_own_file_can_be_imported_again(tmp_path, states):
    file = write(tmp_path / "a.pth", states["tsn"], author)
    weights.import_weights(file, TSN, tmp_path / "a.safetensors")
    report = weights.import_weights(tmp_path / "a.safetensors", TSN, tmp_path / "b.safetensors")
    assert report.format == "plain" and not report.renamed


def test_dropout_0_models_keep_base_model_fc(tmp_path, states):
    file = write(tmp_path / "a.pth", states["tsn"], lambda name: f"base_model.{name}")
    assert weights.import_checkpoint(file, TSN)[1].format == "tsm-repo"


def test_tensors_known_to_be_of_no_use_are_dropped_and_said(tmp_path, states):
    more = {mmaction2(name): value for name, value in states["tsn"].items()}
    more["data_preprocessor.mean"] = torch.zeros(3, 1, 1)
    _, report = weights.import_checkpoint(write(tmp_path / "a.pth", more), TSN)
    text = import_report.render_report(report)
    assert report.fits and "data_preprocessor.mean (mean and std of the input" in text


def test_missing_and_unexpected_are_errors_with_the_whole_report(tmp_path, states):
    state = dict(states["tsn"])
    state["layer1.0.extra.weight"] = state.pop("layer1.0.conv2.weight")
    file = write(tmp_path / "a.pth", state, author)
    with pytest.raises(import_report.Misfit, match=r"1 missing: layer1\.0\.conv2\.weight.*1 unexpected") as caught:
        weights.import_weights(file, TSN, tmp_path / "a.safetensors")
    assert not (tmp_path / "a.safetensors").exists()
    report = caught.value.report
    assert report.missing == ("layer1.0.conv2.weight",) and report.unexpected == ("base_model.layer1.0.extra.weight",)
    assert "missing    1\n    layer1.0.conv2.weight" in import_report.render_report(report)
    assert weights.import_checkpoint(file, TSN, partial=True)[1].fits


def test_a_shape_is_an_error_even_with_partial(tmp_path, states):
    state = {**states["tsn"], "layer1.0.conv2.weight": torch.zeros(3, 3)}
    file = write(tmp_path / "a.pth", state, author)
    with pytest.raises(import_report.Misfit, match=r"layer1\.0\.conv2\.weight \[3, 3\] in the file, \["):
        weights.import_checkpoint(file, TSN, partial=True)


def test_tanet_for_other_frames_does_not_fit(tmp_path, states):
    file = write(tmp_path / "a.pth", states["tanet"], NAMINGS["tanet-repo"][1])
    with pytest.raises(import_report.Misfit, match="--frames"):
        weights.import_checkpoint(file, replace(MODELS["tanet"], frames=8))


def test_other_class_counts_are_named(tmp_path, states):
    file = write(tmp_path / "a.pth", states["tsn"], author)
    other = replace(TSN, num_classes=7)
    with pytest.raises(import_report.Misfit, match=r"5 classes, the network 7.*--classes 5"):
        weights.import_checkpoint(file, other)
    report = weights.import_weights(file, other, tmp_path / "a.safetensors", new_classifier=True)
    assert ("module.new_fc.weight" in dict(report.dropped)) or ("new_fc.weight" in dict(report.dropped))
    module = build(other)
    before = module.state_dict()["fc.weight"].clone()
    weights.load_weights(module, tmp_path / "a.safetensors", other)
    assert torch.equal(module.state_dict()["fc.weight"], before)
    assert torch.equal(module.state_dict()["conv1.weight"], states["tsn"]["conv1.weight"])


def test_the_shift_is_told_from_the_names(tmp_path, states):
    shifted = write(tmp_path / "tsm.pth", states["tsm"], NAMINGS["tsm-repo/tsm"][1])
    with pytest.raises(import_report.Misfit, match="temporal shift"):
        weights.import_checkpoint(shifted, TSN)
    plain = write(tmp_path / "tsn.pth", states["tsn"], mmaction2)
    with pytest.raises(import_report.Misfit, match="temporal shift"):
        weights.import_checkpoint(plain, MODELS["tsm"])
    assert weights.import_checkpoint(plain, MODELS["tsm"], partial=True)[1].problems


def test_dnr_takes_plain_weights_only_as_partial(tmp_path, states):
    file = write(tmp_path / "tsn.pth", states["tsn"], author)
    with pytest.raises(import_report.Misfit, match=r"missing: .*cell"):
        weights.import_checkpoint(file, MODELS["dnr"])
    report = weights.import_weights(file, MODELS["dnr"], tmp_path / "dnr.safetensors", partial=True)
    assert all("cell" in name for name in report.missing)
    assert all(re.search(r"bn[12]\.(weight|bias)$", name) for name in report.unexpected)
    module = build(MODELS["dnr"])
    weights.load_weights(module, tmp_path / "dnr.safetensors", MODELS["dnr"])
    assert torch.equal(module.state_dict()["layer1.0.conv1.weight"], states["tsn"]["layer1.0.conv1.weight"])


def test_two_names_for_one_tensor_must_agree(tmp_path, states):
    state = {author(name): value for name, value in states["tsn"].items()}
    state["base_model.fc.bias"] = states["tsn"]["fc.bias"].clone()
    assert weights.import_checkpoint(write(tmp_path / "same.pth", state), TSN)[1].fits
    state["base_model.fc.bias"] += 1
    with pytest.raises(WeightsError, match=r"both become fc\.bias"):
        weights.import_checkpoint(write(tmp_path / "differ.pth", state), TSN)


def test_files_without_counters_of_old_torch_fit(tmp_path, states):
    state = {name: value for name, value in states["tsn"].items() if not name.endswith("num_batches_tracked")}
    assert weights.import_checkpoint(write(tmp_path / "a.pth", state, author), TSN)[1].fits


def test_load_refuses_another_network(tmp_path, states):
    file = write(tmp_path / "a.pth", states["tsn"], author)
    ours = tmp_path / "a.safetensors"
    weights.import_weights(file, TSN, ours)
    with pytest.raises(WeightsError, match="written for name 'tsn'"):
        weights.load_weights(build(MODELS["tsm"]), ours, MODELS["tsm"])
    with pytest.raises(WeightsError, match="lacks"):
        weights.load_weights(build(MODELS["dnr"]), ours)
    with pytest.raises(WeightsError, match="another shape"):
        weights.load_weights(build(replace(TSN, num_classes=7)), ours)
    with pytest.raises(WeightsError, match="import-weights"):
        weights.load_weights(build(TSN), file)
    weights.load_weights(build(TSN), ours, replace(TSN, dropout=0.1, frames=8, pretrained="imagenet"))


def test_the_name_must_tell_what_the_file_is(tmp_path, states):
    with pytest.raises(WeightsError, match="safetensors"):
        weights.save_weights(tmp_path / "a.pth", states["tsn"], model=TSN, contract=formats.IMAGENET)


def test_a_failed_write_leaves_the_old_file(tmp_path, states, monkeypatch):
    ours = weights.save_weights(tmp_path / "a.safetensors", states["tsn"], model=TSN, contract=formats.IMAGENET)
    before = ours.read_bytes()

    def broken(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint_reader, "save_file", broken)
    with pytest.raises(WeightsError, match="no space left"):
        weights.save_weights(ours, states["tsm"], model=MODELS["tsm"], contract=formats.IMAGENET)
    assert ours.read_bytes() == before and [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_one_tensor_under_two_names_with_two_values_is_an_error(tmp_path, states, prefix):
    more = {prefix + name: value + 1 for name, value in states["tsn"].items()}
    file = write(tmp_path / "a.pth", {**states["tsn"], **more})
    with pytest.raises(WeightsError, match=r"conv1\.weight.*differ"):
        weights.import_checkpoint(file, TSN)
    same = {prefix + name: value.clone() for name, value in states["tsn"].items()}
    file = write(tmp_path / "b.pth", {**states["tsn"], **same})
    assert weights.import_checkpoint(file, TSN)[1].fits


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int32, torch.int64, torch.bool])
@pytest.mark.parametrize("which", ["all", "one"])
def test_whole_numbers_are_no_weights(tmp_path, states, dtype, which):
    odd = {
        name: value.to(dtype) if value.is_floating_point() and (which == "all" or name == "fc.weight") else value
        for name, value in states["tsn"].items()
    }
    with pytest.raises(WeightsError, match=rf"{str(dtype).removeprefix('torch.')}.*no weights"):
        weights.import_checkpoint(write(tmp_path / "a.pth", odd), TSN)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_are_weights(tmp_path, states, dtype):
    other = {name: value.to(dtype) if value.is_floating_point() else value for name, value in states["tsn"].items()}
    assert weights.import_checkpoint(write(tmp_path / "a.pth", other), TSN)[1].fits


FOREIGN = [
    "{}",
    "[]",
    "none",
    '"RGB"',
    "[" * 100_000,
    '{"order": "XYZ", "scale": 1, "mean": [0, 0, 0], "std": [1, 1, 1]}',
    '{"order": "RGB", "scale": 1, "mean": [0, 0, 0], "std": [1, 0, 1]}',
    '{"order": "RGB", "scale": 1, "mean": [0, 0], "std": [1, 1, 1]}',
    '{"order": "RGB", "scale": 1, "mean": [NaN, 0, 0], "std": [1, 1, 1]}',
    '{"order": "RGB", "scale": "x", "mean": 3, "std": [1, 1, 1]}',
    '{"order": ["RGB"], "scale": 1e999, "mean": [0, 0, 0], "std": [1, 1, 1]}',
]


@pytest.mark.parametrize("contract", FOREIGN)
def test_a_foreign_contract_is_told_in_a_sentence(tmp_path, states, contract):
    from safetensors.torch import save_file

    file = tmp_path / "a.safetensors"
    save_file(states["tsn"], file, {"repro.contract": contract})
    with pytest.raises(WeightsError, match=r"a\.safetensors.*repro\.contract"):
        weights.import_checkpoint(file, TSN)
    save_file(states["tsn"], file, {"repro.model": canonical_json(TSN), "repro.contract": contract})
    with pytest.raises(WeightsError, match=r"a\.safetensors.*repro\.contract"):
        weights.load_weights(build(TSN), file, TSN)


@pytest.mark.parametrize(
    ("name", "value"), [("repro.model", "{"), ("repro.model", "3"), ("repro.left_new", "7"), ("repro.left_new", "[")]
)
def test_metadata_that_are_no_json_are_told(tmp_path, states, name, value):
    from safetensors.torch import save_file

    file = tmp_path / "a.safetensors"
    facts = {"repro.model": canonical_json(TSN), "repro.contract": '{"order": "RGB"}', name: value}
    save_file(states["tsn"], file, facts)
    with pytest.raises(WeightsError, match=r"a\.safetensors.*" + re.escape(name)):
        weights.load_weights(build(TSN), file, TSN)


def test_which_weights_were_taken_is_reported(tmp_path, states):
    ema = {name: value + 1 if value.is_floating_point() else value for name, value in states["tsn"].items()}
    file = write(tmp_path / "a.pth", states["tsn"], state_dict_ema={"n_averaged": torch.tensor(3), **ema})
    with pytest.raises(WeightsError, match="state_dict, state_dict_ema"):
        weights.import_weights(file, TSN, tmp_path / "a.safetensors")
    report = weights.import_weights(file, TSN, tmp_path / "a.safetensors", key="ema")
    assert "weights    state_dict_ema; the file also holds state_dict" in import_report.render_report(report)
    assert ("n_averaged", "a counter of the averaging") in report.dropped
    net = build(TSN)
    weights.load_weights(net, tmp_path / "a.safetensors", TSN)
    assert torch.equal(net.state_dict()["conv1.weight"], ema["conv1.weight"])


def test_a_disk_that_takes_no_more_is_told(tmp_path, states):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(WeightsError, match=r"a\.safetensors.*cannot be written"):
            weights.save_weights(tmp_path / "a.safetensors", states["tsn"], model=TSN, contract=formats.IMAGENET)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(tmp_path.iterdir()) == []
