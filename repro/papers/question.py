"""A primary question of a table: declared in its file before anything is run, with its seeds and its width.

    [questions.ct_reads_order]
    asks = "Does CT alone read the order of frames?"
    arms = ["ct_bn2", "baseline"]
    probe = "probe-order"

The answer is the first arm minus the second, seed by seed. With `points` something varies: the answer is then the
fitted change of that difference (of the only arm's value, where there is one) from the first point to the last; at a
single point it is the difference there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro.core.errors import BadOption

#: trainings of one question, at the most
BUDGET = 40
#: what `points` can be of, besides an option of the arms' method
BATCH, GRADE = "batch", "grade"


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked of one or two rows, on which runs, and how precisely it has to be answered."""

    table: str
    """Full name of the table that declares it."""
    key: str
    asks: str
    arms: tuple[str, ...]
    """One row or two, of this table or as `TABLE/ROW` of another."""
    labels: tuple[str, ...] = ()
    """What the arms are called, where their rows are called something else."""
    probe: str = ""
    """The small dataset on which the arms' small forms are trained; or"""
    cell: str = ""
    """a cell that the arms' rows have."""
    vary: str = ""
    """What the points are of: `batch`; `grade`, parts of the test videos; or an option of the arms' method."""
    points: tuple[Any, ...] = ()
    seeds: int = 10
    """0 to seeds - 1, of every arm."""
    width: float = 2.0
    """The widest 95 % interval over the seeds (from end to end) with which it counts as answered."""
    metric: str = "top1"
    """A number of the results, or the quotient of two."""
    unit: str = "points"
    digits: int = 1
    says: str = ""
    """What the paper's words amount to here: higher, lower; empty where it says neither."""
    chosen: str = ""
    """How what is its own was chosen; a probe's own words stand beside it."""
    waits: str = ""
    """What has to be chosen before it can be run; empty: nothing."""

    @property
    def full_name(self) -> str:
        """paper/table/key."""
        return f"{self.table}/{self.key}"

    @property
    def paper(self) -> str:
        """Whose family of questions it belongs to."""
        return self.table.partition("/")[0]

    @property
    def own_rows(self) -> tuple[str, ...]:
        """The arms that are rows of its own table."""
        return tuple(arm for arm in self.arms if "/" not in arm)


def question(key: str, facts: Mapping[str, Any], table: str) -> Question:
    """What a file says of one; `BadOption` where it says what cannot be asked."""
    made = {**facts, **{name: tuple(facts.get(name, ())) for name in ("arms", "labels", "points")}}
    if not made.get("asks") or not 1 <= len(made["arms"]) <= 2:
        raise BadOption(f"question {key!r}", allowed="asks, and one arm or two")
    if bool(made.get("probe")) == bool(made.get("cell")):
        raise BadOption(f"question {key!r} names {made.get('probe') or 'no runs'}", allowed="probe, or cell")
    if bool(made.get("vary")) != bool(made["points"]):
        raise BadOption(f"question {key!r}: points of {made.get('vary') or 'nothing'}", allowed="vary, and points")
    if len(made["arms"]) == 1 and len(made["points"]) < 2:
        raise BadOption(f"question {key!r} has one arm", allowed="two arms, or points along which one varies")
    if made.get("says", "") not in ("", "higher", "lower"):
        raise BadOption(f"question {key!r} says {made['says']!r}", allowed="higher, lower")
    found = Question(table=table, key=key, **made)
    trainings = found.seeds * len(found.arms) * (len(found.points) if found.vary not in ("", GRADE) else 1)
    if found.seeds < 2 or trainings > BUDGET:
        raise BadOption(f"question {key!r} takes {trainings} trainings", allowed=f"two seeds or more, {BUDGET} at most")
    return found
