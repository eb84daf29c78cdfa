"""DNR: Dynamic Normalization and Relay (Cai, Yao, Chen, NeurIPS 2021), inserted into 2D video networks.

Authors' code: caidonkey/dnr@0110580:resnet_dnr.py (TSN only). Paper equations 1-7, section 3.3; supplement B and D.
A normalization layer gets its scale and shift not from learned vectors but from a small LSTM cell that reads the pooled
input: y = (x - mean) / sqrt(var + eps) * h + c, with h, c the cell's output and state. Along T the cell's state goes
from one group of `relay_distance` frames to the next (CT, cross-temporal, a cell for each layer); along depth it goes
from one block of a stage to the next (CL, cross-layer, one cell for the stage).

Tensors: N clips, T frames in G groups of t, C channels; maps (N*T, C, H, W), pooled (N, G, C).
Cell: gates i, f, g, o = x(pooled) + h(hidden), x and h each Linear(C, C/r), ReLU, Linear(C/r, 4C);
c' = sigmoid(f) c + sigmoid(i) tanh(g), h' = sigmoid(o) sigmoid(c'). It starts from zeros.

Computed in a form that is equal but for rounding: one pooling for all groups, one projection x for all groups,
statistics and scale/shift folded into one multiply-add over the map.

Known differences
1. `relay_distance` is 4 frames, as in the paper (4.1, supplement C); the released code has 2.
2. `channel_interlacing` (supplement B) is on; the released code lacks it. It is TSM's shift of the residual branch's
   input, in evaluation too. A block whose first convolution is shifted already (TSM) is left as it is.
3. The state of CL is zero at the first block of each stage, as in the code; the text speaks of all layers as one
   system, which the changing channel counts do not allow.
4. CL stands at bn1 and CT at bn2, as in Table 1a and the code; section 3.3 has them the other way on basic blocks.
5. On TDN the short-term stage `resnext_layer1` keeps its batch normalization; the paper does not say.
6. Training statistics of CT are those of each group, and running statistics take G steps a forward, as in the code;
   `num_batches_tracked` stays 0, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import refuse_unknown, require_choice, require_count
from baselines.tsm import ShiftConv2d

_OWNER = "method 'dnr'"
NORMS = ("bn1", "bn2", "bn3")
STAGES = (1, 2, 3, 4)
State = tuple[Tensor, Tensor]


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of `insert`."""

    cl: str | None = "bn1"
    """The normalization of each block that carries CL, or None for no CL."""
    ct: str | None = "bn2"
    """The normalization of each block that carries CT, or None for no CT."""
    stages: tuple[int, ...] | None = None
    """Stages (1 to 4) whose blocks are changed; None is all that the network has."""
    relay_distance: int = 4
    """Frames in one group of CT; it divides the frames of a clip (DNR 4.1: d_r = 4)."""
    cl_scope: str = "stage"
    """How far CL's state goes: through a `stage`, or within one `block` (then nothing crosses layers)."""
    reduction: int = 4
    """Channels over the width inside the cell's projections (DNR 4.1: r = 4)."""
    channel_interlacing: bool = True
    """Shift an eighth of the channels each way in time at the input of each changed block's first convolution."""


def insert(model: nn.Module, options: Mapping[str, Any] | None = None) -> nn.Module:
    """Put DNR into a video network, in place: its clips have `frames` frames, its blocks conv1, bn1, bn2 (and bn3).

    Raises ValueError for an unknown option or one that does not fit the network.
    """
    settings = _read(options or {})
    frames: int = model.frames  # type: ignore[assignment]
    if settings.ct is not None and frames % settings.relay_distance:
        fitting = ", ".join(str(d) for d in range(1, frames + 1) if frames % d == 0)
        raise ValueError(
            f"{_OWNER}: relay_distance {settings.relay_distance} does not divide {frames} frames; allowed: {fitting}"
        )
    for name, stage in _stages(model, settings):
        if settings.cl is not None:
            stage = _insert_cl(stage, settings, frames)
            model.add_module(name, stage)
        for block in _blocks(stage):
            if settings.ct is not None:
                old = _norm(block, settings.ct)
                new = CrossTemporalNorm(old, frames, settings.relay_distance, settings.reduction)
                block.add_module(settings.ct, new)
            if settings.channel_interlacing and not isinstance(block.conv1, ShiftConv2d):
                block.conv1 = ShiftConv2d.like(block.conv1, frames)
    return model


