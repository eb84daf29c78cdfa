"""AdaFuse for inference: only what the decisions ask for is computed, so that what eq. 5 saves is saved in time too.

The paper and the authors' code compute every channel and multiply the unwanted ones by zero. Here each gated block of a
ResNet goes one of three ways, by what a table of times measured on this machine says (`adafuse_compact_costs`):

  compact  frame by frame: the first convolution makes the channels that are kept now or reused next, the second reads
           those that are kept or reused; exactly the arithmetic of eq. 5
  union    all frames together: the channels that any frame of the batch wants, masked per frame
  dense    all channels of all frames, masked: what the authors run, with normalizations folded

Batch normalizations are folded into convolutions. Values are those of the masked network up to rounding.
Tensors: N clips, T frames, c channels that enter a block, C channels that are decided, maps (N*T, C, H, W).

Known difference to eq. 5: before the first frame there is nothing to reuse, only zeros, which are not computed with;
eq. 5 counts them as if they were.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from baselines.tsm import ShiftConv2d, temporal_shift
from baselines.video import VideoResNet
from methods.adafuse.blocks import GatedResidual, pool
from methods.adafuse.compact.costs import KINDS, Costs, Times
from methods.adafuse.compact.pair import Pair, Source, TorchPair
from methods.adafuse.gate import Gate
from methods.adafuse.policy import KEEP, REUSE, to_codes

_OWNER = "compact AdaFuse"
_FITTING = "tsn or tsm on a ResNet, after methods.adafuse.insert, in evaluation"


class Convolution(Protocol):
    """Makes a dense convolution: `make(conv, relu=...)(x)` or `(x, other)` is relu(conv(x) + other)."""

    def __call__(self, conv: nn.Conv2d, *, relu: bool) -> nn.Module:
        """A module of `conv`, which has a bias."""


MakePair = Callable[[nn.Conv2d, nn.Conv2d, bool], Pair]
"""(first convolution, second convolution, whether a ReLU follows the second) -> what computes parts of them."""


Last = Callable[..., tuple[Tensor, Tensor]]
"""`last(y, other, in_place=...)` is relu(conv(y) + other) and its mean over the map."""
MakeLast = Callable[[nn.Conv2d], Last | None]
"""A block's last convolution -> what computes it, or None."""
MakeScores = Callable[[nn.Linear, nn.Linear, int], nn.Module | None]
"""(a policy's layers, frames of a clip or 0 where it reads one) -> what `Gate.scored` is, or None."""


class PlainConvolution(nn.Module):
    """Convolution, optional sum, optional ReLU, in plain PyTorch."""

    def __init__(self, conv: nn.Conv2d, *, relu: bool) -> None:
        super().__init__()
        self.conv, self.relu, self.in_place = conv, relu, False

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        """`relu(conv(x) + other)`, as far as there are ReLU and `other`."""
        y = self.conv(x)
        if other is not None:
            y += other
        return y.relu_() if self.relu else y


@torch.no_grad()
def compact(
    model: nn.Module,
    *,
    convolution: Convolution = PlainConvolution,
    pair: MakePair = TorchPair,
    last: MakeLast = lambda conv: None,
    scores: MakeScores = lambda first, second, frames: None,
    kind: str | None = None,
) -> VideoResNet:
    """A copy of a network with AdaFuse that computes what its decisions ask for; the network itself stays as it is.

    `convolution`, `pair` and `last` compute dense convolutions, parts of the two around a gate, and a block's last one,
    `scores` a policy's layers.
    `kind` makes all blocks go one way; without it they go as `calibrate` finds best, and `compact` before that.
    The copy has no gradients. Raises ValueError for a network that it does not fit.
    """
    gated = [part for part in model.modules() if isinstance(part, GatedResidual)]
    if not isinstance(model, VideoResNet) or not gated or len(gated) != len(_gates(model)):
        raise ValueError(f"{_OWNER} does not fit this {type(model).__name__}; allowed: {_FITTING}")
    if model.training:
        raise ValueError(f"{_OWNER}: the network is in training mode; allowed: evaluation, model.eval()")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"{_OWNER}: kind {kind!r} is not possible; allowed: {', '.join(KINDS)}, or None")
    net = copy.deepcopy(model).requires_grad_(False)
    net.masked = (model,)  # type: ignore[assignment] # a tuple keeps its parameters out
    net.conv1, net.bn1, net.act1 = convolution(_folded(net.conv1, net.bn1), relu=True), nn.Identity(), nn.Identity()
    before: CompactBlock | None = None
    for _, stage in net.stages():
        for place, block in list(stage.named_children()):
            made = CompactBlock(block, convolution, pair, last, kind) if isinstance(block, GatedResidual) else None
            if made is not None:
                stage.add_module(place, made)
                made.before = () if before is None else (before,)
                made.policy.scored = _scored(made.policy, scores)
            before = made
    return net


def blocks_of(net: nn.Module) -> dict[str, CompactBlock]:
    """The blocks of a compact network by name."""
    return {part.policy.block: part for part in net.modules() if isinstance(part, CompactBlock)}


