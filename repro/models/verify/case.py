"""A golden with our network, and the checks that every golden can have."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from repro.core import spec
from repro.models import formats
from repro.models.import_report import Report
from repro.models.verify import golden
from repro.models.weights import Tensors

FLOAT64_LIMIT = 1e-9
FLOAT32_LIMIT = 1e-5


@dataclass(frozen=True)
class Outcome:
    """One comparison. `relative_error` is the largest difference over the largest reference value."""

    name: str
    what: str
    relative_error: float | None
    limit: float | None
    passed: bool
    note: str = ""

    def line(self) -> str:
        """One line of text."""
        mark = "pass" if self.passed else "MISS"
        figure = "" if self.relative_error is None else f"  {self.relative_error:.2e}"
        limit = "" if self.limit is None else f" (limit {self.limit:.0e})"
        note = f"  {self.note}" if self.note else ""
        return f"{mark}  {self.name}  {self.what}{figure}{limit}{note}"


class Choices(Protocol):
    """The discrete choices that a network makes on its way."""

    def remember(self) -> None:
        """Note those of the last pass."""

    def repeated(self) -> AbstractContextManager[str]:
        """Within it every pass takes those noted; it tells how many of the last pass were others."""


@dataclass
class Case:
    """A golden with our network, its imported tensors and its input; what a check works on."""

    name: str
    data: Mapping[str, Any]
    model: spec.Model
    module: nn.Module
    tensors: Tensors
    report: Report
    x: torch.Tensor
    """float64, as the network takes it."""
    choices: Choices | None = None
    """For a network that switches units on and off: rounding can turn a choice, which is no wrong arithmetic."""

    def our_name(self, name: str) -> str:
        """Our name of a tensor of the reference."""
        return formats.get(self.report.format).rename(formats.strip_wrappers(name))

    def reload(self, dtype: torch.dtype) -> nn.Module:
        """The module in eval mode with the golden's tensors, whatever an earlier check left in it."""
        self.module.to(dtype).load_state_dict(self.tensors, strict=False)
        return self.module.eval()


def relative_error(ours: np.ndarray, reference: np.ndarray, floor: float = 0.0) -> float:
    """max|ours - reference| / max|reference|, or over `floor` where that is more; infinite when shapes differ or ours
    has NaN.
    """
    if ours.shape != reference.shape or not np.isfinite(ours).all():
        return float("inf")
    largest = max(float(np.abs(reference).max(initial=0.0)), floor)
    difference = float(np.abs(ours - reference).max(initial=0.0))
    return difference / largest if largest else difference


def compare(case: Case, what: str, ours: np.ndarray, reference: Any, limit: float, note: str = "") -> Outcome:
    """An `Outcome` of two arrays; figures that are null in the reference are left out, and told."""
    expected = np.asarray(reference, dtype=np.float64)  # null becomes NaN, which no JSON holds
    if ours.shape != expected.shape:
        note = f"shape {list(ours.shape)}, reference {list(expected.shape)}"
        return Outcome(case.name, what, float("inf"), limit, False, note)
    known = np.isfinite(expected) | np.isinf(expected)
    if not known.any() and expected.size:
        return left_out(case.name, what, "all figures")
    error = relative_error(np.asarray(ours, dtype=np.float64)[known], expected[known])
    if not known.all():
        note = "; ".join(filter(None, (note, f"{int((~known).sum())} of {known.size} figures left out: {NULL}")))
    return Outcome(case.name, what, error, limit, error <= limit, note)


NULL = "null in the reference"


def left_out(name: str, what: str, which: str) -> Outcome:
    """Nothing compared, and why."""
    return Outcome(name, what, None, None, True, f"{which} left out: {NULL}")


