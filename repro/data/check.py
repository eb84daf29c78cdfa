"""`data check`: decode the videos of a stored index, all or a sample, and say what is wrong with the copy."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import numpy as np

from repro.core.errors import BadOption, DataError, NotConfigured
from repro.core.files import write_atomic
from repro.core.paths import expand
from repro.data import annotations as reading
from repro.data import catalogue, content, dataset_config, decode, decode_decord, locate
from repro.data import check_rules as findings
from repro.data.catalogue import Catalogue, Row
from repro.data.check_rules import Finding, Seen
from repro.data.decode_failures import Journal
from repro.data.known_datasets import KNOWN
from repro.data.pool import Pool, Problem
from repro.data.resize import resize
from repro.data.shared_files import Listed, copies
from repro.data.video_facts import size_of

Item = TypeVar("Item")

_CHECK = "check.json"
#: seconds for one video, decoded from its first frame to its last
TIMEOUT_S = 300.0


@dataclass(frozen=True)
class Check:
    """A finished check: what was looked at and what was found."""

    name: str
    when: str
    checked: int
    videos: int
    quarantined: int
    decoder: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is certainly wrong; suspicions and remarks may stand."""
        return not any(finding.level == "error" for finding in self.findings)


def check(
    name: str,
    *,
    sample: int = 0,
    workers: int = 1,
    decoder: str = "auto",
    official: Sequence[Path] = (),
    videos: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Decode every frame of `sample` videos (0: all), set aside what is corrupt, and compare with what is official.

    The sample is the same each time. `official` are annotation files to compare with; `videos` a folder with the videos
    of which the frames were made. A video that was set aside and decodes now is taken in again.
    """
    made = _open(name)
    present = [row for row in made.rows if row.path]
    chosen = some_of(present, sample)
    looked_at = {(row.split, row.id) for row in chosen}
    beside = _beside(videos, chosen)
    problems, seen = _decode(made, chosen, decoder, beside, workers, on_progress)
    kept = {key: why for key, why in catalogue.read_quarantine(made.folder).items() if key not in looked_at}
    aside = {**kept, **problems}
    place = catalogue.write_quarantine(made.folder, aside)
    now = {key: facts.bytes for key, facts in seen.items()}
    found = [
        *findings.sizes(made),
        *findings.copied(_copies(made.root, present)),
        *findings.another_root(made),
        *findings.label_map(made),
        *findings.start_index(present),
        *findings.colour_order(name, list(seen.values())),
        *findings.changed(chosen, now),
        *findings.against_official(made, [reading.read(file) for file in official]),
        *findings.corrupt(aside, str(place)),
        *findings.refused(decoder, {key: facts.refused for key, facts in seen.items()}),
        findings.release(name),
    ]
    when = datetime.now(UTC).isoformat(timespec="seconds")
    done = Check(name, when, len(chosen), len(present), len(aside), decode.version(decoder), tuple(found))
    write_atomic(made.folder / _CHECK, json.dumps(asdict(done), indent=1).encode())
    return done


def _open(name: str) -> Catalogue:
    file = dataset_config.place(name)
    if file is None:
        raise NotConfigured(
            f"{name} is not configured", fix=f"python -m repro data add {name} --root DIR --annotations FILE [FILE ...]"
        )
    if file.suffix != ".json":
        raise BadOption(
            f"{name} is given by the CSV {str(file)!r}, which has no index to check",
            fix=f"python -m repro data add {name} --root {file.parent} --annotations {file}",
        )
    return catalogue.read(file)


def _copies(root: Path, rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Paths of training videos and of held-out ones that are the same bytes."""
    alike: dict[tuple[bool, int, int], list[Listed]] = {}
    for number, row in enumerate(rows):
        if row.bytes > 0:
            size = row.first >= 0, row.bytes, row.frames
            alike.setdefault(size, []).append(Listed(number, row.path, row.split, row.label))
    groups = [group for group in alike.values() if len({row.split == "train" for row in group}) > 1]
    return [(one.path, other.path) for one, other in copies(root, groups)]


def some_of(listed: Sequence[Item], count: int) -> list[Item]:
    """So many of a list, the same each time, in their order; all for 0."""
    if not 0 < count < len(listed):
        return list(listed)
    return [listed[position] for position in sorted(random.Random(0).sample(range(len(listed)), count))]


def _beside(videos: Path | None, rows: Sequence[Row]) -> dict[str, str]:
    """id -> the video file of which the frames of that id were made."""
    if videos is None:
        return {}
    entries = [reading.Entry((row.id,), row.label, row.split) for row in rows]
    found = locate.locate(expand(videos).absolute(), entries)
    return {row.id: str(expand(videos).absolute() / path) for row, path in zip(rows, found, strict=True) if path}


def _decode(
    made: Catalogue,
    rows: Sequence[Row],
    decoder: str,
    beside: dict[str, str],
    workers: int,
    on_progress: Callable[[int, int], None] | None,
) -> tuple[dict[tuple[str, str], str], dict[tuple[str, str], Seen]]:
    """Problems and sights by (split, id). After an interruption, what decoded then is not decoded again, unless it has
    changed.
    """
    journal = Journal("checking", made.name, f"{made.header['videos_sha256']};{decoder};{sorted(beside.items())}")
    before = journal.answers(Seen)
    states = {row.path: f"{row.path} {content.state(made.root / row.path)}" for row in rows}
    seen = {(row.split, row.id): before[states[row.path]] for row in rows if states[row.path] in before}
    todo = [row for row in rows if (row.split, row.id) not in seen]
    tasks = ((str(made.root / row.path), decoder, beside.get(row.id, "")) for row in todo)
    problems: dict[tuple[str, str], str] = {}
    answers = Pool(look, workers=workers, timeout_s=TIMEOUT_S).run(tasks, ahead=4 * max(1, workers))
    with journal.writer() as write:
        for number, (row, answer) in enumerate(zip(todo, answers, strict=True), len(seen) + 1):
            write(states[row.path], asdict(answer))
            if isinstance(answer, Problem):
                problems[row.split, row.id] = answer.reason
            else:
                seen[row.split, row.id] = answer
            if on_progress:
                on_progress(number, len(rows))
    journal.finish()
    return problems, {(row.split, row.id): seen[row.split, row.id] for row in rows if (row.split, row.id) in seen}


def look(path: str, decoder: str, beside: str) -> Seen:
    """Decode a video from the first frame to the last, in a worker; DecodeError where that fails. One that the named
    decoder is not used for is no worse for it: it is decoded by "auto", and that is noted.
    """
    place, refused = Path(path), False
    try:
        count, frame = decode.decode_all(place, decoder=decoder)
    except decode_decord.NotUsed:
        refused, decoder = True, "auto"
        count, frame = decode.decode_all(place, decoder=decoder)
    red_over_blue = float(frame[..., 0].mean() - frame[..., 2].mean())
    differences = _differences(frame, beside, count // 2, decoder) if beside else (None, None)
    return Seen(count, red_over_blue, *differences, size_of(place), refused)


def _differences(frame: np.ndarray, video: str, number: int, decoder: str) -> tuple[float | None, float | None]:
    """Mean absolute difference to the video's frame, as it is and with red and blue exchanged; None if unlike sizes."""
    try:
        true = decode.read_frames(video, [number], decoder=decoder)[0]
    except DataError:
        return None, None
    height, width = frame.shape[:2]
    scaled = resize(true[None], height, width)[0].astype(np.float32)
    return float(np.abs(scaled - frame).mean()), float(np.abs(scaled - frame[..., ::-1]).mean())


def last(name: str) -> Check | None:
    """The last finished check of a dataset; None if there is none that can be read."""
    from pydantic import TypeAdapter  # not in each process that decodes

    try:
        return TypeAdapter(Check).validate_json((catalogue.folder_of(name) / _CHECK).read_bytes())
    except (OSError, ValueError):
        return None


def state(name: str) -> str:
    """One line on a dataset: what is known, where, how many, and what the last check said."""
    file = dataset_config.place(name)
    if file is None:
        known = KNOWN.get(name)
        if known is None:
            return "not configured"
        official = ", ".join(f"{count:,} {split}" for split, count in known.splits.items())
        return f"not configured ({known.title}, {known.classes} classes, officially {official})"
    if file.suffix != ".json":
        return f"the CSV {file}"
    try:
        made = catalogue.read(file)
    except DataError as error:
        return str(error)
    counts = ", ".join("{:,} of {:,} {}".format(*made.count(split), split) for split in made.splits())
    done = last(name)
    if done is None:
        return f"{made.root}: {counts}; not checked"
    errors = sum(finding.level == "error" for finding in done.findings)
    suspect = sum(finding.level == "suspect" for finding in done.findings)
    verdict = f"{errors} errors, {suspect} suspicions" if errors or suspect else "good"
    return f"{made.root}: {counts}; checked {done.checked:,} of {done.videos:,} on {done.when[:10]}: {verdict}"
