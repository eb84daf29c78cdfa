"""Odd input at the command line, case by case: an answer or a sentence, and no file is lost or begun."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from repro.__main__ import main

ROOT = Path(__file__).parents[2]
DEEP = b"[" * 100_000
LONG = "9" * 5000


def npz(**members: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **members)
    return buffer.getvalue()


def encrypted() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("logits.npy", b"x" * 100)
    made = bytearray(buffer.getvalue())
    made[6] |= 1
    made[made.find(b"PK\1\2") + 8] |= 1
    return bytes(made)


FILES = {
    "deep.json": DEEP, "deep.npz": npz(about=np.array("[" * 90_000), views=np.array([1, 1])),
    "encrypted.npz": encrypted(), "encrypted.pth": encrypted(), "zero.npz": npz(),
    "view.npz": npz(views=np.array(3)), "flat.npz": npz(
        logits=np.ones((2, 2)), labels=np.zeros(2, int), ids=np.array(["a", "b"]), views=np.array([1, 1])),
    "new.npz": npz(version=np.int64(99)), "inf.csv": "path,label\na.mp4,inf\nb.mp4,²\n".encode(),
    "long.csv": f"path,label\na.mp4,{LONG}\n".encode(), "huge.csv": b"path,label,split\na.mp4,999999999,val\n",
    "deep.toml": b"x = " + DEEP, "nonsense.json": b'{"a": [1, {"b": null}]}', "list.json": b"[]", "number.json": b"1",
    "odd.csv": b"\xff\xfe\x00", "cut.csv": b'path,label\n"a.mp4,1', "bad.safetensors": b"\xff" * 64,
    "deep.safetensors": len(DEEP).to_bytes(8, "little") + DEEP, "text.py": b"import os\nos._exit(0)\n",
    "exits.py": b"raise SystemExit(0)\n", "odd.py": b"class Odd(BaseException): pass\nraise Odd\n", "empty": b"",
}  # fmt: skip
COMMANDS = [
    *(f"scores {name}" for name in FILES if name.endswith((".npz", ".csv", ".json"))), "scores folder", "scores pipe",
    *(f"verify {name}" for name in FILES), "verify folder", "verify pipe", "verify nowhere",
    *(f"check {name}" for name in FILES if name.endswith((".csv", ".toml", ".json"))), "check pipe",
    *(f"run {name}" for name in ("deep.toml", "odd.csv", "pipe", "folder")),
    *(f"test tsn --weights {weights} --dataset huge.csv" for weights in ("bad.safetensors", "deep.safetensors",
      "encrypted.pth", "folder", "pipe", "empty", "nowhere")),
    *(f"import-weights {name} --model tsn --out w.safetensors"
      for name in ("encrypted.pth", "deep.npz", "pipe", "empty")),
    *(f"train tsn --backbone tiny_resnet --dataset {name}" for name in FILES if name.endswith(".csv")),
    *(f"list --module {name}" for name in ("text.py", "exits.py", "odd.py", "folder", "pipe", "empty", "nowhere")),
    f"train tsn --dataset inf.csv --seed {LONG}", "train tsn --dataset inf.csv --seed -1", "flops tsn --frames " + LONG,
    "flops tsn --size ²", "speed tsn --batch 1000000000", "scores zero.npz --clips " + LONG, "table ~nouser/x",
    "records merge ~nouser/x", "records merge pipe", "records merge nowhere", "records show " + LONG,
    "table table6 --out ~nouser/t.csv --format csv", "report --out ~nouser/r.html", "predict ~nouser/c.mp4 --model tsn "
    "--weights bad.safetensors", "predict pipe --model tsn --weights bad.safetensors", "data add x --root ~nouser "
    "--annotations deep.json", "data add kinetics400 --root folder --annotations deep.json", "data check ~nouser",
    "explain table6/" + LONG, "plan table6 --device " + LONG, "claims ²", "table table6 --columns \x1b[31m",
    "table table6 --rows \udcff", "table table6 --out pipe --format csv", "table table6 --out folder --format csv",
    "table table6 --out empty/x --format csv", "report --out pipe", "bundle table6 --out pipe.zip",
    "table table6 --out " + "x" * 300, "predict pipe --weights bad.safetensors --out folder.csv",
    *(f"features {name} --folds 2" for name in FILES if name.endswith((".npz", ".csv"))), "features pipe.npz --folds 2",
    *(f"scores import {name} --from {form} --dataset huge.csv --as x --out folder"
      for name in ("deep.npz", "encrypted.npz", "zero.npz", "odd.csv", "pipe", "folder", "deep.json")
      for form in ("mmaction2", "npz", "csv")),
    *(f"{verb} {many}" for many in ("100000", "99999999", LONG) for verb in (
      "speed tsn --threads", "train tsn --dataset inf.csv --threads", "data check huge.csv --jobs",
      "run table6 --dry-run --jobs", "run table6 --dry-run --seeds",
      "predict a.mp4 --weights bad.safetensors --workers")),
    "train tsn --dataset inf.csv --crop 999999999", "check --template pipe", "init pipe.toml", "weights get ../x",
    "choose --budget 50ms --dataset pipe", "show " + LONG,
    "run table6 --with a/b", "run table6 --with " + "x" * 130, "run table6 --only ²",
]  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    (folder / "folder").mkdir()
    (folder / "folder.csv").mkdir()
    for name in ("pipe", "pipe.npz", "pipe.zip", "pipe.toml"):
        os.mkfifo(folder / name)
    return folder


def facts(folder: Path) -> dict[str, tuple[int, int]]:
    """Kind and size of what lies there."""
    return {path.name: (path.lstat().st_mode, path.lstat().st_size * path.is_file()) for path in folder.iterdir()}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda text: ascii(text)[1:60])
def test_an_answer_or_a_sentence(command, desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    before = facts(desk)
    try:
        code = main(command.split())
    except SystemExit as error:  # argparse
        code = error.code
    said = capsys.readouterr()
    assert code in (1, 2) or (code == 0 and said.out), command
    assert "repro: unexpected" not in said.err and "Traceback" not in said.err + said.out, said.err[-2000:]
    assert code == 0 or said.err.strip() or said.out.strip()
    assert not set(said.out + said.err) & set("\x1b\x07")
    assert len(said.err) < 20_000
    assert {name: told for name, told in facts(desk).items() if name != "runs"} == before


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command in a shell, from the top of the checkout."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHON": sys.executable, **environment}
    return subprocess.run(
        ["bash", "-c", command], cwd=ROOT, env=variables, capture_output=True, text=True, errors="replace", timeout=300
    )


@pytest.mark.parametrize(
    "command",
    [
        "set -o pipefail; $PYTHON -m repro list | head -1",
        "set -o pipefail; $PYTHON -m repro table table6 --full | head -1",
        pytest.param("set -o pipefail; $PYTHON -m repro records ls | head -1", marks=pytest.mark.torture),
        pytest.param("$PYTHON -m repro list >&-", marks=pytest.mark.torture),
    ],
)
def test_nobody_reads_on(command):
    done = shell(command, REPRO_RESULTS=str(ROOT / "results"))
    assert done.returncode in (0, 141) and done.stderr == ""


@pytest.mark.torture
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_any_stream_holds_a_table(encoding):
    done = shell("$PYTHON -m repro table table6", REPRO_RESULTS=str(ROOT / "results"), PYTHONIOENCODING=encoding)
    assert done.returncode == 0 and done.stderr == ""


@pytest.mark.parametrize("size", [0, 4])
def test_a_file_that_may_not_grow_is_told_and_not_begun(size, tmp_path):
    (tmp_path / "t.html").write_text("old")
    command = f"ulimit -f {size}; $PYTHON -B -m repro table table6 --format html --full --out {tmp_path}/t.html"
    done = shell(command, REPRO_RESULTS=str(ROOT / "results"))
    assert done.returncode == 2 and "Traceback" not in done.stderr and "unexpected" not in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.html"] and (tmp_path / "t.html").read_text() == "old"


@pytest.mark.torture
def test_a_smoke_run_of_a_table_ends_with_0(tmp_path):
    done = shell("$PYTHON -m repro run psn/table1 --smoke --only static", REPRO_CACHE=str(tmp_path))
    assert done.returncode == 0, done.stderr + done.stdout
    again = json.dumps([path.name for path in (tmp_path / "smoke-records").rglob("*.json")])
    assert "-s0.json" in again
