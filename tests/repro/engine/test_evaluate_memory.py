"""Host memory of a test at 30 views: `pytest -m slow tests/repro/engine/test_evaluate_memory.py -s`."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

LIMIT = 2_000_000_000

CHILD = """
import json, sys
import torch
from repro.engine import evaluate
from repro.models.build import build
from repro.data.index import read_csv
from repro.papers.recipes.used import KINETICS
from repro.core.spec import Model
name, backbone = sys.argv[2].split("/")
module = build(Model(name=name, backbone=backbone))
model = sum(t.numel() * t.element_size() for t in module.state_dict().values())
scores = evaluate.score(module, read_csv(sys.argv[1], "val"), KINETICS[name][1], workers=1)
assert scores.logits.shape[1:] == (30, 400) and not scores.problems
print(json.dumps({"model": model, **scores.about}))
"""


def write_clip(path: Path, width: int, height: int, frames: int = 300) -> None:
    """Ten seconds of H.264, a key frame every 12."""
    base = np.random.default_rng(0).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    base = base.repeat(8, 0).repeat(8, 1)[:height, :width]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(frames):
            picture = np.roll(base, 2 * number, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def peak(pid: int) -> int:
    """Bytes of a process's largest resident set so far, since it began its program."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def processes(parent: int) -> list[int]:
    """A process and its children, as long as they run the program they were started for."""
    try:
        children = [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]
        for task in Path(f"/proc/{parent}/task").iterdir():
            children += [int(pid) for pid in (task / "children").read_text().split()]
    except OSError:
        return []
    return [parent, *(pid for pid in set(children) if b"repro.data" in _command(pid))]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="reads /proc")
@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "height", "network"),
    [
        (340, 256, "tsm/resnet50"),
        (1280, 720, "tsm/resnet18"),
        (340, 256, "tdn/tiny_resnet"),
        (1280, 720, "tdn/tiny_resnet"),
    ],
)
def test_thirty_views_take_less_than_two_gigabytes_beside_the_model(
    tmp_path: Path, width: int, height: int, network: str
) -> None:
    """The peaks of the test's process and of its decoder, added up as if both came at once; the model counts apart."""
    write_clip(tmp_path / "0.mp4", width, height)
    for copy in ("1.mp4", "2.mp4"):
        (tmp_path / copy).write_bytes((tmp_path / "0.mp4").read_bytes())
    (tmp_path / "k.csv").write_text("path,label\n0.mp4,0\n1.mp4,1\n2.mp4,2\n")
    command = [sys.executable, "-c", CHILD, str(tmp_path / "k.csv"), network]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as test:
        peaks: dict[int, int] = {}
        while test.poll() is None:
            for pid in processes(test.pid):
                peaks[pid] = max(peaks.get(pid, 0), peak(pid))
            time.sleep(0.05)
        told = json.loads(test.stdout.read())  # type: ignore[union-attr]
    assert len(peaks) >= 2, "the test and its decoder"
    total = sum(peaks.values())
    print(f"\n{width}x{height} {network}: {total / 1e6:.0f} MB, by process {sorted(peaks.values())}; {told}")
    assert total < LIMIT + told["model"]
