"""Lint, types and the direction of imports."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: which stages of the flow a stage may import; a file not named here stands below all of them
_FORBIDDEN = {
    "repro/evidence": (
        "repro.runner.execute",
        "repro.engine.train.fit",
        "repro.engine.evaluate",
        "repro.engine.accuracy",
        "repro.models.build",
        "repro.report",
    ),
    "repro/report": (
        "repro.runner.execute",
        "repro.engine.train.fit",
        "repro.engine.evaluate",
        "repro.engine.accuracy",
        "repro.models.build",
        "repro.cost",
    ),
    "repro/papers": (
        "repro.runner.execute",
        "repro.engine.train.fit",
        "repro.models.build",
        "repro.records.store",
        "repro.report",
        "repro.cost",
    ),
    "repro/data": (
        "repro.engine.train.fit",
        "repro.engine.evaluate",
        "repro.runner.execute",
        "repro.records.store",
        "repro.report",
        "repro.papers",
    ),
    "repro/cost": (
        "repro.runner.execute",
        "repro.records.store",
        "repro.report",
        "repro.engine.train.fit",
        "repro.papers",
    ),
}


#: the oldest torch whose own types name all that is used of it
TYPED_FROM = (2, 14)


def tool(name):
    found = shutil.which(name) or shutil.which(name, path=str(Path(sys.executable).parent))
    if not found:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("arguments", [("ruff", "check", "."), ("ruff", "format", "--check", "."), ("mypy",)])
def test_lint_and_types(arguments, tmp_path):
    name, *rest = arguments
    if name == "mypy" and tuple(map(int, version("torch").split(".")[:2])) < TYPED_FROM:
        pytest.skip(f"the types of torch {version('torch')} lack arguments that it takes")
    extra = [f"--cache-dir={tmp_path}"] if name == "mypy" else ["--no-cache"]
    done = subprocess.run([tool(name), *rest, *extra], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def imports(file):
    """Every module that a file imports, at its head or inside a function, unless only for types."""
    tree = ast.parse(file.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("folder", sorted(_FORBIDDEN))
def test_no_import_runs_upward(folder):
    for file in (ROOT / folder).rglob("*.py"):
        for module in imports(file):
            assert not module.startswith(_FORBIDDEN[folder]), f"{file.relative_to(ROOT)} imports {module}"


@pytest.mark.parametrize("folder", ["baselines", "methods"])
def test_networks_know_nothing_of_the_suite_but_the_registry(folder):
    for file in (ROOT / folder).rglob("*.py"):
        for module in imports(file):
            if module.split(".")[0] == "repro":
                assert module.startswith("repro.registry"), f"{file.relative_to(ROOT)} imports {module}"


def test_only_the_store_of_figures_touches_the_figures():
    """They are pictures for the report, no numbers of a table, so no records; `repro/records/figures.py` says more."""
    for file in (ROOT / "repro").rglob("*.py"):
        name = file.relative_to(ROOT).as_posix()
        if name not in {"repro/records/figures.py", "repro/core/paths.py"}:
            assert "paths.figures(" not in file.read_text(), name


def test_only_two_modules_touch_the_results():
    for file in (ROOT / "repro").rglob("*.py"):
        name = file.relative_to(ROOT).as_posix()
        if name not in {"repro/records/store.py", "repro/papers/published.py", "repro/core/paths.py"}:
            assert "paths.published(" not in file.read_text(), name


def test_nothing_committed_names_this_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        file = ROOT / name
        if file.suffix in {".py", ".md", ".json", ".toml", ".ini", ".html"} and file.stat().st_size < 5_000_000:
            assert "/" + "work/" not in file.read_text(errors="replace"), name
