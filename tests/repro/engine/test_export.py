"""Exported networks, run by their runtimes where this package cannot be imported."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from repro.__main__ import main
from repro.core.errors import BadOption
from repro.core.spec import Model, frozen, replace
from repro.cost.speed import randomize
from repro.data import views_of_video
from repro.engine import export
from repro.models import pretrained
from repro.models.build import build, input_shape
from repro.models.formats import CAFFE
from repro.models.weights import save_weights
from tests.repro.conftest import write_video

SMALL = Model(name="tsn", backbone="tiny_resnet", num_classes=5, options=frozen(pool=True))
#: PSN has no place in TDN's stem
ON_TDN = frozen(insert_after=("conv2", "conv3", "conv4"))
NETWORKS = [
    replace(SMALL, name=name, method=method, method_options=ON_TDN if (name, method) == ("tdn", "psn") else frozen())
    for name in ("tsn", "tsm", "tanet", "tdn")
    for method in (None, "dnr", "psn")
] + [replace(SMALL, name=name, method="adafuse") for name in ("tsn", "tsm")]
#: its normalizations hold an activation
MOBILE = replace(SMALL, name="tsm", backbone="mobilenetv2_100", options=frozen())

#: what a caller does who has the file, its JSON and the runtime
ALONE = """
import json, sys
class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in ("repro", "baselines", "methods", "timm"):
            raise ImportError(name)
sys.meta_path.insert(0, Absent())
import numpy as np
file, clip, out = sys.argv[1:]
told = json.load(open(file + ".json"))
frames = np.load(clip)  # uint8, the frames and the crop that the protocol names
how = told["preprocessing"]
frames = frames[..., ::-1, :, :] if how["channels"] == "BGR" else frames
mean, std = (np.array(how[name], np.float32).reshape(3, 1, 1) for name in ("mean", "std"))
x = ((frames.astype(np.float32) / 255 * how["scale"] - mean) / std).astype(np.float32)
assert list(x.shape[1:]) == told["input"]["shape"][1:], x.shape
if told["format"] == "onnx":
    import onnxruntime
    y = onnxruntime.InferenceSession(file).run(None, {told["input"]["name"]: x})[0]
else:
    import torch
    net = torch.jit.load(file) if told["format"] == "torchscript" else torch.export.load(file).module()
    y = net(torch.from_numpy(x)).detach().numpy()
assert list(y.shape[1:]) == told["output"]["shape"][1:]
np.save(out, y)
"""


def name_of(model):
    return "+".join(filter(None, (model.name, model.method, model.backbone if model is MOBILE else None)))


def trained(model):
    network = pretrained.random(model)
    randomize(network.module, torch.Generator().manual_seed(1))
    return network


def runtime(form):
    pytest.importorskip(export.FORMATS[form])


@pytest.mark.parametrize("model", [*NETWORKS, MOBILE], ids=name_of)
@pytest.mark.parametrize("form", ["onnx", "torchscript"])
def test_each_network_with_each_method_is_its_eager_self(tmp_path, model, form):
    runtime(form)
    network = trained(model)
    made = export.export(network, form, tmp_path / "net", replace(network.views, crop=32))
    assert sorted(made.errors) == [1, 3] and max(made.errors.values()) < 1e-5
    assert made.folded > 0
    x = torch.randn(input_shape(model, 32, 2))
    found = export.READERS[form](made.path.read_bytes())(x)
    with torch.no_grad():
        torch.testing.assert_close(found, network.module(x), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["tiny_resnet", "resnet50"])
@pytest.mark.parametrize("model", NETWORKS, ids=name_of)
def test_programs_and_the_papers_own_size(tmp_path, model, backbone):
    model = replace(model, backbone=backbone, options=frozen(pool=True) if backbone == "tiny_resnet" else frozen())
    network = trained(model)
    for form in export.FORMATS if backbone == "resnet50" else ("torch-export",):
        runtime(form)
        made = export.export(network, form, tmp_path / "net", replace(network.views, crop=64, resize=64))
        assert max(made.errors.values()) < 1e-4


@pytest.mark.parametrize(
    "name, form", [("tsm", "onnx"), ("tdn", "onnx"), ("tanet", "torchscript"), ("tanet", "torch-export")]
)
def test_the_file_and_its_json_are_enough(tmp_path, name, form, capsys):
    """A real video, by what the JSON says, where neither this package nor timm can be imported."""
    runtime(form)
    model = replace(SMALL, name=name)
    net = build(model).eval()
    randomize(net, torch.Generator().manual_seed(2))
    more = {"repro.classes": json.dumps(list("abcde"))}
    save_weights(tmp_path / "w.safetensors", net.state_dict(), model=model, contract=CAFFE, more=more)
    file = tmp_path / "net.bin"
    words = ["export", name, "--weights", str(tmp_path / "w.safetensors"), "--format", form, "--out", str(file)]
    assert main(words) == 0
    assert "limit 0.0001" in capsys.readouterr().out
    told = json.loads(file.with_name("net.bin.json").read_text())
    assert told["classes"] == list("abcde") and told["network"]["name"] == name

    write_video(tmp_path / "clip.mp4", 3, frames=30)
    network = pretrained.load(tmp_path / "w.safetensors")
    source = views_of_video.FileSource(tmp_path / "clip.mp4", "auto", network.views.resize)
    cuts = views_of_video.test_cuts(source, network.views, "clip")
    views = cuts.part(0, len(cuts))
    length = network.module.clip_length
    x = torch.from_numpy(views)
    x = x.unflatten(1, (-1, length)) if length > 1 else x
    assert views.shape[1] == len(told["protocol"]["frames_of_a_video"]["30"][0])
    np.save(tmp_path / "x.npy", x.numpy())
    command = [sys.executable, "-c", ALONE, str(file), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env={"OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    with torch.no_grad():
        expected = network.module(network.normalize(x)).numpy()
    assert np.abs(np.load(tmp_path / "y.npy") - expected).max() < 1e-4 * np.abs(expected).max()


def test_what_differs_from_eager_is_not_written(tmp_path):
    class Drawn(torch.nn.Module):
        """Other logits at each call, as a network with dropout left on."""

        clip_length = 1

        def forward(self, x):
            return torch.nn.functional.dropout(x.mean((1, 3, 4)), 0.5, True)

    network = replace(trained(replace(SMALL, num_classes=3)), module=Drawn())
    with pytest.raises(BadOption, match=r"nothing was written.*differ from eager's by"):
        export.export(network, "torchscript", tmp_path / "net.pt", replace(network.views, crop=32))
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_is_said(tmp_path, capsys):
    network = trained(SMALL)
    with pytest.raises(BadOption, match="unknown format 'coreml'; allowed: onnx, torchscript, torch-export"):
        export.export(network, "coreml", tmp_path / "net")
    with pytest.raises(BadOption, match="gives 4 segments"):
        views = replace(network.views, sampling="mmaction2.uniform_test_4")
        export.export(network, "torchscript", tmp_path / "net", views)
    assert main(["export", "--weights", "none.safetensors", "--format", "onnx", "--out", str(tmp_path / "n")]) == 2
    assert "'none.safetensors' is not a file" in capsys.readouterr().err
