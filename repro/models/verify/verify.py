"""Prove our networks and samplers against reference outputs of public code.

A golden of a network: build what its `spec` says, import the reference's tensors as `import-weights` does, and compare
logits in float64 and float32 (and, where the file has them, training-mode logits, gradients and running statistics). A
layout: the import alone. A sampling file: frame indices of every rule at every length.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from repro.core.environment import require_memory
from repro.core.errors import DataError, ReproError
from repro.models.verify import adafuse, arnet, golden
from repro.models.verify.case import (
    NULL,
    Case,
    Outcome,
    check_logits,
    check_params,
    check_streams,
    check_train,
    has_null,
    left_out,
)
from repro.models.weights import import_tensors, shapes_of

#: section of a golden -> what it asks for before the checks
PREPARATIONS = {"decisions": arnet.prepare_decisions, "policy_noise": adafuse.prepare_noise}
#: section of a golden -> check
CHECKS = {"params": check_params, "logits": check_logits, "train": check_train, "decisions": arnet.check_decisions}


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
    except (Exception, RecursionError) as error:  # the file decides what is missing or of another kind
        return [Outcome(name, "read", None, None, False, f"the golden lacks or garbles {_line(error)}")]


def _line(error: BaseException) -> str:
    return str(error).splitlines()[0][:300] if str(error).strip() else type(error).__name__


def _verify_network(name: str, data: Mapping[str, Any]) -> list[Outcome]:
    case, outcomes = _prepare(name, data)
    for section, prepare in PREPARATIONS.items():
        if data.get(section) is not None:
            prepare(case)
    for section, check in CHECKS.items():
        if data.get(section) is None:
            outcomes += [left_out(name, section, "it")] if section in data else []
            continue
        try:
            outcomes += check(case)
        except ReproError as error:
            outcomes.append(Outcome(name, section, None, None, False, str(error)))
        except RuntimeError as error:
            outcomes.append(Outcome(name, section, None, None, False, f"our network fails: {_line(error)}"))
        except Exception as error:  # the section decides what is missing or of another kind
            outcomes.append(Outcome(name, section, None, None, False, f"the section is garbled: {_line(error)}"))
    return outcomes


def _prepare(name: str, data: Mapping[str, Any]) -> tuple[Case, list[Outcome]]:
    """Build, regenerate and import; the outcomes say whether numpy's stream and the layout are as they should be."""
    from repro.models.build import build

    model = golden.model_spec(data)
    wanted = shapes_of(model)
    require_memory(8 * sum(map(math.prod, wanted.values())), "the golden's network")
    module = build(model)
    arrays = golden.state_dict(data)
    outcomes = check_streams(name, data, arrays)
    values = {key: torch.from_numpy(np.asarray(value)) for key, value in arrays.items()}
    format = data["spec"].get("checkpoint_format")
    tensors, report = import_tensors(values, model, wanted, source=name, format=format)
    kinds = {"renamed": len(report.renamed), "dropped": len(report.dropped)}
    counted = ", ".join(f"{count} {kind}" for kind, count in kinds.items() if count)
    note = f"{len(report.matched)} tensors as {report.format}" + (f", {counted}" if counted else "")
    outcomes.append(Outcome(name, "layout fits", None, None, True, note))
    x = torch.from_numpy(golden.network_input(data)).double() if data.get("logits") else torch.empty(0)
    return Case(name, data, model, module, tensors, report, x), outcomes


def _is_sampling(data: Mapping[str, Any]) -> bool:
    rules = {name: by_length for name, by_length in data.items() if not name.startswith("_")}
    return bool(rules) and all(
        isinstance(by_length, dict) and by_length and all(str(length).isdecimal() for length in by_length)
        for by_length in rules.values()
    )


def _verify_sampling(name: str, data: Mapping[str, Any]) -> list[Outcome]:
    return [_verify_rule(name, rule, lengths) for rule, lengths in data.items() if not rule.startswith("_")]


def _verify_rule(name: str, rule: str, lengths: Mapping[str, list[int]]) -> Outcome:
    """A rule at every length; the generator is numpy's legacy one, seeded by the frame count before each call."""
    from repro.data.sampling import indices

    wrong, nulls = [], [length for length, expected in lengths.items() if has_null(expected)]
    if len(nulls) == len(lengths):
        return left_out(name, rule, "all lengths")
    for length, expected in lengths.items():
        if length in nulls:
            continue
        count = int(length)
        try:
            ours = indices(rule, count, np.random.RandomState(count))
        except ReproError as error:
            return Outcome(name, rule, None, None, False, str(error))
        if np.asarray(ours).ravel().tolist() != np.asarray(expected).ravel().tolist():
            wrong.append(length)
    note = f"{len(lengths) - len(nulls)} lengths equal" if not wrong else f"differs at {', '.join(wrong)} frames"
    note += f"; {', '.join(nulls)} frames left out: {NULL}" if nulls else ""
    return Outcome(name, rule, len(wrong) / len(lengths), 0.0, not wrong, note)
