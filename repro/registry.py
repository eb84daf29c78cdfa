"""Named models, backbones, methods, datasets and tables. Listing them imports no torch: an entry is a string
`module:attribute` until somebody builds it.

A third party adds entries by an entry point in the groups `repro.models`, `repro.backbones`, `repro.methods`,
`repro.datasets`, `repro.tables`, or for one run by `--module my_file.py`, whose decorators register:

    from repro.registry import methods

    @methods.register("mine", summary="my module after each stage")
    def insert(model, options): ...

The object behind an entry point tells its facts (a dataset's `num_classes`, a model's `clip_length`) in a dict of that
name: `open_mine.facts = {"num_classes": 12}`. A method's `options` is a dataclass that declares them
(`repro.core.options`): `insert(model, options)` is given one, and what a user's declares is a part of what is measured.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb
from types import FunctionType, ModuleType
from typing import Any, NoReturn, TypeVar

from repro.core.errors import BadOption, UnknownName
from repro.core.names import MOST_SIGNS, is_name
from repro.core.options import resolved
from repro.core.paths import expand

T = TypeVar("T")

_BUILTIN = ("baselines", "methods", "repro.data.datasets", "repro.papers")
_OWN_PACKAGES = ("repro", "baselines", "methods", "tests")
_state = {"loaded": False}
#: files given by `--module`: path -> sha256; they enter the records of the run
loaded_modules: dict[str, str] = {}
#: the same files -> sha256 with that of the files beside them that they import
_codes: dict[str, str] = {}


@dataclass(frozen=True)
class Entry:
    """One registered thing: where it is, one line about it, and facts that can be told without building it."""

    name: str
    target: str | Callable[..., Any]
    summary: str = ""
    facts: dict[str, Any] = field(default_factory=dict)
    origin: str = "repro"

    def fact(self, name: str, default: Any = None) -> Any:
        """A fact given at registration, else one that a third party's object tells in its own dict `facts`."""
        if name in self.facts or self.origin == "repro":
            return self.facts.get(name, default)
        return getattr(self.load(), "facts", {}).get(name, default)

    def load(self) -> Any:
        """The object itself; imports its module."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            if self.origin == "repro":
                raise
            raise BadOption(
                f"{self.name!r} of package {self.origin} cannot be loaded from {self.target!r}: {error}",
                fix=f"pip install -U {self.origin}",
            ) from error

    @property
    def file(self) -> Path | None:
        """The user's file, or the package's module, that this is defined in; None for the suite's own."""
        if self.origin == "repro":
            return None
        name = self.target.partition(":")[0] if isinstance(self.target, str) else self.target.__module__
        if name.partition(".")[0] == "repro":  # the suite's own code, for a user's data
            return None
        module = sys.modules.get(name)
        try:
            found = module.__file__ if module else getattr(importlib.util.find_spec(name), "origin", None)
        except ImportError:  # of a package that is not there: loading it tells so
            return None
        return Path(found) if found and Path(found).is_file() else None

    def resolved(self, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a spec holds of a method's options; `BadOption` for one that it does not declare."""
        return resolved(f"method {self.name}", self.fact("options"), given)

    @property
    def code(self) -> str:
        """sha256 of that file as it was loaded, with files beside it that it imports; empty for the suite's own."""
        if self.file is None:
            return ""
        return _codes.get(str(self.file)) or hashlib.sha256(self.file.read_bytes()).hexdigest()


class Registry:
    """A plain dict of entries of one kind."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self.otherwise: Callable[[str], Entry | None] = lambda name: None
        """Asked for names that are not registered: a library that has many."""

    def add(
        self, name: str, target: str | Callable[..., Any], summary: str = "", *, origin: str = "repro", **facts: Any
    ) -> None:
        """Register `target` under `name`, which must be one that a record can bear; a table's is `paper/table`. The
        same name twice is refused, unless it is the same target.
        """
        if not all(map(is_name, name.split("/", 1) if self.kind == "table" else [name])):
            raise BadOption(
                f"{self.kind} {name!r} of {origin}",
                allowed=f"up to {MOST_SIGNS} letters, digits and _ . + @ = - with a letter or digit first",
                fix="register it under another name",
            )
        old = self._entries.get(name)
        if old is not None and old.target != target and old.origin != origin:
            raise BadOption(
                f"{self.kind} {name!r} of {origin} is registered already by {old.origin}", fix="choose another name"
            )
        self._entries[name] = Entry(name, target, summary, facts, origin)

    def register(self, name: str, summary: str = "", **facts: Any) -> Callable[[T], T]:
        """The decorator form of `add`, for a user's own file or package."""

        def wrap(thing: T) -> T:
            origin = getattr(thing, "__module__", "user")
            self.add(name, thing, summary, origin=origin, **facts)  # type: ignore[arg-type]
            return thing

        return wrap

    def __getitem__(self, name: str) -> Entry:
        load_all()
        found = self._entries.get(name) or self.otherwise(name)
        if found is None:
            raise UnknownName(self.kind, name, self._entries)
        return found

    def __contains__(self, name: str) -> bool:
        load_all()
        return name in self._entries or self.otherwise(name) is not None

    def __iter__(self) -> Iterator[Entry]:
        load_all()
        return iter(sorted(self._entries.values(), key=lambda entry: entry.name))

    def names(self) -> list[str]:
        """All names, sorted."""
        return [entry.name for entry in self]

    def in_order(self) -> list[Entry]:
        """All entries as they were registered: the suite's own first."""
        load_all()
        return list(self._entries.values())


models = Registry("model")
backbones = Registry("backbone")
methods = Registry("method")
datasets = Registry("dataset")
tables = Registry("table")


def code_of(model: str, backbone: str, method: str | None) -> str:
    """What a spec holds of a user's own code: the sha256 of the file that network or method is of, or of several."""
    entries = [models[model], backbones[backbone], *([methods[method]] if method else [])]
    found = list(dict.fromkeys(entry.code for entry in entries if entry.code))
    return found[0] if len(found) == 1 else hashlib.sha256("".join(found).encode()).hexdigest() if found else ""


def place_of(error: BaseException) -> str:
    """` (mine.py:12)`: the last line of a user's own file on the way to an error; empty where it passed none."""
    entries = [entry for registry in (models, backbones, methods, datasets, tables) for entry in registry.in_order()]
    own = {*loaded_modules, *(str(entry.file) for entry in entries if entry.file)}
    frames = [frame for frame in extract_tb(error.__traceback__) if str(Path(frame.filename)) in own]
    return f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""


def load_all() -> None:
    """Import the built-in tables (cheap: no torch) and note the entry points of installed packages."""
    if _state["loaded"]:
        return
    _state["loaded"] = True
    for module in _BUILTIN:
        importlib.import_module(module)
    for registry in (models, backbones, methods, datasets, tables):
        for point in importlib.metadata.entry_points(group=f"repro.{registry.kind}s"):
            origin = point.dist.name if point.dist else point.value
            registry.add(point.name, point.value, f"from {origin}", origin=origin)


_exit = os._exit


def _told_exit(status: int) -> NoReturn:
    """`os._exit`, which ends a process without a word; called in a user's file it is an error that names the place."""
    caller = sys._getframe(1)
    if caller.f_code.co_filename in loaded_modules:
        raise BadOption(
            f"{Path(caller.f_code.co_filename).name}:{caller.f_lineno} calls os._exit({status!r})",
            fix="raise an exception that says what is wrong",
        )
    _exit(status)


def load_module(path: str | Path) -> None:
    """Run a user's file so that its decorators register; its sha256 is noted for the records."""
    file = expand(path).resolve()
    if not file.is_file():
        raise BadOption(f"--module {str(path)!r} is not a file", allowed="the path of a .py file")
    name = f"repro_module_{file.stem}_{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise BadOption(f"--module {str(path)!r} is not Python", allowed="the path of a .py file")
    load_all()
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    loaded_modules[str(file)] = hashlib.sha256(file.read_bytes()).hexdigest()
    os._exit = _told_exit
    try:
        spec.loader.exec_module(module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        where = place_of(error)
        del sys.modules[name], loaded_modules[str(file)]
        raise BadOption(f"--module {str(path)!r} failed: {type(error).__name__}: {error}{where}") from error
    helpers = [hashlib.sha256(one.read_bytes()).hexdigest() for one in _beside(module, file)]
    own = loaded_modules[str(file)]
    _codes[str(file)] = hashlib.sha256("".join([own, *helpers]).encode()).hexdigest() if helpers else own


def _beside(module: ModuleType, file: Path) -> list[Path]:
    """Files of the same folder, or below it, from which a user's file takes modules, functions or classes; sorted."""
    found: set[Path] = set()
    left = [module]
    while left:
        for value in list(vars(left.pop()).values()):
            named = isinstance(value, type | FunctionType)
            other = (
                sys.modules.get(value.__module__ or "") if named else value if isinstance(value, ModuleType) else None
            )
            place = getattr(other, "__file__", None)
            if other is None or not place or other.__name__.partition(".")[0] in _OWN_PACKAGES:
                continue
            near = Path(place).resolve()
            if near not in found and near != file and near.is_relative_to(file.parent) and near.suffix == ".py":
                if "site-packages" not in near.parts:
                    found.add(near)
                    left.append(other)
    return sorted(found)
