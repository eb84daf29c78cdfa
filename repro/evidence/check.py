"""A linter for tables: arithmetic, physics and protocol of printed numbers, and of this suite's own records.

It reads files as `results/published` holds them, so that anybody can check a table: `python -m repro check my_tables/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from repro import papers
from repro.core.errors import RecordError
from repro.evidence import check_rules as rules
from repro.evidence.check_costs import costs, measured_counts
from repro.evidence.check_rules import Finding, Severity
from repro.evidence.claims import FAILS, Judged, judge
from repro.papers import as_written, published
from repro.papers.published import PublishedTable
from repro.records.schema import Record

Tables = Mapping[str, PublishedTable]


def check_tables(tables: Tables, records: Iterable[Record] = ()) -> list[Finding]:
    """All rules over these tables; counts of networks come from the records' static cells. Worst first."""
    counts = measured_counts(records)
    found: list[Finding] = []
    for table in tables.values():
        found += [Finding("reading", one.severity, (one.place,), one.told, one.allowed) for one in table.faults]
        for rule in (rules.differences, rules.views, rules.frames_scale, rules.throughput, rules.single_runs):
            found += rule(table)
        found += costs(table, counts)
    found += rules.printed_twice(tables)
    return ordered(found)


def check_records(records: Iterable[Record]) -> list[Finding]:
    """What cannot be right in measurements made here."""
    known = list(records)
    peaks = rules.peaks_of(known)
    return ordered([finding for record in known for finding in rules.own_record(record, peaks)])


def check_all(records: Sequence[Record], judged: Iterable[Judged] | None = None) -> tuple[list[Finding], list[Finding]]:
    """All findings on the published tables, the papers' claims and these records; and those of the records alone.

    `judged`: the claims, where they are judged already.
    """
    own = check_records(records)
    claims = check_claims(judge(papers.claims(), records) if judged is None else judged)
    return ordered([*check_tables(published.load_all(), records), *claims, *own]), own


def check_claims(judged: Iterable[Judged]) -> list[Finding]:
    """Sentences of the papers that their own numbers contradict."""
    return ordered(
        [
            Finding("claim", "warning", (one.claim.key,), part.told, one.claim.says)
            for one in judged
            for part in one.arithmetic
            if part.verdict == FAILS
        ]
    )


def ordered(findings: Sequence[Finding]) -> list[Finding]:
    """Errors, then warnings, then notes; each by its cells."""
    rank: dict[Severity, int] = {"error": 0, "warning": 1, "note": 2}
    return sorted(findings, key=lambda finding: (rank[finding.severity], finding.rule, finding.cells))


def read_tables(paths: Sequence[Path]) -> dict[str, PublishedTable]:
    """The CSV files named, and those in the folders named, as they are written. No file at all is an error."""
    files = [file for path in paths for file in (sorted(path.glob("[!.]*.csv")) if path.is_dir() else [path])]
    if not files:
        raise RecordError(
            f"no CSV file in {', '.join(str(path) for path in paths)}",
            fix=f"python -m repro check --template {paths[0] / 'mine.csv'}",
        )
    if table := next((file for file in files if file.suffix == ".toml"), None):
        raise RecordError(f"{str(table)!r} is a table, no CSV of numbers", fix=f"python -m repro show {table}")
    return {file.stem: as_written.read(file) for file in files}
