"""The command line as a user meets it: whole processes, exit codes, no traceback."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.__main__ import main
from repro.cli.common import prepare
from repro.cli.parser import build_parser

CHECKOUT = Path(__file__).parents[3]


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "repro", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=300,
    )


def test_without_arguments_the_verbs_and_three_examples():
    done = run()
    assert done.returncode == 0
    assert done.stdout.count("python -m repro ") >= 3
    for verb in ("list", "show", "run", "status", "table", "report", "flops", "speed", "train", "test", "verify"):
        assert verb in done.stdout


def test_before_the_installation_the_missing_package_is_named_and_the_command():
    done = subprocess.run([sys.executable, "-S", "-m", "repro", "list"], capture_output=True, text=True, cwd=CHECKOUT)
    assert done.returncode == 2
    assert "is not installed" in done.stderr and "pip install -e ." in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_screen_without_width_shows_what_there_is(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "0")
    prepare(argparse.Namespace()).print("all of it")
    assert capsys.readouterr().out == "all of it\n"


def test_listing_names_everything_and_imports_no_torch():
    code = (
        "import sys; from repro.__main__ import main; main(['list']); "
        "assert not {'torch', 'timm', 'pandas', 'matplotlib'} & set(sys.modules), sorted(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("dnr/table6", "tsn", "tanet", "resnet50", "dnr", "probe-order", "kinetics400"):
        assert name in done.stdout


@pytest.mark.parametrize("verb", ["table", "status", "show", "report", "plan"])
def test_reading_verbs_import_no_torch(verb, tmp_path):
    arguments = [verb] if verb == "report" else [verb, "table6"]
    if verb == "report":
        arguments += ["--out", str(tmp_path / "r.html")]
    code = f"import sys; from repro.__main__ import main; main({arguments!r}); assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "tabel6"], "table6"),
        (["show", "dnr/table66"], "dnr/table6"),
        (["flops", "tsnn"], "tsn"),
        (["flops", "tsm", "--method", "dnrr"], "dnr"),
        (["flops", "tsm", "--backbone", "resnet5"], "resnet50"),
        (["flops", "table6/tsm_r5_dnr"], "tsm_r50_dnr"),
        (["flops", "tsn", "--method", "dnr", "--method-option", "relay_distanc=2"], "relay_distance"),
        (["flops", "tsn", "--method", "dnr", "--method-option", "relay_distance=3"], "1, 2, 4, 8"),
        (["flops", "tsn", "--method-option", "reduction=4"], "--method dnr"),
        (["run", "table6", "--rows", "tsn_r5"], "tsn_r50"),
        (["run", "table6", "--only", "stattic"], "static"),
        (["test", "tsn", "--weights", "no.safetensors", "--dataset", "probe-orderl"], "probe-order"),
        (["train", "tsn", "--dataset", "kinetics400"], "not configured"),
        (["train", "tsn", "--dataset", "probe-order", "--set", "epoch=1"], "epochs"),
        (["data", "add", "kinetics40", "--annotations", "x.csv"], "kinetics400"),
        (["data", "add", "kinetics400"], "--csv"),
        (["data", "add", "probe-order", "--csv", "x.csv"], "comes with"),
        (["verify", "pyproject.toml"], "pyproject.toml"),
        (["verify", "nothing.json"], "nothing.json"),
        (["list", "--module", "nothing.py"], "nothing.py"),
        (["scores"], "FILE.npz"),
        (["scores", "nothing.npz"], "nothing.npz"),
        (["scores", "--register", "K400-19761", "nothing.txt"], "nothing.txt"),
        (["run", "table6", "--smoke", "--device", "cudaa"], "cpu"),
        (["speed", "tsn", "--device", "cuda:99"], "cpu"),
        (["train", "tsn", "--dataset", "probe-order", "--set", "epochs=abc"], "a whole number"),
        (["train", "tsn", "--dataset", "probe-order", "--set", "schedule=linear"], "cosine, step"),
        (["test", "tsn", "--weights", "no.safetensors", "--dataset", "probe-order"], "no.safetensors"),
        (["table", "table6", "--out", "no/such/folder/table.txt"], "no/such/folder"),
        (["import-weights", "nothing.pth", "--model", "tsm", "--out", "w.safetensors"], "nothing.pth"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(arguments, expected, capsys):
    try:
        code = main(arguments)
    except SystemExit as error:  # argparse
        code = error.code
    err = capsys.readouterr().err
    assert code == 2
    assert expected in err
    assert "Traceback" not in err


def test_the_verbs_are_frozen():
    """A change of the command line is a change of the interface: it is made here too, on purpose."""
    actions = [action for action in build_parser()._actions if hasattr(action, "choices") and action.choices]
    verbs = set(actions[0].choices)
    known = """
        list show run status table report flops speed train test import-weights verify data
        claims check records scores plan
        inspect predict doctor explain choose export weights questions features init bundle
    """
    assert verbs == set(known.split())
    for name in known.split():
        assert name in build_parser(name)._subparsers._group_actions[0].choices


@pytest.mark.parametrize("verb", ["run", "flops", "verify", "table"])
def test_every_verb_has_help_with_an_example(verb):
    done = run(verb, "--help")
    assert done.returncode == 0
    assert f"example: python -m repro {verb}" in done.stdout


def examples(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from examples(child)
    told = parser.epilog or ""
    if told.startswith("example: "):
        yield told.removeprefix("example: python -m repro ")


@pytest.mark.parametrize("line", list(examples(build_parser())))
def test_every_example_is_understood(line):
    build_parser().parse_args(shlex.split(line))


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "html", "csv"])
def test_a_table_renders_in_each_format(form, tmp_path, monkeypatch):
    target = tmp_path / f"t.{form}"
    assert main(["table", "table6", "--format", form, "--out", str(target)]) == 0
    text = target.read_text()
    assert "74.35" in text
    assert "TSN+DNR" in text


def test_where_nothing_was_measured_the_report_is_left_and_called_so(tmp_path):
    """A report of before is never passed off as today's: it may be of other records, or of the reference alone."""
    places = {"REPRO_CACHE": str(tmp_path / "cache"), "REPRO_RESULTS": str(tmp_path)}
    shutil.copytree(CHECKOUT / "results" / "records" / "dnr" / "table6", tmp_path / "own" / "dnr" / "table6")
    page = tmp_path / "report.html"
    first = run("run", "table6", "--only", "static", **places)
    assert first.stdout.endswith(f"report: {page}\n") and "dnr/table6" in page.read_text()
    page.write_text("older")
    again = run("run", "table6", "--only", "static", **places)
    assert "nothing to do" in again.stdout and page.read_text() == "older"
    assert again.stdout.endswith(f"report: {page}, as it was written before; anew: python -m repro report\n")


