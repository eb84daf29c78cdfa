"""Two processes of half a batch normalize, and pass gradients back, as one process does the whole batch."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from repro.core.errors import BadOption
from repro.core.spec import Model, frozen
from repro.engine.distributed import Ranks
from repro.engine.train.sync_batchnorm import combine, has_batch_norm, synchronise
from repro.models.build import build
from tests.repro.engine import forked

LAYERS = {
    "1d": (lambda: nn.BatchNorm1d(3), (6, 3)),
    "2d": (lambda: nn.BatchNorm2d(3), (6, 3, 4, 5)),
    "3d": (lambda: nn.BatchNorm3d(3, affine=False), (6, 3, 2, 4, 5)),
    "cumulative": (lambda: nn.BatchNorm2d(3, momentum=None), (6, 3, 4, 5)),
}


def passes(layer: nn.Module, x: Tensor) -> list[Tensor]:
    """Output and all gradients of a weighted sum of the output, and the running statistics."""
    x = x.clone().requires_grad_()
    y = layer.train()(x)
    (y * torch.linspace(-1, 2, y[0].numel()).view(y[0].shape)).sum().backward()
    grads = [parameter.grad for parameter in layer.parameters() if parameter.grad is not None]
    return [y.detach(), x.grad, *grads, *(value.double() for value in layer.buffers())]  # type: ignore[list-item]


@pytest.mark.parametrize("name", LAYERS)
def test_one_process_is_torch_s_own_layer(name: str) -> None:
    make, shape = LAYERS[name]
    layer, x = make(), torch.randn(shape) * 3 + 1
    synced = copy.deepcopy(layer)
    assert synchronise(synced, Ranks()) == 1
    assert list(synced.state_dict()) == list(layer.state_dict())
    for _ in range(2):
        for a, b in zip(passes(layer, x), passes(synced, x), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
        layer.zero_grad(), synced.zero_grad()
    torch.testing.assert_close(layer.eval()(x), synced.eval()(x))


def model(method: str | None) -> nn.Module:
    torch.manual_seed(0)
    options = frozen(blocks=1, pool=True)
    made = Model(name="tanet", backbone="tiny_resnet", num_classes=3, frames=4, dropout=0.0, options=options)
    return build(made if method is None else Model(**{**made.__dict__, "method": method})).double()


def inputs() -> Tensor:
    return torch.randn(6, 4, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def one_rank(rank: int, folder: str, method: str | None) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    ranks = Ranks.current()
    net = model(method)
    synchronise(net, ranks)
    share = [slice(0, 4), slice(4, 6)][rank]  # unequal, so that counts matter
    x = inputs()[share].requires_grad_()
    logits = net.train()(x)
    (logits * torch.arange(1.0, 4.0)).square().sum().backward()
    grads = {name: ranks.total(p.grad) for name, p in net.named_parameters() if p.grad is not None}
    torch.save([logits.detach(), x.grad, grads, dict(net.named_buffers())], f"{folder}/{rank}")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("method", [None, "dnr"])
def test_two_processes_are_one(tmp_path: Path, method: str | None) -> None:
    children = [forked.Child(one_rank, rank, str(tmp_path), method) for rank in (0, 1)]
    assert [child.result() for child in children] == [None, None]
    first, second = (torch.load(tmp_path / str(rank)) for rank in (0, 1))
    net = model(method)
    x = inputs().requires_grad_()
    logits = net.train()(x)
    (logits * torch.arange(1.0, 4.0)).square().sum().backward()
    torch.testing.assert_close(torch.cat((first[0], second[0])), logits.detach(), rtol=1e-8, atol=1e-10)
    torch.testing.assert_close(torch.cat((first[1], second[1])), x.grad, rtol=1e-7, atol=1e-10)
    for name, parameter in net.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(first[2][name], parameter.grad, rtol=1e-7, atol=1e-9, msg=name)
    for name, buffer in net.named_buffers():
        for found in (first, second):
            torch.testing.assert_close(found[3][name], buffer, rtol=1e-8, atol=1e-10, msg=name)


def test_frozen_layers_use_their_statistics() -> None:
    layer = nn.BatchNorm2d(2)
    synchronise(layer, Ranks())
    layer.eval()
    x = torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(layer(x), x / (1 + layer.eps) ** 0.5)


def test_half_precision_is_kept_and_computed_wide() -> None:
    layer = nn.BatchNorm2d(2)
    synchronise(layer, Ranks())
    x = (torch.randn(4, 2, 8, 8) + 100).bfloat16()
    y = layer.train()(x)
    assert y.dtype == torch.bfloat16
    assert abs(y.float().mean()) < 0.05


def test_a_layer_of_another_make_is_refused() -> None:
    class Own(nn.BatchNorm2d):
        pass

    with pytest.raises(BadOption, match="sync_bn on Own"):
        synchronise(nn.Sequential(Own(2)), Ranks())
    layer = nn.BatchNorm1d(2)
    synchronise(layer, Ranks())
    with pytest.raises(BadOption, match="one value a channel"):
        layer.train()(torch.zeros(1, 2))


def test_who_normalizes_over_clips() -> None:
    assert has_batch_norm(nn.Sequential(nn.BatchNorm1d(2)).train())
    assert not has_batch_norm(nn.Sequential(nn.BatchNorm1d(2)).eval())
    assert not has_batch_norm(nn.Sequential(nn.Linear(2, 2), nn.GroupNorm(1, 2)).train())
    assert combine(Ranks(), torch.zeros(2), torch.ones(2), 5)[2] == 5
