"""The verb from a table to a network: choose."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from repro import papers
from repro.cli.arguments import add_device, add_module, positive
from repro.cli.common import Commands, prepare, verb
from repro.core.environment import device_name
from repro.core.errors import BadOption
from repro.core.words import many

if TYPE_CHECKING:
    from repro.cost.choose import Choice, Timed

_REPEATS = 21


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "choose",
        choose,
        "the most accurate network of the tables whose view takes no longer than a budget on this machine",
        "choose --budget 50ms --threads 2 --dataset kinetics400",
    )
    parser.add_argument("--budget", type=_seconds, required=True, metavar="TIME", help="of one view: 50ms, 0.2s")
    parser.add_argument("--dataset", required=True, help="whose accuracies count: kinetics400, sthv1, ..., or your own")
    parser.add_argument(
        "--from", dest="files", action="append", default=[], metavar="mine.toml",
        help="your own table beside the papers': networks with the accuracy that was measured",
    )  # fmt: skip
    parser.add_argument(
        "--form", choices=["fast", "eager"], default="fast", help="as it is run; default its fastest form"
    )
    parser.add_argument(
        "--repeats", type=positive, default=_REPEATS, help=f"forwards that are timed; default {_REPEATS}"
    )
    add_device(parser)
    add_module(parser)


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?) ?(ms|s)", text)
    value = float(found[1]) * (1e-3 if found[2] == "ms" else 1) if found else 0.0
    if not 0 < value < 1e5:
        raise argparse.ArgumentTypeError(f"{text!r} is no time above 0, such as 50ms or 0.2s")
    return value


def choose(args: argparse.Namespace) -> int:
    """Time candidates until the best within the budget is known; 1 where none fits."""
    from repro.cost.choose import candidates, timer
    from repro.cost.choose import choose as chosen
    from repro.data.datasets import is_csv
    from repro.data.user_data import dataset_name
    from repro.models.device import device_of
    from repro.records.index import finishing, shown_records

    console = prepare(args)
    device, index = device_of(args.device), shown_records()
    layouts = [papers.find(name) for name in (*papers.TABLES, *args.files)]
    with console.status("reading tables"):
        dataset = dataset_name(args.dataset) if is_csv(args.dataset) else args.dataset
        found = candidates(layouts, dataset, lambda one: finishing(index.of(one.id)) if one else [])
    if not found:
        raise BadOption(
            f"no network of the tables has a top-1 on {args.dataset!r}",
            allowed=", ".join(sorted(_datasets(layouts))),
            fix="python -m repro run mine.toml, then --from mine.toml",
        )
    with console.status("timing") as line:
        time = timer(form=args.form, repeats=args.repeats, device=device, threads=args.threads)
        made = chosen(found, args.budget, time, lambda one, left: line.update(f"{one.label}; {left} left at most"))
    threads = f", {many(args.threads, 'thread')}" if args.threads and device == "cpu" else ""
    head = f"{args.dataset}, {1e3 * args.budget:g} ms a view, {device_name(device)}{threads}: {len(found)} networks"
    console.print(head, markup=False)
    for text in _lines(made):
        console.print(text, markup=False, emoji=False)
    return 0 if made.fitting else 1


def _datasets(layouts: list[papers.TableSpec]) -> set[str]:
    from repro.core.spec import Accuracy
    from repro.papers import published
    from repro.papers.own_table import PAPER as OWN

    tables = [published.load(layout.published_csv) for layout in layouts]
    printed = {table.dataset(row) for table in tables if "top1" in table.columns for row in table.rows}
    rows = [row for layout in layouts if layout.paper == OWN for row in layout.rows]
    cells = [one.measure for row in rows for one in row.cells.values()]
    own = {one.dataset.partition("@")[0] for one in cells if isinstance(one, Accuracy)}
    return (printed | own | {name for row in rows for name in row.accuracy}) - {""}


def _lines(made: Choice) -> list[str]:
    """What was timed, what was chosen, what was left out and why."""
    front = made.front
    width = max(len(one.candidate.label) for one in made.timed)
    told = [f"  {'':<{width}}   top-1  views    GMACs   p50 ms   p95 ms"]
    for one in sorted(made.timed, key=lambda one: one.p95):
        who, signs = one.candidate, ("*" if one in front else " ") + (" fits" if one.p95 <= made.budget else "")
        numbers = f"{who.top1:6.2f}  {who.views:5}  {who.gmacs:7.2f}  {1e3 * one.p50:7.1f}  {1e3 * one.p95:7.1f}"
        told.append(f"  {who.label:<{width}}  {numbers} {signs}".rstrip())
    told.append("  * no other is faster and as accurate")
    told += _chosen(made.fitting[0]) if made.fitting else _nothing(made)
    rest = [f"{len(made.timed)} timed"]
    rest += [f"{len(made.no_better)} no better than a cheaper one that fits"] * bool(made.no_better)
    rest += [f"{len(made.too_large)} too large at the best rate seen"] * bool(made.too_large)
    return [*told, "; ".join(rest)]


def _chosen(one: Timed) -> list[str]:
    who = one.candidate
    whole = f"; the {who.views} views of that accuracy take {who.views * one.p50:.2g} s" if who.views > 1 else ""
    return [
        f"CHOSEN  {who.label}: {who.top1:.2f} % ({who.source}), p50 {1e3 * one.p50:.1f} ms, p95 {1e3 * one.p95:.1f} ms"
        f" a view of {many(who.model.frames, 'frame')} at {who.size}x{who.size}, {one.form}{whole}"
    ]


def _nothing(made: Choice) -> list[str]:
    one = made.nearest
    fits = made.budget * one.rate
    side = int(one.candidate.size * (made.budget / one.p95) ** 0.5) // 16 * 16
    smaller = f", or at a crop of about {side} (its accuracy there is not known)" if side >= 64 else ""
    return [
        f"NOTHING FITS {1e3 * made.budget:g} ms. Nearest is {one.candidate.label} ({one.candidate.top1:.2f} %): p95 "
        f"{1e3 * one.p95:.1f} ms. It fits with --budget {1e3 * one.p95 + 0.05:.1f}ms{smaller}; at its rate "
        f"({one.rate:.3g} GMACs/s) a network of at most {fits:.2g} GMACs would, or {one.p95 / made.budget:.1f} times "
        "the threads where they scale"
    ]
