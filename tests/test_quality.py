"""Lint, types and the direction of imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
from graphlib import TopologicalSorter
from importlib.metadata import version
from pathlib import Path

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent

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


def test_imports_go_down_the_floors(monkeypatch):
    """The contracts of pyproject.toml: floors, what networks may know, what needs no torch."""
    monkeypatch.chdir(ROOT)
    assert lint_imports(no_cache=True) == EXIT_STATUS_SUCCESS


def test_no_circle_of_modules():
    """Imports inside functions count."""
    graph = grimp.build_graph("repro", "methods", "baselines", cache_dir=None)
    order = TopologicalSorter({one: graph.find_modules_directly_imported_by(one) for one in graph.modules})
    order.prepare()  # raises CycleError, which names the circle


def test_only_the_store_of_figures_touches_the_figures():
    """They are pictures for the report, no numbers of a table, so no records; `repro/records/figures.py` says more."""
    for file in (ROOT / "repro").rglob("*.py"):
        name = file.relative_to(ROOT).as_posix()
        if name not in {"repro/records/figures.py", "repro/core/paths.py", "repro/report/__init__.py"}:
            assert "paths.figures(" not in file.read_text(), name


def test_only_two_modules_touch_the_results():
    for file in (ROOT / "repro").rglob("*.py"):
        name = file.relative_to(ROOT).as_posix()
        if name not in {"repro/papers/published.py", "repro/core/paths.py"}:
            assert "paths.published(" not in file.read_text(), name


def test_nothing_committed_names_this_machine():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split():
        file = ROOT / name
        if file.suffix in {".py", ".md", ".json", ".toml", ".ini", ".html"} and file.stat().st_size < 5_000_000:
            assert "/" + "work/" not in file.read_text(errors="replace"), name
