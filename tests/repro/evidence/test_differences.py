"""Protocol differences of DNR's tables, against what the sources print."""

from __future__ import annotations

import subprocess
import sys

import pytest

from repro import papers
from repro.__main__ import main
from repro.core.errors import UnknownName
from repro.core.spec import to_dict
from repro.evidence.differences import differences, sources_of
from repro.papers.recipes.protocol import NOT_STATED
from repro.records.schema import Record
from repro.report.differences import render_differences_html, render_differences_markdown
from tests.repro.made_table import ENVIRONMENT

NOW = "2026-01-31T12:00:00+00:00"
TABLE6 = papers.find("dnr/table6")


def of(network, against):
    found = {difference.network: difference for difference in differences(TABLE6, [], against)}[network]
    names = [source.name for source in found.sources]
    return found, {field: dict(zip(names, values, strict=True)) for field, values in found.lines}


def test_every_network_of_the_table_has_its_comparison():
    found = differences(TABLE6, [])
    assert [(difference.network, difference.rows) for difference in found] == [
        (name, (label, f"{label}+DNR"))
        for name, label in (("tsn", "TSN"), ("tsm", "TSM"), ("tanet", "TANet"), ("tdn", "TDN"))
    ]
    assert sources_of(TABLE6) == ["paper", "code", "authors", "mmaction2", "mmaction2-1.x", "run"]
    assert all(difference.sources[0].name == "paper" for difference in found)


def test_what_the_sources_print_of_tsm():
    found, fields = of("tsm", "mmaction2")
    assert found.sources[0].name == "mmaction2"
    batch = fields["train.batch"]
    assert [batch[name].text for name in ("mmaction2", "authors", "mmaction2-1.x", "run")] == ["64", "128", "128", "64"]
    assert [batch[name].differs for name in ("mmaction2", "authors", "run")] == [False, True, False]
    assert (batch["paper"].text, batch["paper"].differs) == (NOT_STATED, False)
    assert fields["test.crops"]["paper"].text == "3" and fields["test.crops"]["mmaction2"].text == "1"
    clip = of("tsm", "paper")[1]["train.batch"]
    assert clip["authors"].differs and not clip["mmaction2"].differs, "where the paper is silent the run is compared"
    assert "train.momentum" not in fields, "all agree"
    assert found.silent == ("code",)


def test_a_source_without_the_network_is_named_and_another_is_the_reference():
    found, fields = of("tdn", "mmaction2")
    assert found.sources[0].name == "paper"
    assert {"mmaction2", "mmaction2-1.x"} <= set(found.silent)
    drawn = fields["test.sampling"]["authors"]
    assert drawn.text == "tdn.kinetics_random_8x10"
    assert "ops/dataset.py" in found.notes[drawn.note]


def test_each_value_has_a_place():
    found, fields = of("tsn", "paper")
    rate = fields["train.lr"]
    assert found.notes[rate["paper"].note] == "DNR supplement B"
    assert rate["code"].note is None and rate["code"].text == "0.1"
    assert all(source.where for source in found.sources)


@pytest.mark.parametrize("name", sorted(papers.TABLES))
def test_every_table_is_compared(name):
    table = papers.find(name)
    for difference in differences(table, []):
        assert difference.rows and difference.sources[-1].name == "run"
        for field, values in difference.lines:
            assert len({value.text for value in values} - {NOT_STATED}) > 1, field


def test_an_unknown_source_lists_what_is_there(capsys):
    with pytest.raises(UnknownName, match="did you mean mmaction2"):
        differences(TABLE6, [], "mmaction")
    assert main(["show", "dnr/table6", "--diff", "mmaction3"]) == 2
    assert "authors, code, mmaction2, mmaction2-1.x, paper, run" in capsys.readouterr().err


def test_a_record_tells_what_was_used():
    experiment = TABLE6.row("tsm_r50").cells["kinetics400"]
    record = Record(
        id=experiment.id, paper="dnr", table="table6", row="tsm_r50", cell="kinetics400", kind="accuracy",
        status="done", spec=to_dict(experiment), started=NOW, finished=NOW, wall_s=1.0,
        results={"top1": 70.0, "top5": 90.0, "videos": 10, "left_out": []},
        effective={"batch": 64, "world_size": 2, "accumulation": 4, "micro_batch": 8, "lr": 0.02},
        environment=ENVIRONMENT,
    )  # fmt: skip
    found = {difference.rows: difference for difference in differences(TABLE6, [record])}
    own = found[("TSM",)]
    names = [source.name for source in own.sources]
    assert own.sources[names.index("run")].where == f"record {record.name}"
    batch = dict(own.lines)["train.batch"][names.index("run")]
    assert batch.text == "64 (2 devices x 4 x 8)"


def test_markdown_and_html_are_folded_and_escaped():
    found = differences(TABLE6, [])
    markdown, html = render_differences_markdown(found), render_differences_html(found)
    assert markdown.startswith("<details>") and markdown.rstrip().endswith("</details>")
    assert "| train.batch | not stated | " in markdown
    assert html.count("<details") == 1 and "<strong>128</strong>" in html
    assert render_differences_markdown([]) == render_differences_html([]) == ""


def test_the_verb_prints_it_without_torch(tmp_path):
    code = (
        "import sys; from repro.__main__ import main; main(['show', 'dnr/table6', '--diff', 'mmaction2']); "
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "tsm on kinetics400: TSM; TSM+DNR" in done.stdout
    assert "0.02*" in done.stdout
