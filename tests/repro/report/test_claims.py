from __future__ import annotations

import io
import json

from rich.console import Console

from repro import papers
from repro.evidence.claims import judge
from repro.report.claims import as_json, markdown, print_claims, summary
from repro.report.page import Content
from tests.repro.made_table import render_page

JUDGED = judge(papers.claims("dnr"), [])


def test_text_lists_all_and_one_shows_its_evidence():
    console = Console(file=io.StringIO(), width=160)
    print_claims(JUDGED, console)
    print_claims(JUDGED[13:14], console)
    text = console.file.getvalue()
    assert all(one.claim.key in text for one in JUDGED)
    assert "arithmetic: does not hold: 78.39 - 76.90 (= 1.49) > 2" in text


def test_json_and_markdown_hold_every_claim():
    found = json.loads(as_json(JUDGED))
    assert [one["key"] for one in found] == [one.claim.key for one in JUDGED]
    lines = markdown(JUDGED).splitlines()
    assert sum(line.startswith("| dnr-") for line in lines) == len(JUDGED)
    assert len({line.replace("\\|", "").count("|") for line in lines if line.startswith("|")}) == 1
    assert summary(JUDGED) in lines


def test_the_page_has_an_anchor_and_the_evidence_of_each_claim():
    page = render_page(Content(layouts=[], tables=[], records=[], judged=JUDGED))
    assert all(f'id="claim-{one.claim.key}"' in page for one in JUDGED)
    assert "78.39 - 76.90 (= 1.49) &gt; 2" in page
    assert 'id="claims"' not in render_page(Content(layouts=[], tables=[], records=[]))
