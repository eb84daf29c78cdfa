"""Which forms each kind of network has on a CPU; all in small."""

from __future__ import annotations

import pytest
import torch

from repro.core.spec import Model, frozen, replace
from repro.cost.fastest_form import builders, relative_error
from repro.cost.onednn_fusion import CONVS, NORMS, fold
from repro.cost.speed import random_network
from repro.models.build import frozen_form, input_shape

TINY = Model(name="tsn", backbone="tiny_resnet", num_classes=8, options=frozen(pool=True))
NETWORKS = {
    "tsm+dnr": replace(TINY, name="tsm", method="dnr"),
    "tdn": replace(TINY, name="tdn"),
    "tsn+psn": replace(TINY, method="psn"),
    "tsn+adafuse": replace(TINY, method="adafuse"),
    "tsm mobilenet": Model(name="tsm", backbone="mobilenetv2_100", num_classes=8),
    "c3d_resnet50": Model(name="c3d_resnet50", backbone="tiny_resnet", num_classes=8),
    "r2plus1d": Model(name="r2plus1d", backbone="tiny_resnet", num_classes=8, frames=16),
    "s3d": Model(name="s3d", backbone="inceptionv1", num_classes=8, frames=16),
    "i3d_inceptionv1": Model(name="i3d_inceptionv1", backbone="inceptionv1", num_classes=8, frames=16),
}
#: oneDNN's graph ends with an error of its own in DNR's cells, and `fastest` leaves it out
MISSING = {("tsm+dnr", "folded, TorchScript, oneDNN graph")}
#: with kernels over frames as well
VOLUMES = ("c3d_resnet50", "r2plus1d", "s3d", "i3d_inceptionv1")
pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch without oneDNN")


@pytest.mark.parametrize("name", NETWORKS)
@torch.inference_mode()
def test_every_form_runs_and_keeps_the_logits(name: str) -> None:
    model = NETWORKS[name]
    net = random_network(model, torch.Generator().manual_seed(0))
    nets = {"": net, "frozen": frozen_form(net, "psn")} if model.method == "psn" else {"": net}
    x = torch.randn(input_shape(model, 64), generator=torch.Generator().manual_seed(1))
    reference = net(x)
    for one in nets.values():
        for precision, limit in (("fp32", 1e-5), ("bf16", 0.2)):
            for form, builder in builders(one, "cpu", precision, False).items():
                if (name, form) in MISSING:
                    continue
                error = relative_error(builder(one, x)(x), reference)
                assert error <= limit, (form, precision)


@pytest.mark.parametrize("name", VOLUMES)
def test_normalizations_over_volumes_are_folded(name: str) -> None:
    net = random_network(NETWORKS[name], torch.Generator().manual_seed(0))
    folded = fold(net)
    called = [folded.get_submodule(str(node.target)) for node in folded.graph.nodes if node.op == "call_module"]
    assert sum(isinstance(part, CONVS) for part in called) and not any(isinstance(part, NORMS) for part in called)
