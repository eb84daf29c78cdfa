from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from repro import papers, registry
from repro.__main__ import main
from repro.core.errors import BadOption
from repro.core.spec import Speed, diff
from repro.papers.table import TableSpec
from repro.papers.with_method import with_method
from repro.registry import load_module
from repro.report.build_table import table_view
from repro.report.csv_table import render_csv
from repro.report.html import render_html
from repro.report.latex import render_latex
from repro.report.markdown import render_markdown
from repro.report.text import render_text
from repro.runner.jobs import jobs_of
from tests.repro.made_table import accuracy, record_of

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    """The README's example of a method, as a user would copy it."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    (example,) = [block for block in blocks if "@methods.register" in block]
    file = tmp_path_factory.mktemp("user") / "mine.py"
    file.write_text(example)
    assert len([line for line in example.splitlines() if line.strip()]) <= 25
    return file


def test_a_row_on_every_plain_network_that_differs_in_the_method_alone():
    plain, table = papers.find("table6"), papers.find("table6", ["psn"])
    hosts = [row for row in plain.rows if row.cells and row.section != "quoted" and not row.baseline]
    added = [row for row in table.rows if row.key.endswith("_psn")]
    assert [row.baseline for row in added] == [row.key for row in hosts]
    for row, host in zip(added, hosts, strict=True):
        for name, experiment in row.cells.items():
            changed = diff(host.cells[name], experiment)
            assert changed.pop("model.method") == (None, "psn")
            assert all(key.startswith("measure.against") for key in changed)
            if isinstance(experiment.measure, Speed):
                assert experiment.measure.against == host.cells[name].model
    order = [row.key for row in table.rows]
    assert order.index("tsn_r50_psn") == order.index("tsn_r50_dnr") + 1
    assert [row for row in table.rows if row not in added] == list(plain.rows)


def test_two_methods_and_names_that_clash():
    table = papers.find("table6", ["psn", "adafuse"])
    assert {"tsn_r50_psn", "tsn_r50_adafuse"} <= {row.key for row in table.rows}
    with pytest.raises(BadOption, match="has 'dnr' already"):
        papers.find("table6", ["dnr"])
    empty = TableSpec(paper="dnr", name="t", title="t", published_csv="dnr_table6", rows=(), columns=())
    with pytest.raises(BadOption, match="no plain network"):
        with_method(empty, "psn")


def run(*arguments, **environment):

    return subprocess.run(
        [sys.executable, "-m", "repro", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


def test_the_readmes_method_stands_in_the_table_in_every_format(mine, tmp_path, monkeypatch, capsys):
    results = str(tmp_path / "results")
    common = ("--with", "scaled", "--module", str(mine))
    done = run(
        "run", "table6", *common, "--only", "static", "--rows", "tsn_r50", "tsn_r50_scaled", REPRO_RESULTS=results
    )
    assert done.returncode == 0, done.stderr
    assert "TSN+scaled" in done.stdout
    monkeypatch.setenv("REPRO_RESULTS", results)
    registry.load_all()
    monkeypatch.setattr(registry.methods, "_entries", dict(registry.methods._entries))
    monkeypatch.setattr(registry, "loaded_modules", dict(registry.loaded_modules))
    for form in ("text", "markdown", "latex", "html", "csv"):
        assert main(["table", "table6", "--format", form, *common]) == 0
        assert "scaled" in capsys.readouterr().out, form
    page = (tmp_path / "results" / "report.html").read_text()
    assert "TSN+scaled" in page


def test_a_users_row_has_gains_with_intervals_as_the_table_s_own_in_every_format():
    layout = papers.find("table6", ["psn"])
    records = [
        record_of(layout, key, "probe-order", accuracy(value + 0.1 * seed**2), seed=seed)
        for key, value in (("tsm_r50", 80.0), ("tsm_r50_psn", 83.0), ("tsm_r50_dnr", 81.0))
        for seed in range(3)
    ]
    table = table_view(layout, records)
    keys = [column.key for column in table.columns]
    (row,) = [row for row in table.rows if row.key == "tsm_r50_psn"]
    gain = dict(zip(keys, row.cells, strict=True))["gain_order"]
    assert gain.verdict is None and " to " in gain.spread  # only declared questions have answers
    for form in (render_text, render_markdown, render_latex, render_html, render_csv):
        assert gain.text.lstrip("+") in form(table)


def test_gains_are_added_once_and_only_beside_accuracies():
    sources = [column.source for column in papers.find("table6", ["psn"]).columns]
    assert len(sources) == len(set(sources))
    assert {"gain:probe-order:top1", "gain:kinetics400:top1"} <= set(sources)
    assert not [one for one in sources if one.startswith("gain:static")]


def test_seeds_of_a_users_row_are_those_asked_for():
    layout = papers.find("table6", ["psn"])
    jobs = jobs_of(layout, rows=["tsm_r50_psn"], cells=["probe-order", "static"], seeds=4)
    assert [(job.cell, job.seed) for job in jobs] == [("static", 0), *(("probe-order", seed) for seed in range(4))]


@pytest.mark.slow
def test_the_readmes_method_is_trained_over_seeds(mine, tmp_path):
    results = str(tmp_path / "results")
    common = ("--with", "scaled", "--module", str(mine))
    chosen = ("--rows", "tsm_r50", "tsm_r50_scaled", "--only", "probe-order", "--seeds", "2", "--jobs", "1")
    done = run("run", "table6", *common, *chosen, REPRO_RESULTS=results)
    assert done.returncode == 0, done.stderr
    shown = run("table", "table6", "--format", "csv", "--full", *common, REPRO_RESULTS=results).stdout
    row = next(line for line in csv.DictReader(io.StringIO(shown)) if line["row"] == "tsm_r50_scaled")
    assert row["probe_order_spread"].endswith("(n=2)")
    assert " to " in row["gain_order_spread"]


def test_dry_run_lines_name_the_method_and_its_file(mine, tmp_path):
    common = ("--with", "scaled", "--module", str(mine), "--dry-run", "--rows", "tsn_r50_scaled", "--only", "static")
    done = run("run", "table6", *common, REPRO_RESULTS=str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert f"--with scaled --module {mine}" in done.stdout


def test_an_unknown_method_suggests_the_nearest(capsys):
    assert main(["run", "table6", "--with", "dnrr", "--dry-run"]) == 2
    assert "did you mean dnr" in capsys.readouterr().err


GATE = """
from dataclasses import dataclass
from repro.registry import methods

