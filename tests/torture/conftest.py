"""The seed of a torture run: printed at its head, and given to all its processes; `REPRO_TORTURE_SEED` repeats it."""

from __future__ import annotations

import os
import random

from tests.torture.tools import SEED

os.environ.setdefault(SEED, str(random.randrange(2**32)))


def pytest_report_header() -> str:
    return f"{SEED}={os.environ[SEED]}"
