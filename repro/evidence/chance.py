"""What chance allows of a printed statement on accuracies: it, or its failure, lies beyond what single runs may do, or
within.

A statement of `repro.evidence.arithmetic` is taken apart into inequalities of sums of printed top-1 and top-5. Each has
a slack, how far it is from not holding any more (from holding, if it fails), and a margin, what the noise of its runs
may add up to. `min` and `max` make several of one; the least sure decides. An equation is held against no difference
at all: of a gain that a sentence tells, whether there is one. The threshold is the sentence's own: `a - b > 2` has the
slack a - b - 2.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from repro.evidence.arithmetic import Lookup, compares, parts_of
from repro.evidence.noise import RUN_DEVIATION, TEST_VIDEOS, margin_of

RATES = ("top1", "top5")
Parts = tuple[str, ...]
#: a cell of an accuracy -> the dataset that it was tested on; empty where the table does not say
Dataset = Callable[[Parts], str]


@dataclass(frozen=True)
class Chance:
    """One statement, by its least sure part."""

    word: Literal["beyond", "within"]
    told: str


@dataclass(frozen=True)
class _Sum:
    """A constant, and accuracies with the factors that they are counted with."""

    constant: Decimal
    terms: tuple[tuple[Parts, Decimal], ...] = ()

    def plus(self, other: _Sum, sign: int = 1) -> _Sum:
        factors = dict(self.terms)
        for parts, factor in other.terms:
            factors[parts] = factors.get(parts, Decimal(0)) + sign * factor
        kept = tuple((parts, factor) for parts, factor in factors.items() if factor)
        return _Sum(self.constant + sign * other.constant, kept)

    def times(self, factor: Decimal) -> _Sum:
        return _Sum(self.constant * factor, tuple((parts, own * factor) for parts, own in self.terms))


@dataclass(frozen=True)
class _Value:
    """The least of some sums, or the greatest; of one, both."""

    of: Literal["min", "max"]
    sums: tuple[_Sum, ...]

    def negative(self) -> _Value:
        return _Value("max" if self.of == "min" else "min", tuple(one.times(Decimal(-1)) for one in self.sums))

    def plus(self, other: _Value) -> _Value:
        alone = [value for value in (self, other) if len(value.sums) == 1]
        if not alone and self.of != other.of:
            raise _NotASum
        of = other.of if len(self.sums) == 1 else self.of
        return _Value(of, tuple(one.plus(two) for one in self.sums for two in other.sums))


class _NotASum(Exception):
    """Products of accuracies, or a least of greatest: nothing is said of them."""


def chance(statement: str, lookup: Lookup, dataset: Dataset) -> Chance | None:
    """What chance allows; None where no accuracy is compared, one is not printed, or a test set is not known."""
    try:
        found = [part for one in compares(statement) for part in _inequalities(one, lookup)]
    except _NotASum:
        return None
    read = [_read(*one, lookup, dataset) for one in found if any(part.terms for part in one[1].sums)]
    known = [one for one in read if one is not None]
    if not known or len(known) < len(read):
        return None
    return min(known, key=lambda one: one.word == "beyond")


def _inequalities(node: ast.Compare, lookup: Lookup) -> list[tuple[bool, _Value]]:
    """(whether it is an equation, what has to be above 0) of each comparison of a chain."""
    sides = [_value(side, lookup) for side in (node.left, *node.comparators)]
    found = []
    for op, left, right in zip(node.ops, sides, sides[1:], strict=False):
        equal = isinstance(op, ast.Eq | ast.NotEq)
        if equal and not any(one.terms for one in right.sums):
            right = _Value("min", (_Sum(Decimal(0)),))
        up = equal or isinstance(op, ast.Gt | ast.GtE)
        found.append((equal, left.plus(right.negative()) if up else right.plus(left.negative())))
    return found


def _value(node: ast.expr, lookup: Lookup) -> _Value:
    match node:
        case ast.Constant(value=int() | float() as constant):
            return _one(_Sum(Decimal(str(constant))))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _value(operand, lookup).negative()
        case ast.BinOp(left=left, op=op, right=right):
            return _operation(op, _value(left, lookup), _value(right, lookup))
        case ast.Call(func=ast.Name(id=name), args=args):
            return _call(name, [_value(arg, lookup) for arg in args])
    parts = parts_of(node)
    number = lookup(parts)
    if number is None:
        raise _NotASum
    return _one(_Sum(Decimal(0), ((parts, Decimal(1)),)) if parts[-1] in RATES else _Sum(number))


def _one(only: _Sum) -> _Value:
    return _Value("min", (only,))


def _operation(op: ast.operator, left: _Value, right: _Value) -> _Value:
    if isinstance(op, ast.Add | ast.Sub):
        return left.plus(right if isinstance(op, ast.Add) else right.negative())
    if any(one.terms for one in right.sums) and isinstance(op, ast.Mult):
        left, right = right, left
    if len(right.sums) > 1 or right.sums[0].terms or len(left.sums) > 1:
        raise _NotASum
    by = right.sums[0].constant
    return _one(left.sums[0].times(by if isinstance(op, ast.Mult) else 1 / by))


def _call(name: str, values: Sequence[_Value]) -> _Value:
    sums = tuple(one for value in values for one in value.sums)
    if name == "abs" and len(sums) == 1:
        return _Value("max", (sums[0], sums[0].times(Decimal(-1))))
    if name == "mean" and all(len(value.sums) == 1 for value in values):
        total = sums[0]
        for one in sums[1:]:
            total = total.plus(one)
        return _one(total.times(1 / Decimal(len(sums))))
    if name not in ("min", "max") or any(len(value.sums) > 1 and value.of != name for value in values):
        raise _NotASum
    return _Value("min" if name == "min" else "max", sums)


def _read(equal: bool, value: _Value, lookup: Lookup, dataset: Dataset) -> Chance | None:
    """Of one inequality `value > 0`: by the sum that decides it."""
    sized = [(_slack(one, lookup), _margin(one, lookup, dataset), one) for one in value.sums if one.terms]
    if any(margin is None for _, margin, _ in sized):
        return None
    ratios = [(slack / margin, slack, margin, one) for slack, margin, one in sized if margin]
    if equal:
        decides = min(ratios, key=lambda part: abs(part[0]))
    else:
        decides = (min if value.of == "min" else max)(ratios, key=lambda part: part[0])
    _, slack, margin, one = decides
    word: Literal["beyond", "within"] = "beyond" if abs(slack) > margin else "within"
    return Chance(word, _told(one, slack, margin, word, lookup, dataset))


def _slack(one: _Sum, lookup: Lookup) -> float:
    return float(one.constant + sum(factor * (lookup(parts) or Decimal(0)) for parts, factor in one.terms))


def _margin(one: _Sum, lookup: Lookup, dataset: Dataset) -> float | None:
    """Half-width of the 95 % interval that the noise of these single runs makes; None of an unknown test set."""
    if any(dataset(parts) not in TEST_VIDEOS for parts, _ in one.terms):
        return None
    return margin_of(
        (float(factor), float(lookup(parts) or 0), TEST_VIDEOS[dataset(parts)][0]) for parts, factor in one.terms
    )


def _told(one: _Sum, slack: float, margin: float, word: str, lookup: Lookup, dataset: Dataset) -> str:
    parts = [f"{'-' if factor < 0 else '+'} {_times(factor)}{lookup(cell)}" for cell, factor in one.terms]
    if one.constant:
        parts.append(f"{'-' if one.constant < 0 else '+'} {abs(one.constant.normalize()):f}")
    parts.sort(key=lambda text: text[0])  # what is added first
    runs = {2: "two", 4: "four"}.get(len(one.terms), str(len(one.terms)))
    videos = ", ".join(f"{TEST_VIDEOS[name][0]:,}" for name in dict.fromkeys(dataset(cell) for cell, _ in one.terms))
    return (
        f"{' '.join(parts).removeprefix('+ ')}: {slack:+.2f} points, {word} the ±{margin:.2f} that {runs} single "
        f"run{'' if runs == '1' else 's'} may give ({videos} test videos; one run's deviation taken as {RUN_DEVIATION})"
    )


def _times(factor: Decimal) -> str:
    return "" if abs(factor) == 1 else f"{abs(factor):.3g} x "
