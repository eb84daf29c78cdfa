"""Going on from a checkpoint: bit for bit on the same division of the batch, with a stated tolerance on another."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from torch import nn

from repro.core.spec import Train
from repro.engine.distributed import Ranks
from repro.engine.train.optim import Plan
from repro.engine.train.step import BAD, CLIPS
from repro.engine.train.sync_batchnorm import has_batch_norm

#: difference of all weights from an uninterrupted run, relative to their norm, over the few steps of the test, where
#: only the order of sums differs. Rounding errors grow with the steps: one that carries an activation across zero moves
#: small tensors (biases that began at zero) by 2 % of their own norm, all weights together by 3e-5 (test, 2 epochs)
TOLERANCE = 1e-4


@dataclass
class History:
    """How often a run went on from a checkpoint, and each time that it did so on another division of the batch."""

    resumes: int = 0
    resumed_on: list[dict[str, Any]] = field(default_factory=list)

    def state(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    def effective(self) -> dict[str, Any]:
        """For the record."""
        return {"resumes": self.resumes, **({"resumed_on": self.resumed_on} if self.resumed_on else {})}

    def note(self, found: dict[str, Any], plan: Plan, train: Train, net: nn.Module, device: str) -> list[str]:
        """Count a resumption from the state `found`; what there is to tell of it."""
        self.resumes += 1
        was, now = found["division"], plan.division(train)
        before = "cpu" if found["ranks"][0]["random"]["cuda"] is None else "cuda"
        if before != device:
            tolerance = (
                "other kernels and another generator of dropout; as far from an uninterrupted run as another seed"
            )
            self.resumed_on.append({"step": found["step"], "was": before, "now": device, "tolerance": tolerance})
            return [f"went on at step {found['step']} on {device} instead of {before}: {tolerance}"]
        if was == now:
            return []
        tolerance = _tolerance(was, now, net)
        self.resumed_on.append({"step": found["step"], "was": was, "now": now, "tolerance": tolerance})
        return [
            f"went on at step {found['step']} on {now['world_size']} instead of {was['world_size']} processes, "
            f"{now['micro_batch']} instead of {was['micro_batch']} clips a forward pass: {tolerance}"
        ]


def _tolerance(was: dict[str, Any], now: dict[str, Any], net: nn.Module) -> str:
    dropout = any(isinstance(layer, nn.modules.dropout._DropoutNd) and layer.p > 0 for layer in net.modules())
    if has_batch_norm(net) and was["norm_batch"] != now["norm_batch"]:
        return "batch normalization sees another number of clips; as far from an uninterrupted run as another seed"
    if dropout:
        return "the same batches, other dropout masks; as far from an uninterrupted run as another seed"
    return f"the same batches, sums in another order; all weights within {TOLERANCE:g} of their norm at first"


def own_part(found: dict[str, Any], ranks: Ranks) -> dict[str, Any]:
    """What a checkpoint holds for this process: its random generators (None for a process that is new), sums, problems.

    On another number of processes, process 0 takes over the sums of all.
    """
    parts: list[dict[str, Any]] = found["ranks"]
    if len(parts) == ranks.world_size:
        return parts[ranks.rank]
    tally = parts[0]["tally"].clone()
    sums = sum(part["tally"][: CLIPS + 1] for part in parts)
    tally[: CLIPS + 1] = sums if ranks.rank == 0 else 0
    tally[BAD] = max(part["tally"][BAD] for part in parts)
    random = parts[ranks.rank]["random"] if ranks.rank < len(parts) else None
    used = sum((Counter(part["used"]) for part in parts), Counter()) if ranks.rank == 0 else {}
    problems = {name: why for part in parts for name, why in part["problems"].items()}
    return {"random": random, "tally": tally, "problems": problems, "used": dict(used)}