def kinds_of(net: nn.Module) -> dict[str, str]:
    """Which way each block went in the last forward."""
    return {name: block.went for name, block in blocks_of(net).items()}


def executed_gmacs(net: VideoResNet, size: tuple[int, int]) -> float:
    """GMACs of a clip that the last forward executed: convolutions, classifier and policies, frames of `size`."""
    masked: Any = net.masked
    blocks = blocks_of(net).values()
    whole = masked[0].adafuse.base(size).total("macs") * net.frames
    return (whole - sum(block.spared for block in blocks) / max(block.clips for block in blocks)) / 1e9


@dataclass(frozen=True)
class Wanted:
    """What the decisions (T, C) of one clip ask for, as arrays of booleans (T, C)."""

    keep: np.ndarray
    reuse: np.ndarray
    """Without the first frame's, which has nothing to reuse."""

    @staticmethod
    def of(codes: np.ndarray) -> Wanted:
        """From codes (T, C) of 0 skip, 1 reuse, 2 keep."""
        reuse = codes == REUSE
        reuse[0] = False
        return Wanted(codes == KEEP, reuse)

    @property
    def made(self) -> np.ndarray:
        """Channels that the first convolution makes: kept now or reused next."""
        made = self.keep.copy()
        made[:-1] |= self.reuse[1:]
        return made

    @property
    def read(self) -> np.ndarray:
        """Channels that the second convolution reads."""
        return self.keep | self.reuse


class CompactBlock(nn.Module):
    """A gated residual block that computes parts of its first two convolutions."""

    def __init__(
        self, block: GatedResidual, convolution: Convolution, pair: MakePair, last: MakeLast, kind: str | None
    ) -> None:
        super().__init__()
        first, second = _folded(block.conv1, block.bn1), _folded(block.conv2, block.bn2)
        self.shifted = block.conv1.frames if isinstance(block.conv1, ShiftConv2d) else None
        self.first, self.second = convolution(first, relu=True), convolution(second, relu=block.bottleneck)
        third = _folded(block.conv3, block.bn3) if block.bottleneck else None
        self.last = last(third) if third is not None else None
        self.third = convolution(third, relu=True) if third is not None and self.last is None else None
        self.downsample = _shortcut(block.downsample, convolution)
        self.policy: Gate = block.policy
        self.pair, self.batch = pair(first, second, block.bottleneck), TorchPair(first, second, block.bottleneck)
        self.kind, self.went = kind, "none"
        self.costs: Costs | None = None
        self.before: tuple[CompactBlock, ...] = ()
        """The block whose output is this one's input; a tuple keeps it out of the modules."""
        self.means: Tensor | None = None
        """Of the output over its map, until the next block has read them."""
        self.shape: tuple[int, ...] = ()
        """Of the input in the last forward."""
        self.spared, self.clips = 0.0, 0
        """Multiply-adds that the last forward did not execute, and the clips it had."""

    def forward(self, x: Tensor) -> Tensor:
        """Residual block (N*T, c, H, W) -> (N*T, c', H', W')."""
        self.shape = tuple(x.shape)
        shifted = x if self.shifted is None else temporal_shift(x, self.shifted)
        shortcut = x if self.downsample is None else self.downsample(shifted)
        carried: Any = self.policy.carried
        pooled = self.pooled(shifted)
        if carried is not None:
            y = self._step(shifted, pooled, carried)
        else:
            y = self.middle(shifted, self.codes(pooled).cpu().numpy())
        return self.rest(y, shortcut, in_place=carried is None)

    def rest(self, y: Tensor, shortcut: Tensor, *, in_place: bool) -> Tensor:
        """After the second convolution; `in_place` may write over the shortcut."""
        if self.last is not None:
            out, self.means = self.last(y, shortcut, in_place=in_place)
            return out
        if self.third is not None:
            self.third.in_place = in_place  # type: ignore[assignment]
            return self.third(y, shortcut)
        return y.add_(shortcut).relu_()

    def pooled(self, x: Tensor) -> Tensor:
        """The mean map (N*T, c) of the shifted input, which the policy reads."""
        means = self.before[0].means if self.before else None
        if means is None:
            return pool(x)
        self.before[0].means = None
        return means if self.shifted is None else temporal_shift(means[..., None, None], self.shifted).flatten(1)

    def codes(self, pooled: Tensor) -> Tensor:
        """Decisions (N, T, C): 0 skip, 1 reuse, 2 keep."""
        gate = self.policy
        logits = gate.logits(pooled)
        if gate.forced is not None:
            return gate.forced.expand(*logits.shape[:3])
        return to_codes(gate.pick(logits), gate.actions)

    def middle(self, x: Tensor, codes: np.ndarray) -> Tensor:
        """The first two convolutions with the fusion between, (N*T, c, H, W) -> (N*T, C', H', W')."""
        clips = [Wanted.of(clip) for clip in codes]
        made = np.concatenate([wanted.made.sum(1) for wanted in clips])
        read = np.concatenate([wanted.read.sum(1) for wanted in clips])
        union = np.flatnonzero(np.any([wanted.read.any(0) for wanted in clips], axis=0))
        self.went = self.kind or self._best(len(x), int(made.sum()), int(read.sum()), len(union))
        if self.went == "compact":
            y = self.pair.clips(x, clips)  # type: ignore[arg-type]
        elif self.went == "union":
            y = self._union(x, clips, union)
            made = read = np.full(len(x), len(union))
        else:
            y = self._dense(x, clips)
            made = read = np.full(len(x), codes.shape[2])
        self._count(len(clips), int(made.sum()), int(read.sum()), len(x))
        return y

    def _best(self, frames: int, made: int, read: int, union: int) -> str:
        if self.costs is None:
            return "compact"
        first, second = self.pair.macs(self.shape[2:])
        return self.costs.best(frames, made * first + read * second, union)

    def _count(self, clips: int, made: int, read: int, frames: int) -> None:
        first, second = self.pair.macs(self.shape[2:])
        whole = frames * self.policy.decided
        self.clips, self.spared = clips, (whole - made) * first + (whole - read) * second

    def _dense(self, x: Tensor, clips: list[Wanted]) -> Tensor:
        return self.second(_masked(self.first(x), clips))

    def _union(self, x: Tensor, clips: list[Wanted], union: np.ndarray) -> Tensor:
        picked = [Wanted(wanted.keep[:, union], wanted.reuse[:, union]) for wanted in clips]
        y = _masked(self.batch.rows(x, union), picked)
        return self.batch.reduce([Source(y, None, union)], x)

    def _step(self, x: Tensor, pooled: Tensor, carried: Any) -> Tensor:
        """One frame of a stream; `carried` is what the frame before it left."""
        codes = carried.decide(self.policy, pooled).cpu().numpy()
        kept, reused = codes == KEEP, codes == REUSE
        if carried.x is None:
            reused = np.zeros_like(reused)
        rows = np.flatnonzero(kept)
        y = self.pair.rows(x, rows)
        sources = [Source(y, None, rows)]
        late = np.zeros(0, dtype=np.int64)
        if reused.any():
            before = carried.kept
            again = np.flatnonzero(reused[before])
            sources.append(Source(carried.y, again, before[again]))
            late = np.flatnonzero(reused & ~np.isin(np.arange(len(codes)), before))
            sources.append(Source(self.pair.rows(carried.x, late), None, late))
        self.went = "compact"
        self._count(1, len(rows) + len(late), int(kept.sum() + reused.sum()), 1)
        carried.leave(pooled, x, y, rows, late=len(late))
        return self.pair.reduce(sources, x)


