from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import BadOption
from repro.core.spec import (
    Accuracy,
    Experiment,
    Model,
    Speed,
    Static,
    Train,
    Views,
    added,
    canonical_json,
    content_id,
    diff,
    experiment_from_dict,
    frozen,
    replace,
    to_dict,
)

TSN = Model(name="tsn", backbone="resnet50")
DNR = replace(TSN, method="dnr", method_options=frozen(relay_distance=4))
TEST = Views(sampling="mmaction2.dense_test_8", clips=10, crops=3)
RECIPE = Train(epochs=2, batch=8, lr=0.1, sampling="mmaction2.dense_train_8", milestones=(1.0,))


@pytest.mark.parametrize(
    "measure",
    [
        Static(),
        Speed(against=TSN),
        Accuracy(dataset="probe-order", test=TEST, train=RECIPE),
        Accuracy(dataset="kinetics400", test=TEST),
    ],
)
def test_an_experiment_survives_json(measure):
    experiment = Experiment(model=DNR, measure=measure)
    again = experiment_from_dict(json.loads(json.dumps(to_dict(experiment))))
    assert again.id == experiment.id
    assert to_dict(again) == to_dict(experiment)


def test_the_id_is_the_same_in_another_process():
    made = "Experiment(model=Model(name='tsn', backbone='resnet50'), measure=Static())"
    code = f"from repro.core.spec import *; print({made}.id)"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert other == Experiment(model=TSN, measure=Static()).id


@given(st.permutations(["relay_distance", "reduction", "channel_interlacing"]))
def test_the_order_of_options_does_not_matter(names):
    values = {"relay_distance": 4, "reduction": 4, "channel_interlacing": True}
    assert content_id(replace(DNR, method_options=frozen({n: values[n] for n in names}))) == content_id(
        replace(DNR, method_options=frozen(values))
    )


def test_each_field_changes_the_id():
    base = Experiment(model=DNR, measure=Accuracy(dataset="d", test=TEST, train=RECIPE))
    seen = {base.id}
    for field, value in {"name": "tsm", "backbone": "resnet18", "frames": 16, "num_classes": 5, "dropout": 0.1}.items():
        seen.add(replace(base, model=replace(DNR, **{field: value})).id)
    for field, value in {"epochs": 3, "lr": 0.2, "amp": "bf16", "milestones": (1.5,)}.items():
        seen.add(replace(base, measure=replace(base.measure, train=replace(RECIPE, **{field: value}))).id)
    assert len(seen) == 10


def test_whole_floats_and_integers_are_one_value():
    assert canonical_json({"a": 1.0}) == canonical_json({"a": 1})


def test_a_spec_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TSN.frames = 16
    with pytest.raises(TypeError):
        DNR.method_options["relay_distance"] = 2


def test_what_cannot_be_json_is_refused():
    with pytest.raises(BadOption, match="cannot hold"):
        content_id(replace(TSN, options=frozen(f=object())))
    with pytest.raises(ValueError):
        content_id(replace(TSN, dropout=float("nan")))


def test_diff_names_what_differs():
    found = diff(TSN, replace(DNR, frames=16))
    assert found == {
        "frames": (8, 16),
        "method": (None, "dnr"),
        "method_options": ({}, None),
        "method_options.relay_distance": (None, 4),
    }


def test_an_unknown_field_is_named():
    data = to_dict(Experiment(model=TSN, measure=Static()))
    data["model"]["depth"] = 3
    with pytest.raises(BadOption, match="depth"):
        experiment_from_dict(data)


def test_a_field_added_later_leaves_old_ids_as_they_were():
    @dataclass(frozen=True)
    class Small:
        size: int = 1
        new: str = added("as before")

    assert canonical_json(Small()) == '{"size":1}'
    assert canonical_json(Small(new="other")) == '{"new":"other","size":1}'
    assert to_dict(Small()) == {"size": 1, "new": "as before"}
