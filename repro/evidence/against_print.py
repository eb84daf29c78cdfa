"""Which printed number a cell stands beside, and the verdict on it: lookups here, arithmetic in `evidence.verdicts`."""

from __future__ import annotations

from collections.abc import Sequence

from repro.evidence import verdicts
from repro.evidence.differences import off_paper
from repro.evidence.noise import TEST_VIDEOS, doubt
from repro.evidence.verdicts import Verdict
from repro.papers import published
from repro.papers.published import PublishedTable, Value
from repro.papers.table import OWN_DATA, PROBE, ColumnSpec, RowSpec, TableSpec
from repro.records.schema import Record

_RATES = ("top1", "top5")
#: path of a measured speed -> kind of the column that shows its printed counterpart
_SPEEDS = {"views_per_s": "published", "against.ratio_median": "slowdown"}


def of_measured(
    layout: TableSpec, row: RowSpec, column: ColumnSpec, values: Sequence[float], done: Sequence[Record]
) -> Verdict | None:
    """The verdict on a measured value; None where no paper prints what it could be held against."""
    kind, _, path = column.source.split(":")
    if row.published_row is None or not values:
        return None
    printed = published.load(layout.published_csv)
    if kind == "record" and path in _SPEEDS:
        return _of_speed(layout, row, path, done[-1])
    if path in _RATES and not column.cell.startswith(OWN_DATA) and done[-1].kind == "accuracy":
        value = printed.number(row.published_row, path)
        return _of_accuracy(layout, row, column, values, done, value, printed) if value else None
    return None


def of_printed_gain(table: PublishedTable, row: str, base: str, column: str) -> Verdict | None:
    """The verdict on the difference of two printed top-1; None where the test set is not known."""
    here, there = table.number(row, column), table.number(base, column)
    dataset = table.dataset(row)
    if column != "top1" or dataset not in TEST_VIDEOS or here is None or there is None:
        return None
    pair = (here.number or 0.0, there.number or 0.0)
    return verdicts.of_gain(*pair, doubt(pair, dataset))


def _of_accuracy(
    layout: TableSpec,
    row: RowSpec,
    column: ColumnSpec,
    values: Sequence[float],
    done: Sequence[Record],
    value: Value,
    printed: PublishedTable,
) -> Verdict | None:
    model, measure = done[-1].spec["model"], done[-1].spec["measure"]
    of = printed.dataset(row.published_row) or row.dataset
    if measure["dataset"].startswith(PROBE):
        return Verdict(
            "incomparable",
            f"print is of {of or 'a real dataset'} and a full-size network; here {measure['dataset']} with "
            f"{model['backbone']} on {measure['test']['crop']}x{measure['test']['crop']}, which tells of the mechanism "
            "alone",
        )
    if of != measure["dataset"]:
        return None
    differing = off_paper(layout, row.cells[column.cell]) + _missing(done, of)
    return verdicts.of_accuracy(values, int(done[-1].results["videos"]), value, differing)


def _missing(done: Sequence[Record], dataset: str) -> list[str]:
    """What a copy of the test set lacks of the one that papers report on, where that is more than one in a hundred."""
    videos, whole = int(done[-1].results["videos"]), TEST_VIDEOS.get(dataset, (0, ""))[0]
    return [f"{videos:,} test videos, not {whole:,}"] if whole and abs(videos - whole) > whole / 100 else []


def _of_speed(layout: TableSpec, row: RowSpec, path: str, record: Record) -> Verdict | None:
    for column in layout.columns:
        kind, *parts = column.source.split(":")
        if kind == _SPEEDS[path] and parts[-1] == "videos_per_s":
            table = published.load(parts[0]) if len(parts) == 2 else published.load(layout.published_csv)
            value = table.number(row.published_row, "videos_per_s")
            if value is None or (kind == "slowdown" and row.baseline is None):
                return None
            there = table.text(row.published_row, "device") or "a device that is not named"
            here = record.results["device_name"]
            told = f"whole videos of several views on {there} there; one view on {here} here"
            return Verdict("incomparable", told)
    return None
