"""What the README, the first screen and the helps tell to type: all of it is understood, and all of it runs.

A command is run as it is written, in a folder that has the files which it names; what takes long is made small by
arguments behind it (`SMALLER`), and torchrun has one process. Commands that fetch from the network are only parsed.
"""

from __future__ import annotations

import argparse
import os
import pickle
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from repro.__main__ import main
from repro.cli.parser import WANTS, build_parser
from tests.repro.data.conftest import write_csv, write_video

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
#: verbs that read what is stored: they run in the default suite
READING = ("choose", "list", "show", "table", "explain", "claims", "questions", "check", "plan", "status")
TINY = "--backbone tiny_resnet"
#: start of a command -> arguments that make it small; the first that fits
SMALLER = {
    "run questions": "--dry-run",
    "run table6 --launcher slurm": "--dry-run",
    "run table6 --with mine": "--smoke --rows tsn_r50_mine",
    "run table6 --with scaled": "--smoke --rows tsn_r50_scaled",
    "run mine.toml": "--dry-run",
    "run table6 --dataset my.csv": "--dry-run",
    "run": "--smoke --rows tsn_r50",
    "train": f"{TINY} --set epochs=1 batch=2 --dataset my.csv --classes 2",
    "test": f"{TINY} --crop 32 --resize 32",
    "flops": f"{TINY} --size 32",
    "speed tsm --data": f"clip.mp4 {TINY} --repeats 2",
    "speed": f"{TINY} --size 32 --repeats 1",
    "predict": f"{TINY} --crop 32 --resize 32",
    "inspect kernels": "--weights sthv1.safetensors kinetics400.safetensors",
    "inspect gradcam": f"{TINY} --crop 32 --resize 32",
    "import-weights": f"{TINY} --out imported.safetensors",
    "export": f"{TINY} --crop 32",
    "choose": "--budget 1ms --form eager --repeats 1",
}
#: verbs whose status is 1 where they find something
FOUND = {"records": (0, 1), "check": (0, 1), "claims": (0, 1), "doctor": (0, 1), "data": (0, 1), "choose": (0, 1)}
ANNOTATED = "--annotations kinetics_train.csv kinetics_val.csv"


