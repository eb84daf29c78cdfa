"""Archives of numpy arrays that somebody else may have written: nothing in them is executed, and what they claim is
held against the file and the memory before it is allocated.
"""

from __future__ import annotations

import contextlib
import hashlib
import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from repro.core.environment import require_memory
from repro.core.errors import DataError
from repro.core.files import parse_json

#: the most that a byte of an archive can unpack to
_DEFLATE = 1033
_SLACK = 256


@contextlib.contextmanager
def reading_arrays(path: Path, what: str, *, fix: str, sha256: str | None = None) -> Iterator[Any]:
    """The arrays by name, while the file is open; with `sha256`, of that very file alone. Whatever is wrong with the
    file, a `ValueError` raised about its content included, becomes a `DataError`.
    """
    if not path.is_file():  # a pipe would be waited for
        raise DataError(f"{what} {path}: no such file", fix=fix)
    try:
        with path.open("rb") as file:
            if sha256 is not None and hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise DataError(f"{what} {path} do not fit the sha256 that is recorded for them")
            file.seek(0)
            _require_room(file)
            file.seek(0)
            with np.load(file, allow_pickle=False) as data:
                yield data
    except DataError:
        raise
    except (Exception, RecursionError) as error:  # the bytes decide what numpy and zlib trip over
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DataError(f"{what} {path} cannot be read: {reason}", fix=fix) from error


def _require_room(file: IO[bytes]) -> None:
    """Raise before anything is allocated where arrays claim more than the archive can hold, or than memory does."""
    total = 0
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        if len(set(names)) != len(names):
            raise ValueError("it holds an array twice")
        for entry in archive.infolist():
            with archive.open(entry) as member:
                read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
                shape, _, dtype = read[np.lib.format.read_magic(member)](member)
            claimed = math.prod(shape) * dtype.itemsize
            if claimed > min(entry.file_size, _DEFLATE * entry.compress_size + _SLACK):
                raise ValueError(f"{entry.filename} claims {claimed / 2**30:.3g} GiB, which the file does not hold")
            total += claimed
    require_memory(total, "the file")


def about_of(data: Any) -> dict[str, Any]:
    """The JSON document that the array `about` holds."""
    about = parse_json(str(_of_signs(data["about"])))
    if not isinstance(about, dict):
        raise ValueError(f"`about` holds a {type(about).__name__}")
    return about


def array_of(data: Any, name: str, kinds: str, axes: int) -> np.ndarray:
    """An array of one of these kinds (numpy's letters) and so many axes."""
    found = data[name]
    if found.dtype.kind not in kinds or found.ndim != axes:
        raise ValueError(f"{name} is an array of {found.dtype} with {found.ndim} axes, not {axes}")
    return np.asarray(found)


def texts_of(data: Any, name: str) -> list[str]:
    """A list of texts."""
    found = data[name]
    if found.ndim != 1 or (found.size and found.dtype.kind != "U"):
        raise ValueError(f"{name} is an array of {found.dtype} with {found.ndim} axes, not a list of texts")
    return [str(text) for text in _of_signs(found).tolist()]


def _of_signs(found: np.ndarray) -> np.ndarray:
    """The array, of texts or others; numpy takes any four bytes for a sign of a text."""
    if found.dtype.kind == "U" and found.nbytes:
        signs = np.frombuffer(found.astype(found.dtype.newbyteorder("=")).tobytes(), np.uint32)
        if signs.max() > 0x10FFFF:
            raise ValueError("a text in it holds what is no sign of Unicode")
    return found
