"""The account of an error that nothing foresaw: a file below the cache, else in the temporary folder."""

from __future__ import annotations

import os
import platform
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from repro.core import paths

_KEPT = 100


def write(error: BaseException, arguments: Sequence[str]) -> Path | None:
    """Write the traceback, and what was asked of which versions; the file, or None where none could be written."""
    from repro import __version__

    lines = [
        f"repro {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}",
        f"arguments: {list(arguments)!r}",
        "",
        *traceback.format_exception(error),
    ]
    text = "\n".join(lines).encode(errors="backslashreplace")
    prefix = time.strftime("error-%Y%m%d-%H%M%S-")
    for folder in (_below_cache, tempfile.gettempdir):
        try:
            handle, name = tempfile.mkstemp(prefix=prefix, suffix=".log", dir=folder())
            with os.fdopen(handle, "wb") as file:
                file.write(text)
            return Path(name)
        except (OSError, ValueError):  # ValueError: there is no home to keep a cache in
            continue
    return None


def _below_cache() -> Path:
    folder = paths.cache() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("error-*.log"))[:-_KEPT]:
        old.unlink(missing_ok=True)
    return folder
