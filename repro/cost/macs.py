"""Parameters and multiply-accumulates of one view, by several counters side by side.

The unit is GMACs, 1e9 multiply-accumulates; papers print it under the name GFLOPs. The counters see different things:
  gmacs         torch.utils.flop_counter divided by 2: convolutions and matrix products, also functional ones (default)
  fvcore        adds normalization (2 an element) and some pooling; the paper-facing number of AdaFuse and SlowFast
  ptflops       its `pytorch` backend: adds activations and pooling, sees few functional operators; mmaction2's counter
  ptflops_aten  its `aten` backend: convolutions and matrix products
An operator of ours or of a third party that has a torch flop formula is told to fvcore and to ptflops' aten backend.
Networks are counted on torch's meta device, where nothing is computed. One that looks at the values of its input is run
on the CPU, on several inputs: where they cost differently there is no one number, and none is given. Neither is one
where a counter leaves out an operator that multiplies matrices (`matrix_products`).
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode, flop_registry

from repro.core.errors import BadOption
from repro.core.spec import Model, Static, frozen, replace
from repro.cost.activation_memory import memory_of
from repro.cost.matrix_products import Uncountable, attention_macs, plain_kernels, require_counted
from repro.cost.meta_trace import shapes_only
from repro.cost.ptflops_watch import watched
from repro.models.build import build, build_meta, input_shape

GIGA = 1e9
#: counter -> how it is spelled out for a reader
COUNTERS = {
    "gmacs": "torch.utils.flop_counter / 2",
    "fvcore": "fvcore FlopCountAnalysis",
    "ptflops": "ptflops, pytorch backend",
    "ptflops_aten": "ptflops, aten backend",
}
_DEPTH = 2
#: operators that fvcore and ptflops have their own rule for
_KNOWN = frozenset(f"aten::{name}" for name in ("mm", "addmm", "bmm", "convolution", "_convolution"))
#: a counter that sees less than this share of the products that torch sees has missed some
_SEES = 0.999
#: ptflops counts some products again inside of others on the meta device; beyond this factor they are taken out
_ROUGHLY = 1.08
#: operators by which a network learns what its input holds
_LOOKS = frozenset(
    "_local_scalar_dense item is_nonzero equal nonzero nonzero_static masked_select unique_dim _unique2 _unique "
    "unique_consecutive bincount histc allclose".split()
)
#: operators that only allocate or move data; they have no arithmetic to count
_MOVES = frozenset(
    "empty empty_like new_empty empty_strided zeros new_zeros zeros_like ones full fill_ zero_ copy_ clone _to_copy "
    "cat stack detach index index_select constant_pad_nd pad arange promote_types lift_fresh _unsafe_view "
    "contiguous roll".split()
)


@dataclass(frozen=True)
class Counted:
    """What a counter says of one call."""

    macs: float
    left_out: dict[str, int]
    """Operators without a number, and how often they are called."""
    parts: dict[str, float] = field(default_factory=dict)
    """Multiply-accumulates by name of module."""


def measure_static(model: Model, static: Static) -> dict[str, Any]:
    """Parameters and multiply-accumulates of one view of `model` at each crop size; no weights are needed.

    A counter that fails gives None, and `failed` says why; the default counter has to work. `modules` and `uncounted`
    are for the first size.
    """
    net = build_meta(model).eval()
    result: dict[str, Any] = {**_params(model, net), "sizes": {}, "uncounted": {}, "failed": {}, "modules": []}
    result |= _of_method(net)
    for size in static.sizes:
        counts: dict[str, float | None] = {}
        for name, counter in _FUNCTIONS.items():
            try:
                counted = _count(counter, net, model, size)
                _require_all(counted.macs / GIGA, counts.get("gmacs"))
            except Uncountable as error:
                if name == "gmacs":
                    raise _uncountable(model, error) from error
                counts[name], result["failed"][name] = None, error.what
                continue
            except Exception as error:
                if name == "gmacs":
                    raise BadOption(f"{model.name} cannot run on {size}x{size} crops: {_line(error)}") from error
                counts[name] = None
                result["failed"][name] = _line(error)
                continue
            counts[name] = counted.macs / GIGA
            result["uncounted"].setdefault(name, counted.left_out)
            result["modules"] = result["modules"] or _modules(net, counted.parts)
        result["sizes"][str(size)] = counts
    if static.memory:
        x = torch.empty(input_shape(model, static.sizes[0]), device="meta")
        result["memory"] = memory_of(build_meta(model), x)
    return result


def count_macs(module: nn.Module, example: Tensor) -> float:
    """Multiply-accumulates of convolutions and matrix products of one call, by torch.utils.flop_counter."""
    with plain_kernels():
        return _by_torch(module, example).macs


def count_gmacs(model: Model, size: int) -> float:
    """The same of one view of a spec, in GMACs; no weights are needed."""
    return count_macs(build_meta(model).eval(), torch.empty(input_shape(model, size), device="meta")) / GIGA


def matching_sizes(static_result: dict[str, Any], printed_gmacs: float | str) -> list[tuple[int, str]]:
    """(crop size, counter) pairs whose count, rounded to the printed digits, is the printed number.

    Give the number as it is printed: "33" has no decimals, "36.1" has one.
    """
    text = str(int(printed_gmacs) if isinstance(printed_gmacs, float) and printed_gmacs.is_integer() else printed_gmacs)
    digits = len(text.partition(".")[2])
    return [
        (int(size), name)
        for size, counts in static_result["sizes"].items()
        for name, value in counts.items()
        if value is not None and f"{value:.{digits}f}" == f"{float(text):.{digits}f}"
    ]


def _uncountable(model: Model, error: Uncountable) -> Uncountable:
    return Uncountable(f"the GMACs of {model.name} cannot be told: {error.what}", fix=error.fix)


def _require_all(seen: float, products: float | None) -> None:
    """Raise `Uncountable` where a counter saw fewer GMACs than the products of matrices alone have."""
    if products is not None and seen < _SEES * products:
        raise Uncountable(f"it sees {seen:.6g} of the {products:.6g} GMACs of products of matrices")


def _params(model: Model, net: nn.Module) -> dict[str, int]:
    total = _number(net)
    host = total if model.method is None else _number(build_meta(replace(model, method=None, method_options=frozen())))
    trainable = sum(p.numel() for p in net.parameters() if p.requires_grad)
    return {"params": total, "params_trainable": trainable, "params_method": total - host}


def _of_method(net: nn.Module) -> dict[str, Any]:
    """What an inserted method counts of itself: a part of the network tells it by `counts() -> {name: number}`."""
    parts = [part for part in net.children() if callable(getattr(part, "counts", None))]
    return {"method": {name: value for part in parts for name, value in part.counts().items()}} if parts else {}  # type: ignore[operator]


def _number(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def _count(counter: Callable[[nn.Module, Tensor], Counted], net: nn.Module, model: Model, size: int) -> Counted:
    """On the meta device; where the network or the counter does not work there, on the CPU with random weights."""
    shape = input_shape(model, size)
    with quiet(), plain_kernels():
        try:
            return counter(copy.deepcopy(net), torch.empty(shape, device="meta"))
        except Uncountable:
            raise
        except Exception:  # whatever a network does with a value that it has not
            return _on_cpu(counter, model, shape)


def _on_cpu(counter: Callable[[nn.Module, Tensor], Counted], model: Model, shape: tuple[int, ...]) -> Counted:
    """The count on the input zero; by torch's counter, if other inputs and weights cost the same."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = build(replace(model, pretrained="none")).eval()
        found = [counter(net, torch.zeros(shape))]
        if counter is _by_torch:
            found += [counter(net, torch.randn(shape)), counter(net, 9 * torch.rand(shape))]
            torch.manual_seed(1)
            other = build(replace(model, pretrained="none")).eval()
            found += [counter(other, torch.randn(shape)), counter(other, -3 - torch.rand(shape))]
    costs = sorted({one.macs for one in found})
    if len(costs) > 1:
        raise Uncountable(
            f"they depend on what it sees, from {costs[0] / GIGA:.6g} to {costs[-1] / GIGA:.6g} on {len(found)} inputs",
            fix="a part of the network that tells the cost of each clip: stats(), see repro/cost/dynamic.py",
        )
    return found[0]


