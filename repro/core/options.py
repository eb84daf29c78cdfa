"""Options of methods: declared as a dataclass, written as NAME=VALUE, refused where they are not declared.

A declaration is a dataclass whose fields have types, defaults and, as a string below each, their help:

    @dataclass(frozen=True, kw_only=True)
    class Options:
        reduction: int = 4
        \"\"\"Channels over the width of the gate.\"\"\"

Of a class that is named, `module:Class`, the source is read and nothing is imported: this suite's own need torch.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import inspect
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from repro.core.errors import BadOption, UnknownName
from repro.core.files import parse_json
from repro.core.spec import fitting, frozen, told_kind

#: how a declaration is given
Declaration = str | type


@dataclass(frozen=True)
class Declared:
    """One option."""

    name: str
    kind: Any
    """Its type; None where it cannot be read."""
    default: str
    """As written; empty where it has none."""
    help: str


def parsed(pairs: Sequence[str], fix: str = "--method-option relay_distance=2") -> dict[str, Any]:
    """`["relay_distance=2", "ct=null"]` as a dict; values are JSON where they can be, else text."""
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise BadOption(f"option {pair!r} has no '='", allowed="NAME=VALUE", fix=fix)
        try:
            value = parse_json(text)
        except ValueError:
            value = {"True": True, "False": False, "None": None}.get(text, text)
        found[key] = plain(value)
    return found


def plain(value: Any) -> Any:
    """Lists as the tuples that a spec holds."""
    return tuple(map(plain, value)) if isinstance(value, list) else value


def name_and_options(text: str) -> tuple[str, dict[str, Any]]:
    """`tgate:reduction=4,kernel=3` as a name and its options."""
    name, colon, rest = text.partition(":")
    if not colon:
        return name, {}
    return name, parsed(re.split(r",(?=\s*[A-Za-z_]\w*=)", rest), fix=f"{name}:NAME=VALUE,NAME=VALUE")


def resolved(owner: str, declaration: Declaration | None, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a spec holds of the options that are given: those of a user's class with the defaults of the rest.

    `BadOption` for one that is not declared, with the nearest name, or whose value is of another type.
    """
    if declaration is None:
        if given:
            fix = f"methods.register({owner.rpartition(' ')[2]!r}, options=Options), a dataclass, as README shows"
            raise BadOption(f"{owner} declares no option, and is given {', '.join(given)}", fix=fix)
        return frozen()
    known = {one.name: one for one in declared(declaration)}
    for name, value in given.items():
        if name not in known:
            near = UnknownName("option", name, known).near
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            listed = ", ".join(f"{one.name}={one.default}" for one in known.values())
            fix = f"python -m repro list {owner.rpartition(' ')[2]}"
            raise BadOption(f"{owner} has no option {name!r}{hint}", allowed=listed or "none", fix=fix)
        kind = known[name].kind
        if kind is not None and not fitting(kind)(value):
            raise BadOption(f"{owner}: {name} {value!r} is not possible", allowed=told_kind(kind))
    if isinstance(declaration, str):
        return frozen(given)
    return frozen(_with_defaults(owner, declaration, given))


def _with_defaults(owner: str, declaration: type, given: Mapping[str, Any]) -> dict[str, Any]:
    made = {}
    for field in dataclasses.fields(declaration):
        if field.name in given:
            made[field.name] = given[field.name]
        elif field.default is not dataclasses.MISSING:
            made[field.name] = plain(field.default)
        elif field.default_factory is not dataclasses.MISSING:
            made[field.name] = plain(field.default_factory())
        else:
            raise BadOption(f"{owner}: option {field.name!r} has no default and is not given")
    return made


@cache
def declared(declaration: Declaration) -> tuple[Declared, ...]:
    """The options of a declaration, in its order."""
    if isinstance(declaration, str):
        module, _, name = declaration.partition(":")
        return tuple(_read(_source(module), name))
    if not dataclasses.is_dataclass(declaration):
        raise BadOption(f"options {declaration!r}", allowed="a dataclass")
    told = {one.name: one for one in _read(_text_of(declaration), declaration.__name__)}
    try:
        kinds = typing.get_type_hints(declaration)
    except NameError:
        kinds = {}
    return tuple(
        Declared(
            field.name, kinds.get(field.name), _default(field), told[field.name].help if field.name in told else ""
        )
        for field in dataclasses.fields(declaration)
    )


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default is not dataclasses.MISSING:
        return str(field.default)
    return "" if field.default_factory is dataclasses.MISSING else str(field.default_factory())


def _source(module: str) -> str:
    found = importlib.util.find_spec(module)
    assert found is not None and found.origin is not None, f"{module} is a module of this suite"
    return Path(found.origin).read_text(encoding="utf-8")


def _text_of(declaration: type) -> str:
    """The source around a class; empty where there is none, as in an interpreter."""
    try:
        return Path(inspect.getsourcefile(declaration) or "").read_text(encoding="utf-8")
    except (OSError, TypeError):
        return ""


def _read(source: str, name: str) -> Iterable[Declared]:
    body = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef) and node.name == name]
    lines = body[0].body if body else []
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        if not isinstance(line, ast.AnnAssign) or not isinstance(line.target, ast.Name):
            continue
        told = after.value if isinstance(after, ast.Expr) else None
        words = told.value if isinstance(told, ast.Constant) and isinstance(told.value, str) else ""
        default = "" if line.value is None else _literal(line.value)
        yield Declared(line.target.id, _kind(ast.unparse(line.annotation)), default, " ".join(words.split()))


def _literal(node: ast.expr) -> str:
    try:
        return str(ast.literal_eval(node))
    except ValueError:
        return ast.unparse(node)


def _kind(annotation: str) -> Any:
    """The type that plain words mean: `int | None`, `tuple[str, ...]`; None for any other."""
    names = {one.__name__: one for one in (int, float, bool, str, tuple)}
    words = set(re.findall(r"[A-Za-z_.]\w*", annotation)) - {"None"}
    return eval(annotation, {"__builtins__": {}, **names}) if words <= {*names, "..."} else None
