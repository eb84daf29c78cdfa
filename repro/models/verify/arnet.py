"""What goldens of AR-Net hold beyond logits: the action of each frame (`decisions`, one-hot (N, T, 7)).

The authors' network draws its actions; their golden takes the likeliest after adding noise to the log probabilities.
How that noise is made stands in the golden's `build`.
"""

from __future__ import annotations

import re

import numpy as np
import torch

from repro.core.errors import DataError
from repro.models.verify import adafuse, golden
from repro.models.verify.case import Case, Outcome

_NOISE = re.compile(
    r"argmax\(log p \+ (\d+)\*noise\[t, n\]\)\).* noise = make_input\(\[(\d+), (\d+), (\d+)\], seed (\d+)\)"
)


def prepare_decisions(case: Case) -> None:
    """Give the policy the golden's noise, and let float32 be compared under the decisions of float64."""
    if case.model.name != "arnet":
        adafuse.prepare_decisions(case)
        return
    policy = case.module.policy
    case.choices = adafuse.Decisions(policy)
    found = _NOISE.search(str(case.data.get("build", "")))
    if found:
        factor, frames, clips, actions, seed = map(int, found.groups())
        noise = golden.raw_input({"input": {"shape": [frames, clips, actions], "seed": seed}})
        policy.set_noise(factor * torch.from_numpy(noise).transpose(0, 1).double())  # type: ignore[union-attr, operator]


@torch.no_grad()
def check_decisions(case: Case) -> list[Outcome]:
    """Actions in float64, equal one by one."""
    if case.model.name != "arnet":
        return adafuse.check_decisions(case)
    case.reload(torch.float64)(case.x)
    ours = case.module.policy.decisions()["frames"].numpy()  # type: ignore[union-attr, operator]
    theirs = np.asarray(case.data["decisions"])
    if theirs.ndim != 3 or theirs.shape[:2] != ours.shape:
        raise DataError(f"the golden's decisions have shape {list(theirs.shape)}", allowed=f"{list(ours.shape)}, 7")
    wrong = int((ours != theirs.argmax(-1)).sum())
    note = f"{wrong} of {ours.size} frames differ" if wrong else f"{ours.size} frames equal"
    return [Outcome(case.name, "decisions", wrong / ours.size, 0.0, not wrong, note)]
