from __future__ import annotations

from typing import Any

import pytest

from repro.core.errors import BadOption
from repro.core.spec import Accuracy, Model, Speed, Static, Train, Views, replace

TRAIN = Train(epochs=2, batch=8, lr=0.1, sampling="mmaction2.dense_train_8")
MODEL = Model(name="tsn", backbone="resnet50")
VIEWS = Views(sampling="mmaction2.dense_test_8")


@pytest.mark.parametrize(
    ("spec", "field", "value"),
    [
        (TRAIN, "epochs", "abc"),
        (TRAIN, "epochs", 0),
        (TRAIN, "epochs", True),
        (TRAIN, "epochs", 1.5),
        (TRAIN, "batch", 0),
        (TRAIN, "lr", "high"),
        (TRAIN, "lr", float("nan")),
        (TRAIN, "lr", -1),
        (TRAIN, "flip", 1.1),
        (TRAIN, "milestones", 3),
        (TRAIN, "milestones", ("a",)),
        (TRAIN, "flip_labels", ((1, 2, 3),)),
        (TRAIN, "partial_bn", "yes"),
        (TRAIN, "schedule", "linear"),
        (TRAIN, "crop_rule", "centered"),
        (MODEL, "frames", 0),
        (MODEL, "num_classes", "400"),
        (MODEL, "options", "head=clip"),
        (MODEL, "method", 1),
        (VIEWS, "fusion", "max"),
        (VIEWS, "resize", -1),
        (Static(), "sizes", (224, "256")),
        (Speed(), "against", "tsn"),
        (Accuracy(dataset="sthv2", test=VIEWS), "train", MODEL),
    ],
)
def test_a_field_refuses_what_it_cannot_hold(spec: Any, field: str, value: Any) -> None:
    with pytest.raises(BadOption, match=f"{field} .* is not possible in {type(spec).__name__}; allowed: "):
        replace(spec, **{field: value})


def test_whole_numbers_serve_as_numbers() -> None:
    assert replace(TRAIN, lr=1, milestones=(40, 80)).milestones == (40, 80)
    assert replace(MODEL, method=None).method is None
    assert replace(TRAIN, flip_labels=((1, 2), (3, 4))).flip_labels[1] == (3, 4)
