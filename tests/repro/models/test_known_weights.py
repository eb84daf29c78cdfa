"""Known weights come from a package's file: fetched from an index, held against their pins, never built or run."""

import functools
import hashlib
import http.server
import io
import pickle
import tarfile
import threading
import zipfile
from dataclasses import replace

import pytest
import timm
import torch

from repro.core.errors import NotConfigured, UnknownName, WeightsError
from repro.core.spec import Model
from repro.models import pretrained
from repro.models.build import build
from repro.models.fetch_package import fetch
from repro.models.get_weights import get, get_timm
from repro.models.known_weights import catalogue, file_of, find, imagenet_for
from repro.registry import backbones, models


@pytest.fixture(autouse=True)
def _weights_here(tmp_path, monkeypatch):
    monkeypatch.setenv("REPRO_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.chdir(tmp_path)


def _sha256(content):
    return hashlib.sha256(content).hexdigest()


def _packed(known, content, folder, licence=b"MIT License"):
    """The package's file around these weights, and the set with its pins."""
    archive, files = folder / known.archive, {known.member: content, known.licence_file: licence, "setup.py": b"1 / 0"}
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive, "w") as wheel:
            for name, data in files.items():
                wheel.writestr(name, data)
    else:
        with tarfile.open(archive, "w:gz", compresslevel=1) as source:
            for name, data in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                source.addfile(entry, io.BytesIO(data))
    return archive, replace(known, archive_sha256=_sha256(archive.read_bytes()), sha256=_sha256(content))


def _mobilenet(folder):
    torch.manual_seed(0)
    state = timm.create_model("mobilenetv2_100").state_dict()
    stream = io.BytesIO()
    torch.save(
        {f"features.{index}.{name.rpartition('.')[2]}": v for index, (name, v) in enumerate(state.items())}, stream
    )
    return state, *_packed(find("mobilenetv2-imagenet"), stream.getvalue(), folder)


def test_each_set_names_a_network_of_ours_and_whole_pins():
    for name, one in catalogue().items():
        assert one.model.name in models and one.model.backbone in [*backbones.names(), "inceptionv1"], name
        assert len(one.archive_sha256) == len(one.sha256) == 64 and one.licence and one.origin
        assert one.package.replace("-", "_") in one.archive.replace("-", "_")
    assert imagenet_for("mobilenetv2_100").name == "mobilenetv2-imagenet" and imagenet_for("resnet50") is None


@torch.no_grad()
def test_a_wheel_becomes_a_file_of_the_image_network(tmp_path):
    state, archive, known = _mobilenet(tmp_path)
    path = get(known, archive)
    network = pretrained.load(path)
    assert (network.sha256, len(network.classes)) == (known.sha256, 1000)
    assert network.class_name(949).startswith("strawberry")
    assert path.with_suffix(".LICENSE.txt").read_bytes() == b"MIT License"
    reference = timm.create_model("mobilenetv2_100").eval()
    reference.load_state_dict(state)
    x = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(network.module(x[:, None]), reference(x))
    assert file_of("mobilenetv2-imagenet") == path


