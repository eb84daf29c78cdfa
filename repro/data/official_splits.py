"""UCF101 and HMDB51 by the files of their three official splits; a result of them is the mean over the three.

    UCF101   trainlist01.txt, testlist01.txt: `Class/v_Class_g08_c01.avi 1` a line, without the number in the test lists
    HMDB51   CLASS_test_split1.txt: `name.avi 1` a line; 1 train, 2 test, 0 neither

The first split bears the dataset's own name, the others `ucf101-2`, `ucf101-3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from repro.core.csv_text import lines_of
from repro.core.errors import DataError

_UCF_FILE, _HMDB_FILE = re.compile(r"(train|test)list0?([123])"), re.compile(r"(.+)_test_split([123])")
_UCF_LINE = re.compile(r"([^/\s]+)/v_\S+_g\d+_c\d+\.avi(?:\s+\d+)?")
_HMDB_LINE = re.compile(r"(\S+\.avi)\s+([012])")
_HMDB_SPLITS = {"1": "train", "2": "test"}
UCF, HMDB = "ucf-list", "hmdb-split"
#: family of datasets -> format of its files
_FORMATS = {"ucf101": UCF, "hmdb51": HMDB}


def family(name: str) -> str:
    """`ucf101` of `ucf101-2`; another dataset as it is."""
    return name[:-2] if re.fullmatch(r"(ucf101|hmdb51)-[23]", name) else name


def recognised(lines: Sequence[str], file: Path) -> str | None:
    """The format of a file, by its name and its lines; None if it is neither."""
    if _HMDB_FILE.fullmatch(file.stem) and all(map(_HMDB_LINE.fullmatch, lines)):
        return HMDB
    return UCF if all(map(_UCF_LINE.fullmatch, lines)) else None


def videos(text: str, file: Path, format: str) -> Iterator[tuple[int, str, str, str | None]]:
    """Line, path, class and split of each video of a file in one of the two formats."""
    lines = [(number, line.strip()) for number, line in enumerate(lines_of(text), 1) if line.strip()]
    if format == UCF:
        called = _UCF_FILE.fullmatch(file.stem)
        split = called[1] if called else None
        for number, line in lines:
            found = _UCF_LINE.fullmatch(line)
            if found is None:
                raise _fault(file, number, line, "Class/v_Class_g01_c01.avi, and a number in a train list")
            yield number, line.split()[0], found[1], split
        return
    called = _HMDB_FILE.fullmatch(file.stem)
    if called is None:
        raise DataError(f"{str(file)!r} does not name its class", allowed="CLASS_test_split1.txt")
    for number, line in lines:
        found = _HMDB_LINE.fullmatch(line)
        if found is None:
            raise _fault(file, number, line, "name.avi and 0, 1 or 2")
        if found[2] in _HMDB_SPLITS:
            yield number, f"{called[1]}/{found[1]}", called[1], _HMDB_SPLITS[found[2]]


def files_of(name: str, given: str) -> list[str]:
    """The files that an argument of --annotations means: itself, or those of the dataset's split in a folder."""
    folder = Path(given).expanduser()
    if not folder.is_dir() or family(name) not in _FORMATS:
        return [given]
    wanted = _FORMATS[family(name)], _wanted(name)
    found = [str(file) for file in sorted(folder.glob("*.txt")) if named(file) == wanted]
    if not found:
        raise DataError(f"{given!r} has no file of split {_wanted(name)}", allowed="trainlist01.txt, *_test_split1.txt")
    return found


def require_split(name: str, files: Sequence[tuple[Path, str]]) -> None:
    """Raise `DataError` where files (with their formats) are of another split than the dataset's name says."""
    for file, format in files:
        if format not in (UCF, HMDB):
            continue
        if _FORMATS.get(family(name)) != format:
            other = next(known for known, form in _FORMATS.items() if form == format)
            raise DataError(f"{str(file)!r} is a list of {other}, not of {name}", fix=f"data add {other}")
        told = named(file)
        if told is not None and told[1] != _wanted(name):
            number = told[1]
            called = family(name) + (f"-{number}" if number > 1 else "")
            raise DataError(
                f"{str(file)!r} is of split {number}, {name} is split {_wanted(name)}", fix=f"data add {called}"
            )


def named(file: Path) -> tuple[str, int] | None:
    """Format and number of split that a file's name tells."""
    for form, pattern in ((UCF, _UCF_FILE), (HMDB, _HMDB_FILE)):
        if found := pattern.fullmatch(file.stem):
            return form, int(found[2])
    return None


def source_of(path: str, label: str) -> str:
    """What clips of one source have in common: of UCF101 the class and gNN, of HMDB51 what precedes the class."""
    stem = path.rpartition("/")[2]
    group = re.search(r"_(g\d+)_c\d+\.avi$", stem)
    return f"{label}_{group[1]}" if group else stem.partition(f"_{label}_")[0]


def _wanted(name: str) -> int:
    return 1 if name == family(name) else int(name[-1])


def _fault(file: Path, number: int, line: str, allowed: str) -> DataError:
    return DataError(f"{str(file)!r} line {number}: {line!r}", allowed=allowed)
