"""AdaFuse frame by frame: each frame is scored when it comes, from what the frame before it left.

Whether a channel is reused is known only when the next frame is there. A channel that was not kept at t - 1 but is
reused at t is computed late, from the input that the block had at t - 1, which is why each gate carries that map. So
every channel is computed at most once, and as many as eq. 5 counts for the clip. A channel that was kept is carried.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.tsm import ShiftConv2d, TemporalShift
from methods.adafuse.gate import First, Gate
from methods.adafuse.policy import KEEP, REUSE, to_codes

_OWNER = "a stream of method 'adafuse'"


class Stream:
    """One video, frame by frame, through a network with AdaFuse in evaluation mode.

    Several streams may take turns on one network. The logits of the first `frames` frames, averaged, are those that the
    network gives for the clip. Longer videos go on; noise and forced decisions then start over.
    """

    def __init__(self, model: nn.Module) -> None:
        if not hasattr(model, "adafuse"):
            raise ValueError(f"{_OWNER}: the network has none; allowed: a network after methods.adafuse.insert")
        shifts = (part for part in model.modules() if isinstance(part, ShiftConv2d | TemporalShift))
        if any(shifts) or any(getattr(part, "shifted", None) for part in model.modules()):
            raise ValueError(f"{_OWNER}: a temporal shift reads the next frame; allowed: tsn")
        if not isinstance(model.fc, nn.Linear):
            raise ValueError(f"{_OWNER}: a {type(model).__name__} scores frames together; allowed: tsn")
        self.model = model
        self.reset()

    def reset(self) -> None:
        """Begin a new video."""
        self.seen = 0
        self.total: Tensor | None = None
        self.carried = {block: CarriedRows() for block in self.model.adafuse.gates}  # type: ignore[union-attr]

    @torch.no_grad()
    def step(self, frame: Tensor) -> Tensor:
        """Logits (K,) of the next frame (3, H, W)."""
        if frame.dim() != 3 or frame.shape[0] != 3:
            raise ValueError(f"{_OWNER}: a frame of shape {tuple(frame.shape)} does not fit; allowed: (3, H, W)")
        if self.model.training:
            raise ValueError(f"{_OWNER}: the network is in training mode; allowed: evaluation, model.eval()")
        gates: dict[str, Gate] = self.model.adafuse.gates  # type: ignore[union-attr,assignment]
        try:
            for block, gate in gates.items():
                gate.carried = self.carried[block]
            maps = self.model.maps(frame[None, None])  # type: ignore[operator]
        finally:
            for gate in gates.values():
                gate.carried = None
        logits = self.model.fc(maps.mean((2, 3)))[0]  # type: ignore[operator]
        self.seen += 1
        self.total = logits if self.total is None else self.total + logits
        return logits

    @property
    def logits(self) -> Tensor:
        """(K,): the average over the frames so far."""
        if self.total is None:
            raise ValueError(f"{_OWNER}: no frame has come yet; call step(frame) first")
        return self.total / self.seen


class CarriedRows:
    """What one gate keeps from frame to frame: pooled input, input, and the channels computed so far."""

    def __init__(self) -> None:
        self.frame = 0
        self.pooled: Tensor | None = None
        self.x: Tensor | None = None
        self.y: Any = None
        self.kept: Any = None
        self.now = self.late = 0
        """Channels computed when their frame came, and one frame later."""

    def leave(self, pooled: Tensor, x: Tensor, y: Any, kept: Any, *, late: int) -> None:
        """What a compact block (`adafuse_compact`) leaves: `y` holds the channels `kept`, `late` came from before."""
        self.now, self.late, self.frame = self.now + len(kept), self.late + late, self.frame + 1
        self.pooled, self.x, self.y, self.kept = pooled, x, y, kept

    def step(self, gate: Gate, pooled: Tensor, x: Tensor, first: First) -> Tensor:
        """The fused map (1, C, H, W) of the next frame, from its pooled (1, c) and whole input (1, c, H', W')."""
        codes = self.decide(gate, pooled)
        kept, reused = codes == KEEP, codes == REUSE
        y, fused = self._rows(kept, x, first), None
        if self.x is not None and self.y is not None and self.kept is not None and bool(reused.any()):
            missing = reused & ~self.kept
            if bool(missing.any()):
                rows = missing.nonzero()[:, 0]
                self.y[:, rows] = first(self.x, rows)
                self.late += len(rows)
            fused = torch.where(reused[:, None, None], self.y, y)
        self.now += int(kept.sum())
        self.frame += 1
        self.pooled, self.x, self.y, self.kept = pooled, x, y, kept
        return y.clone() if fused is None else fused

    def decide(self, gate: Gate, pooled: Tensor) -> Tensor:
        """Codes (C,) of the next frame."""
        joined = pooled
        if gate.history:
            before = torch.zeros_like(pooled) if self.pooled is None else self.pooled
            joined = torch.cat([before, pooled], dim=1)
        place = self.frame % gate.frames
        decisions = gate.pick(gate.decide(joined.to(gate.dtype))[None], slice(place, place + 1))
        return to_codes(decisions, gate.actions)[0, 0]

    def _rows(self, wanted: Tensor, x: Tensor, first: First) -> Tensor:
        """The wanted channels of the frame, zeros for the others."""
        rows = wanted.nonzero()[:, 0]
        if len(rows) == len(wanted):
            return first(x)
        if len(rows) == 0 and self.y is not None:
            return torch.zeros_like(self.y)
        some = first(x, rows) if len(rows) else first(x, rows.new_zeros(1))
        y = some.new_zeros(1, len(wanted), *some.shape[2:])
        y[:, rows] = some[:, : len(rows)]
        return y
