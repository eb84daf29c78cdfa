"""The verb that writes a table of one's own to begin with: init."""

from __future__ import annotations

import argparse
from pathlib import Path

from repro import papers
from repro.cli.common import Commands, prepare, verb
from repro.core.errors import BadOption
from repro.core.files import write_atomic
from repro.core.paths import expand

#: on a dataset of the user's, and on an embedded one: size of pictures, recipe
_OWN = {"crop": "112", "resize": "128", "recipe": "dnr.kinetics400", "epochs": "20"}
_EMBEDDED = {"crop": "32", "resize": "0", "recipe": "probes", "epochs": "2"}
_PROBE = "probe-order"


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(commands, "init", init, "write a table of your own to begin with", "init mine.toml --dataset my.csv")
    parser.add_argument("file", type=Path, metavar="FILE.toml")
    parser.add_argument("--dataset", default=_PROBE, metavar="CSV|NAME", help="what its rows are trained on")


def init(args: argparse.Namespace) -> int:
    """Write the file; one that is there stays."""
    console, file = prepare(args), expand(args.file)
    if file.suffix != ".toml":
        raise BadOption(f"{str(args.file)!r} is no name of a table's file", allowed="NAME.toml", fix="init mine.toml")
    if file.exists():
        raise BadOption(f"{str(args.file)!r} is there already", fix="another name, or remove it")
    text = (Path(papers.__file__).with_name("template.toml")).read_text(encoding="utf-8")
    facts = _EMBEDDED if args.dataset.startswith("probe-") else _OWN
    for name, value in {"file": args.file.name, "dataset": args.dataset, **facts}.items():
        text = text.replace(f"{{{name}}}", value)
    write_atomic(file, text.encode())
    console.print(f"wrote {args.file}; measure it: python -m repro run {args.file}", markup=False)
    return 0
