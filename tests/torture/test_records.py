"""Damaged records: each is told by its path and passed, no verb ends with it, and the others are as they were."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from repro.__main__ import main
from repro.core.spec import SPEC_VERSION, canonical_json
from repro.records.document import signed as with_digest
from repro.records.schema import Record
from repro.records.store import load_all
from repro.report.embedded_data import document
from repro.report.records import line_of
from tests.torture.damage import bytes_damaged, document_damaged, odd_file
from tests.torture.tools import REFERENCE, cases, draws

VERBS = (
    "records ls", "records ls dnr/table6", "status table6", "show table6", "table table6", "table table6 --full",
    "table table6 --format csv --full", "table table6 --format html --full", "table dnr/table1a --format latex",
    "table psn/table1 --format markdown --full", "explain table6/tsn_r50/gflops", "claims dnr", "check", "plan table6",
    "records diff table6/tsn_r50/static table6/tsm_r50/static", "records show table6/tsn_r50/static", "records prune",
)  # fmt: skip
BATCH = 100


@pytest.fixture(scope="module")
def originals() -> list[Record]:
    return load_all(REFERENCE).records


def damaged(one: Record, root: Path, draw: random.Random) -> None:
    """One record below a folder, damaged in some way."""
    path = root / one.relative_path
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() or path.is_symlink():
        return
    content = (REFERENCE / one.relative_path).read_bytes()
    kind = draw.choice(("bytes", "document", "document", "spec", "file", "name"))
    if kind == "bytes":
        path.write_bytes(bytes_damaged(content, draw))
    elif kind == "file":
        odd_file(path, draw)
    elif kind == "name":
        names = (b"\xff.json", b"a\nb-s0.json", b"\x1b[31m.json", b"x.json", b"=1+1.json", b"\xc3\xa9.json")
        Path(bytes(path.parent).decode()).joinpath(draw.choice(names).decode(errors="surrogateescape")).write_bytes(
            content
        )
    else:
        path.write_bytes(signed(json.loads(content), kind, path, draw))


def signed(plain: dict[str, Any], kind: str, path: Path, draw: random.Random) -> bytes:
    """A document with wrong values under the right digest; of a `spec`, also under an id that fits it."""
    plain.pop("digest")
    if kind == "document":
        made = document_damaged(plain, draw)
    else:
        made = {**plain, "spec": document_damaged(plain["spec"], draw)}
        text = f"{SPEC_VERSION}:Experiment:{canonical_json(made['spec'])}"
        made["id"] = hashlib.sha256(text.encode(errors="replace")).hexdigest()
    return with_digest(made)


def said(arguments: str, capsys: pytest.CaptureFixture[str], allowed: tuple[int, ...]) -> str:
    """What a verb says; it neither fails nor meets what nothing foresaw."""
    try:
        code = main(arguments.split())
    except SystemExit as error:  # argparse
        code = error.code
    out, err = capsys.readouterr()
    assert code in allowed, (arguments, code, err[-3000:])
    assert "repro: unexpected" not in err and "Traceback" not in err, (arguments, err[-3000:])
    odd = [out[max(0, at - 60) : at + 20] for at, sign in enumerate(out + err) if sign in "\x1b\x07\x00\u202e"]
    assert not odd, (arguments, odd[:3])
    return out + err


@cases(60, 2000)
def test_no_verb_ends_with_a_damaged_record(count, seed, originals, tmp_path, monkeypatch, capsys):
    draw = draws("records", seed)
    for first in range(0, count, BATCH):
        home = tmp_path / f"results{first}"
        monkeypatch.setenv("REPRO_RESULTS", str(home))
        for one in draw.sample(originals, min(BATCH, count - first)):
            damaged(one, home / "own", draw)
        found = load_all(home / "own")
        for one in found.records:  # some damage leaves a record: all that shows one takes it
            json.dumps([line_of(one), document(one)], default=str)
        for verb in VERBS if count > BATCH else VERBS[:7]:
            said(verb, capsys, (0, 1, 2))
        told = said("records ls", capsys, (1,) if found.problems else (0,))
        assert all(ascii(problem.path)[1:-1].split("\\")[0] in told for problem in found.problems)
        whole = tmp_path / "whole"
        shutil.copytree(REFERENCE / "dnr" / "table6" / "tsn_r50", home / "own" / "dnr" / "table6" / "tsn_r50_more")
        shutil.rmtree(whole, ignore_errors=True)
        monkeypatch.setenv("REPRO_RESULTS", str(whole))
        said(f"records merge {home}/own", capsys, (1,) if found.problems else (0, 1))
        taken = load_all(whole / "own")
        assert taken.problems == [] and {one.place for one in taken.records} <= {one.place for one in found.records}
        monkeypatch.setenv("REPRO_RESULTS", str(home))
        said("records upgrade", capsys, (1,) if found.problems else (0,))


@pytest.mark.torture
def test_the_report_shows_what_is_left(originals, tmp_path, monkeypatch, capsys):
    draw = draws("report", 1)
    monkeypatch.setenv("REPRO_RESULTS", str(tmp_path))
    for one in originals:
        damaged(one, tmp_path / "own", draw)
    said("report", capsys, (0,))
    assert (tmp_path / "report.html").stat().st_size > 100_000