def _by_torch(net: nn.Module, x: Tensor) -> Counted:
    left_out = _Uncounted(lambda packet: packet in flop_registry)
    with torch.no_grad(), FlopCounterMode(display=False) as counter, left_out:
        net(x)
    if x.is_meta and left_out.looked:
        raise RuntimeError("the network looks at values, and caught that there are none")
    require_counted(left_out.calls, COUNTERS["gmacs"])
    root = f"{type(net).__name__}."
    parts = {
        name.removeprefix(root): sum(flops.values()) / 2
        for name, flops in counter.get_flop_counts().items()
        if name.startswith(root)
    }
    return Counted(counter.get_total_flops() / 2, dict(left_out.calls), parts)


def _by_fvcore(net: nn.Module, x: Tensor) -> Counted:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(net, x)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    for packet in _told():
        analysis.set_op_handle(packet._qualified_op_name, functools.partial(_fvcore_handle, packet))
    analysis.set_op_handle("aten::scaled_dot_product_attention", _fvcore_attention)
    with shapes_only() if x.is_meta else torch.no_grad():
        total = float(analysis.total())
    calls = {name: int(n) for name, n in analysis.unsupported_ops().items() if name.split("::")[-1] not in _MOVES}
    require_counted(calls, COUNTERS["fvcore"])
    return Counted(total, dict(sorted(calls.items())))


