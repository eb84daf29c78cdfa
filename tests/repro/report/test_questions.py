"""What is printed of questions: the whole truth of one, a line of many, the same in JSON."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from repro import papers
from repro.evidence.questions import answers
from repro.papers.questions import declared, find
from repro.records.index import Index
from repro.report.build_table import table_view
from repro.report.questions import FORMATS, as_json, lines, markdown, with_answers
from tests.repro.made_answers import write

SIGHT = "dnr/table1a/cl_helps_sight"


@pytest.fixture
def answered(tmp_path: Path) -> Index:
    one = find(SIGHT)

    def rates(label: str, seed: int) -> float:
        return (80 if label.startswith("CL") else 70) + seed / 4

    return write(tmp_path / "records", one, rates)


def test_one_question_with_all_that_it_rests_on(answered: Index):
    (found,) = answers([find(SIGHT)], answered)
    told = "\n".join(lines(found))
    for part in ("higher: +10.0", "over 10 seeds", "over 400 test videos", "Holm, 11 questions", "interval at most 2",
                 "which sees 1.4", "control: ", "holds", "how it was chosen: ", "`choose`",
                 "arms on probe-sight: "):  # fmt: skip
        assert part in told, part
    assert "would decide" not in told


def test_a_table_has_a_line_for_each_answer_and_the_command_behind(answered: Index):
    layout = papers.find("dnr/table1a")
    first, last = with_answers(table_view(layout, []), layout, answered).asked
    assert first.startswith("cl helps sight: higher +10.0 (") and first.endswith(" points")
    assert last == "1 question, open: python -m repro questions dnr/table1a"


def test_an_open_one_says_what_it_costs_and_by_which_command(tmp_path: Path):
    (found,) = answers([find(SIGHT)], Index(tmp_path))
    told = "\n".join(lines(found))
    assert f"python -m repro run questions --only {SIGHT}" in told and "trainings to go, about" in told


def test_an_undecided_one_says_how_many_seeds_would_decide_it(tmp_path: Path):
    one = find(SIGHT)
    wide = write(
        tmp_path / "wide", one, lambda label, seed: 70 + (seed * 7 % 10 - 4.5 if label.startswith("CL") else 0)
    )
    (found,) = answers([one], wide)
    assert found.word == "undecided"
    told = "\n".join(lines(found))
    assert "(±" in told and "seeds for an interval of 2" in told
    assert "wider than declared" not in told
    far = write(tmp_path / "far", one, lambda label, seed: 70 + (10 + seed * 7 % 10 if label.startswith("CL") else 0))
    (found,) = answers([one], far)
    assert found.word == "undecided" and "points, wider than declared" in "\n".join(lines(found))
    narrow = write(
        tmp_path / "narrow", one, lambda label, seed: 70 + 0.25 * (seed % 2 if label.startswith("CL") else 0)
    )
    (found,) = answers([one], narrow)
    assert "it is at most" in "\n".join(lines(found))


def test_all_of_them_fit_a_screen(answered: Index):
    out = io.StringIO()
    console = Console(file=out, width=100, highlight=False)
    FORMATS["text"](answers(declared("dnr"), answered), console)
    text = out.getvalue().splitlines()
    assert len(text) <= 40 and max(map(len, text)) <= 100
    assert "11 questions: 1 higher, 10 open" in out.getvalue()


def test_markdown_and_json_say_the_same(answered: Index):
    found = answers([find(SIGHT)], answered)
    assert "higher:" in markdown(found) and "how it was chosen" in markdown(found)
    (told,) = json.loads(as_json(found))
    assert told["answer"] == "higher" and told["value"] == pytest.approx(10, abs=0.3)
    assert len(told["arms"]) == 2 and all(control["holds"] for control in told["controls"])
