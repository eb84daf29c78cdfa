"""Reference outputs ("goldens"): tensors and inputs that every machine makes from names and seeds.

A golden file is JSON: names, shapes and types of a public implementation's state dict, the seed of its input, and the
logits it gave. The values are not stored: each tensor's generator is seeded by the CRC-32 of its name.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from repro.core.csv_text import text_of
from repro.core.environment import require_memory
from repro.core.errors import DataError
from repro.core.files import parse_json
from repro.core.paths import expand
from repro.core.spec import Model, frozen
from repro.registry import models

#: axes of the stored input -> order that puts them as our networks take them: clip, time, (frame,) channel, row, column
LAYOUTS: dict[str, tuple[int, ...]] = {
    "NTCHW": (0, 1, 2, 3, 4),
    "NCTHW": (0, 2, 1, 3, 4),
    "NTFCHW": (0, 1, 2, 3, 4, 5),
}


def read_json(path: str | Path) -> dict[str, Any]:
    """The object in a JSON file, or a `DataError` that says what is wrong with it."""
    text = text_of(expand(path), DataError, allowed="a golden JSON file")
    try:
        data = parse_json(text)
    except ValueError as error:
        raise DataError(f"{str(path)!r} is not JSON: {error}", allowed="a golden JSON file") from error
    if not isinstance(data, dict):
        raise DataError(f"{str(path)!r} holds a {type(data).__name__}", allowed="a golden: a JSON object")
    return data


def tensor(name: str, shape: Sequence[int], dtype: str = "float32") -> np.ndarray:
    """The values that belong to `name`: matrices and kernels N(0, 1/fan_in), one-dimensional `weight`s and running
    variances U(0.5, 1.5), everything else N(0, 0.1^2), all rounded to float32; counters are zero.
    """
    size = tuple(shape)
    if dtype.startswith("int") or name.endswith("num_batches_tracked"):
        return np.zeros(size, dtype=np.int64)
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    if name.endswith("running_var"):
        values = generator.uniform(0.5, 1.5, size)
    elif len(size) > 1:
        values = generator.standard_normal(size) * math.sqrt(1.0 / max(1, math.prod(size[1:])))
    elif name.endswith("weight"):
        values = generator.uniform(0.5, 1.5, size)
    else:
        values = generator.standard_normal(size) * 0.1
    return np.asarray(values, dtype=np.float32)


def state_dict(golden: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Name -> array of a golden's `tensors`; an alias shares the values of its canonical name, and `tensor_scale`
    multiplies matching tensors of two or more dimensions in float64.
    """
    aliases: Mapping[str, str] = golden.get("aliases") or {}
    rules = (golden.get("tensor_scale") or {}).get("items", [])
    scales = [(re.compile(pattern), float(factor)) for pattern, factor in rules]
    require_memory(sum(_bytes_of(shape) for _, shape, _ in golden["tensors"]), "the golden's tensors")
    made: dict[str, np.ndarray] = {}
    shared: dict[str, np.ndarray] = {}
    for name, shape, dtype in golden["tensors"]:
        canonical = aliases.get(name, name)
        if canonical not in shared:
            shared[canonical] = tensor(canonical, shape, dtype)
        made[name] = shared[canonical]
    for name, value in made.items():
        for pattern, factor in scales:
            if value.ndim > 1 and pattern.search(name):
                made[name] = value = value.astype(np.float64) * factor
    return made


def raw_input(golden: Mapping[str, Any]) -> np.ndarray:
    """Standard normal float32 in the golden's own layout."""
    facts = golden["input"]
    require_memory(_bytes_of(facts["shape"]), "the golden's input")
    generator = np.random.Generator(np.random.PCG64(facts["seed"]))
    return generator.standard_normal(tuple(facts["shape"])).astype(np.float32)


def _bytes_of(shape: Sequence[int]) -> int:
    """Of an array of float64."""
    return 8 * math.prod(int(side) for side in shape)


def network_input(golden: Mapping[str, Any]) -> np.ndarray:
    """The golden's input as our networks take it: (N,T,3,H,W), TDN (N,T,5,3,H,W)."""
    layout, _, _remark = str(golden["input"].get("layout", "NTCHW")).partition(" ")
    if layout not in LAYOUTS:
        raise DataError(f"unknown input layout {layout!r}", allowed=", ".join(LAYOUTS))
    return np.ascontiguousarray(raw_input(golden).transpose(LAYOUTS[layout]))


def model_spec(golden: Mapping[str, Any]) -> Model:
    """What the golden's `spec` says to build, in the form of the code that it comes from where there are several."""
    facts = golden["spec"]
    options = dict(facts.get("model_options") or {})
    origin = facts.get("checkpoint_format")
    if origin in models[facts["model"]].facts.get("forms", ()):
        options.setdefault("form", origin)
    return Model(
        name=facts["model"],
        backbone=facts["backbone"],
        frames=facts["frames"],
        num_classes=facts["num_classes"],
        options=frozen(options),
        method=facts.get("method"),
        method_options=frozen(facts.get("method_options")),
    )


def checksum(arrays: Sequence[np.ndarray]) -> str:
    """sha256 over the C-order bytes of the arrays, one after the other."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
