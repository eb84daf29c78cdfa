"""What the dial and the recipe of the probes were chosen by: kept apart from the records, and never on the test."""

import csv
from pathlib import Path

from repro.papers.probes import CHOOSE_SEED, PROBES

ROWS = list(csv.DictReader((Path(__file__).resolve().parents[3] / "results" / "choosing.csv").open()))


def test_choosing_took_seeds_that_no_question_has():
    assert all(int(row["seed"]) >= CHOOSE_SEED for row in ROWS)
    assert {row["probe"] for row in ROWS} <= set(PROBES)
