"""Running statistics estimated anew: a plain mean over batches, of torch's normalization and of DNR's."""

import pytest
import torch
from torch import nn

from repro.core.spec import Model, frozen
from repro.data.loader import normalize
from repro.engine.accuracy import measure_accuracy
from repro.engine.reestimate import normalizations, reestimated
from repro.models.build import build
from repro.papers.probes import probe

TSN = Model(name="tsn", backbone="resnet50", method="dnr")
CT = frozen(relay_distance=4, reduction=4, channel_interlacing=False, cl=None)


def batches(count, clips=2):
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (clips, 8, 3, 32, 32), dtype=torch.uint8, generator=generator) for _ in range(count)]


def small(**options):
    torch.manual_seed(0)
    return build(probe(Model(name="tsn", backbone="resnet50", **options), "probe-order").model)


def test_the_mean_of_the_batches_statistics_whatever_was_there():
    net, seen = small(), batches(3)
    with torch.no_grad():
        maps = [net.conv1(normalize(x).flatten(0, 1)) for x in seen]
    net.bn1.running_mean.fill_(7)
    made = reestimated(net, seen, normalize)
    wanted = torch.stack([x.mean((0, 2, 3)) for x in maps]).mean(0)
    assert torch.allclose(made.bn1.running_mean, wanted, atol=1e-5)
    assert (net.bn1.running_mean == 7).all()  # the network itself is left as it is
    assert not made.training
    assert made.bn1.momentum == net.bn1.momentum


def test_the_groups_of_frames_count_alike():
    """CT keeps one running pair for all groups: it becomes their mean, over batches and groups."""
    net = small(method="dnr", method_options=CT)
    part = next(part for part in net.modules() if type(part).__name__ == "CrossTemporalNorm")
    kept = []
    part.register_forward_hook(
        lambda module, inputs, output: kept.append(inputs[0].detach()) if module.training else None
    )
    made = reestimated(net, batches(4), normalize)
    twin = dict(zip(net.modules(), made.modules(), strict=True))[part]
    groups = torch.stack([x.unflatten(0, (2, 2, 4)).mean((0, 2, 4, 5)) for x in kept])  # (batches, G, C)
    assert torch.allclose(twin.running_mean, groups.mean((0, 1)), atol=1e-5)
    assert int(twin.num_batches_tracked) == 8


def test_nothing_to_estimate():
    assert reestimated(nn.Linear(2, 2), [], normalize) is None
    assert not list(normalizations(small(options=frozen(norm="gn", groups=4))))


@pytest.mark.parametrize("dataset", ["probe-order-smoke"])
def test_stands_beside_the_accuracy_of_a_training_on_a_probe(dataset, tmp_path):
    made = probe(TSN, dataset, batch=2, epochs=1)
    found = measure_accuracy(made.model, made.measure, 0, tmp_path)["results"]
    assert {"top1_reestimated", "pair_top1_reestimated"} <= set(found["extra"])
    assert 0 <= found["extra"]["top1_reestimated"] <= 100
