"""The verbs: arguments in, one function of the suite called, its outcome printed. No logic lives here."""

from __future__ import annotations

import argparse
import difflib
import importlib
import textwrap
from pathlib import Path
from typing import Any

from repro import __version__
from repro.core.errors import ReproError
from repro.core.paths import expand

#: files of this folder -> the verbs that they declare
_SUBJECTS = {
    "tables": "list show table report",
    "explain": "explain",
    "questions": "questions",
    "run": "run status",
    "init": "init",
    "plan": "plan",
    "networks": "flops speed train test",
    "weights": "weights import-weights verify",
    "data": "data",
    "evidence": "claims check bundle",
    "records": "records",
    "scores": "scores",
    "choose": "choose",
    "predict": "predict",
    "features": "features",
    "export": "export",
    "inspect": "inspect",
    "doctor": "doctor",
}
#: what one may want -> the command, as the README has them
WANTS = {
    "reproduce a table here": "run table6",
    "see it at once, from the reference": "table table6 --reference",
    "know why a number is what it is": "explain table6/tanet_r50/gflops",
    "doubt a table": "check my_table.csv",
    "add my method to it": "run table6 --with mine --module mine.py",
    "train or test on my clips": "train tsm --dataset my.csv",
    "have a table of my own": "run mine.toml",
    "choose a network for a latency": "choose --budget 50ms --threads 2 --dataset kinetics400",
    "browse all of it": "report",
    "know what a lab would spend": "plan table6 --device h200 --count 8",
}
_WIDTH = 100


class _Parser(argparse.ArgumentParser):
    """Of each verb: what it does not know is told with its own usage and the nearest flag."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        found, rest = super().parse_known_args(args, namespace)
        flags = [word.partition("=")[0] for word in rest if word.startswith("-")]
        if rest:
            known = [option for action in self._actions for option in action.option_strings]
            near = difflib.get_close_matches(flags[0], known, n=1, cutoff=0.6) if flags else []
            self.error(f"unknown argument {' '.join(rest)}" + (f"; did you mean {near[0]}?" if near else ""))
        return found, rest

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            names = [str(one) for one in action.choices]
            near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.6)
            told = f"{value!r} is unknown" + (f"; did you mean {near[0]}?" if near else "")
            raise argparse.ArgumentError(action, f"{told}; allowed: {', '.join(names)}")


class _Front(_Parser):
    """`python -m repro` itself: what it is and what one may want, on one screen."""

    def format_help(self) -> str:
        verbs = next(action for action in self._actions if isinstance(action, argparse._SubParsersAction))
        wide = max(map(len, WANTS)) + 2
        lines = [f"  {want:<{wide}}python -m repro {command}" for want, command in WANTS.items()]
        listed = textwrap.fill(
            " ".join(verbs.choices), _WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
        )
        told = f"Each verb tells its arguments: python -m repro VERB --help. Flags here: {' '.join(self._flags())}"
        return "\n".join([str(self.description), "", "I want to", *lines, "", "Verbs", listed, "", told, ""])

    def _flags(self) -> list[str]:
        return [action.option_strings[-1] for action in self._actions if action.option_strings]


def build_parser(verb: str = "") -> argparse.ArgumentParser:
    """The whole command line; where a verb is known already, its file's part alone, which takes less time."""
    parser = _Front(
        prog="python -m repro",
        description="repro: a benchmark and reproduction suite for video action recognition. The printed tables of\n"
        "DNR, PSN and AdaFuse: every number can be run, measured, compared and disputed, and your own\n"
        "method stands beside them. No dataset, weights or GPU is needed to begin.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"repro {__version__}")
    commands = parser.add_subparsers(title="verbs", metavar="VERB", parser_class=_Parser)
    for subject in [name for name, verbs in _SUBJECTS.items() if verb in verbs.split()] or _SUBJECTS:
        importlib.import_module(f"repro.cli.{subject}").add(commands)
    _expand_paths(parser)
    return parser


def _expand_paths(parser: argparse.ArgumentParser) -> None:
    """Let every argument that is a path begin with `~`, in a shell that leaves it so, or be refused in a sentence."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                _expand_paths(inner)
        elif action.type is Path:
            action.type = path


def path(text: str) -> Path:
    """A path whose `~` stands for a home."""
    try:
        return expand(text)
    except ReproError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
