"""What AdaFuse's decisions cost: the paper's eq. 4 and 5 for each video, and the network's cost when all is kept.

Authors' code: mengyuest/AdaFuse@91c3a5d:ops/utils.py, ops/net_flops_table.py (counter: thop 0.0.31).
A channel's first convolution at frame t is saved if it is neither kept at t nor reused at t + 1; its part in the second
convolution is saved if it is skipped at t. In multiply-adds; "G" is 1e9.

    real = B - sum over blocks of (saved first * first convolution + skipped * second convolution)
    upb  = B - sum over blocks of  skipped * second convolution

B counts the whole network, policy included, by one of two rules:
  authors  what thop 0.0.31 counts: convolutions with bias, 2 for a normalized value, 2 for a weight of a fully
           connected layer, 1 for a value averaged in a module of BN-Inception, pixels + 1 for one
           of the last averaging of others
  macs     multiply-adds of convolutions and fully connected layers alone, as torch's counter has them
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

RULES = ("authors", "macs")
FORMS = ("real", "upb")
GIGA = 1e9


@dataclass(frozen=True)
class Conv:
    """The sizes of a convolution that its cost depends on."""

    out_channels: int
    per_output: float
    """Multiply-adds for one value that comes out: weights of a filter, and its bias (eq. 4)."""
    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]

    @staticmethod
    def of(conv: nn.Module) -> Conv:
        """The sizes of an `nn.Conv2d`."""
        assert isinstance(conv, nn.Conv2d) and not isinstance(conv.padding, str)
        kernel = conv.weight.shape[2:]
        reach = tuple(d * (k - 1) + 1 for d, k in zip(conv.dilation, kernel, strict=True))
        per_output = conv.weight.shape[1:].numel() + (conv.bias is not None)
        return Conv(conv.out_channels, per_output, reach, conv.stride, conv.padding)  # type: ignore[arg-type]

    def macs(self, size: tuple[int, int]) -> float:
        """For one frame whose output has this size."""
        return self.out_channels * self.per_output * size[0] * size[1]

    def output(self, size: tuple[int, int]) -> tuple[int, int]:
        """Size of what comes out of an input of this size."""
        sides = zip(size, self.kernel, self.stride, self.padding, strict=True)
        height, width = ((side + 2 * p - k) // s + 1 for side, k, s, p in sides)
        return height, width


@dataclass(frozen=True)
class Neighbours:
    """The convolutions before and after a gate."""

    before: tuple[tuple[int, int, Conv], ...]
    """First channel, last channel (exclusive) and the convolution that makes them; others are not saved by a gate."""
    after: tuple[Conv, ...]
    """Convolutions that read what the gate lets through."""

    def first(self, saved: Tensor, size: tuple[int, int]) -> Tensor:
        """Multiply-adds (N,) of a mean frame that are saved before the gate; `saved` is (N, T, C), `size` the map's."""
        parts = [conv.macs(size) * saved[:, :, start:stop].mean((1, 2)) for start, stop, conv in self.before]
        return torch.stack(parts).sum(0)

    def second(self, skipped: Tensor, size: tuple[int, int]) -> Tensor:
        """Multiply-adds (N,) of a mean frame that are saved after the gate."""
        return skipped.mean((1, 2)) * sum(conv.macs(conv.output(size)) for conv in self.after)

    def per_channel(self, channels: int, size: tuple[int, int]) -> tuple[list[float], list[float]]:
        """What `first` and `second` count for each channel that is saved in all frames."""
        first = [0.0] * channels
        for start, stop, conv in self.before:
            for channel in range(start, stop):
                first[channel] += conv.macs(size) / (stop - start)
        return first, [sum(conv.macs(conv.output(size)) for conv in self.after) / channels] * channels


def saved_before(decisions: Tensor, actions: Sequence[str], *, last_frame_fault: bool = False) -> Tensor:
    """1 where the first convolution need not make a channel (N, T, C), from one-hot decisions (N, T, C, A).

    `last_frame_fault`: the last frame counts as if it had the decisions of the one before it, as in the authors' code.
    """
    idle = 1 - decisions[..., -1]
    saved = idle
    if "reuse" in actions:
        wanted_later = torch.zeros_like(idle)
        wanted_later[:, :-1] = decisions[:, 1:, :, actions.index("reuse")]
        saved = idle * (1 - wanted_later)
    if last_frame_fault and idle.shape[1] > 1:
        saved = torch.cat([saved[:, :-1], idle[:, -2:-1]], dim=1)
    return saved


def skipped_after(decisions: Tensor, actions: Sequence[str]) -> Tensor:
    """1 where the second convolution need not read a channel (N, T, C)."""
    if "skip" not in actions:
        return torch.zeros_like(decisions[..., 0])
    return decisions[..., actions.index("skip")]


@dataclass(frozen=True)
class Base:
    """Multiply-adds of one mean frame of the network when everything is kept, by each rule."""

    network: Mapping[str, float]
    """Without the policies."""
    policy: Mapping[str, float]

    def total(self, rule: str) -> float:
        """With the policies."""
        return self.network[rule] + self.policy[rule]


def count_base(model: nn.Module, size: tuple[int, int], policies: Sequence[nn.Module]) -> Base:
    """Count a clip of frames of this size; runs the network once on the meta device, without memory or arithmetic."""
    frames: int = model.frames  # type: ignore[assignment]
    inside = {part for policy in policies for part in policy.modules()}
    counts = {rule: {True: 0.0, False: 0.0} for rule in RULES}

    def count(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        for rule in RULES:
            counts[rule][module in inside] += _count(module, output, rule)
        if module is model.layer4:
            counts["authors"][False] += output.numel() // output[0, 0].numel() * _last_pooling(model, *output.shape[2:])

    hooks = [part.register_forward_hook(count) for part in {*model.modules(), *inside}]
    modes = {part: part.training for part in model.modules()}
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    empty = {name: torch.empty_like(value, device="meta") for name, value in tensors.items()}
    try:
        model.eval()
        with torch.no_grad():
            clip = torch.empty(1, frames, 3, *size, device="meta", dtype=next(model.parameters()).dtype)
            functional_call(model, empty, (clip,))
    finally:
        for hook in hooks:
            hook.remove()
        for part, mode in modes.items():
            part.training = mode
    return Base(
        network={rule: counts[rule][False] / frames for rule in RULES},
        policy={rule: counts[rule][True] / frames for rule in RULES},
    )


def _last_pooling(model: nn.Module, height: int, width: int) -> float:
    """What thop counts for averaging one value of the last map: a module of another kind in BN-Inception."""
    return 1.0 if any(isinstance(part, nn.AvgPool2d) for part in model.modules()) else height * width + 1.0


def _count(module: nn.Module, output: Tensor, rule: str) -> float:
    """Of all frames in the batch."""
    authors = rule == "authors"
    if isinstance(module, nn.Conv2d):
        return output.numel() * (module.weight[0].numel() + (authors and module.bias is not None))
    if isinstance(module, nn.Linear):
        return output.numel() * module.in_features * (2 if authors else 1)
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return 2 * output.numel() if authors else 0
    if isinstance(module, nn.AvgPool2d):
        return output.numel() if authors else 0
    return 0
