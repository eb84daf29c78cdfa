"""`data check my.csv`: what a user's list holds, and whether its videos can be read to their last frame."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from repro.data import content, decode
from repro.data.check import TIMEOUT_S, Check, look, some_of
from repro.data.check_rules import Finding, Seen, some
from repro.data.index import Video, read_classes, read_csv, read_splits
from repro.data.pool import Pool, Problem

#: frames below which a clip of eight repeats some
_FEW = 8


def check_csv(
    file: Path,
    *,
    sample: int = 0,
    workers: int = 1,
    decoder: str = "auto",
    on_progress: Callable[[int, int], None] | None = None,
) -> Check:
    """Decode every frame of `sample` videos (0: all), and tell what of list and videos would go wrong.

    A list that cannot be read as one raises `DataError` with its line.
    """
    splits = {split: read_csv(file, split) for split in read_splits(file)}
    videos = [(split, video) for split, index in splits.items() for video in index.videos]
    chosen = some_of(videos, sample)
    seen: dict[str, Seen] = {}
    problems: dict[str, str] = {}
    tasks = ((str(video.path), decoder, "") for _, video in chosen)
    answers = Pool(look, workers=min(workers, len(chosen)), timeout_s=TIMEOUT_S).run(tasks, ahead=4 * max(1, workers))
    for number, ((_, video), answer) in enumerate(zip(chosen, answers, strict=True), 1):
        if isinstance(answer, Problem):
            problems[video.id] = answer.reason
        else:
            seen[video.id] = answer
        if on_progress:
            on_progress(number, len(chosen))
    notes = dict.fromkeys(note for index in splits.values() for note in index.notes)
    found = [Finding("note", "spelling", note) for note in notes]
    found += _of_list(videos, read_classes(file))
    found += _copies(file, videos)
    found += _unreadable(problems)
    found += _short(seen)
    return Check(str(file), "", len(chosen), len(videos), 0, decode.version(decoder), tuple(found))


def _of_list(videos: Sequence[tuple[str, Video]], classes: Sequence[str]) -> Iterator[Finding]:
    """Sizes of the splits, and classes that one of them lacks."""
    for split in dict.fromkeys(split for split, _ in videos):
        counts = Counter(video.label for one, video in videos if one == split)
        few, most = min(counts.values()), max(counts.values())
        told = f"{few} a class" if few == most else f"{few} to {most} a class"
        yield Finding("note", "size", f"{split}: {counts.total():,} videos of {len(counts)} classes, {told}")
        if lacking := [name for number, name in enumerate(classes) if number not in counts]:
            yield Finding("suspect", "class", f"{split} has no video of {some(lacking)}")
    if "train" not in {split for split, _ in videos}:
        yield Finding("note", "split", "no split train: it can be tested on, not trained", "a column split")


def _copies(file: Path, videos: Sequence[tuple[str, Video]]) -> Iterator[Finding]:
    """One content under two names; in two splits, the list is refused as it is read."""
    held: dict[str, list[tuple[str, Video]]] = {}
    digests = content.digests(file.absolute().parent, [video.path for _, video in videos])
    for one, digest in zip(videos, digests, strict=True):
        if digest not in (content.MISSING, content.UNREADABLE):
            held.setdefault(digest, []).append(one)
    for same in held.values():
        names = some([f"{video.id} ({split})" for split, video in same])
        if len({video.label for _, video in same}) > 1:
            yield Finding("error", "label", f"one video under two labels: {names}", "leave one of the lines out")
        elif len(same) > 1:
            yield Finding("suspect", "copy", f"one video several times: {names}", "leave all but one out")


def _unreadable(problems: Mapping[str, str]) -> Iterator[Finding]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for name, reason in problems.items():
        by_reason[reason].append(name)
    for reason, names in by_reason.items():
        fix = "mend or replace the file, or leave its line out"
        yield Finding("error", "unreadable", f"{len(names)} cannot be read: {some(names)}: {reason}", fix)


def _short(seen: Mapping[str, Seen]) -> Iterator[Finding]:
    frames = [facts.frames for facts in seen.values()]
    if frames:
        middle = sorted(frames)[len(frames) // 2]
        yield Finding("note", "frames", f"{min(frames)} to {max(frames)} frames a video, half have {middle} or more")
    if short := [name for name, facts in seen.items() if facts.frames < _FEW]:
        yield Finding("suspect", "short", f"{len(short)} have fewer than {_FEW} frames, which repeat: {some(short)}")
