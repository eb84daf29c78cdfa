"""`questions` and `run questions` at the command line: what they print, what they refuse, one question end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.__main__ import main
from repro.core import paths
from repro.papers.questions import declared, find, waits_for
from tests.repro.made_answers import write

TABLE = """
title = "Other Table 1"
caption = "Tiny."
groups = [{ title = "printed", columns = "top1 delta" }]
questions.order = { asks = "Does DNR read order?", arms = ["tsn_dnr", "tsn"], cell = "tiny", seeds = 2 }
"""
CSV = """row,label,model,method,backbone,dataset,top1,note
tsn,TSN,tsn,,x,sthv1,19.5,
tsn_dnr,TSN+DNR,tsn,dnr,x,sthv1,45.6,
"""
SPEC = """
from repro.core.spec import Experiment, Model, Static, frozen, replace
from repro.papers.layout import table
from repro.papers.smoke import smoke_table
from repro.papers.table import RowSpec
from repro.papers.probe_cells import on_probe
from repro.registry import tables

TSN = Model(name="tsn", backbone="tiny_resnet", num_classes=174, options=frozen(blocks=2, pool=True))


@tables.register("other/table1", "DNR on a small TSN")
def table1():
    rows = [
        RowSpec(key=key, cells={"tiny": on_probe(model, "probe-order")})
        for key, model in {"tsn": TSN, "tsn_dnr": replace(TSN, method="dnr")}.items()
    ]
    return smoke_table(table("other/table1", rows))
"""


def test_all_are_listed_and_one_table_s_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["questions", "psn", "--reference"]) == 0
    out = capsys.readouterr().out
    assert all(one.full_name in out for one in declared("psn")) and len(out.splitlines()) < 12
    assert main(["questions", "table6", "--reference"]) == 0
    out = capsys.readouterr().out
    assert out.count("how it was chosen: ") == 3 and out.count("control: ") >= 3
    assert main(["questions", "dnr/table2"]) == 0
    assert "asks nothing" in capsys.readouterr().out


def test_a_dry_run_names_a_command_for_each_that_can_be_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "questions", "--paper", "adafuse", "--dry-run"]) == 0
    out = capsys.readouterr().out
    for one in declared("adafuse"):
        assert f"{one.full_name}: not run, it waits for" in out if waits_for(one) else f"--only {one.full_name} " in out


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("questions tabel6", "did you mean table6"),
        ("questions dnr_on_tms", "did you mean dnr/table6/dnr_on_tsm"),
        ("questions psm", "did you mean psn"),
        ("run questions --seeds 3", "seeds are declared"),
        ("run questions --only nothing", "unknown paper, table or question 'nothing'"),
        ("run table6 --paper dnr", "run questions [--paper"),
        ("run table6 --own", "run questions [--paper"),
        ("run questions --failed", "--failed with run questions"),
    ],
)
def test_what_cannot_be(line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    assert told in capsys.readouterr().err


def test_records_of_questions_and_controls_are_no_leftovers(capsys: pytest.CaptureFixture[str]) -> None:
    one = find("dnr/table1a/cl_helps_sight")
    write(paths.own(), one, lambda label, seed: 70 + seed / 4)
    assert main(["records", "prune", "--unknown"]) == 0
    assert "0 files; nothing was removed" in capsys.readouterr().out
    assert main(["questions", one.full_name]) == 0
    assert "undecided" in capsys.readouterr().out


@pytest.mark.slow
def test_a_user_s_question_is_trained_answered_and_found_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, text in (("other.py", SPEC), ("other_table1.toml", TABLE), ("other_table1.csv", CSV)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    line = ["run", "questions", "--only", "other/table1/order", "--module", str(tmp_path / "other.py"), "--jobs", "1"]
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "4 trainings" in out and "over 2 seeds" in out and "Does DNR read order?" in out
    assert main(line) == 0
    out = capsys.readouterr().out
    assert "trainings" not in out and "over 2 seeds" in out