def _lines(text: str) -> Iterator[str]:
    """The commands of a Markdown text: lines of its code, and code between backquotes."""
    for block in re.findall(r"^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        yield from (re.split(r"\s{3,}|\s+#", line.strip())[0] for line in block.splitlines())
    yield from re.findall(r"`((?:python -m repro|torchrun) [^`]*)`", text)


def _epilogs(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _epilogs(child)
    yield from re.findall(r"example: (python -m repro .*)", parser.epilog or "")


def commands() -> list[str]:
    """All of them, each once, without what stands before `-m repro`."""
    told = [*_lines(README), *_epilogs(build_parser()), *(f"python -m repro {command}" for command in WANTS.values())]
    found = [line.partition("-m repro ")[2] for line in told if re.match(r"(python|torchrun)\b.* -m repro ", line)]
    found += [line.partition("&& python -m repro ")[2] for line in told if "&& python -m repro " in line]
    return list(dict.fromkeys(found))


def _elsewhere(command: str) -> bool:
    """Whether it needs the network, or another program's file that tests of its own write."""
    start = ("weights get", "run real/small")
    return command.startswith(start) or "--weights i3d-kinetics400" in command or "dump.pkl" in command


def _optional(command: str) -> str:
    """Without what the README puts into brackets."""
    return re.sub(r" \[[^\]]*\]", "", command)


def test_the_readme_has_what_the_first_screen_tells() -> None:
    table = re.findall(r"^\| [^|]+ \| `python -m repro ([^`]+)` \|$", README, re.MULTILINE)
    told = " ".join(_lines(README))
    assert len(table) >= 8 and len(commands()) > 40
    assert [command for command in WANTS.values() if f"-m repro {command}" not in told] == []


def test_the_lines_of_output_in_the_readme_are_real(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REPRO_RESULTS", str(ROOT / "results"))
    block = re.search(r"table table6 --reference`:\n```\n(.*?)```", README, re.DOTALL)
    assert block is not None and main(["table", "table6", "--reference"]) == 0
    there = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    told = block[1].splitlines()
    assert len(told) >= 10 and [line for line in told if line not in there] == []


def test_the_picture_in_the_readme_is_there_and_small() -> None:
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README)
    data = (ROOT / name).read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < 200_000


@pytest.mark.parametrize("command", commands())
def test_every_command_is_understood(command: str) -> None:
    build_parser().parse_args(shlex.split(_optional(command)))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files that the commands name."""
    here = tmp_path_factory.mktemp("commands") / "here"
    for folder in ("tests/golden", "videos", "k400", "clips", "runs/own/test/tsm"):
        (here / folder).mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "golden" / "tsn_resnet50.json", here / "tests" / "golden")
    shutil.copytree(ROOT / "results" / "published", here / "my_tables")
    for records in (here / "results" / "records", here.parent / "elsewhere" / "results" / "records"):
        shutil.copytree(ROOT / "results" / "records" / "dnr" / "table6", records / "dnr" / "table6")
    for name in ("clip.mp4", "my_clip.mp4", "clips/a.mp4", "clips/b.mp4", "k400/trainvideo0_000000_000010.mp4"):
        write_video(here / name)
    write_video(here / "k400/valvideo000_000000_000010.mp4", frames=30)
    splits = ("train", "train", "val", "test")
    rows = [(f"videos/{n}.mp4", "ab"[n % 2], splits[n // 4]) for n in range(16)]
    for number, (name, _, _) in enumerate(rows):
        write_video(here / name, frames=12 + number)  # a copy in another split is an error
    write_csv(here / "my.csv", rows)
    header = "label,youtube_id,time_start,time_end,split"
    for split in ("train", "val"):
        write_csv(here / f"kinetics_{split}.csv", [("abseiling", f"{split}video000"[:11], "0", "10", split)], header)
    code = next(block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "methods.register" in block)
    (here / "mine.py").write_text(code + "\n\nmethods.register('mine', summary='the same', options=Options)(insert)\n")
    shutil.copy(ROOT / "results" / "published" / "dnr_table6.csv", here / "my_table.csv")
    (here / "LIST.txt").write_text("".join(f"{name}\n" for name, _, split in rows if split == "val"))
    (here / "dump.pkl").write_bytes(pickle.dumps([{"pred_score": [0.1, 0.9], "gt_label": n % 2} for n in range(4)]))
    _weights(here)
    return here


def _weights(here: Path) -> None:
    """Small networks with random weights, and the scores of one of them."""
    import torch

    from repro.core.spec import Model
    from repro.models.build import build
    from repro.models.formats import IMAGENET
    from repro.models.weights import save_weights

    for file, name, method in (("w", "tsm", None), ("host", "tsn", None), ("dnr", "tsn", "dnr")):
        model = Model(name=name, backbone="tiny_resnet", num_classes=2, method=method)
        net = build(model)
        save_weights(here / f"{file}.safetensors", net.state_dict(), model=model, contract=IMAGENET)
    plain = build(Model(name="tsm", backbone="tiny_resnet", num_classes=400))
    torch.save({"state_dict": plain.state_dict()}, here / "FILE")
    for file in ("sthv1", "kinetics400"):
        model = Model(name="tsn", backbone="tiny_resnet", num_classes=2, method="psn")
        save_weights(here / f"{file}.safetensors", build(model).state_dict(), model=model, contract=IMAGENET)


def _run(here: Path, command: str, *, torchrun: bool = False) -> subprocess.CompletedProcess[str]:
    small = next((more for start, more in SMALLER.items() if command.startswith(start)), "")
    line = command.replace("/data/k400", "k400").replace("DIR", "k400").replace("--annotations FILE", ANNOTATED)
    line = line.replace("K400-19761", "K400-4")  # a copy's name tells its size
    found = [str(path.relative_to(here)) for path in here.glob("tests/golden/*.json")]
    words = shlex.split(f"{_optional(line)} {small}".replace("tests/golden/*.json", " ".join(found)))
    start = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "1", "-m"] if torchrun else ["-m"]
    places = {f"REPRO_{name.upper()}": str(here / name) for name in ("cache", "config", "results")}
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **places}
    return subprocess.run(
        [sys.executable, *start, "repro", *words],
        cwd=here,
        env=environment,
        capture_output=True,
        text=True,
        timeout=570,
    )


def _scored(here: Path) -> None:
    """The scores that two commands read, of a test of the same clips."""
    if not (here / "FILE.npz").is_file():
        done = _run(here, "test tsm --weights w.safetensors --dataset my.csv")
        assert done.returncode == 0, done.stderr
        scores = next((here / "runs").rglob("*.npz"))
        shutil.copy(scores, here / "FILE.npz")
        shutil.copy(scores, here / "runs/own/test/tsm/0123456789abcdef-s0.npz")
        assert _run(here, "scores --register K400-4 LIST.txt").returncode == 0


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(command, marks=() if command.startswith(READING) else pytest.mark.slow)
        for command in commands()
        if not _elsewhere(command)
    ],
)
def test_every_command_runs(command: str, place: Path) -> None:
    if command.startswith("scores"):
        _scored(place)
    if "mine.toml" in command:
        (place / "mine.toml").unlink(missing_ok=True)
        assert command.startswith("init") or _run(place, "init mine.toml --dataset my.csv").returncode == 0
    done = _run(place, command, torchrun=f"torchrun --nproc-per-node gpu -m repro {command}" in README)
    told = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert done.returncode in FOUND.get(command.split()[0], (0,)), told
    assert "Traceback" not in done.stderr and "unexpected" not in done.stderr, told
    assert len(done.stdout) > 10, told
