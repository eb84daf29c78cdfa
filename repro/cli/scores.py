"""The verb on files of scores: scores, scores import, scores compare."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from repro.cli.arguments import positive
from repro.cli.common import Commands, prepare, verb
from repro.core.errors import BadOption

_FORMATS = ("mmaction2", "npz", "csv")
_ENDINGS = {".csv": "csv", ".npz": "npz", ".pkl": "mmaction2", ".pickle": "mmaction2"}


def add(commands: Commands) -> None:
    """Declare it."""
    parser = verb(
        commands,
        "scores",
        scores,
        "accuracies out of a file of scores: other views, fusions, videos; `scores compare A B`; `scores import DUMP`",
        "scores import dump.pkl --from mmaction2 --dataset my.csv --as 'TSM (mmaction2)'",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FILE.npz | compare A B | import DUMP",
        help="a record's scores; two of them; others'",
    )
    parser.add_argument("--clips", type=positive, metavar="N", help="clips of the test (default: all in the file)")
    parser.add_argument("--crops", type=positive, metavar="N", help="crops of the test (default: all in the file)")
    parser.add_argument("--fusion", choices=["logits", "softmax", "features"], help="default: as it was tested")
    parser.add_argument(
        "--on", metavar="SUBSET", help="copy:NAME, a file with one id a line, or a CSV with a column path"
    )
    parser.add_argument(
        "--register", nargs=2, metavar=("NAME", "LIST"), help="remember a list of ids as copy:NAME, e.g. K400-19761"
    )
    group = parser.add_argument_group("scores import")
    group.add_argument(
        "--from", dest="form", choices=_FORMATS, help="what wrote the file, where its ending does not tell"
    )
    group.add_argument("--dataset", help="a registered name, or a CSV: whose videos were scored")
    group.add_argument("--split", help="default: val, or test where a file has no val")
    group.add_argument("--as", dest="label", metavar="LABEL", help="how the row is called")
    group.add_argument("--out", type=Path, help="folder for the record; default: your own results, which tables show")


def scores(args: argparse.Namespace) -> int:
    """Read one accuracy with its interval and its bounds over missing videos, compare two, take in others' scores, or
    register a list of ids.
    """
    from repro.data import id_lists

    console = prepare(args)
    words = args.words
    if args.register:
        name, source = args.register
        console.print(f"copy:{name}: {id_lists.register(name, Path(source))} ids", markup=False, emoji=False)
        return 0
    if words[:1] == ["compare"]:
        return _compare(args, console)
    if words[:1] == ["import"]:
        return _import(args, console)
    if len(words) != 1:
        raise BadOption("scores lacks FILE.npz", fix="python -m repro scores FILE.npz --clips 1 --crops 1")
    return _read(Path(words[0]), args, console)


def _read(file: Path, args: argparse.Namespace, console: Console) -> int:
    from repro.evidence.rescored import read
    from repro.records.scores import Scores
    from repro.report.rescored import render_reading

    found = read(Scores.load(file), clips=args.clips, crops=args.crops, fusion=args.fusion, subset=args.on)
    console.print("\n".join(render_reading(found)), markup=False, emoji=False)
    return 0


def _compare(args: argparse.Namespace, console: Console) -> int:
    from repro.evidence.score_comparison import compare
    from repro.records.scores import Scores
    from repro.report.rescored import render_comparison

    files = [Path(name) for name in args.words[1:]]
    if len(files) != 2:
        raise BadOption(
            f"scores compare takes two files, not {len(files)}", fix="python -m repro scores compare A.npz B.npz"
        )
    a, b = (Scores.load(file) for file in files)
    console.print("\n".join(render_comparison(compare(a, b, args.fusion), a, b)), markup=False, emoji=False)
    return 0


def _import(args: argparse.Namespace, console: Console) -> int:
    from repro.data.datasets import open_index
    from repro.data.user_data import dataset_name
    from repro.engine.foreign_scores import from_elsewhere
    from repro.evidence.rescored import read
    from repro.report.rescored import render_reading
    from repro.runner.imported import keep
    from repro.runner.one_experiment import scored_split

    form = args.form or (_ENDINGS.get(Path(args.words[1]).suffix.lower()) if len(args.words) == 2 else None)
    told = (("from", form), ("dataset", args.dataset), ("as", args.label))
    lacking = [f"--{name}" for name, value in told if not value]
    if lacking or len(args.words) != 2:
        what = f"lacks {', '.join(lacking)}" if lacking else "takes one file"
        fix = "python -m repro scores import dump.pkl --from mmaction2 --dataset my.csv --as 'TSM (mmaction2)'"
        raise BadOption(f"scores import {what}", fix=fix)
    name = dataset_name(args.dataset)
    index = open_index(name, scored_split(name, args.split))
    found, notes = from_elsewhere(args.words[1], str(form), index, args.label)
    file = keep(found, name, index, args.out)
    console.print(f"{args.label}, from elsewhere ({form}), on {index.name} {index.split}", markup=False, emoji=False)
    console.print("\n".join(render_reading(read(found))), markup=False, emoji=False)
    console.print("\n".join([*(f"  {note}" for note in notes), f"scores: {file}"]), markup=False, emoji=False)
    return 0
