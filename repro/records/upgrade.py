"""Records of older forms become records of this one, on the disk; none is dropped for its age.

Version 1 had the decoder among what an experiment is, and a digest of its content as canonical JSON. Whichever decoder
is used, a frame asked for by its number is that frame, so that the decoder stays in the record and leaves the identity:
accuracies get new content ids and names, all else keeps its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from repro.core.errors import RecordError, ReproError
from repro.core.files import parse_json
from repro.core.spec import experiment_from_dict
from repro.records import store
from repro.records.document import content_of, validated
from repro.records.index import Index
from repro.records.schema import SCHEMA_VERSION


@dataclass(frozen=True)
class Upgraded:
    """What became of a folder's records."""

    done: tuple[str, ...]
    """Paths of those that were of an older form."""
    refused: tuple[store.Problem, ...]
    """Those that are no sound records of any form."""


def upgrade(root: Path) -> Upgraded:
    """Rewrite every record of an older form below `root`, with its scores; killed and begun again, it goes on."""
    done, refused = [], []
    index = Index(root)
    index.records()
    for problem in index.problems():
        try:
            if not _upgrade(root, problem.path):
                refused.append(problem)
                continue
            done.append(problem.path)
        except (ReproError, OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            refused.append(store.Problem(problem.path, str(error)))
    return Upgraded(tuple(done), tuple(refused))


def _upgrade(root: Path, path: str) -> bool:
    """Whether the file was a sound record of version 1, and is now one of this."""
    old = root / path
    document = parse_json(content_of(old))
    if not isinstance(document, dict) or document.get("schema_version") != 1:
        return False
    digest = document.pop("digest", None)
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)
    if digest != hashlib.sha256(text.encode()).hexdigest():
        raise RecordError(f"{path}: content does not fit its own sha256; it was damaged or edited")
    record = validated(_without_decoder(document), old)
    place, scores = root / record.relative_path, old.with_suffix(".npz") if record.scores else None
    if scores is not None and not scores.is_file() and place.with_suffix(".npz").is_file():
        scores = None  # an earlier start was killed when it had moved them
    if place != old and store.state(place) == "done":
        store.keep_aside(record, root, scores=scores)  # measured again meanwhile
    else:
        store.put(record, root, scores)
    if place != old:
        old.unlink()
        old.with_suffix(".npz").unlink(missing_ok=True)
    return True


def _without_decoder(document: dict[str, Any]) -> dict[str, Any]:
    try:
        for measure in _measures(document["spec"]):
            measure.pop("decoder", None)
        if document["kind"] == "accuracy":
            document["id"] = experiment_from_dict(document["spec"]).id
    except (ReproError, TypeError, KeyError, AttributeError) as error:
        raise RecordError(f"a spec that this version cannot read: {error}") from error
    return {**document, "schema_version": SCHEMA_VERSION}


def _measures(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What an experiment measures, and what the training before it did."""
    yield spec["measure"]
    if spec["measure"].get("initial"):
        yield from _measures(spec["measure"]["initial"])
