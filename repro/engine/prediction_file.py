"""Predictions of many clips in one file, CSV or JSON lines; interrupted, the same command goes on where it stopped.

Each answer is written down in the cache as it comes. The file appears when all are there, whole or not at all.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from repro.core.errors import BadOption
from repro.core.files import write_atomic
from repro.core.plain_text import as_cell
from repro.core.spec import Views, canonical_json
from repro.data import content
from repro.data.decode_failures import Journal
from repro.engine.predict import Prediction, predictions
from repro.models.pretrained import Trained

FORMATS = (".csv", ".jsonl")


def check_name(out: Path) -> None:
    """Raise `BadOption` for a file of another format, before anything is computed."""
    if out.suffix.lower() not in FORMATS:
        raise BadOption(f"--out {str(out)!r}", allowed="a name that ends in " + " or ".join(FORMATS))


def predict_all(
    clips: Sequence[Path],
    network: Trained,
    views: Views,
    out: Path,
    *,
    top: int = 5,
    on_clip: Callable[[int, Prediction], None] = lambda done, made: None,
    **how: Any,
) -> list[Prediction]:
    """All predictions, and `out` written. `on_clip` gets how many clips are done; `how` goes to `predictions`.

    What an earlier start of the same command (same weights, classes, views, decoder) found of a file that has not
    changed since is taken over.
    """
    check_name(out)
    top = min(top, network.model.num_classes)
    facts = [network.sha256, canonical_json(network.model), network.classes, canonical_json(views), top]
    place = hashlib.sha256(str(out.absolute()).encode(errors="surrogateescape")).hexdigest()[:16]
    journal = Journal("predict", place, repr([*facts, how.get("decoder", "auto")]))
    before: dict[str, dict[str, Any]] = journal.answers(dict)
    names = {clip: _name(clip) for clip in clips}
    known = {clip: _read(clip, before[name]) for clip, name in names.items() if name in before}
    left = [clip for clip in clips if clip not in known]
    with journal.writer() as write:
        for done, made in enumerate(predictions(left, network, views, top=top, **how), 1 + len(known)):
            write(names[made.clip], _told(made))
            known[made.clip] = made
            on_clip(done, made)
    found = [known[clip] for clip in clips]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, render(found, out.suffix.lower(), top).encode("utf-8", "surrogateescape"))
    journal.finish()
    return found


def render(found: Iterable[Prediction], form: str, top: int) -> str:
    """CSV: `path`, `class1`, `score1`, ..., `problem`. JSON lines: `path` and `classes`, or `path` and `problem`."""
    if form == ".jsonl":
        return "".join(json.dumps({"path": str(one.clip), **_told(one)}, ensure_ascii=True) + "\n" for one in found)
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["path", *(f"{name}{k}" for k in range(1, top + 1) for name in ("class", "score")), "problem"])
    for one in found:
        told = [text for best in one.classes for text in (best["name"], f"{best['score']:.6f}")]
        writer.writerow(map(as_cell, [str(one.clip), *told, *[""] * (2 * top - len(told)), one.problem]))
    return stream.getvalue()


def _told(made: Prediction) -> dict[str, Any]:
    return {"problem": made.problem} if made.problem else {"frames": made.frames, "classes": made.classes}


def _read(clip: Path, answer: Mapping[str, Any]) -> Prediction:
    return Prediction(clip, answer.get("classes", []), answer.get("problem", ""), answer.get("frames", 0))


def _name(clip: Path) -> str:
    """What an answer is of: the path, and the state of what lies there."""
    return f"{clip.absolute()} {content.state(clip)}"
