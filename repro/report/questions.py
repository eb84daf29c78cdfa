"""The answers to the declared questions: a line each, or one with all that it rests on; as text, Markdown, JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from rich.console import Console
from rich.text import Text

from repro.core.words import duration, many
from repro.evidence.paired import seen_at, would_decide
from repro.evidence.questions import Answer, Arm, Check, answers
from repro.evidence.stats import LEVEL
from repro.papers.questions import told_of_probe, waits_for
from repro.papers.table import TableSpec
from repro.records.index import Index
from repro.report.markdown import escape, grid
from repro.report.table import Table

_STYLES = {"higher": "green", "lower": "red", "undecided": "yellow", "open": "dim", "empty": "dim"}
_NARROW = 60
_COMMAND = "python -m repro questions"
LEGEND = (
    "higher, lower: first arm minus second, paired by seed, p below 5 % by Holm over the paper's",
    "questions, and the interval no wider than declared; else undecided (± half its width).",
    "Probes speak of mechanisms, never of Kinetics.",
)
MORE = "One with its controls and how it was chosen: python -m repro questions TABLE"


def word_of(one: Answer) -> str:
    """higher, lower, undecided, open, empty."""
    return one.word if one.state == "answered" else one.state


def told(one: Answer) -> str:
    """The answer in a line, without its word."""
    question = one.question
    if one.state == "open":
        return f"{many(one.left, 'training')} to go, about {duration(one.seconds)}"
    if one.state == "empty":
        return one.why
    assert one.found is not None
    value, digits = one.found.seeds, question.digits
    if one.word == "undecided":
        wide = ", wider than declared" if one.p < LEVEL else ""
        return f"{value.value:+.{digits}f} (±{one.found.half:.{digits}f}) {question.unit}{wide}"
    return f"{value.value:+.{digits}f} ({value.low:+.{digits}f} to {value.high:+.{digits}f}) {question.unit}"


def with_answers(table: Table, layout: TableSpec, index: Index) -> Table:
    """The table with what it asks of probes, and the answers."""
    found = answers(layout.questions, index)
    shown = [one for one in found if one.state == "answered"]
    names = [one.question.full_name.rpartition("/")[2].replace("_", " ") for one in shown]
    asked = [f"{name}: {word_of(one)} {told(one)}" for name, one in zip(names, shown, strict=True)]
    rest = [one for one in found if one.state != "answered"]
    asked.append(f"{summary(rest) if rest else 'what they rest on'}: {_COMMAND} {layout.full_name}")
    findings = tuple(f"{one.question.asks} {word_of(one)}: {told(one)}" for one in found)
    return replace(table, findings=findings, asked=tuple(asked))


def print_answers(found: Sequence[Answer], console: Console, *, full: bool = False) -> None:
    """A line a question; with `full` all that an answer rests on."""
    if full:
        for one in found:
            for line in lines(one):
                console.print(line, markup=False)
            console.print()
        return
    wide = max(len(one.question.full_name) for one in found)
    for one in found:
        there = min(arm.seeds for arm in one.arms)
        seeds = f"{there} of {one.question.seeds} seeds  " if one.state != "answered" else ""
        shown = Text(f"{one.question.full_name:<{wide}}  ").append(word_of(one), style=_STYLES[word_of(one)])
        shown.append(f"  {seeds}{told(one)}")
        shown.truncate(max(console.width, _NARROW), overflow="ellipsis")
        console.print(shown)
    for text in (summary(found), *LEGEND, MORE):
        console.print(text, markup=False)


def summary(found: Sequence[Answer]) -> str:
    """How many have which word."""
    words = [word_of(one) for one in found]
    if len(set(words)) == 1:
        return f"{many(len(found), 'question')}, {'all ' * (len(found) > 1)}{words[0]}"
    counted = ", ".join(f"{words.count(word)} {word}" for word in _STYLES if word in words)
    return f"{many(len(found), 'question')}: {counted}"


def lines(one: Answer) -> list[str]:
    """All that an answer rests on."""
    question, where = one.question, one.question.probe or one.question.cell
    made = [question.asks, f"  {word_of(one)}: {told(one)}"]
    made += [f"  {part}" for part in _evidence(one)]
    arms = "; ".join(f"{arm.label} {_over_seeds(arm, question.digits)}" for arm in one.arms)
    made.append(f"  arms on {where}: {arms}")
    width, seen = f"{question.width:g} {question.unit}", seen_at(question.width, question.seeds)
    made.append(
        f"  declared as {question.full_name}: {question.seeds} seeds, interval at most {width} wide, "
        f"which sees {seen:.{max(1, question.digits)}f}"
    )
    made += [f"  control: {_checked(check)}" for check in one.checks]
    made += [f"  would decide it: {text}" for text in [_open(one)] if text]
    made += [f"  out of range: {text}" for text in one.out_of_range]
    chosen = " ".join(filter(None, (told_of_probe(question.probe), question.chosen)))
    made += [f"  how it was chosen: {chosen}"] if chosen else []
    return made


def _evidence(one: Answer) -> list[str]:
    if one.found is None:
        return []
    digits, found = one.question.digits, one.found
    parts = [f"over {found.seeds.n} seeds {found.seeds.low:+.{digits}f} to {found.seeds.high:+.{digits}f}"]
    if one.videos is not None:
        ends = f"{one.videos.low:+.{digits}f} to {one.videos.high:+.{digits}f}"
        parts.append(f"over {one.videos.n:,} test videos {ends}")
    parts.append(f"p {one.p:.2g} (Holm, {many(one.family, 'question')})")
    return ["; ".join(parts), f"sees differences from {found.smallest:.{digits + 1}f} on (power 0.8)"]


def _open(one: Answer) -> str:
    if one.state == "open":
        first = waits_for(one.question)
        waits = f", after {first}" if first else ""
        return f"python -m repro run questions --only {one.question.full_name} ({told(one)}{waits})"
    if one.state == "empty":
        return "another dial or recipe, chosen on `choose`; a question declared anew"
    if one.word != "undecided" or one.found is None:
        return ""
    return would_decide(one.found, one.question.width, one.p < LEVEL)


def _checked(check: Check) -> str:
    bound = f"{'at least' if check.control.positive else 'at most'} {check.control.bound:g} %"
    word = {True: "holds", False: "fails", None: f"{check.seeds} of {check.control.seeds} seeds"}[check.holds]
    metric = "" if check.control.metric == "top1" else f" ({check.control.metric})"
    return f"{check.control.says}: {_value(check.mean, 1)}{metric}, {bound}: {word}"


def _over_seeds(arm: Arm, digits: int) -> str:
    if arm.mean is None or arm.ends is None:
        return "-"
    low, high = (f"{end:.{digits}f}" for end in arm.ends)
    return f"{arm.mean:.{digits}f} (seeds {low} to {high})"


def _value(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def markdown(found: Sequence[Answer]) -> str:
    """A table, with what each answer rests on in its last column."""
    made = []
    for one in found:
        rests = "<br>".join(escape(line.strip()) for line in lines(one)[2:])
        made.append([one.question.full_name, escape(one.question.asks), f"{word_of(one)}: {escape(told(one))}", rests])
    table = grid(("question", "asks", "answer", "rests on"), made)
    return "\n".join([*table, "", summary(found), "", " ".join(LEGEND)])


def as_json(found: Sequence[Answer]) -> str:
    """A list of objects."""

    def of(one: Answer) -> dict[str, Any]:
        seeds = one.found.seeds if one.found else None
        return {
            "question": one.question.full_name,
            "asks": one.question.asks,
            "answer": word_of(one),
            "told": told(one),
            "value": seeds.value if seeds else None,
            "interval": [seeds.low, seeds.high] if seeds else None,
            "over_videos": [one.videos.low, one.videos.high] if one.videos else None,
            "p_holm": one.p if seeds else None,
            "smallest": one.found.smallest if one.found else None,
            "arms": [asdict(arm) for arm in one.arms],
            "controls": [{"says": c.control.says, "mean": c.mean, "holds": c.holds} for c in one.checks],
            "lines": lines(one),
        }

    return json.dumps([of(one) for one in found], indent=1, ensure_ascii=False)


FORMATS: dict[str, Callable[..., Any]] = {"text": print_answers, "markdown": markdown, "json": as_json}
