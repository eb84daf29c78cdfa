"""The verbs: arguments in, one function of the suite called, its outcome printed. No logic lives here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from repro import __version__, verbs
from repro.arguments import add_device, add_model, add_model_options, add_module, positive

_EXAMPLES = """examples:
  python -m repro run table6                 measure what this machine can; ends with the table and the report's path
  python -m repro table table6 --format latex
  python -m repro flops tsm --method dnr     parameters and GMACs by three counters
"""


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="python -m repro",
        description="Benchmark and reproduction suite for video action recognition.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"repro {__version__}")
    commands = parser.add_subparsers(title="verbs", metavar="VERB")
    _tables(commands)
    _models(commands)
    return parser


def _verb(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary, epilog=f"example: python -m repro {example}")
    parser.set_defaults(run=run)
    return parser


def _tables(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    listing = _verb(commands, "list", verbs.list_names, "tables, models, backbones, methods, datasets", "list")
    add_module(listing)

    show = _verb(
        commands, "show", verbs.show, "what a table holds, what is measured, what is missing and why", "show table6"
    )
    show.add_argument("table", metavar="TABLE")

    run = _verb(
        commands, "run", verbs.run, "measure a table's cells; what is done is skipped", "run table6 --rows tsn_r50"
    )
    run.add_argument("table", metavar="TABLE")
    run.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="only these rows")
    run.add_argument("--only", nargs="+", default=[], metavar="CELL", help="only these cells, e.g. static speed")
    run.add_argument("--seeds", type=positive, default=1, metavar="N", help="train with seeds 0 .. N-1 (default 1)")
    which = run.add_mutually_exclusive_group()
    for mode, text in (
        ("missing", "only cells without a record"),
        ("failed", "only cells whose last attempt failed"),
        ("force", "all cells again; old records are kept aside"),
    ):
        which.add_argument(f"--{mode}", dest="mode", action="store_const", const=mode, default="undone", help=text)
    run.add_argument("--smoke", action="store_true", help="toy sizes on two tiny clips; never shown as results")
    run.add_argument("--jobs", type=positive, help="jobs side by side (default: one a core)")
    run.add_argument("--device", default="auto", help="auto (CUDA where there is one), cpu, cuda")
    add_module(run)

    status = _verb(commands, "status", verbs.status, "done, failed and missing cells of a table", "status table6")
    status.add_argument("table", metavar="TABLE")
    status.add_argument("--smoke", action="store_true")

    table = _verb(
        commands, "table", verbs.table, "print a table from records; never computes", "table table6 --format latex"
    )
    table.add_argument("table", metavar="TABLE")
    table.add_argument("--format", default="text", choices=["text", "markdown", "latex", "html", "csv"])
    table.add_argument("--out", type=Path, help="write to a file")

    report = _verb(
        commands, "report", verbs.report, "one self-contained HTML file from all records", "report --out report.html"
    )
    report.add_argument("--out", type=Path, help="default: report.html in the results folder")


def _models(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    flops = _verb(
        commands, "flops", verbs.flops, "parameters and GMACs of one view, by three counters", "flops tdn --size 224"
    )
    add_model(flops)
    flops.add_argument("--size", type=positive, nargs="+", default=[224, 256], help="crop sides; default 224 256")

    speed = _verb(
        commands, "speed", verbs.speed, "forward time of one view, with its spread", "speed tsm --method dnr --fast"
    )
    add_model(speed)
    speed.add_argument("--size", type=positive, default=224)
    speed.add_argument("--batch", type=positive, nargs="+", default=[1], help="one or more batch sizes")
    speed.add_argument("--repeats", type=positive, default=11)
    speed.add_argument("--precision", default="fp32", choices=["fp32", "bf16"])
    speed.add_argument("--fast", action="store_true", help="the fastest form within 1e-5 of eager, found by a trial")
    add_device(speed)

    train = _verb(
        commands,
        "train",
        verbs.train,
        "train on a dataset, score it, write weights, scores and a record",
        "train tsm --backbone tiny_resnet --dataset twin-temporal",
    )
    add_model(train)
    train.add_argument("--dataset", required=True, help="a registered name, or a CSV with columns path,label,split")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument(
        "--set", action="extend", nargs="+", default=[], metavar="K=V", help="change the recipe, e.g. epochs=2 lr=0.1"
    )
    train.add_argument("--out", type=Path, default=Path("runs"), help="folder for weights, scores and record")
    add_device(train)

    test = _verb(
        commands,
        "test",
        verbs.test,
        "score a dataset's split with given weights",
        "test tsm --weights w.safetensors --dataset my.csv --clips 10 --crops 3",
    )
    add_model(test)
    test.add_argument("--weights", type=Path, required=True, help="a file of import-weights or train")
    test.add_argument("--dataset", required=True)
    test.add_argument("--split", default="val")
    test.add_argument("--sampling", default="mmaction2.uniform_test_8", help="frame sampling rule")
    test.add_argument("--crops", type=int, default=1, choices=[1, 3, 5, 10])
    test.add_argument("--crop", type=positive, default=224, help="crop side")
    test.add_argument("--resize", type=int, default=256, help="short side before cropping")
    test.add_argument("--fusion", default="softmax", choices=["softmax", "logits", "features"])
    test.add_argument("--decoder", default="decord", choices=["decord", "pyav"])
    test.add_argument("--out", type=Path, default=Path("runs"), help="folder for scores and record")
    add_device(test)

    weights = _verb(
        commands,
        "import-weights",
        verbs.import_weights,
        "read a public checkpoint into plain names, with a strict report",
        "import-weights FILE --model tsm --backbone resnet50 --out w.safetensors",
    )
    weights.add_argument("file", type=Path, metavar="FILE")
    weights.add_argument("--model", required=True)
    add_model_options(weights)
    weights.add_argument("--partial", action="store_true", help="leave layers that the file lacks as initialised")
    weights.add_argument("--new-classifier", action="store_true", help="leave the file's classifier out")
    weights.add_argument("--out", type=Path, required=True)

    verify = _verb(
        commands,
        "verify",
        verbs.verify,
        "compare with reference outputs of the authors' code",
        "verify tests/golden/*.json",
    )
    verify.add_argument("files", nargs="+", type=Path, metavar="FILE.json")

    data = _verb(commands, "data", verbs.data, "where your datasets are", "data add kinetics400 --csv k400.csv")
    data.add_argument("action", choices=["add", "remove", "list"])
    data.add_argument("name", nargs="?", metavar="NAME", help="kinetics400, sthv1, ...")
    data.add_argument("--csv", type=Path, metavar="FILE", help="columns path,label,split; paths relative to the file")

    for parser in (flops, speed, train, test, weights, verify):
        add_module(parser)
