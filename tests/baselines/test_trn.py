from math import comb

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from baselines.trn import TemporalRelations, trn_multiscale
from methods.adafuse import insert as adafuse
from methods.adafuse.compact.stream import Stream
from methods.dnr import insert as dnr
from methods.psn import insert as psn
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.models.build import build, build_meta
from repro.models.weights import import_tensors, shapes_of


def spec(**more) -> Model:
    given = {"name": "trn_multiscale", "backbone": "tiny_inception", "frames": 4, "num_classes": 5, "dropout": 0.0}
    return Model(**{**given, **more})


def sharper(net: TemporalRelations) -> TemporalRelations:
    """With larger features than at the start, where they are near zero."""
    nn.init.normal_(net.frame_fc.weight, 0.0, 0.5)
    return net


@pytest.mark.parametrize(("classes", "params"), [(174, 13_141_218), (400, 13_547_792)])
def test_size_and_cost(cost, classes, params):
    found, gmacs = cost("trn_multiscale", "bninception", 8, 224, classes)
    assert found == params and gmacs == pytest.approx(16.261, abs=0.0015 if classes == 400 else 0.0005)


@pytest.mark.parametrize("features", [256, 512, 1024])
def test_the_printed_size_is_not_reached_by_other_widths(features):
    net = build_meta(spec(backbone="bninception", frames=8, num_classes=174, options=frozen(features=features)))
    millions = sum(p.numel() for p in net.parameters()) / 1e6
    assert round(millions, 1) != 18.3


def body(frames, **options):
    with torch.device("meta"):
        return trn_multiscale("tiny_inception", num_classes=2, frames=frames, **options)


@settings(max_examples=20)
@given(frames=st.integers(2, 9), subsample=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_relations_are_different_ordered_tuples(frames, subsample, seed):
    net = body(frames, subsample=subsample, relation_seed=seed)
    for picks in (net.picks, net._drawn()):
        assert len(picks) == frames - 1
        for scale, choices, chosen in zip(net.scales, net.tuples, picks, strict=True):
            assert len(set(chosen)) == len(chosen) == min(subsample, comb(frames, scale))
            assert all(list(choices[index]) == sorted(set(choices[index])) for index in chosen)
            assert all(len(choices[index]) == scale for index in chosen)


def test_evaluation_has_one_draw_and_training_another_each_time():
    torch.manual_seed(0)
    net = sharper(build(spec(frames=8)))
    x = torch.randn(2, 8, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(net.eval()(x), net(x))
    assert net.picks == build(spec(frames=8)).picks
    assert net.picks != build(spec(frames=8, options=frozen(relation_seed=1))).picks
    assert len({net._drawn() for _ in range(4)}) > 1


def test_order_of_frames_matters_and_clips_do_not_mix():
    torch.manual_seed(0)
    net = sharper(build(spec())).double().eval()
    x = torch.randn(2, 4, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        both, alone, backwards = net(x), net(x[:1]), net(x.flip(1))
    torch.testing.assert_close(both[:1], alone, rtol=1e-12, atol=1e-12)
    assert not torch.allclose(both, backwards, atol=1e-3)


def test_every_parameter_learns():
    torch.manual_seed(0)
    net = sharper(build(spec()))
    net(torch.randn(3, 4, 3, 32, 32)).square().sum().backward()
    # a bias before a normalization has no influence
    names = {n for n, p in net.named_parameters() if p.grad is None or (p.grad == 0).all()}
    assert not {name for name in names if not name.endswith("conv.bias")} and "conv1.weight" not in names


def test_normalizations_move_slowly():
    norms = [part for part in body(2).modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms and {
        part.momentum for part in build_meta(spec(backbone="bninception")).modules() if isinstance(part, nn.BatchNorm2d)
    } == {0.1}


def test_methods_insert():
    x = torch.randn(1, 4, 3, 32, 32)
    for insert in (dnr.insert, psn.insert, adafuse.insert):
        net = insert(build(spec()), {"insert_after": ("conv3", "conv4")} if insert is psn.insert else {}).eval()
        assert net(x).shape == (1, 5)
    with pytest.raises(ValueError, match="scores frames together"):
        Stream(net)


def test_frames_have_no_scores_of_their_own():
    with pytest.raises(ValueError, match="together"):
        body(2).frame_logits(torch.empty(1, 2, 3, 32, 32, device="meta"))


def test_a_new_classifier_leaves_out_that_of_each_scale():
    few = spec(num_classes=3)
    tensors = {name: torch.zeros(shape) for name, shape in shapes_of(spec()).items()}
    given, report = import_tensors(tensors, few, shapes_of(few), source="f", new_classifier=True)
    assert len(report.dropped) == 2 * 3 and not [name for name in given if name.endswith(".fc.weight")]
    with pytest.raises(Exception, match="the file has 5 classes, the network 3"):
        import_tensors(tensors, few, shapes_of(few), source="f")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frames": 1}, "frames 1"),
        ({"options": {"features": 0}}, "features 0"),
        ({"options": {"relation_seed": -1}}, "relation_seed -1"),
        ({"options": {"head": "clip"}}, "no option 'head'"),
        ({"options": {"subsampel": 2}}, "subsampel"),
    ],
)
def test_bad_options(change, message):
    with pytest.raises(BadOption, match=message):
        build(spec(**{**change, "options": frozen(change.get("options", {}))}))
