"""AdaFuse's policy networks: what each channel of each frame does, from pooled features (AdaFuse eq. 2 and 7).

Tensors: N clips, T frames, c channels that enter the gated block, C channels that are decided, A actions. Pooled input
(N*T, c), logits and decisions (N, T, C, A), the last axis in the order skip, reuse, keep as far as they are allowed.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

#: in the order of the authors' masks; a decision's code is its place here. The paper numbers them the other way round.
ACTIONS = ("skip", "reuse", "keep")
SKIP, REUSE, KEEP = range(3)
SMALLEST = 1e-8
"""Probabilities are not taken smaller before their logarithm (the authors' clamp)."""
_STD = 0.001


class Layers(nn.Module):
    """The two fully connected layers; several blocks may share them."""

    def __init__(self, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.fc0 = nn.Linear(inputs, hidden)
        self.fc1 = nn.Linear(hidden, outputs)
        for layer in (self.fc0, self.fc1):
            nn.init.normal_(layer.weight, 0.0, _STD)
            nn.init.zeros_(layer.bias)


def layer_sizes(channels: int, decided: int, hidden: int, actions: Sequence[str]) -> tuple[int, int, int]:
    """Inputs, hidden and outputs of a block's two layers."""
    return channels * (2 if "reuse" in actions else 1), hidden, decided * len(actions)


def gumbel(block: str, shape: Sequence[int], seed: int = 0) -> np.ndarray:
    """Gumbel noise that belongs to a block: the same on every machine. float64, of `shape` (frames, channels, actions).

    -log(-log u), u uniform in (1e-12, 1) from PCG64, whose seed is the CRC-32 of `gumbel:layer1.0` (seed 0), or of
    `gumbel:7:layer1.0` with another seed than 0.
    """
    text = f"gumbel:{block}" if seed == 0 else f"gumbel:{seed}:{block}"
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(text.encode())))
    return -np.log(-np.log(generator.uniform(1e-12, 1.0, tuple(shape))))


def fresh_gumbel(like: Tensor) -> Tensor:
    """Gumbel noise of the shape of `like` from torch's global generator of its device."""
    return -torch.empty_like(like).exponential_().log()


def choose(logits: Tensor) -> Tensor:
    """The likeliest action, one-hot."""
    return _one_hot(logits, logits)


def sample(logits: Tensor, noise: Tensor, temperature: float) -> Tensor:
    """A drawn action, one-hot, whose gradient is that of the softmax at `temperature` (straight-through, eq. 7)."""
    scores = (logits.softmax(-1).clamp(min=SMALLEST).log() + noise) / temperature
    hard = _one_hot(scores, logits)
    if not torch.is_grad_enabled():
        return hard
    soft = scores.softmax(-1)
    return hard - soft.detach() + soft


def _one_hot(scores: Tensor, like: Tensor) -> Tensor:
    best = scores.argmax(-1, keepdim=True)
    if torch.onnx.is_in_onnx_export():  # which takes the number of clips in `zeros_like` for a constant
        return (best == torch.arange(like.shape[-1], device=best.device)).to(like.dtype)
    return torch.zeros_like(like).scatter_(-1, best, 1.0)


def require_actions(owner: str, codes: Tensor, actions: Sequence[str]) -> None:
    """Raise ValueError where codes, places in `ACTIONS`, hold an action that is not among `actions`."""
    allowed = [code for code, action in enumerate(ACTIONS) if action in actions]
    if not all(code in allowed for code in codes.unique().tolist()):
        raise ValueError(f"{owner}: given decisions hold an action that is not among {', '.join(actions)}")


def from_codes(codes: Tensor, actions: Sequence[str], like: Tensor) -> Tensor:
    """One-hot decisions of the shape of `like` (N, T, C, A) from codes (N, T, C) or (T, C): places in `ACTIONS`.

    `require_actions` looks at the codes; here nothing waits for the device.
    """
    earlier = [code for code, action in enumerate(ACTIONS) if action in actions][:-1]
    codes = codes.to(like.device)
    places = torch.zeros_like(codes, dtype=torch.int64)
    for code in earlier:
        places += codes > code
    return torch.zeros_like(like).scatter_(-1, places.expand(like.shape[:-1])[..., None], 1.0)


def to_codes(decisions: Tensor, actions: Sequence[str]) -> Tensor:
    """Codes (N, T, C), places in `ACTIONS`, of one-hot decisions."""
    allowed = [ACTIONS.index(action) for action in actions]
    places = decisions.argmax(-1)
    codes = torch.full_like(places, allowed[0])
    for place, (before, code) in enumerate(pairwise(allowed), start=1):
        codes += (places >= place) * (code - before)
    return codes
