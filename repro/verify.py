"""Prove our networks and samplers against reference outputs of public code.

A golden of a network: build what its `spec` says, import the reference's tensors as `import-weights` does, and compare
logits in float64 and float32 (and, where the file has them, training-mode logits, gradients and running statistics). A
layout: the import alone. A sampling file: frame indices of every rule at every length.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn

from repro import checkpoint_formats, golden, spec
from repro.errors import DataError, ReproError
from repro.weights import Report, Tensors, import_tensors

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
        return checkpoint_formats.get(self.report.format).rename(checkpoint_formats.strip_wrappers(name))

    def reload(self, dtype: torch.dtype) -> nn.Module:
        """The module in eval mode with the golden's tensors, whatever an earlier check left in it."""
        self.module.to(dtype).load_state_dict(self.tensors, strict=False)
        return self.module.eval()


def verify_file(path: str | Path) -> list[Outcome]:
    """Every comparison that the file allows. A file that cannot be read or built gives one missed outcome."""
    name = Path(path).name
    try:
        data = golden.read_json(path)
        if "spec" in data and "tensors" in data:
            return _verify_network(name, data)
        if _is_sampling(data):
            return _verify_sampling(name, data)
        raise DataError(
            f"{str(path)!r} is no golden",
            allowed="an object with `spec` and `tensors`, or one of sampling rules with indices by frame count",
        )
    except ReproError as error:
        return [Outcome(name, "read", None, None, False, str(error))]


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
    """An `Outcome` of two arrays."""
    expected = np.asarray(reference, dtype=np.float64)
    error = relative_error(np.asarray(ours, dtype=np.float64), expected)
    if ours.shape != expected.shape:
        note = f"shape {list(ours.shape)}, reference {list(expected.shape)}"
    return Outcome(case.name, what, error, limit, error <= limit, note)


def _verify_network(name: str, data: Mapping[str, Any]) -> list[Outcome]:
    try:
        case, outcomes = _prepare(name, data)
    except ReproError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        return [Outcome(name, "read", None, None, False, f"the golden lacks or garbles {error}")]
    for section, prepare in PREPARATIONS.items():
        if data.get(section) is not None:
            prepare(case)
    for section, check in CHECKS.items():
        if data.get(section) is None:
            continue
        try:
            outcomes += check(case)
        except (RuntimeError, ValueError, IndexError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            outcomes.append(Outcome(name, section, None, None, False, f"our network fails: {reason}"))
    return outcomes


def _prepare(name: str, data: Mapping[str, Any]) -> tuple[Case, list[Outcome]]:
    """Build, regenerate and import; the outcomes say whether numpy's stream and the layout are as they should be."""
    from repro.build import build

    model = golden.model_spec(data)
    module = build(model)
    arrays = golden.state_dict(data)
    outcomes = _check_streams(name, data, arrays)
    values = {key: torch.from_numpy(np.asarray(value)) for key, value in arrays.items()}
    wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    format = data["spec"].get("checkpoint_format")
    tensors, report = import_tensors(values, model, wanted, source=name, format=format)
    kinds = {"renamed": len(report.renamed), "dropped": len(report.dropped)}
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    note = f"{len(report.matched)} tensors as {report.format}" + (f", {counted}" if counted else "")
    outcomes.append(Outcome(name, "layout fits", None, None, True, note))
    x = torch.from_numpy(golden.network_input(data)).double() if data.get("logits") else torch.empty(0)
    return Case(name, data, model, module, tensors, report, x), outcomes


def _check_streams(name: str, data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> list[Outcome]:
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


def _check_params(case: Case) -> list[Outcome]:
    """The number of parameters; the reference also counts tensors of its own that it never uses."""
    unused = sum(
        int(np.prod(shape)) for name, shape, _ in case.data["tensors"] if name in {n for n, _ in case.report.dropped}
    )
    ours, expected = sum(p.numel() for p in case.module.parameters()), int(case.data["params"])
    note = f"{ours:,} here, {expected:,} in the reference" + (f", {unused:,} of which it never uses" if unused else "")
    passed = ours in (expected, expected - unused)
    return [Outcome(case.name, "parameters", abs(ours - expected) / expected, None, passed, note)]


@torch.no_grad()
def _check_logits(case: Case) -> list[Outcome]:
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


def _check_train(case: Case) -> list[Outcome]:
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
    floor = 1e-3 * max(facts["grad_norm"].values())
    outcomes.append(_compare_named(case, "train gradient norms", gradients, facts["grad_norm"], floor))
    running = {
        name: [float(value.mean()), float(value.std())] for name, value in module.named_buffers() if "running_" in name
    }
    outcomes.append(_compare_named(case, "train running statistics", running, facts["running"]))
    module.zero_grad(set_to_none=True)
    return outcomes


def _compare_named(
    case: Case, what: str, ours: Mapping[str, Any], reference: Mapping[str, Any], floor: float = 0.0
) -> Outcome:
    """The largest error over named figures, relative to each or to `floor`; a name without counterpart is a miss."""
    worst, worst_name = 0.0, ""
    for name, expected in reference.items():
        mine = ours.get(case.our_name(name))
        if mine is None:
            return Outcome(case.name, what, None, None, False, f"{case.our_name(name)} has no value here")
        error = relative_error(np.atleast_1d(np.asarray(mine)), np.atleast_1d(np.asarray(expected)), floor)
        if error > worst:
            worst, worst_name = error, name
    note = f"{len(reference)} tensors" + (f", largest at {worst_name}" if worst_name else "")
    return Outcome(case.name, what, worst, FLOAT64_LIMIT, worst <= FLOAT64_LIMIT, note)


#: section of a golden -> what it asks for before the checks
PREPARATIONS: dict[str, Callable[[Case], None]] = {}
#: section of a golden -> check; a later section adds itself here
CHECKS: dict[str, Callable[[Case], list[Outcome]]] = {
    "params": _check_params,
    "logits": _check_logits,
    "train": _check_train,
}


def _is_sampling(data: Mapping[str, Any]) -> bool:
    rules = {name: by_length for name, by_length in data.items() if not name.startswith("_")}
    return bool(rules) and all(
        isinstance(by_length, dict) and by_length and all(str(length).isdigit() for length in by_length)
        for by_length in rules.values()
    )


def _verify_sampling(name: str, data: Mapping[str, Any]) -> list[Outcome]:
    return [_verify_rule(name, rule, lengths) for rule, lengths in data.items() if not rule.startswith("_")]


def _verify_rule(name: str, rule: str, lengths: Mapping[str, list[int]]) -> Outcome:
    """A rule at every length; the generator is numpy's legacy one, seeded by the frame count before each call."""
    from repro.data.sampling import indices

    wrong = []
    for length, expected in lengths.items():
        count = int(length)
        try:
            ours = indices(rule, count, np.random.RandomState(count))
        except ReproError as error:
            return Outcome(name, rule, None, None, False, str(error))
        if np.asarray(ours).ravel().tolist() != np.asarray(expected).ravel().tolist():
            wrong.append(length)
    note = f"{len(lengths)} lengths equal" if not wrong else f"differs at {', '.join(wrong)} frames"
    return Outcome(name, rule, len(wrong) / len(lengths), 0.0, not wrong, note)


from repro import verify_adafuse, verify_arnet  # noqa: E402, F401
