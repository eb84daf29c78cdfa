"""Real files of every kind, honest and hostile."""

import argparse
import collections
import os
import pickle
import sys
import types
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from repro.core.errors import WeightsError
from repro.models import checkpoint_reader

STATE = {"conv1.weight": torch.arange(6.0).reshape(2, 3), "bn1.num_batches_tracked": torch.tensor(3)}


def same(found: dict[str, torch.Tensor]) -> bool:
    return found.keys() == STATE.keys() and all(torch.equal(found[name], STATE[name]) for name in STATE)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("place", [None, "state_dict", "model", "model_state"])
def test_state_dicts_in_their_usual_places(tmp_path, zipped, place):
    content = STATE if place is None else {"epoch": 3, "arch": "resnet50", place: STATE}
    torch.save(content, tmp_path / "c.pth.tar", _use_new_zipfile_serialization=zipped)
    assert same(checkpoint_reader.read(tmp_path / "c.pth.tar").tensors)


def test_parameters_and_ordered_dicts_are_tensors_too(tmp_path):
    content = collections.OrderedDict({name: value for name, value in STATE.items() if value.is_floating_point()})
    content["conv1.weight"] = torch.nn.Parameter(content["conv1.weight"])
    torch.save(content, tmp_path / "c.pth")
    assert not checkpoint_reader.read(tmp_path / "c.pth").tensors["conv1.weight"].requires_grad


def test_safetensors(tmp_path):
    save_file(STATE, tmp_path / "c.safetensors", {"format": "pt"})
    found = checkpoint_reader.read(tmp_path / "c.safetensors")
    assert same(found.tensors) and found.metadata == {"format": "pt"} and len(found.sha256) == 64


class HistoryBuffer:
    """As mmengine's: arrays, and a table of its own methods, which pickle writes as `getattr(HistoryBuffer, ...)`."""

    def __init__(self) -> None:
        self._log_history = np.arange(4.0)
        self._statistics_methods = {"mean": HistoryBuffer.mean}

    def mean(self) -> float:
        return float(self._log_history.mean())


@pytest.fixture
def mmengine(monkeypatch):
    """A module under mmengine's name, there while the file is written and gone when it is read."""
    module = types.ModuleType("mmengine.logging.history_buffer")
    module.HistoryBuffer = HistoryBuffer
    with monkeypatch.context() as patch:
        patch.setattr(HistoryBuffer, "__module__", module.__name__)
        patch.setattr(HistoryBuffer.mean, "__module__", module.__name__)
        for name in ("mmengine", "mmengine.logging", module.__name__):
            patch.setitem(sys.modules, name, module)
        yield


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_mmengine_bookkeeping_is_read_past(tmp_path, mmengine, zipped):
    content = {
        "meta": {"epoch": 50, "args": argparse.Namespace(lr=0.1), "time": np.float64(3.5)},
        "message_hub": {"log_scalars": {"train/loss": HistoryBuffer()}},
        "state_dict": STATE,
    }
    torch.save(content, tmp_path / "c.pth", _use_new_zipfile_serialization=zipped)
    asked = checkpoint_reader.foreign_names(tmp_path / "c.pth")
    assert {"mmengine.logging.history_buffer.HistoryBuffer", "builtins.getattr", "argparse.Namespace"} <= asked
    assert same(checkpoint_reader.read(tmp_path / "c.pth").tensors)
    with pytest.raises(pickle.UnpicklingError):  # the stand-ins were for that one file
        torch.load(tmp_path / "c.pth", weights_only=True)


class Payload:
    def __init__(self, function, *arguments) -> None:
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


def hostile(flag: Path, kind: str) -> object:
    if kind == "system":
        return Payload(os.system, f"touch {flag}")
    if kind == "exec":
        return Payload(exec, f"open({str(flag)!r}, 'w')")
    return Payload(os.mkdir, str(flag))


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("kind", ["system", "exec", "mkdir"])
def test_a_hostile_file_is_refused_and_nothing_runs(tmp_path, kind, zipped, protocol):
    flag, file = tmp_path / "ran", tmp_path / "evil.pth"
    content = {"state_dict": STATE, "meta": hostile(flag, kind)}
    torch.save(content, file, _use_new_zipfile_serialization=zipped, pickle_protocol=protocol)
    with pytest.raises(WeightsError, match=r"evil\.pth") as caught:
        checkpoint_reader.read(file)
    assert not flag.exists()
    message = str(caught.value)
    name = {
        "system": f"{os.system.__module__}.system",
        "exec": "builtins.exec",
        "mkdir": f"{os.mkdir.__module__}.mkdir",
    }
    assert name[kind] in message and "weights_only=False" in message and "trust" in message


def test_stand_ins_are_inert(tmp_path):
    """Even a function of a package that is known for bookkeeping never runs."""
    flag = tmp_path / "array.npy"
    torch.save({"state_dict": STATE, "meta": Payload(np.save, str(flag), 1.0)}, tmp_path / "c.pth")
    assert same(checkpoint_reader.read(tmp_path / "c.pth").tensors)
    assert not flag.exists()


def test_a_plain_pickle_that_runs_code_is_refused(tmp_path):
    flag, file = tmp_path / "ran", tmp_path / "evil.pkl"
    file.write_bytes(pickle.dumps(hostile(flag, "system")))
    with pytest.raises(WeightsError, match=r"evil\.pkl"):
        checkpoint_reader.read(file)
    assert not flag.exists()


