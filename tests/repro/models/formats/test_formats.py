from pathlib import Path

import pytest

from repro.core.errors import UnknownName, WeightsError
from repro.models import formats
from repro.models.verify import golden

GOLDENS = Path(__file__).parents[3] / "golden"
FILES = [file for file in sorted(GOLDENS.glob("**/*.json")) if file.name != "sampling.json"]


def names_of(file: Path) -> list[str]:
    return [name for name, _, _ in golden.read_json(file)["tensors"]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_goldens_are_recognised_by_their_names(file):
    names = names_of(file)
    fitting = [rule for rule in formats.FORMATS.values() if rule.matches(frozenset(names))]
    assert [rule.name for rule in fitting] == [golden.read_json(file)["spec"]["checkpoint_format"]]
    rule = formats.detect(names, [])
    renamed = {rule.rename(name) for name in names}
    assert len(renamed) == len(names), "two tensors of a file would have one name"
    if file.stem.startswith(("tsn_resnet", "tsm_resnet", "tanet_", "tdn_")):
        assert {"conv1.weight", "bn1.running_mean", "layer4.1.conv2.weight", "fc.weight", "fc.bias"} <= renamed


def renamed(stem: str) -> set[str]:
    names = names_of(GOLDENS / f"{stem}.json")
    rule = formats.detect(names, [])
    return {rule.rename(name) for name in names}


def test_one_network_has_the_same_names_from_every_origin():
    tsn = renamed("tsn_resnet50")
    assert renamed("tsm_resnet50") == tsn
    assert renamed("tsm_resnet50_mmaction2") == tsn
    assert renamed("layouts/tsn_resnet50_mmaction2") == tsn
    assert renamed("tanet_resnet50") == renamed("layouts/tanet_resnet50_mmaction2")


def test_dnr_adds_cells_and_loses_affine():
    tsn, dnr = renamed("tsn_resnet50"), renamed("tsn_resnet50_dnr")
    assert {name.rpartition(".")[2] for name in tsn - dnr} == {"weight", "bias"}
    assert len(tsn - dnr) == 64 and len(dnr - tsn) == 160
    assert {"layer1.cl_cell.x.0.weight", "layer3.5.bn2.cell.h.2.bias"} <= dnr - tsn


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("tsm-repo", "base_model.layer1.0.conv1.net.weight", "layer1.0.conv1.weight"),
        ("tsm-repo", "base_model.fc.weight", "fc.weight"),
        ("tanet-repo", "base_model.layer2.3.tam.L.1.running_var", "layer2.3.tam.L.1.running_var"),
        ("tanet-repo", "base_model.layer2.0.net.downsample.1.bias", "layer2.0.downsample.1.bias"),
        ("tdn-repo", "base_model.layer3_bak.1.mse.conv3_smallscale4.weight", "layer3.1.mse.conv3_smallscale4.weight"),
        ("tdn-repo", "base_model.resnext_layer1.0.bn1.bias", "resnext_layer1.0.bn1.bias"),
        ("dnr-repo", "backbone.layer2.lstm.w_hh.0.seq.2.bias", "layer2.cl_cell.h.2.bias"),
        ("dnr-repo", "backbone.layer2.ModuleList.3.bn2.lstm.w_ih.0.seq.0.weight", "layer2.3.bn2.cell.x.0.weight"),
        ("mmaction2", "backbone.layer1.0.conv1.conv.net.weight", "layer1.0.conv1.weight"),
        ("mmaction2", "backbone.layer1.0.block.downsample.bn.bias", "layer1.0.downsample.1.bias"),
        ("mmaction2", "cls_head.fc_cls.bias", "fc.bias"),
    ],
)
def test_rules(name, old, new):
    assert formats.get(name).rename(old) == new


def test_wrappers_are_stripped():
    assert formats.strip_wrappers("module._orig_mod.module.conv1.weight") == "conv1.weight"


def test_names_of_nobody_are_refused_with_a_sample():
    with pytest.raises(WeightsError, match=r"encoder\.blocks\.0\.attn"):
        formats.detect(["encoder.blocks.0.attn.weight"], [])


def test_an_unknown_format_suggests_the_nearest():
    with pytest.raises(UnknownName, match="tsm-repo"):
        formats.get("tsm_repo")


def test_bn_inception_of_the_authors_takes_caffe_input():
    contract = formats.get("tsm-repo").contract("bninception")
    assert (contract.order, contract.scale, contract.mean) == ("BGR", 255.0, (104.0, 117.0, 128.0))
    assert formats.get("tsm-repo").contract("resnet50").order == "RGB"
    assert formats.Contract.from_dict(contract.to_dict()) == contract
