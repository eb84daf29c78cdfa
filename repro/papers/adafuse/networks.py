"""AdaFuse's networks on the paper's datasets: shared by all its tables.

Options are those that give the printed parameters (hidden units, shared layers) and those of the authors' scripts (form
and weight of the efficiency loss; mengyuest/AdaFuse@91c3a5d, zz_train.sh).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repro.core.spec import Accuracy, Experiment, Model, Options, Speed, Static, Train, frozen, replace
from repro.papers.recipes import papers as recipes
from repro.papers.table import RowSpec, Section

CLASSES = {"sthv1": 174, "sthv2": 174, "jester": 27, "minikinetics": 200}
#: (network, dataset) -> recipe of the authors' scripts
TRAIN: Mapping[tuple[str, str], Train] = {
    ("tsn", "sthv1"): recipes.ADAFUSE_CODE_TSN_STHV1,
    ("tsm", "sthv1"): recipes.ADAFUSE_CODE_TSM_STHV1,
    ("tsn", "sthv2"): recipes.ADAFUSE_CODE_STHV2,
    ("tsm", "sthv2"): recipes.ADAFUSE_CODE_STHV2,
    ("tsn", "jester"): recipes.ADAFUSE_CODE_JESTER,
    ("tsn", "minikinetics"): recipes.ADAFUSE_CODE_MINIKINETICS,
}
#: dataset -> the efficiency loss of the scripts; of Mini-Kinetics none is public, and the paper's weight stands here
LOSS: Mapping[str, Options] = {
    "sthv1": frozen(efficiency="upb", efficiency_weight=0.125),
    "sthv2": frozen(efficiency="real", efficiency_weight=0.075),
    "jester": frozen(efficiency="real", efficiency_weight=0.05),
    "minikinetics": frozen(efficiency="real", efficiency_weight=0.1),
}
_QUOTA = frozen(hidden_quota=196608)
#: backbone -> hidden units of the policies, and whether blocks share their layers (the default)
POLICY: Mapping[str, Options] = {
    "resnet18": frozen(hidden=512),
    "resnet50": _QUOTA,
    "bninception": frozen(hidden=128, shared_policy=False),
    **{f"efficientnet_b{size}": _QUOTA for size in range(4)},
}
LAST = frozen(stages=(4,), hidden=1024, shared_policy=False)


def host(name: str, backbone: str, dataset: str = "sthv1", **options: Any) -> Model:
    """A plain network on a dataset of the paper, from ImageNet."""
    return Model(
        name=name,
        backbone=backbone,
        num_classes=CLASSES[dataset],
        pretrained="imagenet",
        options=frozen(options),
    )


def with_adafuse(model: Model, dataset: str = "sthv1", **changes: Any) -> Model:
    """AdaFuse on a plain network; `changes` of its options, of which None takes one away."""
    chosen = {**POLICY[model.backbone], **changes}
    options = frozen(LOSS[dataset], **{key: value for key, value in chosen.items() if value is not None})
    return replace(model, method="adafuse", method_options=options)


def with_last(model: Model, dataset: str = "sthv1", **changes: Any) -> Model:
    """AdaFuse in the last stage alone: TSM+Last."""
    return replace(model, method="adafuse", method_options=frozen(LOSS[dataset], **{**LAST, **changes}))


def with_method(model: Model, method: str, **options: Any) -> Model:
    """A baseline of Table 1."""
    return replace(model, method=method, method_options=frozen(options))


def _without_loss(model: Model) -> Model:
    """The same network without what only training reads: rows that differ in that alone are counted and timed once."""
    kept = {key: value for key, value in model.method_options.items() if not key.startswith("efficiency")}
    return replace(model, method_options=frozen(kept))


def row(
    key: str,
    model: Model,
    dataset: str = "sthv1",
    *,
    against: Model | None = None,
    sizes: tuple[int, ...] = (224,),
    baseline: str | None = None,
    quoted: bool = False,
) -> RowSpec:
    """Static counts, the dataset of the row, time in turn with `against`; `quoted`: its printed values are."""
    plain = _without_loss(replace(model, pretrained="none"))
    base = "tsm" if model.name == "tsm" else "tsn"
    accuracy = Accuracy(dataset=dataset, train=TRAIN[base, dataset], test=recipes.ADAFUSE_TEST)
    cells = {
        "static": Experiment(model=plain, measure=Static(sizes=sizes)),
        dataset: Experiment(model=model, measure=accuracy),
    }
    if against is not None:
        speed = Speed(repeats=3, against=replace(against, pretrained="none"))
        cells["speed"] = Experiment(model=plain, measure=speed)
    section: Section = "quoted" if quoted else "reproduced"
    return RowSpec(key=key, cells=cells, baseline=baseline, section=section, host=quoted)
