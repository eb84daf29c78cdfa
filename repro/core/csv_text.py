"""Text and CSV files as people's programs leave them: with a byte order mark or not, any line ends, blank lines."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

from repro.core.errors import ReproError


def text_of(path: Path, kind: type[ReproError], *, allowed: str) -> str:
    """The text of a UTF-8 file with its line ends as they are, without a byte order mark; `kind` where it is none."""
    try:
        file = path.expanduser()
        if file.is_file() or not file.exists():
            return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise kind(f"{str(path)!r} is not UTF-8: byte {error.object[error.start]:#x}", fix="save as UTF-8") from error
    except (OSError, ValueError, RuntimeError) as error:  # a NUL or an unknown ~user in the path
        raise kind(f"{str(path)!r} cannot be read: {_reason(error)}", allowed=allowed) from error
    # a pipe would be waited for, and can be read only once
    raise kind(f"{str(path)!r} is not a regular file", allowed=allowed)


def lines_of(text: str) -> list[str]:
    """The lines of a text without their ends. Only CR and LF end a line: a name may hold any other separator."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def number_at_end(line: str, separators: str) -> tuple[str, int] | None:
    """What stands before a number of up to 9 digits at a line's end, and the number; None where there is no such
    number, or none of the signs `separators` before it.
    """
    line = line.rstrip()
    digits = re.search(r"[0-9]{1,9}$", line)
    if digits is None:
        return None
    head = line[: digits.start()]
    rest = head.rstrip(" \t")
    if rest[-1:] in (";", ","):
        rest = rest[:-1].rstrip(" \t")
    return (rest.strip(), int(digits[0])) if rest.strip() and set(head[len(rest) :]) & set(separators) else None


def records_of(
    text: str, name: str, kind: type[ReproError], *, skip_spaces: bool = False
) -> list[tuple[int, list[str]]]:
    """The records of a CSV, each with the line on which it ends, from 1. Blank ones are left out, also those of commas
    and spaces alone, which spreadsheets write below a table. `skip_spaces`: those before a field are none of it.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=skip_spaces)
    found = []
    try:
        for fields in reader:
            if any(map(str.strip, fields)):
                found.append((reader.line_num, fields))
    except csv.Error as error:
        raise kind(
            f"{name!r} line {reader.line_num}: not readable as CSV: {error}", allowed="a well-formed CSV"
        ) from error
    return found


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
