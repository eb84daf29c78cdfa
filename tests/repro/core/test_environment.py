"""Two processors of one name are told apart by their vector instructions, also beside records that tell less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from repro.core import environment
from repro.core.environment import VECTORS, cpu_name, is_here, machine, vectors

WIDE, NARROW = ["avx2", "avx512f", "avx512_bf16"], ["avx2"]


@pytest.fixture
def on(monkeypatch: pytest.MonkeyPatch):
    """Makes this a machine with other vector instructions."""
    return lambda have: monkeypatch.setattr(environment, "vectors", lambda: have)


def _record(**told: Any) -> dict[str, Any]:
    return {"cpu": machine()[0], "cores": machine()[1], **told}


def test_this_machine_has_vectors_that_the_system_names() -> None:
    assert set(vectors()) <= set(VECTORS)
    info = Path("/proc/cpuinfo")
    if info.exists() and "model name" in info.read_text():
        assert cpu_name() in info.read_text() and ("avx2" in vectors()) == (" avx2 " in info.read_text())


@pytest.mark.parametrize(
    ("told", "have", "here"),
    [
        ({"vectors": WIDE}, WIDE, True),
        ({"vectors": WIDE}, NARROW, False),
        ({"vectors": ["avx2", "avx512f"]}, WIDE, False),
        ({"vectors": WIDE, "cores": -1}, WIDE, False),
        ({"vectors": WIDE, "cpu": "another"}, WIDE, False),
        ({"flags": {"cpu_capability": "AVX512"}}, WIDE, True),
        ({"flags": {"cpu_capability": "AVX512"}}, NARROW, False),
        ({"flags": {"cpu_capability": "AVX2"}}, WIDE, False),
        ({"flags": {"cpu_capability": "AVX2"}}, NARROW, True),
        ({"flags": {"cpu_capability": "AVX512"}}, [], True),  # a system that does not name them
        ({"flags": {"cpu_capability": "DEFAULT"}}, ["asimd"], True),
        ({}, NARROW, True),
    ],
)
def test_a_record_is_from_here_if_nothing_that_it_tells_speaks_against_it(on, told, have, here) -> None:
    on(have)
    assert is_here(_record(**told)) is here
