"""Shared by all tests: one torch thread a process, and no test touches the user's own folders."""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from repro import registry

sys.path.append(str(Path(__file__).parent))  # for what tests share
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.pop("COLUMNS", None)  # lines as wide as without a terminal, in processes of xdist too

# a machine that is busy with other work fails no test
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def _numbered(tmp_path_factory):
    """A folder for each test; pytest would look through all that there are for the next number."""
    place = tmp_path_factory.mktemp("own")
    return (place / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def _own_folders(_numbered, monkeypatch):
    """Cache, config, results and weights of a test lie in a temporary folder."""
    base = next(_numbered)
    base.mkdir()
    for variable in ("REPRO_CACHE", "REPRO_CONFIG", "REPRO_RESULTS", "REPRO_WEIGHTS"):
        monkeypatch.setenv(variable, str(base / variable.lower()))


@pytest.fixture
def own_registry(monkeypatch):
    """The datasets that a test registers are forgotten after it."""
    registry.load_all()
    monkeypatch.setattr(registry.datasets, "_entries", dict(registry.datasets._entries))


@pytest.fixture(autouse=True)
def _ordinary_scheduling():
    """SVT-AV1, with which tests write videos, makes a process of root a real-time one; its children starve others."""
    yield
    if hasattr(os, "sched_getscheduler") and os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
