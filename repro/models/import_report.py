"""What became of every tensor of a checkpoint and of the network that it was imported into."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from repro.core import spec
from repro.core.errors import WeightsError
from repro.models import formats
from repro.models.formats import Contract
from repro.models.weight_sets import PLACES, TOP

#: names in a message
_NAMED = 4
_CLASSIFIER = re.compile(r"((relations|networks)\.\d+\.|policy\.)?fc\.(weight|bias)")


def is_classifier(name: str) -> bool:
    """Whether a tensor, by our name, is of a layer whose size is the number of classes; TRN and AR-Net have several."""
    return _CLASSIFIER.fullmatch(name) is not None


@dataclass(frozen=True)
class Report:
    """What became of every tensor of the file and of the network."""

    source: str
    sha256: str
    format: str
    model: spec.Model
    contract: Contract
    matched: tuple[str, ...]
    """Our names that the file fills."""
    renamed: tuple[tuple[str, str], ...]
    """(file's name, our name) of those matched under another name."""
    missing: tuple[str, ...]
    """Our names that the file lacks."""
    left_new: tuple[str, ...]
    """Those, and a classifier left out on request: they keep their initial values."""
    unexpected: tuple[str, ...]
    """The file's names that the network lacks."""
    dropped: tuple[tuple[str, str], ...]
    """(file's name, why it is of no use)."""
    shapes: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    """(our name, shape in the file, shape in the network) where they differ."""
    problems: tuple[str, ...] = ()
    """Other reasons why the file is not of this network."""
    partial: bool = False
    """Whether missing, unexpected and `problems` were allowed."""
    key: str = ""
    """Which of the file's sets of weights was taken."""
    others: tuple[str, ...] = ()
    """The sets that were not."""

    @property
    def fits(self) -> bool:
        """Whether the weights may be used."""
        if self.shapes or not self.matched:
            return False
        return self.partial or not (self.missing or self.unexpected or self.problems)


class Misfit(WeightsError):
    """A checkpoint of another network; `report` has every name."""

    def __init__(self, what: str, report: Report, *, fix: str | None) -> None:
        self.report = report
        super().__init__(what, fix=fix)


def misfit(report: Report) -> Misfit:
    """The error for a report that does not fit: what is wrong, and the option that would mend it."""
    model = report.model
    network = f"{model.name} on {model.backbone}" + (f" with {model.method}" if model.method else "")
    head = f"{report.source!r} ({report.format}) does not fit {network}, {model.frames} frames"
    classes = next((s for s in report.shapes if is_classifier(s[0]) and s[1][1:] == s[2][1:]), None)
    others = [shape for shape in report.shapes if classes is None or not is_classifier(shape[0])]
    parts, fix = list(report.problems), "another --model or --backbone, or allow what is new and unused with --partial"
    if classes is not None:
        parts.append(f"the file has {classes[1][0]} classes, the network {classes[2][0]}")
        fix = f"--classes {classes[1][0]}, or --new-classifier to leave the file's classifier out"
    if others:
        parts.append("shapes differ: " + some([f"{n} {list(a)} in the file, {list(b)} here" for n, a, b in others]))
        fix = "another --backbone, --frames or --model: a tensor of another shape cannot be used"
    if report.missing:
        parts.append(f"{len(report.missing)} missing: {some(report.missing)}")
    if report.unexpected:
        parts.append(f"{len(report.unexpected)} unexpected: {some(report.unexpected)}")
    if not report.matched:
        parts.append("no tensor fits")
        fix = "check --model and --backbone"
    return Misfit(f"{head}: {'; '.join(parts)}", report, fix=fix)


def some(names: Sequence[str]) -> str:
    """The first few names and how many more there are."""
    return ", ".join(names[:_NAMED]) + (f", ... ({len(names) - _NAMED} more)" if len(names) > _NAMED else "")


def render_report(report: Report) -> str:
    """The report as text; a few names of each kind, with the count of the rest."""
    contract = report.contract
    lines = [
        f"{report.source}",
        f"  sha256     {report.sha256}",
        f"  format     {report.format}: {formats.get(report.format).origin}",
        f"  input      {contract.order}, 0..{contract.scale:g}, mean {list(contract.mean)}, std {list(contract.std)}",
        f"  matched    {len(report.matched)} tensors",
    ]
    if report.others:
        lines.insert(2, f"  weights    {report.key}; the file also holds {', '.join(report.others)} (--weights-key)")
    elif report.key not in ("", TOP, *PLACES):
        lines.insert(2, f"  weights    {report.key}, the only ones in the file")
    shapes = [f"{name}: {list(there)} in the file, {list(here)} here" for name, there, here in report.shapes]
    lines += _section("renamed", [f"{old} -> {new}" for old, new in report.renamed], 3)
    lines += _section("missing", report.missing)
    lines += _section("unexpected", report.unexpected)
    lines += _section("dropped", [f"{name} ({reason})" for name, reason in report.dropped])
    lines += _section("shape", shapes)
    return "\n".join(lines + [f"  problem    {problem}" for problem in report.problems])


def _section(title: str, entries: Sequence[str], most: int = 12) -> list[str]:
    rest = [f"    ... {len(entries) - most} more"] if len(entries) > most else []
    return [f"  {title:<10} {len(entries)}", *(f"    {entry}" for entry in entries[:most]), *rest]