@torch.no_grad()
def test_flax_kernels_are_turned_into_ours(tmp_path):
    """Our own network written as Flax names and lays out tensors comes back value for value."""
    known = replace(find("i3d-kinetics400"), model=replace(find("i3d-kinetics400").model, num_classes=400))
    torch.manual_seed(0)
    ours = build(known.model)
    told = {"params": {}, "batch_stats": {}}
    for name, value in ours.state_dict().items():
        if value.dim() and not name.endswith("bn.weight"):
            _put(told, name, value.clone().uniform_(0.5, 1.5))
    archive, pinned = _packed(known, pickle.dumps(told, 4), tmp_path)
    state = pretrained.load(get(pinned, archive)).module.state_dict()
    kernel = told["params"]["Mixed_4c/Branch_2/Conv3d_0b_3x3"]["Conv_0"]["kernel"]
    assert torch.equal(state["mixed_4c.branch2.conv.weight"], torch.from_numpy(kernel).permute(4, 3, 0, 1, 2))
    assert torch.equal(state["mixed_3b.branch3.bn.weight"], torch.ones(32)), "Sonnet's normalization has no scale"
    logits = told["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]["kernel"]
    assert torch.equal(state["fc.weight"], torch.from_numpy(logits[0, 0, 0]).t())


def _put(told, name, value):
    unit, _, rest = name.partition(".")
    branches = {"branch0": "Branch_0/Conv3d_0a_1x1", "branch3": "Branch_3/Conv3d_0b_1x1"}
    branches |= {f"branch{n}_reduce": f"Branch_{n}/Conv3d_0a_1x1" for n in (1, 2)}
    branches |= {f"branch{n}": f"Branch_{n}/Conv3d_0b_3x3" for n in (1, 2)}
    stem = {"conv1": "Conv3d_1a_7x7", "conv2": "Conv3d_2b_1x1", "conv3": "Conv3d_2c_3x3", "fc": "Logits/Conv3d_0c_1x1"}
    if unit in stem:
        path = stem[unit]
    else:
        branch, _, rest = rest.partition(".")
        path = f"M{unit[1:]}/{branches[branch]}"
    kind = rest.rpartition(".")[2]
    if unit == "fc" or rest.startswith("conv"):
        value = value[..., None, None, None] if unit == "fc" and kind == "weight" else value
        array = value.permute(2, 3, 4, 1, 0) if kind == "weight" else value
        told["params"].setdefault(path, {}).setdefault("Conv_0", {})["kernel" if kind == "weight" else kind] = (
            array.numpy()
        )
    elif kind == "bias":
        told["params"].setdefault(path, {})["BatchNorm_0"] = {"bias": value.numpy()}
    else:
        stats = told["batch_stats"].setdefault(path, {}).setdefault("BatchNorm_0", {})
        stats[kind.removeprefix("running_")] = value.view(1, 1, 1, 1, -1).numpy()


def test_another_package_or_file_is_not_used(tmp_path):
    _, archive, known = _mobilenet(tmp_path)
    for wrong in (replace(known, archive_sha256="0" * 64), replace(known, sha256="0" * 64)):
        with pytest.raises(WeightsError, match=r"pinned is 0000000000000000; it was not used"):
            get(wrong, archive)
    assert not known.path.exists()
    archive.write_bytes(b"no archive")
    with pytest.raises(WeightsError, match="cannot be opened"):
        get(replace(known, archive_sha256=_sha256(b"no archive")), archive)


def test_tensors_in_another_order_are_refused(tmp_path):
    stream = io.BytesIO()
    state = list(timm.create_model("mobilenetv2_100").state_dict().items())
    torch.save(dict([*state[6:], *state[:6]]), stream)
    archive, known = _packed(find("mobilenetv2-imagenet"), stream.getvalue(), tmp_path)
    with pytest.raises(WeightsError, match="not in the order"):
        get(known, archive)


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A Python index on this machine that pip is configured with; what was asked of it."""
    root, asked = tmp_path / "index", []
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(root)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield root, asked
    server.shutdown()


def test_the_file_comes_from_the_index_of_pip_and_nothing_of_it_runs(tmp_path, index):
    root, asked = index
    _, archive, known = _mobilenet(tmp_path)
    folder = root / "simple" / known.package
    folder.mkdir(parents=True)
    archive.rename(folder / known.archive)
    (folder / "index.html").write_text(f'<html><body><a href="{known.archive}">{known.archive}</a></body></html>')
    assert pretrained.load(get(known)).sha256 == known.sha256
    assert [path for path in asked if path.endswith(known.archive)] == [f"/simple/{known.package}/{known.archive}"]
    before = len(asked)
    get(known)
    assert len(asked) == before, "it is here already"
    assert sorted(path.name for path in known.path.parent.iterdir()) == [
        "mobilenetv2-imagenet.LICENSE.txt",
        "mobilenetv2-imagenet.safetensors",
    ]


def test_an_index_without_it_is_told_without_its_address(tmp_path, index):
    with pytest.raises(NotConfigured, match="cannot be fetched from the Python index") as caught:
        fetch(find("i3d-kinetics400"), tmp_path)
    assert "127.0.0.1" not in str(caught.value)


def test_names_that_are_none():
    with pytest.raises(UnknownName, match="did you mean i3d-kinetics400"):
        find("i3d-kinetics")
    with pytest.raises(NotConfigured, match="weights get i3d-kinetics400"):
        file_of("i3d-kinetics400")
    with pytest.raises(WeightsError, match="timm knows no weights"):
        get_timm("timm/resnet50.nobody")


def test_a_known_set_is_what_imagenet_means_for_its_backbone(tmp_path):
    state, archive, known = _mobilenet(tmp_path)
    model = Model(name="tsm", backbone="mobilenetv2_100", num_classes=4, frames=2, pretrained="imagenet")
    with pytest.raises(NotConfigured, match="weights get mobilenetv2-imagenet"):
        build(model)
    get(known, archive)
    net = build(model)
    assert torch.equal(net.layer2[1].conv_dw.weight, state["blocks.2.1.conv_dw.weight"])
    assert net.fc.weight.shape == (4, 1280)
