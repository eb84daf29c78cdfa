"""What the papers claim: where a sentence stands, what it says, what decides it; read from `<paper>_claims.toml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from repro import registry
from repro.core.errors import BadOption, UnknownName
from repro.papers import published
from repro.papers.comparison import Comparison, comparison
from repro.papers.text import Text, of_table, read


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
    compares: tuple[Comparison, ...] = ()
    """Comparisons that all have to come out: printed ones beyond the noise of single runs, and over the seeds."""
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
    told = {
        **facts,
        "paper": paper,
        "printed": tuple(facts.get("printed", ())),
        "measured": tuple(facts.get("measured", ())),
        "compares": tuple(_compared(text, number, one) for one in facts.get("compares", ())),
    }
    return Claim(**told)


def _compared(text: Text, number: int, facts: Mapping[str, Any]) -> Comparison:
    """A comparison of the claim's own, or `named = "TABLE/NAME"`, one that the table asks; with changes of it."""
    changes = dict(facts)
    table, _, key = changes.pop("named", "").rpartition("/")
    try:
        if not table:
            return comparison(changes)
        known = _asked(table)
        if key not in known:
            raise UnknownName(f"comparison of {table}", key, known, fix=f"[comparisons.{key}] in its file")
        return comparison({**known[key], **changes}, table)
    except (BadOption, UnknownName) as error:
        raise text.fault(error.what, "claims", number, "compares", allowed=error.allowed or "") from error


def _asked(table: str) -> Mapping[str, Any]:
    if table not in registry.tables:
        raise UnknownName("table", table, registry.tables.names())
    found: Mapping[str, Any] = of_table(table).data.get("comparisons", {})
    return found
