"""An accuracy that was read from a file of scores, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from repro.core.words import many
from repro.evidence.beside_elsewhere import beside
from repro.evidence.rescored import Reading
from repro.evidence.score_comparison import Compared
from repro.papers.elsewhere import SIGN
from repro.papers.table import TableSpec
from repro.records.index import Index
from repro.records.scores import Scores

#: missing videos that are named
_SHOWN = 5


def render_reading(reading: Reading) -> Sequence[str]:
    """The reading as text."""
    told = [f"{reading.test} views, {reading.fusion}, {reading.subset}: {reading.scored} videos scored"]
    told[0] += f", {len(reading.missing)} missing" if reading.missing else ""
    told[0] += f", {reading.beyond} scored beside them" if reading.beyond else ""
    for name, rate in reading.rates.items():
        one = rate.scored
        text = f"  {name.replace('top', 'top-')}  {one.value:6.2f} %   95 % interval {one.low:.2f} to {one.high:.2f}"
        if reading.missing:
            text += f"   with all {len(reading.missing)} missing wrong {rate.low:.2f}, all right {rate.high:.2f}"
        told.append(text)
    told += [f"  {note}" for note in reading.notes]
    told += [f"  missing: {one}" for one in reading.missing[:_SHOWN]]
    if len(reading.missing) > _SHOWN:
        told.append(f"  ... and {len(reading.missing) - _SHOWN} more")
    return told


def render_comparison(found: Compared, a: Scores, b: Scores) -> Sequence[str]:
    """The two accuracies, their difference and McNemar's test, as text."""
    names = [_name(scores, letter) for scores, letter in ((a, "A"), (b, "B"))]
    width = max(map(len, names))
    beside = [f"{count} only in {letter}" for count, letter in zip(found.alone, "AB", strict=True) if count]
    one = found.difference
    return [
        f"{found.videos} videos in both" + (f"; {', '.join(beside)}" if beside else ""),
        *(f"  {name:<{width}}  top-1 {rate:6.2f} %" for name, rate in zip(names, found.top1, strict=True)),
        f"  B - A {one.value:+.2f} points   95 % interval {one.low:+.2f} to {one.high:+.2f} ({one.method})",
        f"  right in A alone {found.only[0]}, in B alone {found.only[1]}; McNemar, exact: p = {found.p:.2g}",
    ]


def paired_lines(layout: TableSpec, index: Index) -> tuple[str, ...]:
    """Each row from elsewhere minus the best one of this suite on its dataset, in a line."""
    told = []
    for one in beside(layout, index):
        by = one.found.difference
        ends = f"{by.value:+.2f} ({by.low:+.2f} to {by.high:+.2f})"
        test = f"{many(one.found.videos, 'video')}, McNemar p {one.found.p:.2g}"
        told.append(f"{one.label.removesuffix(SIGN)} minus {one.best}: {ends}, {test}")
    return tuple(told)


def _name(scores: Scores, letter: str) -> str:
    elsewhere = scores.about.get("elsewhere")
    told = f"{elsewhere['label']}, from elsewhere" if elsewhere else scores.about.get("dataset", "")
    return f"{letter}  {told}" if told else letter
