"""The recipe of CONTRIBUTING.md as it stands there: a table of another paper, from a folder of its own."""

from __future__ import annotations

import csv
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CLAIMS = """
[[claims]]
key = "other-01"
where = "abstract"
says = "DNR helps a small TSN very much."
printed = ["other.table1.tsn_dnr.top1 - other.table1.tsn.top1 > 20"]
probes = ["other/table1/order"]
"""
FORMS = "import sys; from repro.__main__ import main; sys.exit(any(main(line.split()) for line in sys.argv[1:]))"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's files, and a claim."""
    made = tmp_path_factory.mktemp("other")
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```\w+ (\w+\.\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    assert [name for name, _ in blocks] == ["other_table1.csv", "other_table1.toml", "other.py"]
    for name, body in [*blocks, ("other_claims.toml", CLAIMS)]:
        (made / name).write_text(body, encoding="utf-8")
    return made


def repro(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join(filter(None, [environment.pop("extra", ""), str(ROOT)]))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        capture_output=True, text=True, timeout=600, env={**os.environ, "PYTHONPATH": path, **environment},
    )  # fmt: skip


def test_it_runs_by_module_and_renders_as_a_package(folder: Path, tmp_path: Path) -> None:
    results = {"REPRO_RESULTS": str(tmp_path / "results")}
    run = ("run", "other/table1", "--module", folder / "other.py", "--only", "static", "--records-only")
    done = repro("-m", "repro", *run, "--rows", "tsn", "tsn_dnr", **results)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "results").rglob("other/table1/*/*.json"))) == 2

    package = _installed(folder, tmp_path / "site")
    forms = {form: tmp_path / f"table.{form}" for form in ("text", "markdown", "latex", "html", "csv")}
    lines = [f"table other/table1 --full --format {form} --out {file}" for form, file in forms.items()]
    done = repro("-c", FORMS, *lines, f"report --out {tmp_path / 'report.html'}", extra=str(package), **results)
    assert done.returncode == 0, done.stderr + done.stdout
    for file in forms.values():
        text = file.read_text(encoding="utf-8")
        assert "TSN+DNR" in text and "48.9" in text and "Does DNR read order?" in text, file.name
    rows = {row["row"]: row for row in csv.DictReader(io.StringIO(forms["csv"].read_text(encoding="utf-8")))}
    assert rows["tsn_dnr"]["delta"] == "+26.10" and float(rows["tsn_dnr"]["params"]) > float(rows["tsn"]["params"])
    assert rows["tea"]["section"].startswith("Quoted") and rows["tea"]["beside_tsn"].startswith("not run: python")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="other/table1"' in page and "other-01" in page


def _installed(folder: Path, site: Path) -> Path:
    """The same files as an installed package with an entry point."""
    package, info = site / "other_package", site / "other_package-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    for file in folder.glob("other*.*"):
        text = file.read_text(encoding="utf-8").replace('@tables.register("other/table1", "DNR on a small TSN")\n', "")
        (package / file.name).write_text(text, encoding="utf-8")
    (package / "__init__.py").touch()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[repro.tables]\nother/table1 = other_package.other:table1\n")
    return site


def test_it_may_quote_networks_of_its_own_and_share_texts(folder: Path, tmp_path: Path) -> None:
    for one in folder.glob("other*.*"):
        text = one.read_text(encoding="utf-8").replace("tea_8", "mine")
        text = re.sub('caption = ".*"', 'caption = "@said"', text)
        (tmp_path / one.name).write_text(text, encoding="utf-8")
    network = '[mine]\nmodel = { name = "tsm", backbone = "tiny_resnet" }\nnote = "Read from the paper."\n'
    (tmp_path / "networks.toml").write_text(network, encoding="utf-8")
    (tmp_path / "other.toml").write_text('[texts]\nsaid = "What all of its tables say."\n', encoding="utf-8")
    done = repro("-m", "repro", "table", "other/table1", "--module", tmp_path / "other.py", "--full")
    assert done.returncode == 0, done.stderr
    assert "What all of its tables say." in done.stdout and "Read from the paper." in done.stdout


def test_a_package_that_is_gone_is_told_where_its_table_is_asked_for(tmp_path: Path) -> None:
    info = tmp_path / "gone-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[repro.tables]\ngone/table1 = gone.tables:table1\n")
    assert "gone/table1" in repro("-m", "repro", "list", extra=str(tmp_path)).stdout
    assert repro("-m", "repro", "show", "dnr/supp1", extra=str(tmp_path)).returncode == 0
    done = repro("-m", "repro", "show", "gone/table1", extra=str(tmp_path))
    assert done.returncode == 2 and "package gone cannot be loaded" in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("other_table1.toml", '"params gmacs32', '"parms gmacs32', "other_table1.toml line 3: unknown column 'parms'"),
        ("other_table1.toml", "caption", "capton", "other_table1.toml line 2: unknown name 'capton'"),
        ("other_table1.toml", 'rows = "tsn_dnr"', 'rows = "tsn_dnrr"', "line 8: 'tsn_dnrr' fits nothing"),
        ("other_table1.toml", '"tsn_dnr", "tsn"]', '"tsn_dnr", "tsm"]', "question 'order' names no row"),
        ("other_table1.csv", "tea_8", "tea_9", "unknown quoted network 'tea_9'; did you mean"),
        (
            "other_table1.csv",
            "tsn_dnr,",
            "tsn_dnrr,",
            "that the table does not have: tsn_dnrr",
        ),
        ("other_table1.csv", "TSN+DNR", "", "row 'tsn_dnr' has no label"),
        ("other.py", "blocks=2", "blocks=1 / 0", "failed: ZeroDivisionError"),
        ("other.py", "Static(sizes=(32,))", "Static(size=32)", "cannot be built: TypeError"),
        ("other.py", 'return table("other/table1", rows', 'return table("other/table2", rows', "other_table2.toml"),
    ],
)
def test_a_fault_is_told_with_its_place(folder: Path, tmp_path: Path, file, old, new, told) -> None:
    for one in folder.glob("other*.*"):
        text = one.read_text(encoding="utf-8")
        assert one.name != file or old in text
        (tmp_path / one.name).write_text(text.replace(old, new) if one.name == file else text, encoding="utf-8")
    done = repro("-m", "repro", "show", "other/table1", "--module", tmp_path / "other.py")
    assert done.returncode == 2 and told in done.stderr and "Traceback" not in done.stderr, done.stderr
