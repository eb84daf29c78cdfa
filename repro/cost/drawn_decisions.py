"""Decisions of AdaFuse drawn at given shares, for times that depend on decisions and need no trained network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from repro.core.errors import BadOption

SKIP, REUSE, KEEP = range(3)
#: channels decided together in `groups`
GROUP = 16


def draw(shares: Sequence[float], channels: Mapping[str, int], frames: int, how: str, seed: int = 0) -> dict:
    """Codes (T, C) by block: 0 skip, 1 reuse, 2 keep; `channels` by block. See `Speed.drawn` for `how`."""
    chances = checked(shares)
    generator = np.random.default_rng(seed)
    return {block: _codes(chances, frames, count, how, generator) for block, count in channels.items()}


def checked(shares: Sequence[float]) -> np.ndarray:
    """Three shares whose sum is 1."""
    found = np.asarray(shares, dtype=float)
    if found.shape != (3,) or (found < 0).any() or abs(found.sum() - 1) > 1e-6:
        told = " ".join(f"{share:g}" for share in shares) or "none"
        raise BadOption(f"shares {told} are not possible", allowed="those of skip, reuse and keep, whose sum is 1")
    return found / found.sum()


def _codes(chances: np.ndarray, frames: int, channels: int, how: str, generator: np.random.Generator) -> np.ndarray:
    if how == "groups":
        each = generator.choice(3, size=(frames, -(-channels // GROUP)), p=chances)
        return np.repeat(each, GROUP, axis=1)[:, :channels]
    if how == "lasting":
        skipped = generator.random(channels) < chances[SKIP]
        reused = generator.random((frames, channels)) * max(1e-12, 1 - chances[SKIP]) < chances[REUSE]
        return np.where(skipped, SKIP, np.where(reused, REUSE, KEEP))
    return generator.choice(3, size=(frames, channels), p=chances)
