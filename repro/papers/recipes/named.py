"""Recipes and test views by name, `dnr.kinetics400` or `mmaction2.sthv1`, for a user's own tables.

The first part is a source: a paper here, the networks' authors, mmaction2; `probes` is the recipe of the embedded
datasets. What a source gives a network is taken; for a network of which it says nothing, what it gives TSN, with a
sampling rule of as many frames as the network takes.
"""

from __future__ import annotations

from collections.abc import Iterator

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Train, Views
from repro.papers.probes import recipe
from repro.papers.recipes.sources import known_protocols, protocols
from repro.papers.recipes.used import KINETICS

_PROBES = "probes"
_PAPERS = ("dnr", "adafuse", "psn")


def named(name: str, network: str) -> tuple[Train, Views, str]:
    """Recipe and test views of that name for a network, and whose they are where not the network's own."""
    if name == _PROBES:
        return *recipe(network), ""
    source, _, dataset = name.rpartition(".")
    for asked in (network, "tsn"):
        found = _of(source, asked, dataset)
        if found is not None:
            return *found, "" if asked == network else asked
    of = sorted({network for told, network, data in _all() if (told, data) == (source, dataset)})
    if of:
        raise BadOption(f"{name} has no recipe for {network}", allowed=f"{', '.join(of)}; or another recipe")
    raise UnknownName("recipe", name, names(), fix='recipe = "dnr.kinetics400"')


def names() -> list[str]:
    """Every name, sorted."""
    return sorted({_PROBES, *(f"{source}.{dataset}" for source, _, dataset in _all())})


def _all() -> Iterator[tuple[str, str, str]]:
    """Source, network and dataset of each that has both a recipe and a test."""
    for paper in _PAPERS:
        for network, dataset, source in known_protocols(paper):
            told = paper if source == "paper" else source
            if source != "code" and _of(told, network, dataset):
                yield told, network, dataset


def _of(source: str, network: str, dataset: str) -> tuple[Train, Views] | None:
    if (source, dataset) == ("dnr", "kinetics400") and network in KINETICS:
        return KINETICS[network]
    paper, wanted = (source, "paper") if source in _PAPERS else ("", source)
    found = protocols(paper, network, dataset).get(wanted)
    return (found.train, found.test) if found is not None and found.train and found.test else None
