"""Answers out of records: words, what is open or empty and why, and the same experiment counted once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from repro.core import paths
from repro.core.spec import replace
from repro.data.embedded import EMBEDDED
from repro.evidence import questions
from repro.evidence.questions import answers
from repro.papers.probes import MARKS
from repro.papers.question import Question
from repro.papers.questions import controls_of, declared, experiments, find, terms
from repro.records.index import Index
from tests.repro.made_answers import VIDEOS, write

SIGHT = "dnr/table1a/cl_helps_sight"


def answer(name: str, index: Index):
    (found,) = answers([find(name)], index)
    return found


def arms(first: float, second: float, spread: float = 0.0):
    """Rates of a question's two arms by label; the spread is of the first arm, over the seeds."""
    one = find(SIGHT)
    better = terms(one)[0].label

    def rates(label: str, seed: int) -> float:
        return (first + spread * (seed - 4.5) if label == better else second) + seed / 4

    return rates


@pytest.mark.parametrize(
    ("first", "second", "spread", "word"),
    [(80, 70, 0.1, "higher"), (70, 80, 0.1, "lower"), (75, 75, 0.1, "undecided"), (90, 60, 2.0, "undecided")],
)
def test_words(tmp_path: Path, first, second, spread, word):
    """The last is far from none, and its interval is wider than the 2 points that were declared."""
    found = answer(SIGHT, write(tmp_path / "records", find(SIGHT), arms(first, second, spread)))
    assert (found.state, found.word) == ("answered", word)
    assert found.found.seeds.value == pytest.approx(first - second, abs=0.3)
    assert found.videos.value == pytest.approx(found.found.seeds.value)
    assert found.videos.n == VIDEOS and found.family == len(declared("dnr"))
    assert found.on_probe == {"higher": "yes", "lower": "no"}.get(word, "undecided")


def test_open_questions_tell_what_is_left_and_no_value(tmp_path: Path):
    found = answer(SIGHT, write(tmp_path / "records", find(SIGHT), arms(80, 70), without=1))
    assert (found.state, found.left, found.seconds) == ("open", 2, 120.0)
    assert found.found is None and all(arm.mean is None for arm in found.arms)
    nothing = answer(SIGHT, Index(tmp_path / "none"))
    shared = {control.experiment.id for control in controls_of(find(SIGHT))} & set(experiments(find(SIGHT)))
    wanted = 20 + sum(c.seeds for c in controls_of(find(SIGHT)) if c.experiment.id not in shared)
    assert (nothing.state, nothing.left) == ("open", wanted)


def test_a_failed_control_empties_the_question_and_says_which(tmp_path: Path):
    one = find(SIGHT)
    negative = next(c for c in controls_of(one) if not c.positive and c.experiment.id not in experiments(one))
    found = answer(SIGHT, write(tmp_path / "records", one, arms(80, 70), controls={negative.says: 99.0}))
    assert found.state == "empty" and negative.says in found.why and "99.0" in found.why


def test_what_is_not_trained_enters_no_comparison(tmp_path: Path):
    rising = [{"epoch": float(e), "step": e, "loss": 1.0, "top1": 20.0 + 2 * e} for e in range(20)]
    found = answer(SIGHT, write(tmp_path / "records", find(SIGHT), arms(80, 70), curve=rising))
    assert found.state == "empty" and "not trained" in found.why


def test_scores_that_are_gone_are_told(tmp_path: Path):
    index = write(tmp_path / "records", find(SIGHT), arms(80, 70))
    for file in (tmp_path / "records").rglob("*.npz"):
        file.unlink()
    found = answer(SIGHT, index)
    assert found.state == "empty" and "are missing" in found.why


def test_what_scores_come_to_is_kept_and_made_again(tmp_path: Path):
    """Without the files the same answer; with other files, or a damaged copy, another reading."""
    index = write(tmp_path / "records", find(SIGHT), arms(80, 70, 0.1))
    first = answer(SIGHT, index)
    kept = list((paths.cache() / "samples").glob("*.json"))
    assert len(kept) == 1
    for file in (tmp_path / "records").rglob("*.npz"):
        file.unlink()
    assert answer(SIGHT, index) == first
    kept[0].write_text("{", encoding="utf-8")
    assert answer(SIGHT, index).state == "empty"
    assert answer(SIGHT, write(tmp_path / "other", find(SIGHT), arms(70, 80, 0.1))).word == "lower"


def test_the_same_contrast_under_two_names_is_corrected_once(tmp_path: Path, monkeypatch):
    one = find(SIGHT)
    twice = replace(one, key="again", arms=one.arms[::-1])
    monkeypatch.setattr(questions, "declared", lambda paper: [one, twice])
    index = write(tmp_path / "records", one, arms(80, 70, 0.1))
    here, again = answers([one, twice], index)
    assert here.family == again.family == 1
    assert here.p == again.p == pytest.approx(here.found.p)
    assert (here.word, again.word) == ("higher", "lower")


