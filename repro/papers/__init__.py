"""The tables of the three papers, of this suite and of whoever registers one, by name.

Naming them imports only this file; `find` imports the paper asked for. A table of another paper is a function that
returns a `TableSpec`, registered in a file given by `--module` or by an entry point in the group `repro.tables`:

    from repro.registry import tables

    @tables.register("other/table1", "what it compares")
    def table1() -> TableSpec: ...

Its printed values, its texts and its paper's claims lie beside the file: `other_table1.csv`, `.toml`,
`other_claims.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from repro import registry
from repro.core.errors import BadOption, ReproError, UnknownName
from repro.registry import Entry

if TYPE_CHECKING:
    from repro.core.spec import Model
    from repro.papers.claim import Claim
    from repro.papers.table import TableSpec
    from repro.papers.with_data import OwnData

#: full name -> where it is built, and a line on it
_OURS = {
    "dnr/table1a": ("repro.papers.dnr.ablations:table1a", "DNR ablation: place of the relays in a block"),
    "dnr/table1b": ("repro.papers.dnr.ablations:table1b", "DNR ablation: relay distance"),
    "dnr/table1c": (
        "repro.papers.dnr.ablations:table1c",
        "DNR ablation: reduction ratio and bottleneck units of the cell",
    ),
    "dnr/table1d": ("repro.papers.dnr.ablations:table1d", "DNR ablation: kind of relay"),
    "dnr/table2": ("repro.papers.dnr.tables:table2", "DNR on four backbones of TSN"),
    "dnr/table3": ("repro.papers.dnr.tables:table3", "DNR by normalization and clips on a device"),
    "dnr/table4": ("repro.papers.dnr.transfer:table4", "DNR on Kinetics-400 and, from there, Something-Something"),
    "dnr/table5": ("repro.papers.dnr.tables:table5", "DNR on 3D networks"),
    "dnr/table6": (
        "repro.papers.dnr.table6:table6",
        "DNR on TSN, TSM, TANet and TDN, Kinetics-400, beside published networks",
    ),
    "dnr/supp1": ("repro.papers.dnr.ablations:supp1", "DNR supplement: direction of the relay"),
    "dnr/supp2": ("repro.papers.dnr.tables:supp2", "DNR supplement: speed"),
    "psn/table1": (
        "repro.papers.psn.ablations:table1",
        "PSN ablation: blocks of one scale, of several, of many shapes",
    ),
    "psn/table2": ("repro.papers.psn.ablations:table2", "PSN ablation: what fuses the bags of kernels, and its losses"),
    "psn/table3": ("repro.papers.psn.ablations:table3", "PSN ablation: design of the synthesizer"),
    "psn/table4": ("repro.papers.psn.comparisons:table4", "PSN on Something-Something V1, beside published networks"),
    "psn/table5": ("repro.papers.psn.comparisons:table5", "PSN on Kinetics-400, beside published networks"),
    "psn/table6": ("repro.papers.psn.comparisons:table6", "PSN on Diving48, beside published networks"),
    "adafuse/speed": ("repro.papers.adafuse.speed:speed", "AdaFuse: time saved; no paper prints it"),
    "suite/matrix": (
        "repro.papers.matrix:matrix",
        "TSN, TSM, TANet and TDN, each alone and with DNR, AdaFuse and PSN: one protocol; no paper prints it",
    ),
    "adafuse/table1": ("repro.papers.adafuse.tables:table1", "AdaFuse on Something-Something V1 beside its baselines"),
    "adafuse/table2": ("repro.papers.adafuse.tables:table2", "AdaFuse on EfficientNet-b0 to b3"),
    "adafuse/table3": ("repro.papers.adafuse.comparisons:table3", "AdaFuse on four datasets"),
    "adafuse/table4": ("repro.papers.adafuse.comparisons:table4", "AdaFuse beside AR-Net"),
    "adafuse/table5": ("repro.papers.adafuse.comparisons:table5", "AdaFuse beside the state of the art"),
    "adafuse/table6": ("repro.papers.adafuse.tables:table6", "AdaFuse ablation: skip, reuse, policy"),
    "adafuse/table7": (
        "repro.papers.adafuse.comparisons:table7",
        "AdaFuse ablation: hidden units, weight of the efficiency loss",
    ),
}

for _name, (_target, _title) in _OURS.items():
    registry.tables.add(_name, _target, _title)

_FULL_NAME = re.compile(r"[a-z0-9]+/[a-z0-9_]+")


class _Tables(Mapping[str, Entry]):
    """Full name -> entry, this suite's own first, in the order of a report."""

    def __iter__(self) -> Iterator[str]:
        return (entry.name for entry in registry.tables.in_order())

    def __len__(self) -> int:
        return len(registry.tables.in_order())

    def __getitem__(self, name: str) -> Entry:
        if name not in registry.tables:
            raise KeyError(name)
        return registry.tables[name]


