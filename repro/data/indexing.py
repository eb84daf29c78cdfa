"""`data add`: annotation files and a folder become a stored index. Each video is looked at once, in parallel; started
again after an interruption, it goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from repro.core.errors import BadOption, DataError
from repro.core.files import file_sha256
from repro.core.paths import expand
from repro.data import annotations as reading
from repro.data import catalogue, check_rules, dataset_config, label_maps, labelling, official_splits, subsets
from repro.data.annotations import Annotations, Entry
from repro.data.catalogue import Row
from repro.data.decode_failures import Journal
from repro.data.known_datasets import KNOWN, whose
from repro.data.locate import locate, video_id
from repro.data.pool import Pool, Problem
from repro.data.splits import known_split
from repro.data.video_facts import Probe, probe

#: called with videos done, videos in all
OnProgress = Callable[[int, int], None]
_TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Source:
    """What the user gives: where the videos are, and the files that list and name them."""

    root: Path
    annotations: tuple[str, ...]
    """Files, or `train=FILE`, `val=FILE` where the name of a file does not tell its split."""
    labels: Path | None = None
    format: str | None = None
    first_label: int = 0


@dataclass(frozen=True)
class Added:
    """A stored index, with what the user should know of it."""

    catalogue: catalogue.Catalogue
    notes: tuple[str, ...]


def add(name: str, source: Source, *, workers: int = 1, on_progress: OnProgress | None = None) -> Added:
    """Build the index of dataset `name`, store it and remember its place.

    Missing and unreadable videos are entered with the reason. DataError where no video is below the root, where labels
    and names do not fit the dataset, or where an annotation file cannot be read.
    """
    files = [_read(text, source) for given in source.annotations for text in official_splits.files_of(name, given)]
    official_splits.require_split(name, [(made.file, made.format) for made in files])
    given = _label_file(files, source.labels)
    entries, doubles = _entries([made for made in files if made.format != "ids"])
    entries, notes = subsets.select(name, entries, given, [made for made in files if made.format == "ids"])
    named = labelling.number(name, entries, given, source.first_label)
    root = expand(source.root).absolute()
    found = locate(root, entries)
    _refuse_shared(root, entries, found)
    journal = Journal("indexing", name, str(root))
    probes = _probes(journal, root, [path for path in found if path], workers, on_progress)
    rows = [
        _row(entry, label, path, probes.get(str(path)))
        for entry, label, path in zip(entries, named.numbers, found, strict=True)
    ]
    media = "frames" if sum(row.first >= 0 for row in rows) * 2 > sum(bool(row.path) for row in rows) else "videos"
    listed = [
        {"file": str(made.file), "sha256": file_sha256(expand(made.file)), "format": made.format} for made in files
    ]
    header = {
        "name": name,
        "root": str(root),
        "media": media,
        "classes": list(named.classes),
        "label_map": label_maps.fingerprint(named.classes),
        "annotations": listed,
    }
    file = catalogue.write(catalogue.folder_of(name), header, rows)
    catalogue.write_quarantine(file.parent, {})
    (file.parent / "check.json").unlink(missing_ok=True)
    dataset_config.remember(name, file)
    journal.finish()
    told = (
        *notes,
        *named.notes,
        *([f"{doubles} lines list a video a second time and were left out"] if doubles else []),
    )
    return Added(catalogue.read(file), told)


def _read(text: str, source: Source) -> Annotations:
    """An argument of --annotations: FILE or SPLIT=FILE."""
    split, equals, file = text.partition("=")
    if equals and (named := known_split(split)):
        return reading.read(Path(file), format=source.format, split=named)
    made = reading.read(Path(text), format=None if _is_labels(text) else source.format)
    if made.entries and any(entry.split is None for entry in made.entries):
        raise DataError(
            f"{text!r} does not say which split its videos belong to",
            allowed="a file name with train, val, validation or test in it, or SPLIT=FILE",
            fix=f"--annotations train={text}",
        )
    return made


def _is_labels(text: str) -> bool:
    """A forced format is meant for the lists, not for the label file beside them."""
    name = Path(text).name.casefold()
    return any(word in name for word in ("label", "vocab", "categor", "classind", "class_ind"))


def _label_file(files: Sequence[Annotations], labels: Path | None) -> tuple[str, ...]:
    """Class names, from --labels or from the one label file among the annotations."""
    found = [made.classes for made in files if made.format == "labels"]
    if labels is not None:
        found.append(reading.read(labels, format="labels").classes)
    if len(found) > 1 and len(set(found)) > 1:
        raise BadOption("two different label files are given", allowed="one", fix="--labels FILE")
    return found[0] if found else ()


def _entries(files: Sequence[Annotations]) -> tuple[list[Entry], int]:
    """All videos, each once; a split that is tested is `val`, also where the release calls it test (Diving48)."""
    listed = [entry for made in files for entry in made.entries]
    if not listed:
        raise BadOption("no annotation file lists a video", fix="--annotations FILE [FILE ...]")
    splits = {entry.split for entry in listed}
    kept: dict[tuple[str, str], Entry] = {}
    for entry in listed:
        split = "val" if entry.split == "test" and "val" not in splits else str(entry.split)
        made = replace(entry, split=split)
        old = kept.setdefault((split, video_id(made)), made)
        if old is not made and old.label != entry.label:
            told = f"{old.label!r} on line {old.line}, {entry.label!r} on line {entry.line}"
            raise DataError(f"{video_id(made)!r} has two labels: {told}")
    return list(kept.values()), len(listed) - len(kept)


def _refuse_shared(root: Path, entries: Sequence[Entry], found: Sequence[Path | None]) -> None:
    """Raise `DataError` where one file is of two splits, by a link or not: what is tested must not be trained on."""
    seen: dict[tuple[int, int], Entry] = {}
    for entry, path in zip(entries, found, strict=True):
        if path is None:
            continue
        facts = (root / path).stat()
        other = seen.setdefault((facts.st_dev, facts.st_ino), entry)
        if other.split != entry.split:
            raise DataError(
                f"{str(path)!r} is of two splits: {other.split} as {other.names[0]!r} on line {other.line}, "
                f"{entry.split} as {entry.names[0]!r} on line {entry.line}",
                fix="leave one of the lines out",
            )


def _row(entry: Entry, label: int, path: Path | None, found: Probe | Problem | None) -> Row:
    declared = entry.frames if entry.frames is not None else -1
    row = Row(video_id(entry), str(entry.split), label, path.as_posix() if path else "", listed_frames=declared)
    if isinstance(found, Probe):
        return replace(row, **asdict(found))
    return replace(row, problem=found.reason) if found else row


def _probes(
    journal: Journal, root: Path, found: Sequence[Path], workers: int, on_progress: OnProgress | None
) -> dict[str, Probe | Problem]:
    """Path below the root -> what is there. A problem that was met before an interruption is looked at again."""
    made: dict[str, Probe | Problem] = {**journal.answers(Probe)}
    wanted = list(dict.fromkeys(str(path) for path in found))
    todo = [path for path in wanted if path not in made]
    workers = max(1, min(workers, len(todo)))
    answers = Pool(probe, workers=workers, timeout_s=_TIMEOUT_S).run(
        ((str(root / path),) for path in todo), ahead=4 * workers
    )
    with journal.writer() as write:
        for path, answer in zip(todo, answers, strict=True):
            made[path] = answer
            write(path, asdict(answer))
            if on_progress:
                on_progress(len(made), len(wanted))
    return made


def summary(added: Added) -> list[str]:
    """What was found, as lines of text."""
    made = added.catalogue
    lines = []
    for split in made.splits():
        here, listed = made.count(split)
        lines.append(f"{made.name} {split}: {here:,} of {listed:,} videos of the annotations are here")
        lines.append(f"  {here:,}: {whose(made.name, split, here)}")
    sizes = Counter(f"{row.width}x{row.height}" for row in made.rows if row.width)
    shown = ", ".join(f"{size} ({count:,})" for size, count in sizes.most_common(3))
    lines.append(
        f"  {made.header['media']} of {shown}" + (f" and {len(sizes) - 3} sizes more" if len(sizes) > 3 else "")
    )
    reasons = Counter(row.problem for row in made.rows if row.problem)
    for reason, count in reasons.most_common(5):
        lines.append(f"  {count:,} cannot be opened: {reason}")
    lines += [f"  {note}" for note in [*added.notes, *check_rules.another_root(made)]]
    lines.append(f"  {KNOWN[made.name].title}: {KNOWN[made.name].source}")
    lines.append(f"index: {made.folder}")
    return lines
