"""What goldens of AdaFuse hold beyond logits: the gates' decisions, their cost, the noise that they were drawn with.

Sections: `decisions` (per block: counts of skip, reuse, keep; the same per frame; sha256 of the codes as bytes, frames
in turn), `gflops` (the authors' cost rule, per frame and per clip) and `policy_noise` (`none`, or noise by
`methods.adafuse.policy.gumbel`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from repro.core.errors import DataError
from repro.models.verify.case import FLOAT64_LIMIT, NULL, Case, Outcome, left_out

_WITHOUT_NOISE = "none"


class Decisions:
    """`repro.models.verify.case.Choices` of a network with AdaFuse."""

    def __init__(self, adafuse: Any) -> None:
        self.adafuse = adafuse
        self.noted: dict[str, torch.Tensor] = {}

    def remember(self) -> None:
        """Note the decisions of the last pass."""
        self.noted = self.adafuse.decisions()

    @contextmanager
    def repeated(self) -> Iterator[str]:
        """Every pass within takes the noted decisions."""
        last = self.adafuse.decisions()
        turned = sum(int((codes != self.noted[block]).sum()) for block, codes in last.items())
        self.adafuse.force(self.noted)
        try:
            yield f"with the decisions of float64, from which {turned} differed"
        finally:
            self.adafuse.force(None)


def prepare_decisions(case: Case) -> None:
    """Let float32 be compared under the decisions of float64."""
    case.choices = Decisions(_adafuse(case))


def prepare_noise(case: Case) -> None:
    """Give each gate the golden's noise, which the name of its block makes."""
    from methods.adafuse.policy import gumbel

    if str(case.data["policy_noise"]).startswith(_WITHOUT_NOISE):
        return
    adafuse = _adafuse(case)
    names = {ours: entry["block"] for ours, entry in _paired(case).items()}
    shapes = {block: (gate.frames, gate.decided, len(gate.actions)) for block, gate in adafuse.gates.items()}
    adafuse.set_noise({ours: torch.from_numpy(gumbel(name, shapes[ours])) for ours, name in names.items()})


@torch.no_grad()
def check_decisions(case: Case) -> list[Outcome]:
    """Decisions in float64, equal one by one; and what they cost."""
    case.reload(torch.float64)(case.x)
    adafuse = _adafuse(case)
    codes, outcomes, wrong = adafuse.decisions(), [], []
    pairs = _paired(case)
    for block, entry in pairs.items():
        problem = _difference(codes[block].numpy(), entry)
        if problem:
            wrong.append(f"{block}: {problem}")
    note = "; ".join(wrong[:3]) if wrong else f"{sum(c.numel() for c in codes.values()):,} in {len(pairs)} blocks equal"
    outcomes.append(Outcome(case.name, "decisions", len(wrong) / len(pairs), 0.0, not wrong, note))
    if case.data.get("gflops"):
        outcomes.append(_check_cost(case, adafuse))
    return outcomes


def _difference(codes: np.ndarray, entry: Mapping[str, Any]) -> str:
    """What of a golden's entry the codes (N, T, C) do not have."""
    frames = codes.reshape(-1, codes.shape[-1])
    counts = [[int((frame == code).sum()) for code in range(3)] for frame in frames]
    found = {
        "channels": codes.shape[-1],
        "counts": np.sum(counts, axis=0).tolist(),
        "per_frame": counts,
        "frames": ["".join(map(str, frame)) for frame in frames],
        "sha256": hashlib.sha256(np.ascontiguousarray(frames.astype(np.uint8)).tobytes()).hexdigest(),
    }
    return ", ".join(key for key, value in found.items() if entry.get(key) not in (None, value))


def _check_cost(case: Case, adafuse: Any) -> Outcome:
    """GMACs by the authors' rule, each figure that the golden has."""
    facts, frames = case.data["gflops"], adafuse.gmacs().new_tensor(case.data["spec"]["frames"])
    ours = {
        "per_frame_base_with_policy": torch.tensor([adafuse.base().total("authors") / 1e9], dtype=torch.float64),
        "per_frame_upb": adafuse.gmacs("upb") / frames,
        "per_frame_real": adafuse.gmacs("real", last_frame_fault=True) / frames,
        "per_frame_real_last_frame_fixed": adafuse.gmacs("real", last_frame_fault=False) / frames,
        "clip_real": adafuse.gmacs("real", last_frame_fault=True),
    }
    listed = [name for name in ours if name in facts]
    if not listed:
        raise DataError("the golden's gflops hold no known figure", allowed=", ".join(ours))
    names = [name for name in listed if facts[name] is not None]
    nulls = ", ".join(name for name in listed if name not in names)
    if not names:
        return left_out(case.name, "GMACs", nulls)
    mine = np.array([float(ours[name].double().mean()) for name in names])
    theirs = np.array([float(facts[name]) for name in names])
    errors = np.abs(mine - theirs) / np.abs(theirs)
    worst = int(errors.argmax())
    note = (
        f"{len(names)} figures, largest at {names[worst]}: {mine[worst]:.9f} here, {theirs[worst]:.9f} in the reference"
    )
    note += f"; {nulls} left out: {NULL}" if nulls else ""
    return Outcome(case.name, "GMACs", float(errors[worst]), FLOAT64_LIMIT, bool(errors[worst] <= FLOAT64_LIMIT), note)


def _paired(case: Case) -> dict[str, Mapping[str, Any]]:
    """Our block -> the golden's entry, by name, or in order where the names are others."""
    entries: Sequence[Mapping[str, Any]] = [e for e in case.data["decisions"] if e.get("gated", True)]
    blocks = list(_adafuse(case).gates)
    if len(entries) != len(blocks):
        raise DataError(f"the golden has {len(entries)} gated blocks", allowed=f"{len(blocks)}, as our network")
    by_name = {entry["block"]: entry for entry in entries}
    return by_name if set(by_name) == set(blocks) else dict(zip(blocks, entries, strict=True))


def _adafuse(case: Case) -> Any:
    if not hasattr(case.module, "adafuse"):
        raise DataError("the golden has decisions, the network that its spec describes makes none", allowed="adafuse")
    return case.module.adafuse