def test_smoke_run_of_table6_end_to_end(tmp_path, monkeypatch, capsys):
    """Every stage on two tiny clips; a second run has nothing to do; no record lands among the results."""
    places = {"REPRO_CACHE": str(tmp_path / "cache"), "REPRO_RESULTS": str(tmp_path / "results")}
    first = run("run", "table6", "--smoke", **places)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "24 smoke cells" in first.stdout
    for name, value in {**places, "COLUMNS": "200"}.items():
        monkeypatch.setenv(name, value)
    assert main(["run", "table6", "--smoke"]) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert len(list((tmp_path / "cache" / "smoke-records").rglob("*.json"))) == 24
    assert not list((tmp_path / "results").rglob("*.json"))
    assert main(["status", "table6", "--smoke"]) == 0
    assert "done: static" in capsys.readouterr().out
    assert main(["table", "table6"]) == 0
    assert "nothing was measured yet: python -m repro run dnr/table6" in capsys.readouterr().out


def test_damaged_records_are_told_by_path(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    file = tmp_path / "records/dnr/table6/tsn_r50/0123456789abcdef-s0.json"
    file.parent.mkdir(parents=True)
    file.write_text("[")
    for arguments in (["status", "table6"], ["table", "table6", "--format", "csv"]):
        assert main(arguments) == 0
        assert str(file) in capsys.readouterr().err
