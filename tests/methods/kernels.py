"""What the tests of both kernels share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from torch import Tensor

from methods.native import CannotCompile


def compiled(load: Callable[[Path], Any], folder: Path) -> Any:
    """The kernel; without a compiler the test is skipped."""
    try:
        return load(folder)
    except CannotCompile as why:
        pytest.skip(str(why))


def near(value: Tensor, expected: Tensor) -> None:
    """Equal but for rounding."""
    assert value.shape == expected.shape and value.dtype == expected.dtype
    assert float((value - expected).abs().max() / expected.abs().max().clamp_min(1e-6)) < 1e-5
