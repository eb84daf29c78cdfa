"""What the verbs share: how one is declared, the screen, a list of names."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from rich.console import Console

from repro.registry import load_module

_WIDTH_WITHOUT_TERMINAL = 160

Commands = argparse._SubParsersAction


def verb(
    commands: Commands,
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    """Declare a verb: its function, one line, one example."""
    parser = commands.add_parser(name, help=summary, description=summary, epilog=f"example: python -m repro {example}")
    parser.set_defaults(run=run)
    return parser


def prepare(args: argparse.Namespace) -> Console:
    """The screen; the user's own modules are loaded first."""
    for module in getattr(args, "module", []):
        load_module(module)
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _WIDTH_WITHOUT_TERMINAL
    return console


def print_named(console: Console, heading: str, lines: dict[str, str]) -> None:
    """A heading and a line for each name."""
    console.print(f"[bold]{heading}[/]")
    width = max(map(len, lines), default=0) + 2
    for name, line in lines.items():
        console.print(f"  {name:<{width}}{line}", markup=False)
