"""What the suite stores and reads again, and the files beside printed tables, damaged in every way: passed over, made
again, or a sentence; never a traceback.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fuzzing import FEW, JSON, MANY, TEXTS, changed, encoded, fuzz, mutated
from hypothesis import strategies as st

from repro.core import paths
from repro.core.spec import Experiment, Model, Static
from repro.data import cache, catalogue, check, dataset_config
from repro.data.decode_failures import Journal
from repro.data.index import read_csv
from repro.data.pool import Problem
from repro.data.video_facts import Probe
from repro.engine.logit_buffer import Sheet
from repro.engine.train import checkpoint, initial_weights, log
from repro.papers import text
from repro.records import figures, store, upgrade
from repro.records.document import signed as with_digest
from repro.records.index import Index
from repro.runner import slurm
from repro.runner.jobs import Job

JOB = Job("dnr", "table6", "a", "static", Experiment(model=Model(name="tsn", backbone="resnet50"), measure=Static()))


def folder_of_records() -> Path:
    return Path(__file__).parents[2] / "results" / "records"


RECORDS = [
    next(path for path in sorted((folder_of_records() / "dnr" / "table6").rglob("*.json")) if kind in path.read_text())
    for kind in ('"kind": "static"', '"kind": "speed"', '"kind": "accuracy"')
]


def documents() -> list[Any]:
    return [json.loads(path.read_bytes()) for path in RECORDS]


def as_bytes(document: Any) -> bytes:
    return encoded(json.dumps(document))


def signed(document: Any) -> bytes:
    """As a record that fits its own digest, where it can be one."""
    try:
        return with_digest({key: value for key, value in document.items() if key != "digest"})
    except (AttributeError, ValueError):
        return as_bytes(document)


def signed_as_before(document: Any) -> bytes:
    """As a record of version 1 that fits its own digest, where it can be one."""
    try:
        told = {key: value for key, value in {**document, "schema_version": 1}.items() if key != "digest"}
        text = json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError):
        return as_bytes(document)
    return as_bytes({**told, "digest": hashlib.sha256(text.encode()).hexdigest()})


ANY_JSON = st.one_of(
    JSON.map(as_bytes), TEXTS.map(encoded), st.binary(max_size=40),
    st.sampled_from([b"[" * 100_000, b'{"a":' * 5000, b'{"a": ' + b"9" * 5000 + b"}", b"NaN", b"\xef\xbb\xbf{}"]),
)  # fmt: skip


def read_record(data: bytes, folder: Path) -> None:
    path = folder / "dnr" / "table6" / "a" / RECORDS[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    index = Index(folder)
    assert len(index.records()) + len(index.problems()) == 1
    store.load(path)


def read_old_record(data: bytes, folder: Path) -> None:
    path = folder / "dnr" / "table6" / "a" / RECORDS[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    upgrade.upgrade(folder)


FIGURE = {"version": 1, "kind": "k", "title": "t", "alt": "a", "caption": "c", "networks": [], "command": ["x"],
          "environment": {}, "details": {}, "png_sha256": hashlib.sha256(b"png").hexdigest()}  # fmt: skip


def read_figure(data: bytes, folder: Path) -> None:
    (folder / "f.png").write_bytes(b"png")
    (folder / "f.json").write_bytes(data)
    found = figures.load_all(folder)
    assert len(found.figures) + len(found.problems) == 1


def read_toml(case: tuple[str, bytes], folder: Path) -> None:
    (folder / "x_table1.toml").write_bytes(case[1])
    text.read.cache_clear()
    text.read(folder / "x_table1.toml", case[0])


PUBLISHED = sorted((Path(__file__).parents[2] / "results" / "published").glob("*_*.toml"))
FORMS = st.sampled_from([name for name in vars(text) if name.isupper() and isinstance(getattr(text, name), dict)])
TOML = st.one_of(
    mutated([path.read_bytes() for path in PUBLISHED if path.stat().st_size < 20_000]),
    st.sampled_from(["a = " + "9" * 5000, "a = " + "[" * 5000, "[a]\n" * 2, "\ufefftitle = 'x'", "a = 1979-05-27"]).map(
        str.encode
    ),
)

HEADER = {"name": "jester", "root": "/nowhere", "media": "videos", "classes": ["a", "b"], "label_map": "x",
          "annotations": [], "content": "c", "version": catalogue.VERSION}  # fmt: skip
VIDEOS = (
    b"id,split,label,path,frames,width,height,fps,bytes,first,listed_frames,problem\na,val,0,a.mp4,3,4,5,6.0,7,-1,-1,\n"
)


def read_catalogue(case: tuple[Any, bytes, bytes], folder: Path) -> None:
    header, videos, quarantine = case
    if isinstance(header, dict):
        header = {**header, "videos_sha256": hashlib.sha256(videos).hexdigest()}
    (folder / "index.json").write_bytes(as_bytes(header))
    (folder / "videos.csv").write_bytes(videos)
    (folder / "quarantine.json").write_bytes(quarantine)
    catalogue._read.cache_clear()
    made = catalogue.read(folder / "index.json")
    made.problems()
    made.index("val")


def read_places(data: bytes, folder: Path) -> None:
    paths.config().mkdir(parents=True, exist_ok=True)
    (paths.config() / "datasets.json").write_bytes(data)
    for name in ("jester", "kinetics400"):
        dataset_config.place(name)
        check.state(name)


CHECK = {"name": "jester", "findings": [{"level": "error", "kind": "k", "text": "x"}], "checked": 1, "videos": 2,
         "when": "2026", "quarantined": 0, "decoder": "auto"}  # fmt: skip


def read_check(data: bytes, folder: Path) -> None:
    place = catalogue.folder_of("jester")
    place.mkdir(parents=True, exist_ok=True)
    (place / "check.json").write_bytes(data)
    found = check.last("jester")
    assert found is None or all(map(str, found.findings))


def read_journal(data: bytes, folder: Path) -> None:
    journal = Journal("indexing", "jester", "k")
    with journal.writer():
        pass
    next((paths.cache() / "indexing" / "jester").iterdir()).write_bytes(data)
    assert all(isinstance(found.frames, int) for found in journal.answers(Probe).values())


ANSWERS = [b'\n["a.mp4", {"frames": 3, "width": 4, "height": 5, "fps": 6.0, "bytes": 7}]\n["b", {"reason": "x"}]\n']


def read_ticket(data: bytes, folder: Path) -> None:
    path = paths.work(JOB.experiment.id, 0).with_suffix(".ticket")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    found = slurm.ticket_of(JOB)
    assert found is None or isinstance(found.job, str)


def read_log(data: bytes, folder: Path) -> None:
    (folder / log.NAME).write_bytes(data)
    assert all(isinstance(line, dict) for line in log.read(folder))


def read_state(data: bytes, folder: Path) -> None:
    (folder / "step-1.pt").write_bytes(data)
    checkpoint.load(folder, {"experiment": "x"})


STATES = [b"", b"repro", b"PK\3\4"]


def read_sheet(case: tuple[bytes, bytes], folder: Path) -> None:
    (folder / "t.rows").write_bytes(case[0])
    (folder / "t.jsonl").write_bytes(case[1])
    sheet = Sheet(folder, "t", 2, 1, 3)
    assert len(sheet.rows) == len(sheet.positions) <= 2 and sheet.done <= {0, 1}
    sheet.remove()


LINES = st.one_of(ANY_JSON, mutated([b'[0, null, "pyav"]\n[1, "missing", ""]\n', b'[0, null, "pyav"]\n[1, null, "p']))


def read_initial(data: bytes, folder: Path) -> None:
    (folder / "weights.json").write_bytes(data)
    assert initial_weights.stored(folder) is None  # there is no file of weights


class Nothing:
    """In place of the pool: every video is missing, and no process starts to say so."""

    def __init__(self, work: Any, workers: int) -> None: ...

    def run(self, tasks: Iterable[Any], *, ahead: int) -> list[Problem]:
        return [Problem("missing") for _ in tasks]


def read_cache(data: bytes, folder: Path) -> None:
    (folder / "a.csv").write_text("path,label\nnone.mp4,0\n")
    index = read_csv(folder / "a.csv", "val")
    with mock.patch.object(cache, "Pool", Nothing):
        made = cache.open_cache(index, decoder="pyav", resize=0, workers=0)
        (made.folder / "table.json").write_bytes(data)
        assert cache.open_cache(index, decoder="pyav", resize=0, workers=0).problems == made.problems


READERS: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any, Path], Any]]] = {
    "record": (st.sampled_from(documents()).flatmap(changed).map(signed), read_record),
    "record bytes": (st.one_of(ANY_JSON, mutated([path.read_bytes() for path in RECORDS])), read_record),
    "record of before": (st.sampled_from(documents()).flatmap(changed).map(signed_as_before), read_old_record),
    "figure": (st.one_of(ANY_JSON, changed(FIGURE).map(as_bytes)), read_figure),
    "TOML": (st.tuples(FORMS, TOML), read_toml),
    "catalogue": (
        st.tuples(changed(HEADER), st.one_of(st.just(VIDEOS), mutated([VIDEOS])), st.one_of(st.just(b"[]"), ANY_JSON)),
        read_catalogue,
    ),
    "places of datasets": (st.one_of(ANY_JSON, changed({"jester": "/x/a.csv"}).map(as_bytes)), read_places),
    "check of a dataset": (st.one_of(ANY_JSON, changed(CHECK).map(as_bytes)), read_check),
    "journal": (st.one_of(ANY_JSON, mutated(ANSWERS)), read_journal),
    "ticket": (st.one_of(ANY_JSON, changed({"job": "1", "log": "x"}).map(as_bytes)), read_ticket),
    "training log": (st.one_of(ANY_JSON, mutated([b'{"step": 1, "loss": 2.0}\n{"step": 2}\n'])), read_log),
    "training state": (mutated(STATES), read_state),
    "rows of a test": (st.tuples(st.sampled_from([bytes(24), bytes(23), b""]), LINES), read_sheet),
    "initial weights": (ANY_JSON, read_initial),
    "decoded frames": (ANY_JSON, read_cache),
}  # fmt: skip


def fuzz_reader(name: str, folder: Path, count: int) -> None:
    strategy, read = READERS[name]
    fuzz(strategy, lambda case: read(case, folder), count)


def test_the_files_are_good_ones() -> None:
    assert len(RECORDS) == 3 and PUBLISHED and all(tomllib.loads(path.read_text()) for path in PUBLISHED)


@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_or_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    fuzz_reader(name, tmp_path, FEW)


@pytest.mark.fuzz
@pytest.mark.parametrize("name", READERS)
def test_a_reader_on_100_000_cases(name: str, tmp_path: Path) -> None:
    fuzz_reader(name, tmp_path, MANY)
