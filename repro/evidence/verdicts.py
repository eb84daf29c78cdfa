"""What a cell says of the number that a paper prints: one of a few words, with the arithmetic. Pure; no torch.

A count (parameters, GFLOPs) is exact: the nearest of its counters has the printed digits or it has not; what depends on
data that is not here needs data. An accuracy is one draw: the printed one is held against the spread of our seeds, the
size of the test set and the printed digits. A printed gain is the difference of two single runs, held against what
chance alone may give two such runs: within that noise, or beyond it, which says that there is a difference and not that
it was found again; so is a gain that was measured here, by the interval over the seeds of both networks. What was
measured by another protocol, on other data or on another device is not held against print at all, and the verdict says
what differs.

For a front page: `Table.verdicts` (repro.report.table) is `tally` of one table's cells; add the counters of several
tables, show them in the order of `WORDS`, spelled out by it. `Cell.verdict` is a cell's own, or None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repro.evidence.noise import RUN_DEVIATION, Doubt, single_runs
from repro.evidence.stats import Interval, prediction_interval, wilson_interval
from repro.papers.published import Value

Word = Literal["reproduced", "differs", "data", "noise", "clear", "incomparable"]

#: word -> what it means, in the order of a report
WORDS: dict[Word, str] = {
    "reproduced": "reproduced",
    "differs": "differs",
    "data": "needs data",
    "noise": "within the noise of one run",
    "clear": "beyond the noise of one run",
    "incomparable": "cannot be compared",
}
#: word -> sign behind a value in a table
SIGNS: dict[Word, str] = {"reproduced": "=", "differs": "≠", "data": "", "noise": "≈", "clear": "", "incomparable": ""}
LEGEND = (
    "beside print: = reproduced, ≠ differs, ≈ within what chance gives single runs; no sign: "
    "nothing to compare with, or not comparable"
)


@dataclass(frozen=True)
class Verdict:
    """A word and, in a sentence, why."""

    word: Word
    told: str
    value: float | None = None
    """Of a count: the one of ours that is nearest to print."""

    @property
    def sign(self) -> str:
        """Behind the value; empty where a sign would say nothing."""
        return SIGNS[self.word]

    @property
    def full(self) -> str:
        """Both in one line."""
        return f"{WORDS[self.word]}: {self.told}"


def tally(verdicts: Iterable[Verdict | None]) -> dict[Word, int]:
    """How many cells have each word, in the order of `WORDS`, those without any left out."""
    counted = Counter(verdict.word for verdict in verdicts if verdict is not None)
    return {word: counted[word] for word in WORDS if counted[word]}


def nearest(counted: Mapping[str, float], printed: Value) -> str:
    """The counter whose number is nearest to the printed one."""
    return min(counted, key=lambda name: abs(counted[name] - _number(printed)))


def of_count(counted: Mapping[str, float], printed: Value, at: str, why: str = "") -> Verdict:
    """A printed count beside the nearest of what was `counted`, by counter: equal when rounded to the printed digits.

    `at`: the input, or what else it is of; `why` explains a difference.
    """
    number, digits, name = _number(printed), _digits(printed), nearest(counted, printed)
    others = "".join(f", {other} {counted[other]:.{digits + 2}f}" for other in counted if other != name)
    told = f"{counted[name]:.{digits + 2}f} by {name}{others}; {at}"
    if round(counted[name], digits) == number:
        return Verdict("reproduced", f"{told}; {printed.text} printed", counted[name])
    told += f"; {printed.text} printed: {counted[name] - number:+.{max(digits, 2)}f}"
    return Verdict("differs", f"{told}; {why}" if why else f"{told}, not explained", counted[name])


def of_accuracy(measured: Sequence[float], videos: int, printed: Value, protocol: Sequence[str] = ()) -> Verdict:
    """Accuracies in percent, one a seed, on `videos` test videos, beside a printed single run on the same split.

    `protocol`: what differs from the paper's protocol; with anything there the two cannot be compared. Reproduced: the
    printed run lies where the next of our runs would (95 % prediction interval over the seeds), and that interval is
    no wider than chance alone makes two single runs. Inside a wider interval, or with one seed inside that of chance,
    nothing is shown.
    """
    number, mean = _number(printed), float(np.mean(measured))
    off = f"{mean:.2f} here ({_seeds(len(measured))}), {printed.text} printed: {mean - number:+.2f} points"
    if protocol:
        return Verdict("incomparable", f"{off}; the protocol differs: {'; '.join(protocol)}")
    chance = single_runs((mean, number), videos).margin + _half_unit(printed)
    if len(measured) < 2:
        told = f"{off}, chance may give ±{chance:.2f} ({videos:,} test videos; one run's deviation {RUN_DEVIATION})"
        return Verdict("noise" if abs(mean - number) <= chance else "differs", told)
    ahead = prediction_interval(np.asarray(measured, float))
    reach = (ahead.high - ahead.low) / 2 + _half_unit(printed)
    told = f"{off}, the next run may be ±{reach:.2f} off (95 %), chance alone gives ±{chance:.2f}"
    if abs(mean - number) <= min(reach, chance):
        return Verdict("reproduced" if reach <= chance else "noise", told)
    return Verdict("noise" if abs(mean - number) <= max(reach, chance) else "differs", told)


def of_gain(here: float, there: float, doubt: Doubt) -> Verdict:
    """A printed gain `here - there` of two single runs: within what chance alone may give them, or beyond."""
    ends = [wilson_interval(round(value * doubt.videos / 100), doubt.videos) for value in (here, there)]
    spans = " and ".join(f"{end.low:.2f} to {end.high:.2f}" for end in ends)
    told = f"{doubt.told()}; from the size of the test set alone (Wilson) the two top-1 are {spans}"
    return Verdict("clear" if doubt.decided else "noise", told)


def of_seeds(gain: Interval, seeds: tuple[int, int]) -> Verdict:
    """A gain that was measured here, as the seeds of both networks leave it."""
    told = f"{gain.value:+.2f} points, 95 % interval {gain.low:+.2f} to {gain.high:+.2f}"
    return Verdict("clear" if gain.excludes(0.0) else "noise", f"{told} over {seeds[0]} and {seeds[1]} seeds")


def incomparable(*differences: str) -> Verdict:
    """Measured on other data, by another protocol or on another device than print."""
    return Verdict("incomparable", "; ".join(differences))


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"


def _number(printed: Value) -> float:
    if printed.number is None:
        raise ValueError(f"printed {printed.text!r} is no number")
    return printed.number


def _digits(printed: Value) -> int:
    return len(printed.text.partition(".")[2])


def _half_unit(printed: Value) -> float:
    return 0.5 * 10.0 ** -_digits(printed)
