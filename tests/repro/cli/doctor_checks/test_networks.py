"""Label maps, the import of weights, counters and GPU, each broken on purpose."""

from __future__ import annotations

import csv
import shutil
import sys

import pytest
import torch

from repro.__main__ import main
from repro.cli.doctor_checks import networks
from repro.cli.doctor_checks.check import ABSENT, FAIL, PASS, Check, run
from repro.cost import macs
from repro.data import label_maps
from repro.models import weights


def outcome(call):
    return run(Check("it", "", call))


@pytest.mark.parametrize("call", [networks.label_map, networks.weights_import, networks.counters])
def test_a_sound_machine_passes(call):
    assert outcome(call).state == PASS


def test_a_shuffled_list_is_seen_by_labels_that_mirror_each_other(monkeypatch):
    whole = label_maps.official
    monkeypatch.setattr(label_maps, "official", lambda name: whole(name) and tuple(sorted(whole(name), reverse=True)))
    found = outcome(networks.label_map)
    assert found.state == FAIL and "change places in mirrored clips" in found.what and "shuffled" in found.what


def test_a_list_that_lacks_a_class_is_seen(monkeypatch):
    whole = label_maps.official
    monkeypatch.setattr(label_maps, "official", lambda name: whole(name) and whole(name)[:-1])
    found = outcome(networks.label_map)
    assert found.state == FAIL and "47 names for 48 classes" in found.what


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda names: names, None),
        (lambda names: [names[1], names[0], *names[2:]], "in another order"),
        (lambda names: ["surprise", *names[1:]], "1 unknown, the first 'surprise'"),
    ],
)
def test_the_label_map_of_a_copy_is_compared(tmp_path, change, expected):
    names = list(change(list(label_maps.official("jester"))))
    (tmp_path / "labels.txt").write_text("\n".join(names), encoding="utf-8")
    with (tmp_path / "jester.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerows([["path", "label", "split"], ["a.mp4", 0, "train"], ["b.mp4", 1, "val"]])
    assert main(["data", "add", "jester", "--csv", str(tmp_path / "jester.csv")]) == 0
    found = outcome(networks.label_map)
    if expected is None:
        assert found.state == PASS and "your jester agree" in found.what
    else:
        assert found.state == FAIL and found.what.startswith("jester") and expected in found.what


def test_an_import_that_changes_or_loses_a_tensor_is_seen(monkeypatch):
    whole_load, whole_import = weights.load_weights, weights.import_weights

    def careless(module, path, model):
        loaded = whole_load(module, path, model)
        with torch.no_grad():
            module.fc.weight.mul_(1.01)
        return loaded

    with monkeypatch.context() as patch:
        patch.setattr(weights, "load_weights", careless)
        assert "other scores" in outcome(networks.weights_import).what
    monkeypatch.setattr(weights, "import_weights", lambda *given: whole_import(*given, partial=True))
    assert "without a word" in outcome(networks.weights_import).what


@pytest.mark.parametrize("name", list(macs.COUNTERS))
def test_a_counter_that_counts_double_or_breaks_is_named(monkeypatch, name):
    counter = macs._FUNCTIONS[name]

    def double(net, x):
        found = counter(net, x)
        return macs.Counted(2 * found.macs, found.left_out, found.parts)

    def broken(net, x):
        raise RuntimeError("another torch")

    monkeypatch.setitem(macs._FUNCTIONS, name, double)
    found = outcome(networks.counters)
    assert found.state == FAIL and found.what.startswith(f"{name} counts 8.") and "pip install" in found.mend
    monkeypatch.setitem(macs._FUNCTIONS, name, broken)
    found = outcome(networks.counters)
    assert found.state == FAIL and "another torch" in found.what


def test_without_a_gpu_it_is_not_here_but_a_driver_that_torch_cannot_use_fails(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert outcome(networks.gpu).state == ABSENT
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    found = outcome(networks.gpu)
    assert found.state == FAIL and "NVIDIA driver" in found.what and "pytorch.org" in found.mend


@pytest.mark.gpu
def test_the_gpu_is_named_with_its_memory():
    found = outcome(networks.gpu)
    assert found.state == PASS and "GiB free" in found.what


@pytest.mark.parametrize("call", [networks.weights_import, networks.counters, networks.gpu])
def test_a_torch_that_does_not_load_is_named(monkeypatch, call):
    monkeypatch.setitem(sys.modules, "torch", None)  # its import raises
    found = outcome(call)
    assert found.state == FAIL and "torch does not load" in found.what and "pip install" in found.mend
