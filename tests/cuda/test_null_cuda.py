"""Every network on a CUDA device that computes nothing: what waits for the device, breaks graphs or lies elsewhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from repro import registry

pytestmark = pytest.mark.nullcuda

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOSTS = ("tsn", "tsm", "tanet", "tdn")
MODELS = registry.models.names()
WITH_METHODS = [f"{host}+{method}" for host in HOSTS for method in registry.methods.names()]
#: waits of a forward pass in evaluation: AR-Net asks each of its three networks which frames chose it
WAITS = {"arnet": 3}
WHOLE = [*HOSTS, *(f"{host}+dnr" for host in HOSTS), "tsn+psn", "tsm+psn", "tsn+adafuse", "tsm+adafuse", "arnet"]


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    sys.path.insert(0, str(HERE))
    try:
        import null_runtime
    finally:
        sys.path.remove(str(HERE))
    if null_runtime.why_not():
        pytest.skip(null_runtime.why_not())
    folder = tmp_path_factory.mktemp("nullcuda")
    null_runtime.build(folder)
    return null_runtime.settings(folder)


def told(device, what, names):
    """Of each name, what the child says of it."""
    env = {**os.environ, **device, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, str(HERE / "child.py"), what, *names], env=env, capture_output=True, text=True
    )
    found = {line["name"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert set(found) == set(names), done.stderr[-2000:]
    return found


def without_name(line):
    return {key: value for key, value in line.items() if key != "name"}


@pytest.mark.parametrize("names", [MODELS, WITH_METHODS], ids=["models", "methods"])
def test_passes_stay_on_the_device_and_wait_for_nothing(device, names):
    wrong, refused = {}, []
    for name, line in told(device, "passes", names).items():
        if "refused" in line:
            refused.append(name)
            continue
        waits = {what: sum(found.values()) for what, found in without_name(line).items() if isinstance(found, dict)}
        allowed = {what: WAITS.get(name, 0) if what.startswith("eval") else 0 for what in waits}
        if len(waits) < 5 or waits != allowed:
            wrong[name] = line
    assert wrong == {}
    assert not set(refused) & set(MODELS)
    assert {"tsn+dnr", "tsm+psn", "tsm+adafuse"}.isdisjoint(refused)


def test_graphs_are_whole(device):
    found = told(device, "breaks", WHOLE)
    assert {name: line["breaks"] for name, line in found.items() if line.get("breaks")} == {}
    assert all("breaks" in line for line in found.values())


@pytest.mark.parametrize(
    "name", ["tsn", "tsm+dnr", "tdn+dnr", "tsm+psn", "tsn+adafuse", "x3d_m", "r2plus1d", "slowfast_8x8"]
)
def test_every_form_and_precision_can_be_built(device, name):
    line = without_name(told(device, "forms", [name])[name])
    assert len(line) == 20
    assert {form: why for form, why in line.items() if why} == {}


def test_steps_of_a_training_wait_for_nothing(device):
    names = ["tsn+dnr", "tdn", "tsm+psn", "tsn+adafuse", "i3d", "r2plus1d"]
    found = {name: without_name(line) for name, line in told(device, "steps", names).items()}
    nothing = {"waits": {}, "pageable": 0}
    assert {
        name: {amp: {key: one[key] for key in nothing} for amp, one in line.items()} for name, line in found.items()
    } == {name: dict.fromkeys(("off", "bf16", "fp16"), nothing) for name in names}
    copied = {name: line["bf16"]["copied"] for name, line in found.items()}
    # PSN's 3x3 kernels read a quarter of the channels each, TDN's gates differences of a sixteenth of them
    assert copied == {**dict.fromkeys(names, 0), "tsm+psn": 16, "tdn": 98}
    assert [found["i3d"][amp]["layout"] for amp in ("off", "bf16", "fp16")] == ["contiguous", *["channels_last_3d"] * 2]


def test_a_test_waits_once_a_batch_for_its_scores(device, tmp_path):
    for number in range(3):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        for frame in range(8):
            Image.new("RGB", (48, 40), (frame, 0, 0)).save(folder / f"{frame:05}.png")
    (tmp_path / "v.csv").write_text("path,label,split\n" + "".join(f"{n},0,val\n" for n in range(3)))
    line = told({**device, "NULL_VIDEOS": str(tmp_path / "v.csv")}, "scores", ["tsn"])["tsn"]
    assert line["shape"] == [3, 3, 174] and len(line["ids"]) == 3
    own = [count for place, count in line["waits"].items() if place.startswith("repro/engine/evaluate.py")]
    assert own == [6]  # three views in batches of two
    assert line["pageable"] == 3  # two constants of the normalization, and the black view that tells the memory


def test_a_checkpoint_is_of_its_step_though_it_is_written_later(device, tmp_path):
    (line,) = told({**device, "NULL_FOLDER": str(tmp_path)}, "saves", ["tsn"]).values()
    assert line["kept"] == [1, 1, 1] and "step-000000002.pt" in line["error"]


def test_a_wait_is_seen(device):
    env = {**os.environ, **device, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"}
    code = "import os, torch, child\nwith child.waits() as found:\n    torch.zeros(1, device='cuda').item()\n"
    code += "print(sum(found.values()), flush=True)\nos._exit(0)"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.stdout.strip() == "1", done.stderr[-2000:]
