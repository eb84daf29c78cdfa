"""Gains of a user's table: paired seed by seed, over seeds and test videos, corrected for their number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.core.spec import Accuracy, Experiment, Model, Views, replace
from repro.evidence.own_gains import own_gains
from repro.evidence.video_scores import VideoScores
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.records.index import Index, finishing
from tests.repro.made_answers import scores_of, scores_with, write_record

TEST = Views(sampling="mmaction2.uniform_test_8")


def experiment(name):
    return Experiment(model=Model(name=name, backbone="resnet50"), measure=Accuracy(dataset="my", test=TEST))


def layout(*rows):
    made = [RowSpec(key="base", label="b", cells={"my": experiment("base")})]
    made += [RowSpec(key=row, label=row, cells={"my": experiment(row)}, baseline="base") for row in rows]
    columns = (ColumnSpec(key="gain", title="gain", source="gain:my:top1"),)
    return TableSpec(paper="own", name="t", title="t", rows=tuple(made), columns=columns, file="t.toml")


def found(root: Path, results, *, kept: bool = True):
    """The gains of each row, of name -> seed -> scores."""
    for name, seeds in results.items():
        for seed, scores in seeds.items():
            top1 = 100.0 * float((scores.logits[:, 0].argmax(1) == scores.labels).mean())
            write_record(root / "records", experiment(name), seed, "own/t", name, {"top1": top1}, scores, {})
    if not kept:
        for file in root.rglob("*.npz"):
            file.unlink()
    index = Index(root / "records")
    rows = [name for name in results if name != "base"]

    def done(one):
        return finishing(index.everywhere(one.id))

    return {row: gain for (row, _), gain in own_gains(layout(*rows), done, VideoScores(index)).items()}


def rates(**values):
    """Scores of 400 videos by their share that is right; a higher share has the videos of a lower one, too."""
    return {name: {seed: scores_of(rate, seed) for seed, rate in seeds.items()} for name, seeds in values.items()}


def same(*right: int):
    """Three seeds that have the same of a few videos right."""
    return {seed: scores_with(np.array(right, bool)) for seed in range(3)}


def test_what_a_seed_decides_for_both_falls_out(tmp_path: Path):
    base = {0: 20.0, 1: 50.0, 2: 80.0}
    gain = found(tmp_path, rates(base=base, a={seed: value + 2 + seed / 4 for seed, value in base.items()}))["a"]
    assert gain.value == pytest.approx(2.25) and (gain.word, gain.seeds) == ("higher", 3)
    assert gain.half == pytest.approx(0.621, abs=1e-3)  # by the seeds, of which there are fewer than videos


def test_only_seeds_that_both_have_count_and_one_is_none(tmp_path: Path):
    assert found(tmp_path / "one", rates(base={0: 1.0, 1: 2.0}, a={1: 3.0, 2: 9.0})) == {}
    gains = found(tmp_path / "two", rates(base={0: 1.0, 1: 2.0, 5: 7.0}, a={0: 3.0, 1: 4.5, 9: 0.0}))
    assert (gains["a"].seeds, gains["a"].value) == (2, 2.25)


def test_a_gain_that_is_sure_alone_is_not_among_many(tmp_path: Path):
    base = dict.fromkeys(range(4), 50.0)
    near = dict(zip(range(4), (50.5, 51.5, 52.5, 51.5), strict=True))
    others = {row: {0: 49.0, 1: 51.0, 2: 50.5, 3: 49.5} for row in "bcdef"}
    alone = found(tmp_path / "alone", rates(base=base, a=near))
    many = found(tmp_path / "many", rates(base=base, a=near, **others))
    assert alone["a"].word == "higher" and many["a"].word == "undecided"
    assert alone["a"].half == many["a"].half


@pytest.mark.parametrize(
    ("right", "word"),
    [((0, 0, 1, 1), "undecided"), ((1, 1, 1, 1), "undecided"), ((1,) * 12, "higher"), ((0,) * 12, "undecided")],
)
def test_seeds_that_agree_do_not_make_up_for_few_videos(tmp_path: Path, right, word):
    """Of a network that has none right: 50 and 100 points over 4 videos, 100 and 0 over 12, the same at each seed."""
    gain = found(tmp_path, {"base": same(*[0] * len(right)), "a": same(*right)})["a"]
    assert (gain.word, gain.value) == (word, 100 * np.mean(right))
    assert gain.half > 100 / len(right)


def test_without_files_of_scores_there_is_no_word(tmp_path: Path):
    base = dict.fromkeys(range(4), 50.0)
    kept = found(tmp_path / "kept", rates(base=base, a=dict.fromkeys(range(4), 80.0)))["a"]
    assert (kept.word, kept.value) == ("higher", 30.0)
    gone = found(tmp_path / "gone", rates(base=base, a=dict.fromkeys(range(4), 81.0)), kept=False)["a"]
    assert (gone.word, gone.value) == ("undecided", 31.0)
    assert gone.half > 5  # 400 videos: 1.96 * sqrt((50 * 50 + 81 * 19) / 400) = 6.2


@pytest.mark.parametrize(
    ("file", "source", "own"),
    [
        ("t.toml", "gain:my:top1", True),
        ("t.toml", "gain:static:params", False),
        ("", "gain:own-my:top1", True),
        ("", "gain:probe-order:top1", False),
        ("", "record:own-my:top1", False),
    ],
)
def test_gains_of_ones_own_data_stand_in_a_papers_table_too(file, source, own):
    table = replace(layout("a"), file=file)
    assert table.is_own_gain(ColumnSpec(key="k", title="k", source=source)) is own
