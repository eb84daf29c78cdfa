"""What a cell says of the number that a paper prints: one of a few words, with the arithmetic. Pure; no torch.

A count (parameters, GFLOPs) is exact: the nearest of its counters has the printed digits (`=`) or has not (`≠`); what
depends on data that is not here needs data. An accuracy is one draw: the printed one is held against the spread of our
seeds, the size of the test set and the printed digits; measured by another protocol, on other data, by one seed or by
seeds that spread too far it is not comparable, and the verdict says why. A printed gain is the difference of two single
runs: `?` stands behind one that two such runs may differ by. What is measured here on both sides has an interval and no
verdict: only declared questions (`evidence.questions`) are answered.

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
from repro.evidence.stats import prediction_interval, wilson_interval
from repro.papers.published import Value

Word = Literal["reproduced", "differs", "data", "incomparable", "within", "beyond", "forbidden"]

#: word -> what it means, in the order of a report
WORDS: dict[Word, str] = {
    "reproduced": "reproduced",
    "differs": "differs",
    "data": "needs data",
    "incomparable": "not comparable",
    "within": "within what two single runs may differ by",
    "beyond": "beyond what two single runs may differ by",
    "forbidden": "less time for more work, not explained",
}
EQUAL, UNEQUAL, DOUBT, UNEXPLAINED = "=", "≠", "?", "<1"
LEGEND = (
    f"beside print: {EQUAL} the count has the printed digits, {UNEQUAL} it has not; {DOUBT} behind a printed gain: two "
    f"single runs may differ by as much; {UNEXPLAINED} behind a ratio of times: less time for more work; no sign: "
    "nothing to compare with"
)


@dataclass(frozen=True)
class Verdict:
    """A word and, in a sentence, why."""

    word: Word
    told: str
    value: float | None = None
    """Of a count: the one of ours that is nearest to print."""
    sign: str = ""
    """Behind the value: of a count or a printed gain a sign, of an accuracy the word; empty where there is none."""

    @property
    def full(self) -> str:
        """Both in one line."""
        return f"{WORDS[self.word]}: {self.told}"


def tally(verdicts: Iterable[Verdict | None]) -> dict[Word, int]:
    """How many cells have each word, in the order of `WORDS`, those without any left out."""
    counted = Counter(verdict.word for verdict in verdicts if verdict is not None)
    return {word: counted[word] for word in WORDS if counted[word]}


def of_count(counted: Mapping[str, float], printed: Value, at: str, why: str = "") -> Verdict:
    """A printed count beside the nearest of what was `counted`, by counter: equal when rounded to the printed digits.

    `at`: the input, or what else it is of; `why` explains a difference.
    """
    number, digits = _number(printed), printed.digits
    name = min(counted, key=lambda counter: abs(counted[counter] - number))
    others = "".join(f", {other} {counted[other]:.{digits + 2}f}" for other in counted if other != name)
    told = f"{counted[name]:.{digits + 2}f} by {name}{others}; {at}"
    if round(counted[name], digits) == number:
        return Verdict("reproduced", f"{told}; {printed.text} printed", counted[name], EQUAL)
    told += f"; {printed.text} printed: {counted[name] - number:+.{max(digits, 2)}f}"
    return Verdict("differs", f"{told}; {why}" if why else f"{told}, not explained", counted[name], UNEQUAL)


def of_accuracy(measured: Sequence[float], videos: int, printed: Value, protocol: Sequence[str] = ()) -> Verdict:
    """Accuracies in percent, one a seed, on `videos` test videos, beside a printed single run on the same split.

    `protocol`: what differs from the paper's protocol; with anything there the two cannot be compared. Reproduced: the
    printed run is no further off than chance alone makes two single runs. Differs: it is further off than that,
    and than the next of our runs would be (95 % prediction interval over the seeds). Seeds that spread over more than
    chance gives compare with nothing.
    """
    number, mean = _number(printed), float(np.mean(measured))
    seeds = f"{len(measured)} seeds" if len(measured) > 1 else "one seed"
    off = f"{mean:.2f} here ({seeds}), {printed.text} printed: {mean - number:+.2f} points"
    if protocol:
        return Verdict("incomparable", f"{off}; the protocol differs: {'; '.join(protocol)}")
    chance = single_runs((mean, number), videos).margin + _half_unit(printed)
    if len(measured) < 2:
        told = f"{off}, chance may give ±{chance:.2f} ({videos:,} test videos; one run's deviation {RUN_DEVIATION})"
        if abs(mean - number) > chance:
            return _accuracy("differs", told)
        return Verdict("incomparable", f"{told}; one seed reproduces nothing")
    ahead = prediction_interval(np.asarray(measured, float))
    reach = (ahead.high - ahead.low) / 2 + _half_unit(printed)
    told = f"{off}, the next run may be ±{reach:.2f} off (95 %), chance alone gives ±{chance:.2f}"
    if abs(mean - number) > max(reach, chance):
        return _accuracy("differs", told)
    if reach > chance:
        return Verdict("incomparable", f"{told}; the seeds spread too far")
    return _accuracy("reproduced", told)


def _accuracy(word: Word, told: str) -> Verdict:
    return Verdict(word, told, sign=word)


def of_gain(here: float, there: float, doubt: Doubt) -> Verdict:
    """A printed gain `here - there` of two single runs: within what chance alone may give them, or beyond."""
    ends = [wilson_interval(round(value * doubt.videos / 100), doubt.videos) for value in (here, there)]
    spans = " and ".join(f"{end.low:.2f} to {end.high:.2f}" for end in ends)
    told = f"{doubt.told()}; from the size of the test set alone (Wilson) the two top-1 are {spans}"
    return Verdict("beyond", told) if doubt.decided else Verdict("within", told, sign=DOUBT)


def _number(printed: Value) -> float:
    if printed.number is None:
        raise ValueError(f"printed {printed.text!r} is no number")
    return printed.number


def _half_unit(printed: Value) -> float:
    return 0.5 * 10.0**-printed.digits
