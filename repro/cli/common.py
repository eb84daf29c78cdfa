"""What the verbs share: how one is declared, the screen, a list of names."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.segment import Segment

from repro import papers
from repro.cli.arguments import add_module, positive
from repro.core.errors import BadOption
from repro.core.options import parsed
from repro.core.paths import expand, torchrun
from repro.core.plain_text import shown
from repro.core.spec import frozen, replace
from repro.papers.table import TableSpec
from repro.registry import load_module

if TYPE_CHECKING:
    from repro.papers.with_data import OwnData

_WIDTH_WITHOUT_TERMINAL = 160
_EXAMPLE = "example: "

Commands = argparse._SubParsersAction


class _Help(argparse.HelpFormatter):
    """A command stays on one line, to be copied."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if text.startswith(_EXAMPLE) else super()._fill_text(text, width, indent)


def verb(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Declare a verb: its function, one line, one example."""
    parser = commands.add_parser(
        name, help=summary, description=summary, epilog=f"{_EXAMPLE}python -m repro {example}", formatter_class=_Help
    )
    parser.set_defaults(run=run)
    return parser


class Screen(Console):
    """A console that leaves a closed pipe to `repro.__main__`, where rich ends the process with status 1, and shows
    control characters of names and reasons as escapes.
    """

    def render(self, renderable: Any, options: Any = None) -> Iterable[Segment]:
        """What is written, piece by piece; rich's own controls are pieces apart."""
        for piece in super().render(renderable, options):
            yield piece if piece.control or piece.text.isprintable() else Segment(shown(piece.text), piece.style)

    def on_broken_pipe(self) -> None:
        """Called where nobody reads on."""
        raise BrokenPipeError


def prepare(args: argparse.Namespace) -> Console:
    """The screen; the user's own modules are loaded first. Of several processes only the first has a screen."""
    if torchrun():  # torch would tell each process that a flag, which some networks need, costs time in others
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    for module in getattr(args, "module", []):
        load_module(module)
    console = Screen(highlight=False, soft_wrap=True, quiet=not first_process())
    if console.width < 1 or not (console.is_terminal or "COLUMNS" in os.environ):  # COLUMNS=0 would show nothing
        console.width = _WIDTH_WITHOUT_TERMINAL
    return console


def first_process() -> bool:
    """Whether this process speaks for all that torchrun started."""
    told = torchrun()
    return told is None or told[0] == 0


def print_named(console: Console, heading: str, lines: dict[str, str]) -> None:
    """A heading and a line for each name."""
    console.print(f"[bold]{heading}[/]")
    width = max(map(len, lines), default=0) + 2
    for name, line in lines.items():
        console.print(f"  {name:<{width}}{line}", markup=False)


def add_table(parser: argparse.ArgumentParser) -> None:
    """TABLE, and --with for methods of the user's own."""
    parser.add_argument("table", metavar="TABLE")
    add_with(parser)
    add_data(parser)


def add_reference(parser: argparse.ArgumentParser) -> None:
    """--reference: what is committed alone."""
    parser.add_argument("--reference", action="store_true", help="from the committed records alone, without your own")


def add_form(parser: argparse.ArgumentParser) -> None:
    """--full, --rows, --columns, --notes: how much of a table is shown."""
    parser.add_argument("--full", action="store_true", help="every row, column and note (default: the short form)")
    parser.add_argument(
        "--rows", nargs="+", default=[], metavar="KEY", help="these rows (* allowed); quoted: those of other papers too"
    )
    parser.add_argument(
        "--columns", nargs="+", default=[], metavar="KEY", help="these columns; a printed one with ours beside it"
    )
    parser.add_argument(
        "--notes", default="", choices=["none", "short", "full"], help="what stands below it (default: as the form)"
    )


def add_data(parser: argparse.ArgumentParser) -> None:
    """--dataset, and what of the protocol is another one on it."""
    group = parser.add_argument_group("your own data in the table")
    group.add_argument("--dataset", metavar="CSV|NAME", help="a column of this dataset: path,label,split, or a name")
    add_protocol(group)


def add_protocol(group: argparse._ActionsContainer) -> None:
    """--views, --crop, --set: changes of test views and recipe."""
    group.add_argument("--views", default="", metavar="CLIPSxCROPS", help="of the test, e.g. 1x1; default: as it is")
    group.add_argument("--crop", type=positive, help="side of the test's crop; the short side goes with it")
    group.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="K=V", help="change the recipe, e.g. epochs=2 lr=0.1"
    )


def own_data(args: argparse.Namespace) -> OwnData | None:
    """What the arguments of `add_data` ask for."""
    if not args.dataset:
        for name in ("views", "crop", "set"):
            if getattr(args, name):
                raise BadOption(f"--{name} without --dataset: the papers' protocols stay", fix="--dataset my.csv")
        return None
    from repro.papers.with_data import OwnData

    return OwnData(args.dataset, args.views, args.crop, frozen(parsed(args.set, fix="--set epochs=2")))


def table_words(args: argparse.Namespace, *, absolute: bool = False) -> list[str]:
    """The arguments that make a table what it is, for another command line of it; files by their whole path if that is
    run in another folder.
    """
    words = ["--with", *args.methods] if args.methods else []
    for module in args.module:
        words += ["--module", _file(module, absolute)]
    if args.dataset:
        words += ["--dataset", _file(args.dataset, absolute and args.dataset.lower().endswith(".csv"))]
        words += ["--views", args.views] if args.views else []
        words += ["--crop", str(args.crop)] if args.crop else []
        words += ["--set", *args.set] if args.set else []
    return words


def table_file(args: argparse.Namespace, *, absolute: bool = False) -> str:
    """The file of a user's own table; empty for a registered one."""
    return _file(args.table, absolute) if args.table.endswith(".toml") else ""


def _file(text: str, absolute: bool) -> str:
    return str(expand(text).resolve()) if absolute else text


def add_with(parser: argparse.ArgumentParser) -> None:
    """--with, and --module for the file that the method stands in."""
    parser.add_argument(
        "--with",
        dest="methods",
        nargs="+",
        default=[],
        metavar="METHOD[:K=V,..]",
        help="a row of it on every plain network; with options: dnr:reduction=4 dnr:reduction=8",
    )
    add_module(parser)


def asked_table(args: argparse.Namespace) -> str:
    """The table as it was asked for, with all that makes it: what stands in a command that goes on from here."""
    return shlex.join([args.table, *table_words(args)])


def table_of(args: argparse.Namespace) -> TableSpec:
    """The table that the arguments name, with the methods asked for."""
    found = papers.find(args.table, args.methods, own_data(args))
    return replace(found, words=tuple(table_words(args)))
