"""A comparison of rows: what tables ask and papers claim, held against print and against runs over seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro.core.errors import BadOption


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Whether row `better` of a table has more than row `worse`, as printed and over the seeds of a cell.

    With `points` instead: whether the difference of such pairs grows or falls along a number.
    """

    table: str
    """Full name: dnr/table6."""
    better: str = ""
    """Row key; of a row of another table `TABLE/ROW`, for print alone."""
    worse: str = ""
    beyond: tuple[str, str] | None = None
    """A second pair (better, worse), whose difference the first one's has to exceed: an effect that grows."""
    cell: str = ""
    """Whose runs are compared; empty: print alone decides."""
    metric: str = "top1"
    """A number of the results, or the quotient of two: `cost.mean.reuse / cost.mean.keep`."""
    worse_cell: str = ""
    """Cell of `worse`, if it is another one."""
    worse_metric: str = ""
    """Metric of `worse`, if it is another one."""
    beyond_cell: str = ""
    """Cell of the second pair, if it is another one."""
    printed: bool = True
    """Whether a claim is held against the printed top-1 too."""
    asks: str = ""
    """The question under the table, or the title of a trend."""
    points: tuple[tuple[float, str, str], ...] = ()
    """(number, better, worse), two or more."""
    along: str = ""
    """The number's name, in the singular: the slope is told as points for each of it."""
    claim: str = ""
    """What the paper says of the slope."""
    sign: int = 1
    """The sign of the slope that this means: 1 or -1."""

    @property
    def rows(self) -> tuple[str, ...]:
        """All rows, each pair as better and worse."""
        pairs = [row for _, *pair in self.points for row in pair]
        return tuple(pairs) if pairs else (self.better, self.worse, *(self.beyond or ()))


def comparison(facts: Mapping[str, Any], table: str = "") -> Comparison:
    """What a file says of one; `BadOption` where it says too little."""
    made = {"table": table, **facts}
    points, beyond = made.get("points", ()), made.get("beyond")
    numbers = [point[0] for point in points if len(point) == 3 and isinstance(point[0], int | float)]
    if len(numbers) < len(points) or (beyond is not None and len(beyond) != 2):
        raise BadOption(
            "a comparison's points or rows", allowed="points [NUMBER, BETTER, WORSE], beyond [BETTER, WORSE]"
        )
    if not made["table"] or (len(points) < 2 and not (made.get("better") and made.get("worse"))):
        raise BadOption(f"a comparison of {dict(facts)}", allowed="a table and rows: better and worse, or two points")
    if made.get("sign", 1) not in (-1, 1):
        raise BadOption(f"sign {made['sign']} of a comparison", allowed="1, -1")
    made["points"] = tuple((float(x), str(a), str(b)) for x, a, b in points)
    return Comparison(**{**made, "beyond": tuple(beyond) if beyond else None})