@dataclass(frozen=True, kw_only=True)
class Options:
    reduction: int = 4

@methods.register("tgate", options=Options)
def insert(model, options):
    model.layer4.width = options.reduction
    return model.nothing[0] if options.reduction == 1 else model
"""


@pytest.fixture(scope="module")
def gate(tmp_path_factory):
    file = tmp_path_factory.mktemp("gate") / "gate.py"
    file.write_text(GATE)
    load_module(file)
    return file


def test_options_make_rows_and_experiments_of_their_own(gate):
    table = papers.find("table6", ["tgate", "tgate:reduction=8"])
    plain, wide = table.row("tsm_r50_tgate"), table.row("tsm_r50_tgate-reduction=8")
    assert wide.label == "TSM+tgate (reduction=8)"
    assert plain.cells["static"].model.method_options == {"reduction": 4}
    assert diff(plain.cells["static"], wide.cells["static"]) == {"model.method_options.reduction": (4, 8)}
    same = papers.find("table6", ["tgate:reduction=4"]).row("tsm_r50_tgate-reduction=4")
    assert same.cells["static"].id == plain.cells["static"].id


def test_a_misspelt_option_of_a_users_method_is_refused(gate, capsys):
    assert main(["run", "table6", "--with", "tgate:reductoin=8", "--module", str(gate), "--dry-run"]) == 2
    assert "has no option 'reductoin'; did you mean reduction" in capsys.readouterr().err


def test_an_error_in_a_users_method_tells_its_line(gate, capsys):
    assert main(["flops", "tsm", "--method", "tgate", "--method-option", "reduction=1", "--module", str(gate)]) == 2
    assert "AttributeError" in (told := capsys.readouterr().err) and "(gate.py:12)" in told


def test_a_methods_options_are_listed(capsys):
    assert main(["list", "dnr"]) == 0
    assert "reduction=4" in (told := capsys.readouterr().out) and "DNR 4.2: r = 4" in told