class RelayCell(nn.Module):
    """The LSTM cell: pooled input and state -> hidden h (the scale) and cell c (the shift), all (N, C)."""

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        if channels % reduction:
            raise ValueError(f"{_OWNER}: reduction {reduction} does not divide {channels} channels of the network")
        self.x: nn.Sequential = _projection(channels, channels // reduction)
        self.h: nn.Sequential = _projection(channels, channels // reduction)

    @property
    def dtype(self) -> torch.dtype:
        """Type of the cell's weights."""
        return next(self.parameters()).dtype

    def project(self, pooled: Tensor) -> Tensor:
        """The input's share of the gates, for any leading shape: (..., C) -> (..., 4C)."""
        return self.x(pooled)

    def step(self, projected: Tensor, state: State | None) -> State:
        """One step from a state (None: zeros) to the next."""
        if state is None:
            i, f, g, o = (projected + self._from_zero(projected)).chunk(4, dim=-1)
            c = i.sigmoid() * g.tanh()
        else:
            i, f, g, o = (projected + self.h(state[0])).chunk(4, dim=-1)
            c = f.sigmoid() * state[1] + i.sigmoid() * g.tanh()
        return o.sigmoid() * c.sigmoid(), c

    def _from_zero(self, like: Tensor) -> Tensor:
        """h(0), one row. In training through the first layer as well, so that all parameters have a gradient."""
        if self.training:
            return self.h(like.new_zeros(1, like.shape[-1] // 4))
        first, _, second = self.h
        return second(first.bias.relu()[None])  # type: ignore[operator, union-attr]


class Relay:
    """A stage's CL: the cell that its blocks share, and the state on its way from one block to the next.

    Not a module, so that the cell has one name, `layerL.cl_cell`. The first block ignores what is stored and the last
    one clears it: no state outlives a forward.
    """

    def __init__(self, cell: RelayCell) -> None:
        self.cell = cell
        self.state: State | None = None

    def step(self, pooled: Tensor, *, first: bool, last: bool) -> State:
        """One step for one block."""
        state = self.cell.step(self.cell.project(pooled), None if first else self.state)
        self.state = None if last else state
        return state


class RelayStage(nn.Sequential):
    """Residual blocks in turn, and the cell `cl_cell` that their CL layers share."""

    cl_cell: RelayCell

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) through the blocks."""
        for block in _blocks(self):
            x = block(x)
        return x


class DynamicNorm(nn.Module):
    """Batch normalization without learned scale and shift; a subclass gives both for each clip and group of frames."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: nn.BatchNorm2d, frames: int, group: int) -> None:
        super().__init__()
        self.channels, self.eps = norm.num_features, norm.eps
        self.momentum = 0.1 if norm.momentum is None else norm.momentum
        self.frames, self.group = frames, group
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(norm, name))

    def gates(self, pooled: Tensor) -> State:
        """(N, G, C) pooled -> scale and shift, each (N, G, C)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W), normalized."""
        wide = torch.promote_types(x.dtype, torch.float32)
        if self.training:
            means, variances = _Moments.apply(x)
            pooled = self._grouped(means).mean(2)
            mean, var = self._batch_statistics(self._grouped(means), self._grouped(variances), x.shape[2] * x.shape[3])
        else:
            pooled = self._grouped(x.mean((2, 3), dtype=wide)).mean(2)
            mean, var = self.running_mean.to(wide), self.running_var.to(wide)
        scale, shift = self._gates_wide(pooled, wide)
        scale = scale * torch.rsqrt(var + self.eps)
        shift = shift - scale * mean
        return _multiply_add(x, self._per_frame(scale), self._per_frame(shift))

    def _grouped(self, v: Tensor) -> Tensor:
        """(N*T, C) -> (N, G, t, C)."""
        return v.view(-1, self.frames // self.group, self.group, self.channels)

    def _per_frame(self, v: Tensor) -> Tensor:
        """(N, G, C) -> (N*T, C, 1, 1)."""
        return v[:, :, None].expand(-1, -1, self.group, -1).reshape(-1, self.channels, 1, 1)

    def _gates_wide(self, pooled: Tensor, wide: torch.dtype) -> State:
        """The gates, whatever autocast says, in the precision of the cell's own weights."""
        pooled = pooled.to(self._cell().dtype)
        if torch.amp.is_autocast_available(pooled.device.type):
            with torch.autocast(pooled.device.type, enabled=False):
                scale, shift = self.gates(pooled)
        else:
            scale, shift = self.gates(pooled)
        return scale.to(wide), shift.to(wide)

    def _cell(self) -> RelayCell:
        raise NotImplementedError

    def _batch_statistics(self, means: Tensor, variances: Tensor, pixels: int) -> State:
        """Mean and variance (G, C) over clips, frames of the group and pixels; one running update for each group."""
        mean = means.mean((0, 2))
        var = variances.mean((0, 2)) + (means - mean[:, None]).square().mean((0, 2))
        count = means.shape[0] * means.shape[2] * pixels
        if count < 2:
            raise ValueError(f"{_OWNER}: training needs more than one value a channel and group")
        with torch.no_grad():
            for g in range(mean.shape[0]):
                self.running_mean.lerp_(mean[g].to(self.running_mean.dtype), self.momentum)
                self.running_var.lerp_(var[g].to(self.running_var.dtype) * (count / (count - 1)), self.momentum)
        return mean, var

    def extra_repr(self) -> str:
        """Channels, frames of a clip and of a group."""
        return f"{self.channels}, frames={self.frames}, group={self.group}, eps={self.eps}, momentum={self.momentum}"


class CrossTemporalNorm(DynamicNorm):
    """CT: a cell of its own, whose state goes from one group of frames to the next."""

    def __init__(self, norm: nn.BatchNorm2d, frames: int, relay_distance: int, reduction: int) -> None:
        super().__init__(norm, frames, relay_distance)
        self.cell = RelayCell(self.channels, reduction)

    def gates(self, pooled: Tensor) -> State:
        """Scale and shift of each group."""
        state, states = None, []
        for projected in self.cell.project(pooled).unbind(1):
            state = self.cell.step(projected, state)
            states.append(state)
        return torch.stack([h for h, _ in states], 1), torch.stack([c for _, c in states], 1)

    def _cell(self) -> RelayCell:
        return self.cell


class CrossLayerNorm(DynamicNorm):
    """CL: the stage's cell, whose state comes from the block before."""

    def __init__(self, norm: nn.BatchNorm2d, frames: int, relay: Relay, *, first: bool, last: bool) -> None:
        super().__init__(norm, frames, frames)
        self.relay, self.first, self.last = relay, first, last

    def gates(self, pooled: Tensor) -> State:
        """Scale and shift of the clip."""
        h, c = self.relay.step(pooled[:, 0], first=self.first, last=self.last)
        return h[:, None], c[:, None]

    def _cell(self) -> RelayCell:
        return self.relay.cell


class _Moments(torch.autograd.Function):
    """Mean and variance (divided by n) of each map: (M, C, H, W) -> two of (M, C), in float32 or wider.

    Written out because torch's `var_mean` is some ten times slower on a CPU, and because mean and variance have one
    gradient pass over the map together.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
        wide = torch.promote_types(x.dtype, torch.float32)
        if x.is_cuda:
            var, mean = torch.var_mean(x.to(wide), (2, 3), correction=0)
        else:
            mean = x.mean((2, 3), dtype=wide)
            var = (x - mean[..., None, None]).square_().mean((2, 3))
        ctx.save_for_backward(x, mean)
        return mean, var

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        x, mean = ctx.saved_tensors
        per_pixel = 1.0 / (x.shape[2] * x.shape[3])
        slope = grads[1] * (2 * per_pixel)
        level = grads[0] * per_pixel - slope * mean
        return _multiply_add(x, slope[..., None, None], level[..., None, None])


def _multiply_add(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """`x * scale + shift` for (M, C, H, W) and (M, C, 1, 1), in the type and memory layout of `x`."""
    if x.device.type == "cpu" and x.is_contiguous():
        # torch's addcmul is not vectorized here: rows of x against two single values. Two passes take half its time.
        return (x * scale).add_(shift).to(x.dtype)
    return torch.addcmul(shift, x, scale).to(x.dtype)


def _projection(channels: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(channels, width), nn.ReLU(inplace=True), nn.Linear(width, 4 * channels))


def _read(options: Mapping[str, Any]) -> Options:
    refuse_unknown(_OWNER, options, (field.name for field in fields(Options)))
    given = dict(options)
    if isinstance(given.get("stages"), list):
        given["stages"] = tuple(given["stages"])
    settings = Options(**given)
    for name in ("cl", "ct"):
        require_choice(_OWNER, name, getattr(settings, name), (None, *NORMS))
    if settings.cl is None and settings.ct is None:
        raise ValueError(f"{_OWNER}: cl and ct are both None, which leaves nothing to insert; allowed: one of {NORMS}")
    if settings.cl == settings.ct:
        raise ValueError(f"{_OWNER}: cl and ct are both {settings.cl!r}; allowed: two different layers, or one None")
    if settings.stages is not None and (not isinstance(settings.stages, tuple) or not settings.stages):
        raise ValueError(f"{_OWNER}: stages {settings.stages!r} is not possible; allowed: None, or numbers from 1 to 4")
    require_choice(_OWNER, "cl_scope", settings.cl_scope, ("stage", "block"))
    require_choice(_OWNER, "channel_interlacing", settings.channel_interlacing, (True, False))
    require_count(_OWNER, "relay_distance", settings.relay_distance)
    require_count(_OWNER, "reduction", settings.reduction)
    return settings


def _stages(model: nn.Module, settings: Options) -> list[tuple[str, nn.Sequential]]:
    """Name and module of the stages to change; ValueError if one is asked for that the network has not."""
    found = {n: getattr(model, f"layer{n}", None) for n in STAGES}
    have = {n: stage for n, stage in found.items() if isinstance(stage, nn.Sequential)}
    wanted = tuple(have) if settings.stages is None else settings.stages
    for number in wanted:
        require_choice(_OWNER, "stages", number, have)
    return [(f"layer{n}", stage) for n, stage in have.items() if n in wanted]


def _blocks(stage: nn.Module) -> list[nn.Module]:
    return [part for name, part in stage.named_children() if name.isdigit()]


def _norm(block: nn.Module, name: str) -> nn.BatchNorm2d:
    norm = getattr(block, name, None)
    if isinstance(norm, nn.BatchNorm2d):
        return norm
    have = [n for n in NORMS if isinstance(getattr(block, n, None), nn.BatchNorm2d)]
    what = "nothing" if norm is None else type(norm).__name__
    raise ValueError(
        f"{_OWNER} replaces a BatchNorm2d, but {name} of a {type(block).__name__} is {what}; "
        f"allowed: {', '.join(have) or 'none is left'}"
    )


def _insert_cl(stage: nn.Sequential, settings: Options, frames: int) -> RelayStage:
    """The stage with CL in each block."""
    assert settings.cl is not None
    blocks = _blocks(stage)
    norms = [_norm(block, settings.cl) for block in blocks]
    cell = RelayCell(norms[0].num_features, settings.reduction)
    relay, alone = Relay(cell), settings.cl_scope == "block"
    for index, (block, norm) in enumerate(zip(blocks, norms, strict=True)):
        first, last = index == 0 or alone, index == len(blocks) - 1 or alone
        block.add_module(settings.cl, CrossLayerNorm(norm, frames, relay, first=first, last=last))
    new = RelayStage(*blocks)
    new.add_module("cl_cell", cell)
    return new
