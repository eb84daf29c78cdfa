"""PSN's networks and the cells of a row: shared by all its tables.

Tables 1 to 3 are run at 112 with kernels of at most 5x5x5, "Ours" without its losses but where Table 2 names them: its
45.44 is the one of the row without. Tables 4 to 6 have 5x5x7 and, as nothing else is said, both losses.
"""

from __future__ import annotations

from typing import Any

from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, Train, Views, frozen, replace
from repro.papers.probe_cells import on_probe
from repro.papers.probes import SHAPES
from repro.papers.recipes.papers import PSN_STHV1_SMALL, PSN_TEST_SMALL

#: with one more synthesizer, after conv5, which the printed 27.x M need
CONV5 = ("conv1", "conv2", "conv3", "conv4", "conv5")
#: Something-Something has 174 classes; TSN's printed 23.87 M and GST's 21.04 and 37.52 fit 175 or 176 together
CLASSES = 175

TSN = Model(name="tsn", backbone="resnet50", num_classes=174, dropout=0.3)
TSM = replace(TSN, name="tsm")
GST = replace(TSN, name="gst")


def with_method(model: Model, method: str, **options: Any) -> Model:
    """The network with a method and those of its options that are not the default."""
    return replace(model, method=method, method_options=frozen(options))


def with_psn(model: Model, *, interaction: bool = False, capacity: bool = False, **options: Any) -> Model:
    """The network with synthesizers, of the ablations: with no loss but those asked for."""
    off = {} if interaction else {"interaction_weight": 0}
    off |= {} if capacity else {"capacity_weight": 0}
    fixed = options.get("fusion", "optimized") != "optimized"  # which has no loss to leave out
    return with_method(model, "psn", **({} if fixed else off), **options)


def accuracy(model: Model, dataset: str, train: Train, test: Views) -> Experiment:
    """A training on the paper's dataset, from ImageNet."""
    started = replace(model, pretrained="imagenet")
    return Experiment(model=started, measure=Accuracy(dataset=dataset, train=train, test=test))


def costs(model: Model, *sizes: int) -> dict[str, Experiment]:
    """Static counts and, of a network with a method that can stand after conv5, those with a fifth block there."""
    cells = {"static": Experiment(model=model, measure=Static(sizes=sizes))}
    if model.method:
        options = frozen(model.method_options, insert_after=CONV5)
        cells["static-conv5"] = Experiment(model=replace(model, method_options=options), measure=Static(sizes=sizes))
    return cells


def times(model: Model, size: int, *, repeats: int = 5) -> dict[str, Experiment]:
    """Time in turn with TSN; of a network with a method frozen too, of PSN also in turn with TSM."""
    tsn = replace(model, name="tsn", backbone="resnet50", method=None, method_options=frozen())
    speed = Speed(size=size, repeats=repeats, against=tsn)
    if model == tsn:
        return {}
    cells = {"speed": Experiment(model=model, measure=speed)}
    if model.method:
        cells["speed-frozen"] = Experiment(model=model, measure=replace(speed, form="frozen"))
    if model.method == "psn":
        cells["speed-tsm"] = Experiment(model=model, measure=replace(speed, against=replace(tsn, name="tsm")))
    return cells


def ablation_cells(model: Model) -> dict[str, Experiment]:
    """A row of Tables 1 to 3: 8 frames of 112x112, Something-Something V1."""
    return {
        **costs(model, 112, 224),
        "sthv1": accuracy(model, "sthv1", PSN_STHV1_SMALL, PSN_TEST_SMALL),
        **times(model, 112),
    }


def figure_networks() -> list[Experiment]:
    """What stands for Figure 5, of three datasets: the small PSN on probe-shapes, with both losses and none."""
    with_losses = with_psn(TSN, interaction=True, capacity=True)
    return [on_probe(model, SHAPES) for model in (with_losses, with_psn(TSN))]
