"""Networks of every kind of matrix product, each known by arithmetic; with and without a look at the input."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from repro.core.spec import Model, Static
from repro.cost.macs import COUNTERS, count_macs, measure_static
from repro.cost.matrix_products import Uncountable, hides_products
from repro.registry import load_all, models

D, HEADS, PATCH, SIZE, FRAMES, CLASSES = 32, 4, 8, 32, 4, 6
TOKENS = FRAMES * (SIZE // PATCH) ** 2
STEM = FRAMES * (SIZE // PATCH) ** 2 * D * 3 * PATCH**2 + D * CLASSES
ATTENTION = 2 * TOKENS * TOKENS * D
PROJECTIONS = 4 * TOKENS * D * D
Body = Callable[[Any, Tensor], Tensor]


def heads(x: Tensor) -> Tensor:
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def sdpa(net: Any, x: Tensor) -> Tensor:
    q, k, v = (heads(one) for one in net.qkv(x).chunk(3, -1))
    return net.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


def by_hand(product: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Body:
    def run(net: Any, x: Tensor) -> Tensor:
        q, k, v = (heads(one).flatten(0, 1) for one in net.qkv(x).chunk(3, -1))
        return net.proj(product(q, k, v).unflatten(0, (-1, HEADS)).transpose(1, 2).flatten(2))

    return run


def einsum(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.einsum("bij,bjd->bid", torch.einsum("bid,bjd->bij", q, k).softmax(-1), v)


def bmm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return torch.bmm(torch.bmm(q, k.transpose(1, 2)).softmax(-1), v)


def baddbmm(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = torch.zeros(1, TOKENS, TOKENS, device=q.device)
    return torch.bmm(torch.baddbmm(mask, q, k.transpose(1, 2)).softmax(-1), v)


def in_place(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    mask = torch.zeros(len(q), TOKENS, TOKENS, device=q.device)
    return torch.bmm(mask.baddbmm_(q, k.transpose(1, 2)).softmax(-1), v)


def mha(net: Any, x: Tensor) -> Tensor:
    return net.att(x, x, x, need_weights=False)[0]


def shared(net: Any, x: Tensor) -> Tensor:
    return net.second(net.first(net.first(x)))


def functional(net: Any, x: Tensor) -> Tensor:
    x = F.linear(x, net.proj.weight)
    return F.conv1d(x.transpose(1, 2), net.kernel, padding=1).transpose(1, 2)


def parts(kind: str) -> dict[str, nn.Module]:
    if kind == "mha":
        return {"att": nn.MultiheadAttention(D, HEADS, batch_first=True)}
    if kind == "encoder":
        return {"att": nn.TransformerEncoderLayer(D, HEADS, 2 * D, batch_first=True, dropout=0.0)}
    if kind in ("lstm", "gru", "rnn"):
        return {"rnn": {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[kind](D, D, batch_first=True)}
    if kind == "shared":
        one = nn.Linear(D, D)
        return {"first": nn.Sequential(one), "second": nn.Sequential(nn.Identity(), one, one)}
    if kind == "bilinear":
        return {"bilinear": nn.Bilinear(D, D, D)}
    return {"qkv": nn.Linear(D, 3 * D), "proj": nn.Linear(D, D)}


#: name -> (what is done with (N, tokens, D), multiply-accumulates by arithmetic)
KINDS: dict[str, tuple[Body, int]] = {
    "sdpa": (sdpa, PROJECTIONS + ATTENTION),
    "einsum": (by_hand(einsum), PROJECTIONS + ATTENTION),
    "bmm": (by_hand(bmm), PROJECTIONS + ATTENTION),
    "baddbmm": (by_hand(baddbmm), PROJECTIONS + ATTENTION),
    "in_place": (by_hand(in_place), PROJECTIONS + ATTENTION),
    "mha": (mha, PROJECTIONS + ATTENTION),
    "encoder": (lambda net, x: net.att(x), PROJECTIONS + ATTENTION + 2 * TOKENS * D * 2 * D),
    "lstm": (lambda net, x: net.rnn(x)[0], 4 * 2 * TOKENS * D * D),
    "gru": (lambda net, x: net.rnn(x)[0], 3 * 2 * TOKENS * D * D),
    "rnn": (lambda net, x: net.rnn(x)[0], 2 * TOKENS * D * D),
    "shared": (shared, 4 * TOKENS * D * D),
    "functional": (functional, TOKENS * D * D + 3 * TOKENS * D * D),
    "bilinear": (lambda net, x: net.bilinear(x, x), TOKENS * D**3),
    "vector": (lambda net, x: x + (x @ net.proj.weight[0])[..., None], TOKENS * D),
    "addmv": (lambda net, x: x + torch.addmv(x[0, :, 0], x[0], net.proj.weight[0])[:, None], TOKENS * D),
    "addbmm": (lambda net, x: x + torch.addbmm(x[0], x, net.proj.weight[None]), TOKENS * D * D),
    "tensordot": (lambda net, x: torch.tensordot(x, net.proj.weight, 1), TOKENS * D * D),
    "unfolded": (lambda net, x: net.proj.weight @ x.transpose(1, 2), TOKENS * D * D),
    "cdist": (lambda net, x: torch.cdist(x, x)[..., :D], TOKENS * TOKENS * D),
}


class Net(nn.Module):
    def __init__(self, kind: str, looks: bool) -> None:
        super().__init__()
        self.kind, self.looks, self.num_classes, self.num_features = kind, looks, CLASSES, D
        self.patch, self.fc = nn.Conv2d(3, D, PATCH, PATCH), nn.Linear(D, CLASSES)
        self.kernel = nn.Parameter(torch.randn(D, D, 3))
        for name, part in parts(kind).items():
            self.add_module(name, part)

    def forward(self, x: Tensor) -> Tensor:
        scale = float(x.max()) if self.looks else 1.0
        x = self.patch(x.flatten(0, 1)).flatten(2).transpose(1, 2).reshape(len(x), -1, D) * (1 + scale)
        x = KINDS[self.kind][0](self, x)
        return self.fc(x.mean(1 if x.shape[-1] == D else 2))


class Branching(nn.Module):
    """Half of the clips take a heavy path."""

    num_features = D

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.num_classes = how, CLASSES
        self.patch, self.heavy, self.fc = nn.Conv2d(3, D, PATCH, PATCH), nn.Linear(D, D), nn.Linear(D, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        seen = self.patch(x.flatten(0, 1)).flatten(2).transpose(1, 2).reshape(-1, D)
        if self.how == "if" and x.abs().sum() > 0:
            seen = self.heavy(seen)
        if self.how == "tokens":
            seen = self.heavy(seen[seen[:, 0] > 0.1])
        if self.how == "caught":
            try:
                steps = int(x.abs().amax() > 0)
            except RuntimeError:
                steps = 0
            for _ in range(steps):
                seen = self.heavy(seen)
        return self.fc(seen.mean(0, keepdim=True))


class Hiding(Net):
    """What has no formula."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch(x.flatten(0, 1)).flatten(2).transpose(1, 2).reshape(-1, D)
        return self.fc((torch.linalg.inv(self.qkv.weight[:D]) @ x.t()).mean(1)[None])