def _fvcore_attention(inputs: list[Any], outputs: list[Any]) -> float:
    from fvcore.nn.jit_handles import get_shape

    return attention_macs(*map(get_shape, inputs[:3]))


def _fvcore_handle(packet: Any, inputs: list[Any], outputs: list[Any]) -> float:
    from fvcore.nn.jit_handles import get_shape

    args = [get_shape(v) if v.isCompleteTensor() else v.toIValue() for v in inputs]
    return flop_registry[packet](*args, out_val=get_shape(outputs[0])) / 2


def _told() -> list[Any]:
    """Operators that have a flop formula and that fvcore and ptflops do not know themselves."""
    packets = (key for key in flop_registry if isinstance(key, torch._ops.OpOverloadPacket))
    return [packet for packet in packets if packet._qualified_op_name not in _KNOWN]


def _by_ptflops(net: nn.Module, x: Tensor) -> Counted:
    from ptflops.pytorch_ops import MODULES_MAPPING

    hooks: dict[Any, Any] = {}
    for part in net.modules():  # ptflops knows exact types only; a subclass of a counted layer counts like it
        base = next((base for base in type(part).__mro__ if base in MODULES_MAPPING), None)
        if base is not None and type(part) is not base:
            hooks[type(part)] = MODULES_MAPPING[base]
    known = {*MODULES_MAPPING, *hooks}
    leaves = (part for part in net.modules() if not any(part.children()) and type(part) not in known)
    left_out = Counter(type(part).__name__ for part in leaves if not isinstance(part, (nn.Identity, nn.Dropout)))
    with watched(known) as seen:
        macs = _ptflops(net, x, "pytorch", custom_modules_hooks=hooks)
    if seen.missed > (1 - _SEES) * seen.products:
        share = f"{seen.missed / GIGA:.4g} of the {seen.products / GIGA:.4g} GMACs of products"
        raise Uncountable(f"it does not see {share}: {', '.join(sorted(seen.names))} outside of layers")
    once = macs - float(seen.twice)
    return Counted(macs if macs <= _ROUGHLY * once else once, dict(sorted(left_out.items())))


def _by_ptflops_aten(net: nn.Module, x: Tensor) -> Counted:
    from ptflops.aten_ops import ATEN_OPS_MAPPING

    def hook(packet: Any) -> Callable[[Any, Any], float]:
        return lambda inputs, outputs: flop_registry[packet](*inputs, out_val=outputs[0]) / 2

    hooks = {packet: hook(packet) for packet in _told()}
    left_out = _Uncounted(lambda packet: packet in ATEN_OPS_MAPPING or packet in hooks)
    with left_out:
        macs = _ptflops(net, x, "aten", custom_modules_hooks=hooks)
    require_counted(left_out.calls, COUNTERS["ptflops_aten"])
    return Counted(macs, dict(left_out.calls))


def _ptflops(net: nn.Module, x: Tensor, backend: str, **more: Any) -> float:
    from ptflops import get_model_complexity_info

    said = io.StringIO()
    with torch.no_grad(), contextlib.redirect_stdout(said):
        macs, _ = get_model_complexity_info(
            net, tuple(x.shape[1:]), print_per_layer_stat=False, as_strings=False, backend=backend,
            input_constructor=lambda _: x, **more,
        )  # fmt: skip
    if macs is None:  # it prints its exceptions instead of raising them
        raise RuntimeError(" ".join(said.getvalue().split()) or "ptflops gave no number and no reason")
    return float(macs)


_FUNCTIONS: dict[str, Callable[[nn.Module, Tensor], Counted]] = {
    "gmacs": _by_torch,
    "fvcore": _by_fvcore,
    "ptflops": _by_ptflops,
    "ptflops_aten": _by_ptflops_aten,
}


class _Uncounted(TorchDispatchMode):
    """Counts the calls of arithmetic operators that a counter gives no number for."""

    def __init__(self, counted: Callable[[Any], bool]) -> None:
        super().__init__()
        self.counted = counted
        self.calls: Counter[str] = Counter()
        self.looked = False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func._overloadpacket
        name = packet.__name__
        self.looked |= name in _LOOKS
        if not (func.is_view or name in _MOVES or self.counted(packet)):
            self.calls[packet._qualified_op_name] += 1
        return func(*args, **(kwargs or {}))


def _modules(net: nn.Module, macs: dict[str, float]) -> list[dict[str, Any]]:
    """Parameters and GMACs of the modules down to the blocks of a stage, in the order of the network."""
    rows = []
    for name, part in net.named_modules():
        count = macs.get(name, 0.0) / GIGA
        if name and name.count(".") < _DEPTH and (count or _number(part)):
            rows.append({"name": name, "type": type(part).__name__, "params": _number(part), "gmacs": count})
    return rows


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Counters and exporters print, warn and log much; nothing of it is about the network."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            with contextlib.redirect_stderr(io.StringIO()):
                warnings.simplefilter("ignore")
                yield
    finally:
        logging.disable(before)


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