def check_streams(name: str, data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[Outcome]:
    """A missed checksum means that this numpy draws other numbers, not that the network is wrong."""
    wrong = []
    unscaled = not data.get("tensor_scale")
    if unscaled and data.get("weights_sha256", None) not in (None, golden.checksum(list(arrays.values()))):
        wrong.append("weights")
    if data.get("input_sha256") is not None and data["input_sha256"] != golden.checksum([golden.raw_input(data)]):
        wrong.append("input")
    if not wrong:
        return []
    note = f"numpy {np.__version__} draws other values for the {' and '.join(wrong)} than the golden's numpy did"
    return [Outcome(name, "checksum", None, None, False, note)]


def check_params(case: Case) -> list[Outcome]:
    """The number of parameters; the reference also counts tensors of its own that it never uses."""
    unused = sum(
        int(np.prod(shape)) for name, shape, _ in case.data["tensors"] if name in {n for n, _ in case.report.dropped}
    )
    ours, expected = sum(p.numel() for p in case.module.parameters()), int(case.data["params"])
    note = f"{ours:,} here, {expected:,} in the reference" + (f", {unused:,} of which it never uses" if unused else "")
    passed = ours in (expected, expected - unused)
    return [Outcome(case.name, "parameters", abs(ours - expected) / expected, None, passed, note)]


@torch.no_grad()
def check_logits(case: Case) -> list[Outcome]:
    """Evaluation-mode logits in float64, then in float32."""
    outcomes = []
    for dtype, limit in ((torch.float64, FLOAT64_LIMIT), (torch.float32, FLOAT32_LIMIT)):
        module, x = case.reload(dtype), case.x.to(dtype)
        what = f"logits {str(dtype).removeprefix('torch.')}"
        outcome = compare(case, what, module(x).double().numpy(), case.data["logits"], limit)
        if case.choices is not None and dtype is torch.float64:
            case.choices.remember()
        elif case.choices is not None and not outcome.passed:
            with case.choices.repeated() as note:
                outcome = compare(case, what, module(x).double().numpy(), case.data["logits"], limit, note)
        outcomes.append(outcome)
    return outcomes


def check_train(case: Case) -> list[Outcome]:
    """Training mode without dropout, one backward of the cross entropy: logits, gradient norms, running statistics."""
    facts = case.data["train"]
    module = case.reload(torch.float64).train()
    for layer in module.modules():
        if isinstance(layer, nn.modules.dropout._DropoutNd):
            layer.p = 0.0
    logits = module(case.x)
    nn.functional.cross_entropy(logits, torch.tensor(facts["target"])).backward()
    outcomes = [compare(case, "train logits", logits.detach().numpy(), facts["logits"], FLOAT64_LIMIT)]
    gradients = {name: float(value.grad.norm()) for name, value in module.named_parameters() if value.grad is not None}
    # a bias before a batch normalization has gradient 0 but for rounding: small norms count against the largest
    floor = 1e-3 * max((value for value in facts["grad_norm"].values() if value is not None), default=0.0)
    outcomes.append(compare_named(case, "train gradient norms", gradients, facts["grad_norm"], floor))
    running = {
        name: [float(value.mean()), float(value.std())] for name, value in module.named_buffers() if "running_" in name
    }
    outcomes.append(compare_named(case, "train running statistics", running, facts["running"]))
    module.zero_grad(set_to_none=True)
    return outcomes


def compare_named(
    case: Case, what: str, ours: Mapping[str, Any], reference: Mapping[str, Any], floor: float = 0.0
) -> Outcome:
    """The largest error over named figures, relative to each or to `floor`; a name without counterpart is a miss."""
    worst, worst_name = 0.0, ""
    known = {name: value for name, value in reference.items() if not has_null(value)}
    if not known:
        return left_out(case.name, what, "all figures")
    for name, expected in known.items():
        mine = ours.get(case.our_name(name))
        if mine is None:
            return Outcome(case.name, what, None, None, False, f"{case.our_name(name)} has no value here")
        error = relative_error(np.atleast_1d(np.asarray(mine)), np.atleast_1d(np.asarray(expected)), floor)
        if error > worst:
            worst, worst_name = error, name
    note = f"{len(known)} tensors" + (f", largest at {worst_name}" if worst_name else "")
    nulls = [name for name in reference if name not in known]
    note += f"; {', '.join(nulls[:3])}{', ...' if nulls[3:] else ''} left out: {NULL}" if nulls else ""
    return Outcome(case.name, what, worst, FLOAT64_LIMIT, worst <= FLOAT64_LIMIT, note)


def has_null(value: Any) -> bool:
    """Whether any figure of a reference is null."""
    return value is None or (isinstance(value, list) and any(map(has_null, value)))
