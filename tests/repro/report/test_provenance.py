"""The command that makes a record again."""

from __future__ import annotations

import shlex

import pytest

from repro.records.schema import Record
from repro.report.provenance import again


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("run table6", "run dnr/table6 {}"),
        ("run table6 --jobs 1 --records-only", "run dnr/table6 --jobs 1 --records-only {}"),
        ("run table6 --rows a b --only static speed --seeds 3 --jobs 1 --force", "run dnr/table6 --jobs 1 {}"),
        ("run psn/table1 --seed=2 --with x:a=1 --module 'my files/x.py'",
         "run dnr/table6 --with x:a=1 --module 'my files/x.py' {}"),
    ],
)  # fmt: skip
def test_a_run_is_told_with_its_folders_and_of_its_own_cell_alone(records: list[Record], given: str, told: str) -> None:
    record = records[0].model_copy(update={"command": ["python", "-m", "repro", *shlex.split(given)]})
    own = f"--rows {record.row} --only {record.cell} --force"
    assert again(record) == "python -m repro " + told.format(own)


def test_seeds_of_trainings_are_told_and_other_verbs_stay_as_given(records: list[Record]) -> None:
    trained = next(record for record in records if record.kind == "accuracy" and record.seed == 1)
    assert again(trained).endswith("--seed 1 --force")
    other = trained.model_copy(update={"command": ["python", "-m", "repro", "train", "tsm", "--dataset", "a b.csv"]})
    assert again(other) == "python -m repro train tsm --dataset 'a b.csv'"