def calibrate(net: nn.Module, example: Tensor, *, repeats: int = 2) -> float:
    """Let each block of a compact network go the fastest way on this machine; `example` is a batch of clips.

    Runs the network once and times parts of its blocks, some seconds in all; blocks of equal shape share their times.
    Returns the seconds that it took.
    """
    return Times(repeats).fill(net, blocks_of(net), example)


def _masked(y: Tensor, clips: list[Wanted]) -> Tensor:
    """The fused maps (N*T, C, H, W) of those before fusion; (eq. 3)."""
    keep, reuse = (
        torch.from_numpy(np.stack([getattr(wanted, name) for wanted in clips])).to(y)[..., None, None]
        for name in ("keep", "reuse")
    )
    before = y.unflatten(0, keep.shape[:2])
    fused = before * keep
    fused[:, 1:].addcmul_(before[:, :-1], reuse[:, 1:])
    return fused.flatten(0, 1)


def _folded(conv: nn.Module, norm: nn.Module) -> nn.Conv2d:
    """An unshifted convolution with the normalization in its weights."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return fuse_conv_bn_eval(_unshifted(conv), norm)


def _scored(gate: Gate, scores: MakeScores) -> nn.Module:
    """A policy's two layers, the normalization in the weights of the first."""
    first, second = fuse_linear_bn_eval(gate.layers.fc0, gate.bn), gate.layers.fc1
    made = scores(first, second, gate.frames if gate.history else 0)
    return nn.Sequential(first, nn.ReLU(), second) if made is None else made


def _unshifted(conv: nn.Conv2d) -> nn.Conv2d:
    where: Mapping[str, Any] = {key: getattr(conv, key) for key in ("stride", "padding", "dilation", "groups")}
    size: Any = conv.kernel_size
    new = nn.Conv2d(conv.in_channels, conv.out_channels, size, bias=conv.bias is not None, device="meta", **where)
    new.weight, new.bias = conv.weight, conv.bias
    return new.eval()


def _shortcut(downsample: nn.Module | None, convolution: Convolution) -> nn.Module | None:
    """The shortcut's convolution, which reads what the first one reads."""
    if downsample is None:
        return None
    parts = [part for part in downsample.children() if not isinstance(part, nn.Identity)]
    assert len(parts) == 2
    return convolution(_folded(*parts), relu=False)


def _gates(model: nn.Module) -> Mapping[str, Gate]:
    adafuse: Any = getattr(model, "adafuse", None)
    return adafuse.gates if adafuse is not None else {}
