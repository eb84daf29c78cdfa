"""What the papers claim: where a sentence stands, what it says, what decides it; read from `<paper>_claims.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro import registry
from repro.papers import published
from repro.papers.text import Text, read


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One checkable sentence, or one part of a compound one."""

    key: str
    paper: str
    where: str
    """Section, table or caption."""
    says: str
    """In our words."""
    printed: tuple[str, ...] = ()
    """Statements that have to hold on what is printed: arithmetic on cells, as `repro.evidence.arithmetic` reads it."""
    measured: tuple[str, ...] = ()
    """Statements that have to hold on records of this suite."""
    shows: tuple[str, ...] = ()
    """Arithmetic that is shown without a verdict, as the sentence names no threshold."""
    probes: tuple[str, ...] = ()
    """Declared questions that ask it of a mechanism, `TABLE/QUESTION`."""
    would_decide: str = ""
    """What would decide an open claim."""
    note: str = ""


def papers_with_claims() -> list[str]:
    """Papers that have a table, and claims written down; in the order of their tables."""
    papers = dict.fromkeys(entry.name.partition("/")[0] for entry in registry.tables.in_order())
    return [paper for paper in papers if published.find(f"{paper}_claims.toml")]


def claims_of(paper: str) -> list[Claim]:
    """All of a paper, in the order of the file."""
    path = published.find(f"{paper}_claims.toml")
    assert path is not None
    text = read(path, "CLAIMS")
    return [_claim(text, paper, number, facts) for number, facts in enumerate(text.data.get("claims", ()))]


def _claim(text: Text, paper: str, number: int, facts: Mapping[str, Any]) -> Claim:
    missing = [name for name in ("key", "where", "says") if not facts.get(name)]
    if missing:
        raise text.fault(f"claim {number + 1} has no {missing[0]}", "claims", number)
    listed = {name: tuple(facts.get(name, ())) for name in ("printed", "measured", "shows", "probes")}
    return Claim(**{**facts, **listed, "paper": paper})
