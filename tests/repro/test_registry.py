from __future__ import annotations

import importlib
import subprocess
import sys
import textwrap

import pytest

from repro import registry
from repro.core.errors import BadOption, UnknownName

PLUGIN = textwrap.dedent(
    """
    from repro.registry import methods, models

    @methods.register("doubled", summary="twice the logits")
    def insert(model, options):
        return model
    """
)


def test_the_built_in_names_are_there():
    assert {"tsn", "tsm", "tanet", "tdn"} <= set(registry.models.names())
    assert {"resnet18", "resnet34", "resnet50", "resnet101", "tiny_resnet"} <= set(registry.backbones.names())
    assert "dnr" in registry.methods
    assert {"probe-sight", "probe-order", "kinetics400"} <= set(registry.datasets.names())


def test_every_entry_has_a_summary_and_loads():
    for kind in (registry.models, registry.methods):
        for entry in kind:
            assert entry.summary or entry.origin != "repro"  # other tests register their own
            assert callable(entry.load())


@pytest.mark.parametrize(("wrong", "right"), [("tsnn", "tsn"), ("TDN", "tdn"), ("tanett", "tanet")])
def test_an_unknown_name_suggests_the_nearest(wrong, right):
    with pytest.raises(UnknownName) as caught:
        registry.models[wrong]
    assert right in str(caught.value)
    assert "python -m repro list" in str(caught.value)


def test_two_packages_cannot_share_a_name():
    own = registry.Registry("model")
    own.add("x", "a:b", origin="one")
    own.add("x", "a:b", origin="two")
    with pytest.raises(BadOption, match="registered already by two"):
        own.add("x", "c:d", origin="three")


def test_a_module_file_registers_for_one_run(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(PLUGIN)
    code = (
        f"from repro import registry; registry.load_module({str(file)!r}); "
        "print(registry.methods['doubled'].summary, list(registry.loaded_modules.values())[0][:4])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("twice the logits"), done.stderr


ENDS = [
    "import os; os._exit(0)",
    "from os import _exit; _exit(3)",
    "raise SystemExit(0)",
    "class E(BaseException): pass\nraise E",
]


@pytest.mark.parametrize("text", ["raise RuntimeError('inside')", "def broken(:", *ENDS])
def test_a_broken_module_is_named(tmp_path, text):
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(BadOption, match=r"broken\.py"):
        registry.load_module(file)


def test_entry_points_of_an_installed_package_are_listed(tmp_path):
    package = tmp_path / "site"
    info = package / "third_party-1.0.dist-info"
    info.mkdir(parents=True)
    (package / "third_party.py").write_text("def insert(model, options):\n    return model\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[repro.methods]\nthirdly = third_party:insert\n")
    code = "from repro.registry import methods; e = methods['thirdly']; print(e.origin, e.load().__name__)"
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(package)!r}); {code}"],
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["third-party", "insert"], done.stderr


@pytest.mark.parametrize("target", ["no_such_module:insert", "json:no_such_function"])
def test_a_package_that_does_not_load_is_named(target):
    entry = registry.Entry("theirs", target, origin="their-package")
    with pytest.raises(BadOption, match="'theirs' of package their-package"):
        entry.load()


def test_a_method_that_ends_the_process_is_told(tmp_path):
    file = tmp_path / "ends.py"
    file.write_text(
        "import os\nfrom repro.registry import methods\n@methods.register('ends')\n"
        "def insert(model, options):\n    os._exit(0)\n"
    )
    command = [sys.executable, "-m", "repro", "flops", "tsn", "--method", "ends", "--module", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "ends.py:5 calls os._exit(0)" in done.stderr, done.stderr


MINE = """
from repro.registry import methods
import helper_of_mine
from helper_of_mine import Block
@methods.register("helped", summary="x")
def insert(model, options): return model
"""


def test_what_a_users_file_takes_from_files_beside_it_is_part_of_its_code(tmp_path, monkeypatch):
    from repro import registry

    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine.py").write_text(MINE)
    seen = []
    for content in ("class Block: a = 1\n", "class Block: a = 1\n", "class Block: a = 2  # edited\n"):
        (tmp_path / "helper_of_mine.py").write_text(content)
        for name in [name for name in sys.modules if name.startswith(("repro_module_mine", "helper_of_mine"))]:
            del sys.modules[name]
        importlib.invalidate_caches()
        monkeypatch.setattr(registry.methods, "_entries", dict(registry.methods._entries))
        registry.methods._entries.pop("helped", None)
        registry.load_module(tmp_path / "mine.py")
        seen.append(registry.methods["helped"].code)
    assert seen[0] == seen[1] != seen[2]
    (tmp_path / "mine.py").write_text(MINE + "# edited after it was loaded\n")
    assert registry.methods["helped"].code == seen[2]
