"""A record in a line: what it found, and under what conditions; equal conditions mean comparable numbers.

Of a user's own code also which version a table shows: an edited file is another method, with records of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from repro.core.spec import Model
from repro.core.words import many
from repro.papers.elsewhere import PAPER as ELSEWHERE
from repro.papers.table import TableSpec
from repro.records.schema import Record
from repro.registry import backbones, methods, models

#: of `run`: what says which cells are measured
_CHOICES = "--rows --only --seeds --seed --sittings --missing --failed --force --reference --dry-run".split()
#: digits of a file's sha256 that are shown
_DIGITS = 12


def headline(record: Record) -> str:
    """What a record found, in one line."""
    found = record.results
    if record.status == "failed":
        return f"failed: {record.reason}"
    if record.kind == "static":
        sizes = ", ".join(f"{count['gmacs']:.3f} GMACs at {size}" for size, count in found["sizes"].items())
        return f"{found['params']:,} parameters, {sizes}"
    if record.kind == "speed":
        against = found.get("against")
        ratio = f", {against['ratio_median']:.3f} times its host's time" if against else ""
        return f"{found['views_per_s']:.3g} views/s, median {found['median_s']:.4g} s{ratio}"
    return f"top-1 {found['top1']:.2f} %, top-5 {found['top5']:.2f} % of {many(found['videos'], 'video')}"


def conditions(record: Record) -> str:
    """For a speed: the view, form, device and threads. For an accuracy: data, backbone and views."""
    if record.kind == "speed":
        return _speed(record)
    if record.kind == "accuracy":
        return _accuracy(record)
    return ""


def _speed(record: Record) -> str:
    found, model = record.results, record.spec["model"]
    threads = many(found["threads"], "thread")
    return (
        f"one view is {many(model['frames'], 'segment')} of {found['size']} × {found['size']}; batch {found['batch']}, "
        f"{found['precision']}, {found['form']} form, {record.processor} ({found['device']}), {threads}"
    )


def _accuracy(record: Record) -> str:
    measure, model = record.spec["measure"], record.spec["model"]
    test = measure["test"]
    if model["name"] == ELSEWHERE:
        return f"{measure['dataset']} ({measure['test_split']}), views as another program took them"
    views = test["clips"] * test["crops"]
    return (
        f"{measure['dataset']} ({measure['test_split']}), {model['backbone']}, {many(model['frames'], 'segment')}, "
        f"{many(views, 'view')} of {test['crop']} × {test['crop']} a video"
    )


def recipe(record: Record) -> str:
    """How the network of an accuracy was trained; it may differ between networks that are compared."""
    train = record.spec["measure"].get("train")
    if record.kind != "accuracy" or not train:
        return ""
    return (
        f"trained {train['epochs']:g} epochs of {many(train['batch'], 'clip')} a step, learning rate {train['lr']:g}, "
        f"{train['schedule']}, initial weights {record.spec['model']['pretrained']}"
    )


def again(record: Record, seeds: int = 1) -> str:
    """The shell line that makes the record anew, or those of so many seeds or sittings: as it was given, of its own
    cell alone.
    """
    words = list(record.command)
    if words[1:4] != ["-m", "repro", "run"]:
        return shlex.join(words)
    kept, passed = words[:4], False
    for word in words[4:]:
        passed = word.split("=")[0] in _CHOICES or (passed and not word.startswith("-"))
        kept += [] if passed else [word]
    if len(kept) > 4 and not kept[4].startswith("-") and not kept[4].endswith(".toml"):
        kept[4] = f"{record.paper}/{record.table}"
    seed = ["--seed", str(record.seed)] if record.kind == "accuracy" else []
    if seeds > 1:
        seed = ["--sittings" if record.kind == "speed" else "--seeds", str(seeds)]
    return shlex.join([*kept, "--rows", record.row, "--only", record.cell, *seed, "--force"])


def machines(records: Iterable[Record]) -> str:
    """On what, and in which months, numbers were measured: `AMD EPYC, 2 threads, 2026-11`."""
    found: dict[str, set[int]] = {}
    months = set()
    for record in records:
        facts = record.environment
        threads = found.setdefault(str(facts.get("device_name") or facts["device"]), set())
        threads.update([facts["threads"]] if facts["device"] == "cpu" and facts["threads"] else [])
        months.add(record.finished[:7])
    if not found:
        return ""
    named = " and ".join(map(_machine, found, found.values())) if len(found) < 3 else f"{len(found)} machines"
    return f"{named}, {' to '.join(dict.fromkeys((min(months), max(months))))}"


def _machine(device: str, threads: set[int]) -> str:
    if not threads:
        return device
    ends = " to ".join(map(str, dict.fromkeys((min(threads), max(threads)))))
    return f"{device}, {ends} thread{'s' * (threads != {1})}"


def versions(layout: TableSpec, records: Iterable[Record]) -> str:
    """One line: file and sha256 behind the rows of a user's own networks and methods, and how many other versions of
    it have records in these rows; empty for a table of the suite's own.
    """
    shown: dict[str, str] = {}
    rows: dict[str, set[str]] = {}
    for row in layout.rows:
        own = [cell.model for cell in row.cells.values() if cell.model.code and cell.model.name in models]
        for model in own:  # scores from elsewhere are of no network here
            shown.setdefault(model.code, _file(model))
            rows.setdefault(model.code, set()).add(row.key)
    told = []
    for code, name in shown.items():
        of_rows = [one for one in records if f"{one.paper}/{one.table}" == layout.full_name and one.row in rows[code]]
        found = {one.spec["model"].get("code", "") for one in of_rows}
        others = found - {"", *shown}
        older = f" ({many(len(others), 'other version')} of it measured here)" if others else ""
        told.append(f"{name}, sha256 {code[:_DIGITS]}{older}")
    return "; ".join(told)


def _file(model: Model) -> str:
    """The name of the file that a network or its method is of."""
    entries = [models[model.name], backbones[model.backbone], *([methods[model.method]] if model.method else [])]
    return " + ".join(dict.fromkeys(entry.file.name for entry in entries if entry.file)) or "own code"