@pytest.fixture(autouse=True, scope="module")
def registered() -> Iterator[None]:
    load_all()
    known = dict(models._entries)
    for kind in KINDS:
        for looks in (False, True):
            made = lambda backbone, *, kind=kind, looks=looks, **_: Net(kind, looks)  # noqa: E731
            models.register(f"{kind}_{looks}", summary=kind)(made)
    for how in ("if", "tokens", "caught"):
        models.register(f"branch_{how}", summary=how)(lambda backbone, *, how=how, **_: Branching(how))
    models.register("hiding", summary="inverse")(lambda backbone, **_: Hiding("bmm", False))
    yield
    models._entries.clear()
    models._entries.update(known)


def measured(name: str) -> dict[str, Any]:
    return measure_static(
        Model(name=name, backbone="tiny_resnet", frames=FRAMES, num_classes=CLASSES), Static(sizes=(SIZE,))
    )


@pytest.mark.parametrize("looks", [False, True], ids=["plain", "looks"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_product_is_counted_whether_the_input_is_looked_at_or_not(kind: str, looks: bool) -> None:
    found = measured(f"{kind}_{looks}")
    counts = found["sizes"][str(SIZE)]
    expected = (STEM + KINDS[kind][1]) / 1e9
    assert counts["gmacs"] == pytest.approx(expected, rel=1e-9)
    for counter in COUNTERS:
        if counts[counter] is None:
            assert found["failed"][counter]
        else:
            assert counts[counter] >= 0.999 * expected
        assert not [name for name in found["uncounted"].get(counter, {}) if "::" in name and hides_products(name)]


def test_a_layer_of_two_places_is_counted_at_each_call_by_all_counters() -> None:
    counts = measured("shared_False")["sizes"][str(SIZE)]
    for counter in COUNTERS:
        assert counts[counter] == pytest.approx(counts["gmacs"], rel=0.02), counter


@pytest.mark.parametrize("how", ["if", "tokens", "caught"])
def test_a_cost_that_depends_on_the_input_is_refused_in_a_sentence(how: str) -> None:
    with pytest.raises(Uncountable, match=f"the GMACs of branch_{how} cannot be told: they depend on what it sees"):
        measured(f"branch_{how}")


def test_a_product_without_a_formula_is_named_not_passed_over() -> None:
    with pytest.raises(Uncountable, match=r"aten::linalg_inv_ex multiplies matrices"):
        measured("hiding")


def test_an_operator_of_a_third_party_has_to_tell_its_formula() -> None:
    @torch.library.custom_op("repro_test::times", mutates_args=())
    def times(x: Tensor, w: Tensor) -> Tensor:
        return x @ w

    @times.register_fake
    def _(x: Tensor, w: Tensor) -> Tensor:
        return x.new_empty(x.shape[0], w.shape[1])

    class Theirs(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.ops.repro_test.times(x, x.t())

    x = torch.empty(4, 5, device="meta")
    with pytest.raises(Uncountable, match=r"repro_test::times may multiply.*register_flop_formula"):
        count_macs(Theirs(), x)
    from torch.utils.flop_counter import flop_registry, register_flop_formula

    register_flop_formula(torch.ops.repro_test.times)(lambda x, w, *_, **__: 2 * x[0] * x[1] * w[1])
    try:
        assert count_macs(Theirs(), x) == 4 * 5 * 4
    finally:
        del flop_registry[torch.ops.repro_test.times]


def test_a_deformable_convolution_costs_what_a_plain_one_does() -> None:
    from torchvision.ops import DeformConv2d

    class Deformed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = DeformConv2d(4, 6, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(x, x.new_zeros(len(x), 18, *x.shape[-2:]))

    x = torch.zeros(2, 4, 8, 8)
    assert count_macs(Deformed(), x) == count_macs(nn.Conv2d(4, 6, 3, padding=1), x)


@pytest.mark.parametrize(
    "name",
    ["aten::upsample_bilinear2d", "aten::linalg_vector_norm", "aten::relu_", "aten::_convert_indices_from_coo_to_csr",
     "aten::linspace", "aten::cumsum", "torchvision::nms", "prim::PythonOp._Moments", "aten::unfold", "aten::lgamma"],
)  # fmt: skip
def test_what_multiplies_no_matrices_is_no_fault(name: str) -> None:
    assert not hides_products(name)
