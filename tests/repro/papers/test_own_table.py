"""A user's table in a TOML file: the same form as the papers' tables, and faults with their line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from repro import papers
from repro.__main__ import main
from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Speed, Static, diff
from repro.papers.recipes.named import named, names
from repro.papers.recipes.used import DNR_K400, KINETICS

GATE = """
from dataclasses import dataclass
from repro.registry import methods

@dataclass(frozen=True, kw_only=True)
class Options:
    reduction: int = 4

@methods.register("own_gate", options=Options)
def insert(model, options):
    return model
"""
TABLE = """
title = "Gates"
datasets = ["{csv}"]
modules = ["{gate}"]
backbone = "tiny_resnet"
frames = 4
seeds = 3
columns = "params gmacs speed slowdown top1 gain"
views = {{ clips = 1, crops = 1, crop = 32, resize = 32 }}

[recipe]
like = "dnr.kinetics400"
epochs = 2
crop = 32
resize = 0

[[row]]
model = "tsm"

[[row]]
model = "tsm"
method = "own_gate"
options = {{ reduction = 8 }}

[[row]]
model = "tanet"
label = "TANet, plain"

[[row]]
model = "tanet"
method = "own_gate"
baseline = "TANet, plain"
note = "Read it with care."
"""


pytestmark = pytest.mark.usefixtures("own_registry")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("own_gate") / "gate.py"
    file.write_text(GATE)
    return file


@pytest.fixture
def write(tmp_path: Path, tiny_csv: Path, gate: Path):
    def written(*changes: tuple[str, str], name: str = "mine.toml") -> Path:
        text = TABLE.format(csv=tiny_csv, gate=gate)
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return written


def test_rows_cells_and_columns_of_a_file(write, tiny_csv):
    table = papers.find(str(write()))
    assert table.full_name == "own/mine" and table.seeds == {"tiny": 3}
    assert [row.key for row in table.rows] == ["tsm", "tsm_own_gate-reduction=8", "tanet", "tanet_own_gate"]
    assert [row.label for row in table.rows][1:3] == ["TSM+own_gate (reduction=8)", "TANet, plain"]
    assert [row.baseline for row in table.rows] == [None, "tsm", None, "tanet"]
    assert all(row.section == "own" for row in table.rows) and table.rows[3].note == "Read it with care."
    assert [column.key for column in table.columns] == [
        "params",
        "gmacs",
        "speed",
        "slowdown",
        "tiny_top1",
        "tiny_gain",
    ]
    assert {figure.x for figure in table.figures} == {"gmacs", "speed"}
    row = table.row("tsm_own_gate-reduction=8")
    assert set(row.cells) == {"static", "speed", "tiny"}
    assert row.cells["static"].measure == Static(sizes=(32,))
    speed, accuracy = row.cells["speed"].measure, row.cells["tiny"].measure
    assert isinstance(speed, Speed) and speed.against == table.row("tsm").cells["speed"].model
    assert isinstance(accuracy, Accuracy) and re.fullmatch(r"tiny@[0-9a-f]{12}", accuracy.dataset)
    assert row.cells["tiny"].model.num_classes == 3 and row.cells["tiny"].model.code
    assert diff(row.cells["tiny"], table.row("tsm").cells["tiny"]).keys() == {
        "model.method", "model.method_options.reduction", "model.method_options", "model.code",
    }  # fmt: skip


def test_a_batch_of_more_clips_than_there_are_is_fitted_and_said(write):
    table = papers.find(str(write()))
    train = table.row("tsm").cells["tiny"].measure.train
    assert (train.batch, train.lr) == (12, KINETICS["tsm"][0].lr * 12 / 64)
    assert any("batch 12 for the recipe's 64" in note and "12 training videos" in note for note in table.footnotes)
    asked = papers.find(str(write(("epochs = 2", "epochs = 2\nbatch = 4"))))
    assert asked.row("tsm").cells["tiny"].measure.train.batch == 4
    assert not any("for the recipe's" in note for note in asked.footnotes)


def test_recipes_and_views_by_name_and_by_value(write):
    by_name = papers.find(str(write((TABLE[TABLE.index("[recipe]") : TABLE.index("[[row]]")], ""),
                                    ('seeds = 3', 'seeds = 3\nrecipe = "dnr.kinetics200"'),
                                    ("{ clips = 1, crops = 1, crop = 32, resize = 32 }", '"10x3"'))))  # fmt: skip
    measure = by_name.row("tsm").cells["tiny"].measure
    assert measure.train.epochs == 120 and (measure.test.clips, measure.test.crops) == (10, 3)
    by_value = papers.find(str(write(('like = "dnr.kinetics400"', "batch = 4\nlr = 0.1"))))
    train = by_value.row("tsm").cells["tiny"].measure.train
    assert (train.epochs, train.batch, train.lr, train.weight_decay) == (2, 4, 0.1, 1e-4)
    assert train.sampling == "mmaction2.uniform_train_4"


def test_every_named_recipe_can_be_asked_for():
    assert {"dnr.kinetics400", "adafuse.sthv1", "psn.kinetics400", "mmaction2.kinetics400", "probes"} <= set(names())
    for name in names():
        told = []
        for network in ("tsn", "tsm", "tanet", "tdn", "tea"):
            try:
                told.append(named(name, network)[0].epochs)
            except ReproError as error:
                assert "has no recipe for" in str(error)
        assert told, name
    assert named("dnr.kinetics400", "tea") == (DNR_K400, KINETICS["tsn"][1], "tsn")


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ('model = "tsm"', 'model = "tsmm"', "row 18", "did you mean tsm"),
        ('method = "own_gate"', 'method = "own_gat"', "22", "did you mean own_gate"),
        ("reduction = 8", "reductoin = 8", "23", "did you mean reduction"),
        ("reduction = 8", 'reduction = "x"', "23", "a whole number"),
        ('"TANet, plain"\nnote', '"TANet"\nnote', "32", "is no row; allowed: tsm"),
        ('backbone = "tiny_resnet"', 'backbone = "tiny"', "5", "did you mean tiny_resnet"),
        ("epochs = 2", 'epochs = "two"', "13", "a whole number"),
        ("epochs = 2", "epoch = 2", "13", "did you mean epochs"),
        ('"dnr.kinetics400"', '"dnr.kinetics40"', "12", "did you mean dnr.kinetics400"),
        ("slowdown", "slowdwon", "8", "did you mean slowdown"),
        ("clips = 1", "clip = 1", "9", "allowed: like, sampling, clips"),
        ("seeds = 3", "seeds = 0", "7", "1 to 1000"),
        ("seeds = 3", "sedes = 3", "7", "unknown name 'sedes'"),
        ("gate.py", "gat.py", "4", "is not a file"),
        ("frames = 4", "frames = true", "6", "frames is True"),
        ('model = "tanet"\nmethod', "method", "29", "a row without a model"),
        ('title = "Gates"', 'title "Gates"', "2", "not readable as TOML"),
    ],
)
def test_a_fault_is_told_with_its_line(write, old, new, line, told):
    with pytest.raises(ReproError) as error:
        papers.find(str(write((old, new))))
    assert re.search(rf"line {line.removeprefix('row ')}\b", str(error.value)) and told in str(error.value)


def test_a_file_that_is_not_there_is_begun_with_init(tmp_path, capsys):
    assert main(["run", str(tmp_path / "mine.toml")]) == 2
    assert f"python -m repro init {tmp_path / 'mine.toml'}" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "mine.toml")]) == 0
    assert main(["show", str(tmp_path / "mine.toml")]) == 0
    assert "own/mine" in capsys.readouterr().out
    assert main(["init", str(tmp_path / "mine.toml")]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_template_for_ones_own_data_is_a_table(tmp_path, tiny_csv):
    assert main(["init", str(tmp_path / "my.toml"), "--dataset", str(tiny_csv)]) == 0
    table = papers.find(str(tmp_path / "my.toml"))
    assert [row.key for row in table.rows][:2] == ["tsn", "tsm"] and table.rows[1].baseline == "tsn"
    assert table.row("tsn").cells["tiny"].measure.test.crop == 112


def test_dry_run_lines_run_again(write, capsys):
    file = write()
    assert main(["run", str(file), "--dry-run", "--only", "tiny", "--seeds", "2", "--rows", "tsm"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert main([*lines[1].split()[3:], "--dry-run"]) == 0
    assert f"run {file} --rows tsm --only tiny --seed 1" in capsys.readouterr().out


def test_a_table_of_a_file_in_a_package_has_the_name_it_is_registered_by(write):
    from repro.papers.own_table import own_table

    assert own_table(write(), "other/mine").full_name == "other/mine"