def test_a_sweep_is_the_change_from_its_first_point_to_its_last(tmp_path: Path):
    one = find("dnr/table3/bn_by_batch")
    gains = {"batch 32": 1.0, "batch 8": 2.0, "batch 2": 5.0}

    def rates(label: str, seed: int) -> float:
        gain = next(value for name, value in gains.items() if label.endswith(f", {name}"))
        return 60 + seed / 4 + (gain if "DNR" in label else 0)

    found = answer(one.full_name, write(tmp_path / "records", one, rates))
    assert found.found.seeds.value == pytest.approx(4.0, abs=0.3) and found.found.seeds.n == 6


def test_grades_are_parts_of_the_test_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Figures of each video, of one training a seed: reuse / keep is 0.8 where one picture is shown, 0.2 of eight."""
    from tests.repro import made_answers

    one = find("adafuse/table6/reuse_by_redundancy")
    monkeypatch.setitem(MARKS, (one.probe, "tsn"), 0.0)  # type: ignore[arg-type]
    made = made_answers.scores_of

    def graded(percent: float, seed: int):
        scores = made(percent, seed)
        reuse = np.resize([0.4, 0.3, 0.2, 0.1], VIDEOS) + seed / 1000
        ids = [f"{name:05d}-p{2 ** (name % 4)}" for name in range(VIDEOS)]
        stats = np.stack([reuse, np.full(VIDEOS, 0.5)], 1)[:, None].astype(np.float32)
        return replace(scores, ids=ids, stats=stats, stat_names=("reuse", "keep"))

    made_answers.scores_of = graded
    try:
        found = answer(one.full_name, write(tmp_path / "records", one, lambda label, seed: 60))
    finally:
        made_answers.scores_of = made
    assert [arm.mean for arm in found.arms] == pytest.approx([0.209, 0.409, 0.609, 0.809], abs=1e-3)
    assert found.found.seeds.value == pytest.approx(0.6, abs=1e-3) and found.videos is None


def test_a_host_at_its_ceiling_is_told(tmp_path: Path):
    assert answer(SIGHT, write(tmp_path / "low", find(SIGHT), arms(80, 70))).out_of_range == ()
    (told,) = answer(SIGHT, write(tmp_path / "high", find(SIGHT), arms(80, 95))).out_of_range
    assert "TSN at 9" in told and "55 to 90" in told


def test_seeds_may_lie_in_two_folders(tmp_path: Path):
    """Some published, the others trained since: one sample. Of ten that are gone, three of TSN are a control's too."""
    from repro.runner.questions import undone

    one, own, reference = find(SIGHT), tmp_path / "own", tmp_path / "reference"
    write(own, one, arms(80, 70, 0.1))
    for file in [file for file in own.rglob("*-s[0-4].*") if "controls" not in file.parts]:
        target = reference / file.relative_to(own)
        target.parent.mkdir(parents=True, exist_ok=True)
        file.rename(target)
    assert answer(SIGHT, Index(own)).state == "open" and len(undone(one, Index(own))) == 7
    both = Index(own, reference)
    assert answer(SIGHT, both).word == "higher" and undone(one, both) == []


def test_seeds_that_are_not_declared_do_not_count(tmp_path: Path):
    """More seeds than were declared change nothing: none is added after looking."""
    one = find(SIGHT)
    more = replace(one, seeds=12)
    index = write(tmp_path / "records", more, arms(80, 70, 0.1))
    assert answer(SIGHT, index).found.seeds.n == one.seeds


def test_questions_of_a_user_s_table_are_about_a_cell(tmp_path: Path):
    made = Question(table="dnr/table1a", key="own", asks="?", arms=("ct_bn2", "baseline"), cell="probe-order", seeds=3)
    assert {term.cell for term in terms(made)} == {"probe-order"} and not controls_of(made)


def test_what_has_no_mark_of_being_trained_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("repro.papers.questions.MARKS", {})
    found = answer(SIGHT, write(tmp_path / "records", find(SIGHT), arms(80, 70, 0.1)))
    assert found.state == "empty" and "a mark of tsn on probe-sight" in found.why


def test_records_of_an_earlier_version_of_a_probe_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    index = write(tmp_path / "records", find(SIGHT), arms(80, 70, 0.1))
    assert answer(SIGHT, index).state == "answered"
    made = EMBEDDED["probe-sight"]
    monkeypatch.setitem(EMBEDDED, "probe-sight", replace(made, version=99))
    assert answer(SIGHT, index).state == "open"
