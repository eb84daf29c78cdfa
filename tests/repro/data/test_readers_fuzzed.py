"""Every reader of a file that users write, on any bytes and on damaged good files: it reads, or raises `ReproError`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fuzzing import FEW, MANY, fuzz
from hypothesis import given, settings
from hypothesis import strategies as st

from repro.core.errors import ReproError
from repro.data import annotations, dataset_config, id_lists, label_maps
from repro.data.index import read_classes, read_csv, read_splits
from repro.papers.published import read as read_published

WORDS = st.sampled_from(
    "path label split train val test Val vall youtube_id time_start time_end id name template vid_name a.mp4 ./a.mp4 "
    "a b ._a é é \ufeff \0 \u2028 2.0 +1 -1 1e999 inf nan ² ٣ 999999999 0 1 2 row top1 note run".split()
)
SIGNS = st.sampled_from(
    [",", ";", "\t", " ", "   ", "\n", "\r\n", "\r", "\n\n", '"', "'", "[", "]", "{", "}", ":", "/"]
)
TEXTS = st.lists(st.one_of(WORDS, SIGNS, st.text(max_size=3)), max_size=60).map("".join)
GOOD = [
    "path,label,split\na.mp4,x,train\nb.mp4,y,val\n",
    "path,label\na.mp4,0\nb.mp4,11\n",
    'label,youtube_id,time_start,time_end,split\n"archery",abc-DEF_123,13,23,validate\n',
    "100218;Holding something\n7;B\n",
    json.dumps([{"id": "7", "label": "a cup", "template": "Holding [something]"}]),
    json.dumps([{"vid_name": "_8Vy3dlHg2w_00000", "label": 20}]),
    json.dumps({"a": "0", "b": 1}),
    "a/b.mp4 92 0\nc/d.mp4 7 1\n",
    "id,name\n0,run\n1,jump\n",
    "run\njump\n",
    "row,model,gflops,views,top1,top5,note\na,tsn,33,30,75.6,92.1,\n",
]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A good file with a piece cut out, doubled or replaced."""
    text = draw(st.sampled_from(GOOD))
    start = draw(st.integers(0, len(text)))
    end = draw(st.integers(start, len(text)))
    return text[:start] + draw(st.one_of(TEXTS, st.just(text[start:end] * 2), st.just(""))) + text[end:]


BYTES = st.one_of(st.binary(max_size=200), TEXTS.map(lambda text: text.encode("utf-8", "replace")))
FILES = st.one_of(damaged().map(lambda text: text.encode("utf-8", "replace")), BYTES)

READERS: dict[str, Callable[[Path], Any]] = {
    "csv": lambda file: (read_splits(file), read_classes(file), read_csv(file, "val")),
    "csv to train": lambda file: read_csv(file, "training"),
    "annotations": annotations.read,
    **{
        f"annotations as {name}": lambda file, name=name: annotations.read(file, format=name)  # type: ignore[misc]
        for name in annotations.FORMATS
    },
    "label map": label_maps.read,
    "list of ids": id_lists.read_list,
    "list of ids with scores": lambda file: id_lists.read_list(file, ["a.mp4", "run 1", "a"]),
    "published": read_published,
    "datasets.json": lambda file: dataset_config.add("jester", file, 27),
}


@pytest.mark.parametrize("reader", READERS)
def test_only_our_errors_escape(tmp_path: Path, reader: str) -> None:
    fuzz_reader(reader, tmp_path, FEW)


@pytest.mark.fuzz
@pytest.mark.parametrize("reader", READERS)
def test_only_our_errors_escape_ever(tmp_path: Path, reader: str) -> None:
    fuzz_reader(reader, tmp_path, MANY)


def fuzz_reader(reader: str, folder: Path, count: int) -> None:
    file = folder / "own_x.csv"

    def check(data: bytes) -> None:
        file.write_bytes(data)
        READERS[reader](file)

    fuzz(FILES, check, count)


@given(data=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode), st.just(b"[" * 5_000)))
@settings(max_examples=60)
def test_the_file_of_places_too(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    import os

    folder = tmp_path_factory.getbasetemp() / "config"
    folder.mkdir(exist_ok=True)
    (folder / "datasets.json").write_bytes(data)
    before, os.environ["REPRO_CONFIG"] = os.environ["REPRO_CONFIG"], str(folder)
    try:
        with contextlib.suppress(ReproError):
            dataset_config.place("jester")
    finally:
        os.environ["REPRO_CONFIG"] = before


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=8)


@given(rows=st.dictionaries(NAMES.map(lambda name: f"v{name}"), NAMES, min_size=1, max_size=8))
def test_what_a_csv_says_is_what_is_read(tmp_path_factory: pytest.TempPathFactory, rows: dict[str, str]) -> None:
    """Written by Python's csv, any names come back with their labels, in the file's order, or the file is refused."""
    import csv

    file = tmp_path_factory.getbasetemp() / "own_y.csv"
    with file.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("path", "label"), *rows.items()])
    with contextlib.suppress(ReproError):
        found = read_csv(file, "val")
        assert [video.id for video in found.videos] == list(rows)
        for video in found.videos:
            wanted = rows[video.id]
            name = found.classes[video.label]
            assert name == label_maps.normal(wanted) or int(name) == int(float(wanted))
