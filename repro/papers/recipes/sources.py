"""What each source says of a network on a dataset, for every paper: looked up by name, compared by the reports."""

from __future__ import annotations

from collections.abc import Mapping

from repro.papers.recipes import authors, literature, mmaction2
from repro.papers.recipes.papers import ADAFUSE_AUTHORS, ADAFUSE_PAPER, DNR_CODE_K400, DNR_PAPER, PSN_PAPER
from repro.papers.recipes.protocol import Protocol

Table = Mapping[tuple[str, str], Protocol]

#: the sources, in the order in which they are shown; `run` is what this suite runs
SOURCES: dict[str, str] = {
    "paper": "the paper",
    "code": "the paper's own code",
    "authors": "the network's authors",
    "mmaction2": "mmaction2 v0.15",
    "mmaction2-1.x": "mmaction2 v1.2",
    "run": "run here",
}
_QUOTED = literature.QUOTED
_OF_PAPER: dict[str, dict[str, Table]] = {
    "dnr": {"paper": {**DNR_PAPER, **_QUOTED["dnr"]}, "code": {("tsn", "kinetics400"): DNR_CODE_K400}},
    "adafuse": {"paper": {**ADAFUSE_PAPER, **_QUOTED["adafuse"]}, "code": ADAFUSE_AUTHORS},
    "psn": {"paper": {**PSN_PAPER, **_QUOTED["psn"]}},
}
_OF_ALL: dict[str, Table] = {
    "authors": {**authors.PROTOCOLS, **literature.PROTOCOLS},
    "mmaction2": mmaction2.PROTOCOLS_V015,
    "mmaction2-1.x": mmaction2.PROTOCOLS_V1,
}


def known_protocols(paper: str) -> list[tuple[str, str, str]]:
    """(network, dataset, source) of all that is known for a paper's networks."""
    tables = {**_OF_PAPER.get(paper, {}), **_OF_ALL}
    return [(network, dataset, source) for source, table in tables.items() for network, dataset in table]


def protocols(paper: str, network: str, dataset: str) -> dict[str, Protocol]:
    """Source -> what it says of a network on a dataset; a source that says nothing of it is not among them."""
    tables = {**_OF_PAPER.get(paper, {}), **_OF_ALL}
    return {name: tables[name][network, dataset] for name in SOURCES if (network, dataset) in tables.get(name, {})}
