"""One family of errors: what was wrong, its value, what is allowed, and the command that mends it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path


class ReproError(ValueError):
    """An error that a user can act on. `str()` is the whole message, printed without a traceback."""

    def __init__(self, what: str, *, allowed: str | None = None, fix: str | None = None) -> None:
        self.what, self.allowed, self.fix = what, allowed, fix
        parts = [what]
        if allowed:
            parts.append(f"allowed: {allowed}")
        if fix:
            parts.append(f"try: {fix}")
        super().__init__("; ".join(parts))


class UnknownName(ReproError):
    """A name that no registry, table or rule holds; the nearest ones are suggested."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, fix: str | None = None) -> None:
        names = sorted(known)
        folded = {known_name.casefold(): known_name for known_name in names}
        near = [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=0.5)]
        listed = ", ".join(names[:20]) + (f", ... ({len(names)} in all)" if len(names) > 20 else "")
        self.kind, self.name, self.near = kind, name, near
        super().__init__(
            f"unknown {kind} {name!r}" + (f"; did you mean {' or '.join(near)}?" if near else ""),
            allowed=listed or "none is registered",
            fix=fix or "python -m repro list",
        )


class BadOption(ReproError):
    """An option of a model, method, protocol or command that cannot be."""


class DataError(ReproError):
    """A dataset, annotation file or video that cannot be used as asked."""


class DecodeError(DataError):
    """A video that cannot be read; `problem` is the reason alone, `str()` names the file too."""

    def __init__(self, path: str | Path, problem: str) -> None:
        self.path, self.problem = Path(path), problem
        super().__init__(f"video {str(path)!r}: {problem}")

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return type(self), (self.path, self.problem)


class WeightsError(ReproError):
    """A checkpoint that is unreadable, unsafe or does not fit the network."""


class RecordError(ReproError):
    """A record or published table that is damaged or incomplete."""


class NotConfigured(ReproError):
    """Something that the user has to supply first, such as the place of a dataset."""
