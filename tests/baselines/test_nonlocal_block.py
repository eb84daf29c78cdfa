import pytest
import torch

from baselines.nonlocal_block import KINDS, NonLocal, NonLocalForm


def attended(block, x):
    """The block written out position by position, without pooling."""
    form, flat = block.form, x.flatten(2)[0]  # C P
    theta = flat if block.theta is None else block.theta(x).flatten(2)[0]
    phi = flat if block.phi is None else block.phi(x).flatten(2)[0]
    g = block.g(x).flatten(2)[0]
    places = flat.shape[1]
    out = torch.zeros_like(g)
    for here in range(places):
        weights = torch.stack([theta[:, here] @ phi[:, there] for there in range(places)])
        if form.kind == "dot_product":
            weights = weights / places
        else:
            weights = torch.softmax(weights * (g.shape[0] ** -0.5 if form.scaled else 1), 0)
        out[:, here] = sum(weights[there] * g[:, there] for there in range(places))
    return x + block.bn(block.out(out.view(1, -1, *x.shape[2:])))


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_against_the_sum_over_positions(kind, scaled):
    torch.manual_seed(0)
    block = NonLocal(8, NonLocalForm(kind, pool=(1, 1, 1), scaled=scaled)).double().eval()
    torch.nn.init.normal_(block.bn.weight)
    x = torch.randn(1, 8, 2, 3, 2, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(block(x), attended(block, x), rtol=1e-12, atol=1e-12)


def test_it_starts_as_the_identity_and_pooling_order_matters():
    x = torch.randn(2, 8, 4, 6, 6)
    first, last = (NonLocal(8, NonLocalForm(pool_first=order)).eval() for order in (True, False))
    assert torch.equal(first(x), x)
    last.load_state_dict(first.state_dict())
    for block in (first, last):
        torch.nn.init.ones_(block.bn.weight)
    assert not torch.allclose(first(x), last(x))