TABLES = _Tables()

#: short names that stand for a full one; any other short name works where only one paper has it
SHORT = {"table6": "dnr/table6"}


def full_name(name: str) -> str:
    """`dnr/table6` for `table6` or `dnr-table6`; an unknown or ambiguous name raises with the nearest ones."""
    name = name.replace("-", "/", 1)
    if name in TABLES:
        return name
    if name in SHORT:
        return SHORT[name]
    matches = [full for full in TABLES if full.split("/")[-1] == name]
    if len(matches) == 1:
        return matches[0]
    raise UnknownName("table", name, [*TABLES, *SHORT])


def find(name: str, methods: Sequence[str] = (), data: OwnData | None = None) -> TableSpec:
    """The table's rows, columns and experiments; with more `methods`, a row of each on every plain network: `dnr`, or
    `dnr:reduction=8,units=2` with options; with `data`, a column of that dataset. A name that ends in
    `.toml` is a file of the user's own (`repro.papers.own_table`).
    """
    if name.endswith(".toml"):
        from repro.papers.own_table import own_table

        table = own_table(Path(name))
    else:
        entry = TABLES[full_name(name)]
        table = _built(entry.name, entry.origin, entry.load())
    if data is not None:
        from repro.papers.with_data import with_data

        table = with_data(table, data)
    if methods:
        from repro.papers.with_method import with_method

        for method in methods:
            table = with_method(table, method)
    return table


def row_model(name: str) -> Model:
    """The model of `table6/tsm_r50_dnr`: the full-size network of that row."""
    table_name, _, row_key = name.rpartition("/")
    row = find(table_name).row(row_key)
    for experiment in row.cells.values():
        if experiment.measure.kind == "static":
            return experiment.model
    raise BadOption(
        f"row {name!r} holds no network", allowed="a row that is measured", fix=f"python -m repro show {table_name}"
    )


@cache
def _built(name: str, origin: str, make: Callable[[], TableSpec]) -> TableSpec:
    if not _FULL_NAME.fullmatch(name):
        raise BadOption(f"table {name!r} of {origin}", allowed="PAPER/TABLE, in small letters and digits")
    try:
        table = make()
    except ReproError:
        raise
    except Exception as error:
        if origin == "repro":
            raise
        told = f"{type(error).__name__}: {error}{registry.place_of(error)}"
        raise BadOption(f"table {name!r} of {origin} cannot be built: {told}") from error
    made = getattr(table, "full_name", None) or repr(table)
    if made != name:
        raise BadOption(f"table {name!r} of {origin} is built as {made}", allowed="a TableSpec of that name")
    return table


def claims(paper: str | None = None) -> list[Claim]:
    """The claims of one paper, or of all."""
    from repro.papers.claim import claims_of, papers_with_claims

    known = papers_with_claims()
    if paper is not None and paper not in known:
        raise UnknownName("paper", paper, known)
    return [claim for name in ([paper] if paper else known) for claim in claims_of(name)]
