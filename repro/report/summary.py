"""The report's first page: which tables hold up, what contradicts its paper; on what that rests, and what is open."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from repro.evidence.check_rules import Finding
from repro.evidence.claims import BEYOND, FAILS, Judged
from repro.evidence.verdicts import WORDS, Word
from repro.records.schema import Record
from repro.report.table import Cell, Table

#: reasons that a command or more data would fill; the others say that there is nothing to fill
_OPEN = ("not run", "failed", "running", "protocol differs", "data not configured")
_QUOTED = "not run: the paper quotes"
#: the command in a reason
_COMMAND = re.compile(r"\(?(python -m repro [^)]*)\)?")


@dataclass(frozen=True)
class Coverage:
    """How far one table is."""

    table: Table
    printed: int
    measured: int
    open: int
    """Cells that a run would fill."""
    verdicts: Mapping[Word, int]
    """Word of `repro.evidence.verdicts` -> how many cells have it; 0 for those that none has."""

    @property
    def share(self) -> float:
        """Measured of measured and open cells, in percent."""
        return 100 * self.measured / max(self.measured + self.open, 1)

    @property
    def judged(self) -> int:
        """Printed counts that were held against ours."""
        return self.verdicts["reproduced"] + self.verdicts["differs"]

    @property
    def told(self) -> str:
        """How many of them are reproduced."""
        return f"{self.verdicts['reproduced']} of {self.judged}"


@dataclass(frozen=True)
class Differing:
    """A cell that is not what the paper prints."""

    anchor: str
    label: str
    table: str
    told: str
    explained: bool


@dataclass(frozen=True)
class Need:
    """A reason why cells are empty, how many, and the commands that fill them."""

    text: str
    commands: tuple[str, ...]
    cells: int
    tables: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """One combination of processor, device and versions, and what comes from it."""

    name: str
    facts: str
    versions: str
    commits: str
    kinds: str


@dataclass(frozen=True)
class Front:
    """All of it."""

    done: int
    failed: int
    kinds: str
    dates: str
    hours: float
    machines: list[Machine]
    coverage: list[Coverage]
    needs: list[Need]
    seeds: list[tuple[int, int]]
    """Number of seeds, and how many accuracies have so many."""
    datasets: list[tuple[str, int]]
    """Dataset, and how many trainings were tested on it."""
    differing: list[Differing]
    """Those that nobody explains first."""
    held: list[tuple[str, list[Coverage]]]
    """How tables hold up, in words, and those that do so."""
    contradicted: list[Judged]
    """Of which the arithmetic, of what is printed or of counts here, does not hold."""
    errors: list[Finding]
    undecided: list[Judged]
    """Claims of which it is written down what would decide them."""

    def _sum(self, word: Word) -> int:
        return sum(one.verdicts[word] for one in self.coverage)

    @property
    def counts(self) -> tuple[int, int, int]:
        """Printed counts of all tables: reproduced, those that differ, those that need data."""
        return self._sum("reproduced"), self._sum("differs"), self._sum("data")

    @property
    def beyond(self) -> int:
        """Gains beyond what chance gives two single runs."""
        return self._sum("beyond")

    @property
    def gains(self) -> int:
        """All that were held against it."""
        return self.beyond + self._sum("within")


def front(
    tables: Sequence[Table], records: Sequence[Record], judged: Sequence[Judged], findings: Sequence[Finding]
) -> Front:
    """Counts over what the report shows."""
    done = [record for record in records if record.status == "done"]
    days = sorted({record.finished[:10] for record in records})
    seeds: dict[str, set[int]] = defaultdict(set)
    for record in done:
        if record.kind == "accuracy":
            seeds[record.id].add(record.seed)
    against = [one for one in judged if FAILS in (one.by_counts, one.by_arithmetic)]
    coverage = [_coverage(table) for table in tables]
    open_claims = [one for one in judged if one.claim.would_decide and one.by_chance != BEYOND]
    return Front(
        done=len(done),
        failed=len(records) - len(done),
        kinds=_kinds(done),
        dates=" to ".join(dict.fromkeys((days[0], days[-1]))) if days else "",
        hours=sum(record.wall_s for record in records) / 3600,
        machines=machines(done),
        coverage=coverage,
        held=_held(coverage),
        needs=needs(tables),
        seeds=sorted(Counter(map(len, seeds.values())).items()),
        datasets=Counter(r.spec["measure"]["dataset"] for r in done if r.kind == "accuracy").most_common(),
        differing=sorted(differing(tables), key=lambda one: one.explained),
        contradicted=against,
        errors=[finding for finding in findings if finding.severity == "error"],
        undecided=open_claims,
    )


def _held(coverage: Sequence[Coverage]) -> list[tuple[str, list[Coverage]]]:
    found: dict[str, list[Coverage]] = {
        title: [] for title in ("All counts hold", "Some differ", "All differ", "No count to hold against")
    }
    for one in coverage:
        same, off = one.verdicts["reproduced"], one.verdicts["differs"]
        told = ("Some differ" if off else "All counts hold") if same else "All differ" if off else ""
        found[told or "No count to hold against"].append(one)
    return [(title, own) for title, own in found.items() if own]


def _coverage(table: Table) -> Coverage:
    cells = [cell for _, _, cell in table.cells()]
    return Coverage(
        table=table,
        printed=sum(cell.kind == "published" and cell.value is not None for cell in cells),
        measured=sum(cell.kind == "measured" for cell in cells),
        open=sum(is_open(cell) for cell in cells),
        verdicts={word: table.verdicts.get(word, 0) for word in WORDS},
    )


def differing(tables: Iterable[Table]) -> Iterator[Differing]:
    """Cells whose verdict is that they differ from print, in the order of the tables."""
    for table in tables:
        for row, column, cell in table.cells():
            if cell.verdict is not None and cell.verdict.word == "differs":
                told = cell.verdict.told
                label, anchor = f"{row.label}, {column.title}", f"{table.full_name}/{row.key}/{column.key}"
                yield Differing(anchor, label, table.full_name, told, not told.endswith("not explained"))


def is_open(cell: Cell) -> bool:
    """Whether a run or a dataset would fill it."""
    return cell.reason.startswith(_OPEN) and not cell.reason.startswith(_QUOTED)


def needs(tables: Iterable[Table]) -> list[Need]:
    """Reasons that can be mended, the most frequent first; those that differ only in the command stand together."""
    cells: Counter[str] = Counter()
    commands: dict[str, dict[str, None]] = defaultdict(dict)
    where: dict[str, dict[str, None]] = defaultdict(dict)
    for table in tables:
        for cell in (cell for _, _, cell in table.cells() if is_open(cell)):
            found = _COMMAND.search(cell.reason)
            text = _COMMAND.sub("", cell.reason).strip(" :;,")
            cells[text] += 1
            where[text][table.full_name] = None
            if found:
                commands[text][found.group(1).strip()] = None
    return [Need(text, tuple(commands[text]), count, tuple(where[text])) for text, count in cells.most_common()]


def machines(records: Iterable[Record]) -> list[Machine]:
    """Where the finished records come from, most frequent first."""
    groups: dict[tuple[str, str, str], list[Record]] = defaultdict(list)
    for record in records:
        if record.status == "done":
            facts = record.environment
            groups[str(facts.get("device_name", facts["device"])), _hardware(facts), _versions(facts)].append(record)
    ordered = sorted(groups, key=lambda key: (-len(groups[key]), key))
    return [Machine(*key, _commits(groups[key]), _kinds(groups[key])) for key in ordered]


def _commits(records: Iterable[Record]) -> str:
    """Those of the code, the first measured first; only their number where they are many."""
    ordered = sorted(records, key=lambda one: one.finished)
    named = list(dict.fromkeys(_commit(one.environment["git"]) for one in ordered))
    return ", ".join(named) if len(named) < 4 else f"{len(named)} commits, {named[0]} to {named[-1]}"


def _kinds(records: Iterable[Record]) -> str:
    kinds = Counter(record.kind for record in records)
    return ", ".join(f"{kinds[kind]} {kind}" for kind in ("static", "speed", "accuracy") if kinds[kind])


def _hardware(facts: Mapping[str, Any]) -> str:
    cores, memory = facts.get("cores"), facts.get("memory_gib")
    parts = [f"{cores} cores" if cores else "", f"{memory:g} GiB" if memory else "", str(facts.get("platform", ""))]
    return ", ".join(filter(None, parts))


def _versions(facts: Mapping[str, Any]) -> str:
    packages = facts["packages"]
    named = [f"{name} {packages[name]}" for name in ("torch", "timm", "decord", "av", "numpy") if name in packages]
    return ", ".join([f"Python {facts['python']}", *named])


def _commit(git: Mapping[str, Any]) -> str:
    if not git.get("commit"):
        return "no git"
    return str(git["commit"])[:12] + (" with local changes" if git.get("dirty") else "")