def test_a_pickled_module_is_refused_by_name(tmp_path):
    torch.save({"model": torch.nn.Linear(2, 2)}, tmp_path / "whole.pth")
    with pytest.raises(WeightsError, match=r"torch\.nn\.modules\.linear\.Linear"):
        checkpoint_reader.read(tmp_path / "whole.pth")


def truncated(file: Path) -> None:
    torch.save(STATE, file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize(
    "write",
    [
        lambda file: file.write_bytes(b""),
        lambda file: file.write_bytes(b"<!DOCTYPE html><html>sign in</html>"),
        lambda file: file.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"),
        lambda file: file.write_bytes(os.urandom(4096)),
        lambda file: zipfile.ZipFile(file, "w").close(),
        truncated,
        lambda file: torch.save({"epoch": 3}, file),
        lambda file: torch.save([1, 2], file),
        lambda file: torch.save({**STATE, "other": "text"}, file),
        lambda file: torch.save({"conv1.weight": torch.tensor([float("nan")])}, file),
        lambda file: torch.save({"bn1.running_var": torch.tensor([1.0, -1e-3])}, file),
    ],
    ids=["empty", "html", "lfs", "random", "empty zip", "truncated", "no tensors", "list", "mixed", "nan", "variance"],
)
def test_what_is_no_checkpoint_is_named(tmp_path, write):
    file = tmp_path / "odd.pth"
    write(file)
    with pytest.raises(WeightsError, match=r"odd\.pth"):
        checkpoint_reader.read(file)


def test_equal_content_has_equal_bytes(tmp_path):
    tensors = {"b.weight": torch.arange(6.0).reshape(2, 3), "a": torch.ones(3, dtype=torch.int64)}
    facts = {f"key {number}": f'"quoted" \n µ {number}' for number in range(30)}
    written = set()
    for number in range(4):
        path = tmp_path / f"{number}.safetensors"
        checkpoint_reader.write(path, tensors, facts if number % 2 else dict(reversed(facts.items())))
        written.add(path.read_bytes())
        found = checkpoint_reader.read(path)
        assert found.metadata == facts
        assert {name: value.tolist() for name, value in found.tensors.items()} == {
            name: value.tolist() for name, value in tensors.items()
        }
    assert len(written) == 1


def test_missing_and_damaged_safetensors(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.pth"):
        checkpoint_reader.read(tmp_path / "none.pth")
    (tmp_path / "bad.safetensors").write_bytes(b"12345678{")
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        checkpoint_reader.read(tmp_path / "bad.safetensors")


def quantized(x: torch.Tensor) -> torch.Tensor:
    return torch.quantize_per_tensor(x, 0.1, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda x: x.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda x: x.to(torch.float8_e5m2), "float8_e5m2"),
        (lambda x: x.to(torch.complex64), "complex64"),
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: x.to_sparse_csr(), "sparse"),
        (lambda x: x.to("meta"), "meta device"),
        (quantized, "quantized"),
        (lambda x: torch.nested.nested_tensor([x, x[:1]]), "nested"),
    ],
    ids=["fp8", "fp8 e5m2", "complex", "sparse", "csr", "meta", "quantized", "nested"],
)
def test_tensors_that_are_no_plain_numbers_are_refused_in_a_sentence(tmp_path, make, said):
    file = tmp_path / "odd.pth"
    torch.save({**STATE, "layer1.weight": make(torch.eye(3))}, file)
    with pytest.raises(WeightsError, match=rf"odd\.pth.*tensor layer1\.weight is.*{said}") as caught:
        checkpoint_reader.read(file)
    assert "\n" not in str(caught.value)


def test_fp8_safetensors_are_refused_too(tmp_path):
    save_file({"a.weight": torch.ones(3).to(torch.float8_e4m3fn)}, tmp_path / "odd.safetensors")
    with pytest.raises(WeightsError, match=r"odd\.safetensors.*float8"):
        checkpoint_reader.read(tmp_path / "odd.safetensors")


def expanded(file: Path) -> None:
    """One number that calls itself three thousand million."""
    torch.save({**STATE, "fc.weight": torch.zeros(1).expand(3 * 10**9)}, file)


def shared(file: Path) -> None:
    """Four megabytes under three thousand names."""
    values = torch.zeros(10**6)
    torch.save({f"layer{number}.weight": values for number in range(3000)}, file)


def deflated(file: Path) -> None:
    """Zeros, which an archive stores a thousand times smaller."""
    torch.save(STATE, file.with_suffix(".whole"))
    with zipfile.ZipFile(file.with_suffix(".whole")) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        with new.open(f"{old.namelist()[0].partition('/')[0]}/data/9", "w", force_zip64=True) as member:
            for _ in range(1100):
                member.write(bytes(2**20))


@pytest.mark.parametrize("write", [expanded, shared, deflated])
def test_a_small_file_that_claims_much_is_refused_before_it_is_read(tmp_path, write):
    file = tmp_path / "bomb.pth"
    write(file)
    with pytest.raises(WeightsError, match=r"bomb\.pth.* claims [\d.]+ GiB of tensors"):
        checkpoint_reader.read(file)


def test_more_than_memory_holds_is_refused(tmp_path, monkeypatch):
    torch.save(STATE, tmp_path / "c.pth")
    monkeypatch.setattr("repro.core.environment.memory_at_hand", lambda: 100)
    with pytest.raises(WeightsError, match=r"c\.pth.*memory are free"):
        checkpoint_reader.read(tmp_path / "c.pth")
