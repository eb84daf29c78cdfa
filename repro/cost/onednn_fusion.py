"""A network for the CPU with each convolution, its normalization, residual sum and activation as one oneDNN call.

`fuse` reads the order of operations off a torch.fx graph, so that it depends on what a network does, not on how its
parts are called: a batch normalization, sum or activation goes into the convolution before it when nothing else reads
the value in between. Weights are packed once for their kernel; maps stay in channels_last, volumes in channels_last_3d,
which 1x1 convolutions prefer. The operators (torch.ops.mkldnn) are those that torch.compile calls; here no C++ compiler
is needed.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_weights

Replace = Callable[[nn.Module], nn.Module | None]
#: oneDNN's name of an activation, and its arguments
Act = tuple[str, tuple[float, ...]]
#: what fx raises on networks whose path depends on values
UNREADABLE = (fx.proxy.TraceError, TypeError, ValueError, AttributeError, RuntimeError)
_SUMS = (operator.add, operator.iadd, torch.add)
#: over images and over volumes
CONVS, NORMS = (nn.Conv2d, nn.Conv3d), (nn.BatchNorm2d, nn.BatchNorm3d)
_NONE: Act = ("none", ())
_RELU: Act = ("relu", ())
#: activation -> module, functions and method that compute it
_ACTIVATIONS: tuple[tuple[Act, tuple[Any, ...]], ...] = (
    (_RELU, (nn.ReLU, torch.relu, torch.relu_, functional.relu, "relu", "relu_")),
    (("hardtanh", (0.0, 6.0)), (functional.relu6,)),
    (("swish", ()), (nn.SiLU, functional.silu)),
)


def fold(module: nn.Module) -> fx.GraphModule:
    """A copy in evaluation with each batch normalization folded into the convolution before it."""
    graph = _trace(copy.deepcopy(module).eval().requires_grad_(False))
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        if isinstance(_module(modules, node), (nn.Identity, nn.Dropout)):
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    for node in list(graph.graph.nodes):
        norm = _module(modules, node)
        before = node.args[0] if norm is not None and node.args else None
        conv = _module(modules, before)
        if isinstance(norm, NORMS) and isinstance(conv, CONVS) and _once(before, modules):
            if _only_user(before) is None or norm.running_mean is None or norm.running_var is None:
                continue
            conv.weight, conv.bias = fuse_conv_bn_weights(
                conv.weight, conv.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
            )
            after = getattr(norm, "act", None)
            if after is not None and not isinstance(after, nn.Identity):  # timm's, which is in the same module
                parent, _, child = str(node.target).rpartition(".")
                graph.get_submodule(parent).register_module(child, after)
                continue
            node.replace_all_uses_with(before)
            graph.graph.erase_node(node)
    graph.recompile()
    return graph


def fuse(module: nn.Module, dtype: torch.dtype = torch.float32, replace: Replace = lambda part: None) -> fx.GraphModule:
    """`fold`, and each convolution with what follows it as one oneDNN call. CPU and evaluation only.

    `replace` may give another form of a part, with `in_place` and `relu`, which takes in the ReLU behind it.
    """
    graph = fold(module).to(dtype)
    modules = dict(graph.named_modules())
    for node in list(graph.graph.nodes):
        part = _module(modules, node)
        if isinstance(part, CONVS) and _once(node, modules) and part.padding_mode == "zeros":
            _fuse_one(graph, node, modules)
            continue
        made = None if part is None else replace(part)
        if made is not None:
            _put(graph, modules, node, made)
            act = _only_user(node)
            if _activation(act, modules) == _RELU:
                assert act is not None
                made.relu = True  # type: ignore[assignment]
                act.replace_all_uses_with(node)
                graph.graph.erase_node(act)
    graph.graph.eliminate_dead_code()
    _write_in_place(graph, modules)
    graph.recompile()
    return graph


class FusedConv(nn.Module):
    """Convolution, optional sum with `other`, optional activation: (N, C, H, W) -> channels_last (N, C', H', W'), and
    volumes likewise.

    A subclass of torch's convolution that works on its input first, such as TSM's shift, keeps doing so: only its
    convolution proper is replaced. With `other` the activation can be a ReLU alone.
    """

    def __init__(self, conv: nn.Conv2d | nn.Conv3d, *, relu: bool = False, act: Act = _NONE) -> None:
        super().__init__()
        if isinstance(conv.padding, str):
            raise NotImplementedError(f"a convolution with padding {conv.padding!r} is not fused")
        self.conv, self.act = conv, _RELU if relu else act
        self.in_place = False
        """Whether the sum may be written over `other`."""
        self.layout = torch.channels_last if isinstance(conv, nn.Conv2d) else torch.channels_last_3d
        self.where = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        self.packed: Tensor | None = None
        self.other: Tensor | None = None
        conv._conv_forward = self._run  # type: ignore[method-assign, assignment]

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """`act(conv(x) + other)`, as far as there are an activation and `other`."""
        self.other = other
        try:
            return self.conv(x)
        finally:
            self.other = None

    def _run(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        x = x.contiguous(memory_format=self.layout)
        if self.packed is None:
            padding, stride, dilation, groups = self.where
            self.packed = torch.ops.mkldnn._reorder_convolution_weight(
                weight.detach(), padding, stride, dilation, groups, list(x.shape)
            )
        if self.other is None:
            name, arguments = self.act
            act = (name, list(arguments), "")
            return torch.ops.mkldnn._convolution_pointwise(x, self.packed, bias, *self.where, *act)
        if self.act not in (_NONE, _RELU):
            raise NotImplementedError(f"{self.act[0]} behind a sum is not fused")
        other = self.other.contiguous(memory_format=self.layout)
        relu = "relu" if self.act == _RELU else None
        after: tuple[Any, ...] = (self.packed, bias, *self.where, "add", 1.0, relu, [], None)
        if self.in_place:
            return torch.ops.mkldnn._convolution_pointwise_.binary(other, x, *after)
        return torch.ops.mkldnn._convolution_pointwise.binary(x, other, *after)


def _fuse_one(graph: fx.GraphModule, node: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Replace the convolution at `node`, and the sum and activation behind it that read it alone, by one call."""
    last, other = node, None
    total = _only_user(last)
    if total is not None and _is_sum(total):
        others = [arg for arg in total.args if arg is not last]
        if len(others) == 1 and isinstance(others[0], fx.Node):
            last, other = total, others[0]
    user = _only_user(last)
    act = _activation(user, modules)
    if user is not None and (act == _RELU or (other is None and act != _NONE)):
        last = user
    else:
        act = _NONE
    name = str(node.target)
    _put(graph, modules, node, FusedConv(modules[name], act=act))  # type: ignore[arg-type]
    with graph.graph.inserting_after(last):
        new = graph.graph.call_module(name, (node.args[0], other) if other is not None else (node.args[0],))
    last.replace_all_uses_with(new)
    while last is not node:
        before = next(arg for arg in last.args if isinstance(arg, fx.Node) and arg is not other)
        graph.graph.erase_node(last)
        last = before
    graph.graph.erase_node(node)


def _put(graph: fx.GraphModule, modules: dict[str, nn.Module], node: fx.Node, made: nn.Module) -> None:
    """`made` in place of the module that is called at `node`."""
    name = str(node.target)
    parent, _, child = name.rpartition(".")
    graph.get_submodule(parent).register_module(child, made)
    modules[name] = made


def _write_in_place(graph: fx.GraphModule, modules: dict[str, nn.Module]) -> None:
    """Let a sum take the memory of its other term, if that is a convolution's own output and nothing reads it later; a
    part that has `in_place`, that of a convolution that it alone reads.
    """
    order = {node: position for position, node in enumerate(graph.graph.nodes)}
    for node in graph.graph.nodes:
        part, other = _module(modules, node), node.args[1] if len(node.args) > 1 else None
        if isinstance(part, FusedConv):
            if isinstance(_module(modules, other), FusedConv):
                readers = _readers(other, modules)  # type: ignore[arg-type]
                part.in_place = all(order[reader] < order[node] for reader in readers if reader is not node)
        elif hasattr(part, "in_place") and isinstance(_module(modules, node.args[0]), FusedConv):
            part.in_place = _only_user(node.args[0]) is node  # type: ignore[union-attr, assignment, arg-type]


def _readers(node: fx.Node, modules: dict[str, nn.Module]) -> set[fx.Node]:
    """Operations that may read the memory of a value: its users, and those of what may be a view of it."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        for user in waiting.pop().users:
            if user not in found:
                found.add(user)
                if not isinstance(_module(modules, user), FusedConv):
                    waiting.append(user)
    return found


def _is_sum(node: fx.Node) -> bool:
    if node.op == "call_method":
        return node.target in ("add", "add_") and not node.kwargs
    return node.op == "call_function" and node.target in _SUMS and len(node.args) == 2 and not node.kwargs


def _activation(node: fx.Node | None, modules: dict[str, nn.Module]) -> Act:
    """What oneDNN calls the activation at `node`; that of none where there is none, or one that it does not know."""
    if node is None:
        return _NONE
    part = _module(modules, node)
    if isinstance(part, nn.Hardtanh) and type(part).forward is nn.Hardtanh.forward:  # ReLU6 is one
        return "hardtanh", (float(part.min_val), float(part.max_val))
    called = type(part) if part is not None else node.target
    return next((act for act, names in _ACTIVATIONS if called in names), _NONE)


def _only_user(node: fx.Node | Any) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _module(modules: dict[str, nn.Module], node: Any) -> nn.Module | None:
    return modules.get(str(node.target)) if isinstance(node, fx.Node) and node.op == "call_module" else None


def _once(node: fx.Node | Any, modules: dict[str, nn.Module]) -> bool:
    """Whether this is the only call of its module, under any name."""
    part = _module(modules, node)
    return sum(_module(modules, other) is part for other in node.graph.nodes) == 1


class _Tracer(fx.Tracer):
    """Goes into modules that hold convolutions and can be traced; all others are called as they are."""

    def __init__(self, closed: set[nn.Module]) -> None:
        super().__init__()
        self.closed = closed

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        if m in self.closed or isinstance(m, CONVS):
            return True
        return not any(isinstance(part, CONVS) for part in m.modules())


def _trace(module: nn.Module) -> fx.GraphModule:
    """The graph of `module`; inner modules that fx cannot read, as they branch on values, stay closed."""
    closed: set[nn.Module] = set()
    inner = [part for part in module.modules() if part is not module and any(part.children())]
    with _tracing():
        for part in reversed(inner):  # children come after their parents in modules()
            tracer = _Tracer(closed)
            if tracer.is_leaf_module(part, ""):
                continue
            try:
                tracer.trace(part)
            except UNREADABLE:
                closed.add(part)
        return fx.GraphModule(module, _Tracer(closed).trace(module))


@contextmanager
def _tracing() -> Iterator[None]:
    """Networks leave out checks of their input's shape while torch traces them; fx does not say so by itself."""
    with mock.patch.object(torch.jit, "is_tracing", lambda: True):
        yield
