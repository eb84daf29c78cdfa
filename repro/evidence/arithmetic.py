"""Arithmetic on printed and measured numbers, written as text that a reader can check: `a - b >= 5.59`.

A printed number is `PAPER.TABLE.ROW.COLUMN` of `results/published`, e.g. `dnr.table2.tsn_resnet50_dnr.top1`. A measured
one is `here.PAPER.TABLE.ROW["CELL"]["PATH"]`, the mean over seeds of a number in that cell's records. Beside them stand
numbers, `+ - * /`, brackets, `min max abs mean`, comparisons and `and`. All is decimal: 78.39 - 72.80 is 5.59.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, DivisionByZero, InvalidOperation

from repro.core.errors import BadOption

#: what is looked up: the parts of a reference -> its number, or None where nothing is printed or measured
Lookup = Callable[[Sequence[str]], Decimal | None]

_BINARY = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_SIGNS = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=", ast.NotEq: "!="}


def _mean(*values: Decimal) -> Decimal:
    return sum(values, Decimal(0)) / len(values)


_FUNCTIONS: dict[str, Callable[..., Decimal]] = {"min": min, "max": max, "abs": abs, "mean": _mean}


class _Missing(Exception):
    """A reference has no number."""


@dataclass(frozen=True)
class Outcome:
    """What a statement comes to."""

    holds: bool | None
    """None where a number is missing."""
    told: str
    """The statement with its numbers in place."""
    missing: tuple[str, ...] = ()


def evaluate(statement: str, lookup: Lookup) -> Outcome:
    """Whether a comparison holds. A statement that is no comparison, or no arithmetic at all, is a `BadOption`."""
    reader = _Reader(statement, lookup)
    outcomes = [reader.compare(part) for part in compares(statement)]
    holds = None if reader.missing else all(held for held, _ in outcomes)
    return Outcome(holds, "; ".join(told for _, told in outcomes), tuple(reader.missing))


def value(expression: str, lookup: Lookup) -> Outcome:
    """What arithmetic without a comparison comes to, told with its numbers in place; `holds` is None."""
    reader = _Reader(expression, lookup)
    return Outcome(None, reader.told(_parsed(expression)), tuple(reader.missing))


def compares(statement: str) -> list[ast.Compare]:
    """The comparisons of a statement, all of which have to hold; anything else is a `BadOption`."""
    tree = _parsed(statement)
    parts = tree.values if isinstance(tree, ast.BoolOp) and isinstance(tree.op, ast.And) else [tree]
    for part in parts:
        if not isinstance(part, ast.Compare):
            raise BadOption(f"{ast.unparse(part)!r} is no comparison", allowed="a < b, a <= b, a == b, a != b")
    return [part for part in parts if isinstance(part, ast.Compare)]


def _parsed(statement: str) -> ast.expr:
    try:
        return ast.parse(statement.strip(), mode="eval").body
    except SyntaxError as error:
        raise BadOption(f"statement {statement!r}: {error.msg}", allowed="arithmetic and comparisons") from None


class _Reader:
    """One pass over one statement."""

    def __init__(self, text: str, lookup: Lookup) -> None:
        self.text, self.lookup, self.missing = text, lookup, list[str]()

    def told(self, node: ast.expr) -> str:
        """How an expression reads with numbers, and its value."""
        return self._side(node)[1]

    def compare(self, node: ast.Compare) -> tuple[bool, str]:
        """Whether one comparison holds, and how it reads with numbers."""
        sides = [self._side(side) for side in [node.left, *node.comparators]]
        signs = [_SIGNS.get(type(op), "?") for op in node.ops]
        told = sides[0][1] + "".join(f" {sign} {side[1]}" for sign, side in zip(signs, sides[1:], strict=True))
        numbers = [side[0] for side in sides]
        held = all(
            left is not None and right is not None and _comparison(op)(left, right)
            for op, left, right in zip(node.ops, numbers, numbers[1:], strict=False)
        )
        return held, told

    def _side(self, node: ast.expr) -> tuple[Decimal | None, str]:
        number: Decimal | None
        try:
            number, told = self._number(node)
        except _Missing:
            return None, ast.unparse(node)
        except (DivisionByZero, InvalidOperation):
            raise BadOption(f"{ast.unparse(node)!r} divides by zero") from None
        simple = isinstance(node, (ast.Constant, ast.Attribute, ast.Subscript, ast.UnaryOp))
        return number, told if simple else f"{told} (= {_short(number)})"

    def _number(self, node: ast.expr) -> tuple[Decimal, str]:
        match node:
            case ast.Constant(value=int() | float()):
                text = ast.get_source_segment(self.text.strip(), node) or str(node.value)
                return Decimal(text), text
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                number, told = self._number(operand)
                return -number, f"-{told}"
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
                (a, told_a), (b, told_b) = self._number(left), self._number(right)
                sign = {ast.Add: "+", ast.Sub: "-", ast.Mult: "x", ast.Div: "/"}[type(op)]
                return _BINARY[type(op)](a, b), f"{_bracket(left, told_a)} {sign} {_bracket(right, told_b)}"
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS and args:
                values = [self._number(arg) for arg in args]
                told = ", ".join(told for _, told in values)
                return _FUNCTIONS[name](*(number for number, _ in values)), f"{name}({told})"
            case ast.Attribute() | ast.Subscript():
                return self._cell(node)
        raise BadOption(f"{ast.unparse(node)!r} is not understood", allowed="cells, numbers, + - * /, min max abs mean")

    def _cell(self, node: ast.expr) -> tuple[Decimal, str]:
        parts = parts_of(node)
        number = self.lookup(parts)
        if number is None:
            self.missing.append(".".join(parts))
            raise _Missing
        return number, _short(number)


def _comparison(op: ast.cmpop) -> Callable[[Decimal, Decimal], bool]:
    if type(op) not in _COMPARE:
        raise BadOption(f"comparison {type(op).__name__!r} is not understood", allowed=", ".join(_SIGNS.values()))
    return _COMPARE[type(op)]


def parts_of(node: ast.expr) -> tuple[str, ...]:
    """What a reference names: `dnr.table2.tsn.top1` as its four parts."""
    match node:
        case ast.Name(id=name):
            return (name,)
        case ast.Attribute(value=value, attr=name):
            return (*parts_of(value), name)
        case ast.Subscript(value=value, slice=ast.Constant(value=str() as name)):
            return (*parts_of(value), name)
    raise BadOption(f"{ast.unparse(node)!r} names no cell", allowed='PAPER.TABLE.ROW.COLUMN, or ["name"] for odd names')


def _bracket(node: ast.expr, told: str) -> str:
    return f"({told})" if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)) else told


def _short(number: Decimal) -> str:
    """At most five significant digits behind what is needed; printed numbers keep theirs."""
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and -exponent <= 4:
        return f"{number:f}"
    return f"{float(number):.5g}"
