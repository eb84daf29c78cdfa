"""What the torture tests share: their seed, how many cases they do, and what is whole in a folder of records."""

from __future__ import annotations

import hashlib
import json
import os
import random
from pathlib import Path
from typing import Any

import pytest

from repro.records.document import content_of, document_of, validated
from repro.records.index import Index
from repro.records.store import SUPERSEDED

#: set by tests/torture/conftest.py to a random one; printed at the head of a run
SEED = "REPRO_TORTURE_SEED"
REFERENCE = Path(__file__).parents[2] / "results" / "records"


def cases(few: int, many: int) -> Any:
    """The arguments `count` and `seed`: a few cases of seed 0 in the default run, many of its own seed in a torture."""
    own = pytest.param(many, int(os.environ.get(SEED, "0")), marks=pytest.mark.torture)
    return pytest.mark.parametrize(("count", "seed"), [(few, 0), own], ids=["few", "many"])


def draws(name: str, seed: int) -> random.Random:
    """Random numbers of one test."""
    print(f"{SEED}={seed}")
    return random.Random(f"{seed} {name}")


def wholes(*roots: Path) -> set[tuple[str, int, float]]:
    """Content id, seed and seconds of each record that is whole, with its scores, in its place or in `superseded/`."""
    found = set()
    for root in roots:
        for path in root.rglob("*.json"):
            if not path.name.startswith("."):
                found |= {_whole(path)} - {None}
    return found  # type: ignore[return-value]


def _whole(path: Path) -> tuple[str, int, float] | None:
    try:
        content = content_of(path)
        document = json.loads(content)
        document.pop("digest")
        record = validated(document, path)
    except (ValueError, TypeError, KeyError):  # damaged
        return None
    if document_of(record) != content:
        return None
    if record.scores is not None:
        scores = path.with_suffix(".npz")
        if not scores.is_file() or hashlib.sha256(scores.read_bytes()).hexdigest() != record.scores.sha256:
            assert path.parent.name == SUPERSEDED, f"{path} stands beside scores that are not its own"
            return None
    return record.id, record.seed, record.wall_s


def sound(root: Path) -> None:
    """Whatever lies there is whole: no damaged record, no record without its scores."""
    index = Index(root)
    index.records()
    assert index.problems() == []
    wholes(root)


def left(root: Path) -> list[str]:
    """Temporary files and folders."""
    return sorted(path.name for path in root.rglob("*") if path.name.endswith((".tmp", ".part", ".next")))
