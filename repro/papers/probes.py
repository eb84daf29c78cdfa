"""The protocol of the probes: one small form of every network, one recipe for all of them, and the controls.

Nothing here is a paper's: a probe shows on a CPU, in a minute or two, whether a mechanism does what a paper says of it,
and nothing of Kinetics. All networks train alike, to a plateau, on 8 of the 16 frames of a video, uniformly spread; TDN
takes five consecutive frames around each of the same eight. Clips are not mirrored, which would turn `right` into
`left`. Dial (`repro.data.probe_render`), recipe and marks were chosen on the split `choose` with seeds from 1000 on;
the split `test` is scored by the declared seeds 0 to 9 alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from repro.core.spec import Accuracy, Experiment, Model, Train, Views, frozen, replace
from repro.data.datasets import video_count

ORDER, SIGHT, BATCH = "probe-order", "probe-sight", "probe-batch"
REDUNDANCY, SHAPES = "probe-redundancy", "probe-shapes"
PROBES = (ORDER, SIGHT, BATCH, REDUNDANCY, SHAPES)
#: `probe-sight` without the shape that its class is of
BLANK = "probe-sight-blank"
#: the split on which recipes, widths and weights are chosen, with seeds from `CHOOSE_SEED` on; the one that is reported
CHOOSE, TEST = "choose", "test"
CHOOSE_SEED = 1000
SEEDS = tuple(range(10))
CHANCE = 12.5

#: seconds of a small network on one core: of a clip that it is trained on, and of a step
_CLIP_S, _STEP_S = 0.0015, 0.012
FRAMES = 8
_CROP = 32
#: networks whose small form has no options but their own
_OWN_FORM = (
    "r2plus1d", "slowfast_8x8", "blvnet_tam", "arnet", "i3d", "i3d_res5s1", "i3d_nl", "c3d_resnet50", "p3d_resnet50",
)  # fmt: skip
#: blocks a stage, and channels of the first: narrow, with two blocks that CL relays between; where order of frames is
#: asked for, which narrow networks begin late to read, or never, twice as wide with one block
_NARROW, _GROUPS, _WIDE = frozen(blocks=2, width=8), 4, frozen(blocks=1, width=16)
#: the recipe at 16 clips a step; other batches see equally many clips, at a rate in proportion
RECIPE = Train(
    epochs=16,
    batch=16,
    lr=0.1,
    sampling=f"mmaction2.uniform_train_{FRAMES}",
    nesterov=True,
    weight_decay=5e-4,
    decay_on="matrices",
    schedule="step",
    schedule_by="step",
    milestones=(10.0, 12.0),
    warmup_epochs=1.6,
    clip_norm=5,
    crop=_CROP,
    crop_rule="random",
    resize=0,
    flip=0.0,
    start="names",
)
VIEWS = Views(sampling=f"mmaction2.uniform_test_{FRAMES}", resize=0, crop=_CROP)


@dataclass(frozen=True)
class Control:
    """A training that says whether a probe asks what it is to ask: its mean over seeds must keep to the bound."""

    says: str
    experiment: Experiment
    metric: Literal["top1", "direction_top1"]
    """Percent; `direction_top1` stands among the results' `extra`."""
    bound: float
    positive: bool
    """Whether `bound` must be reached; else it must not be passed."""
    seeds: int = 3

    def out_of_reach_of(self, probe: str) -> bool:
        """Whether it says that a plain network cannot solve this probe; others take the frames' order or the shape."""
        measure = self.experiment.measure
        assert isinstance(measure, Accuracy) and measure.train is not None
        return not self.positive and measure.dataset == probe and measure.train.sampling == RECIPE.sampling

    def holds(self, value: float) -> bool:
        """Whether a measured mean keeps to the bound."""
        return value >= self.bound if self.positive else value <= self.bound


def seconds_of(training: Accuracy) -> float:
    """About how long a training on a probe takes on one core, before one like it was measured: by clips and steps."""
    assert training.train is not None
    clips = video_count(training.dataset, "train") * training.train.epochs
    return _CLIP_S * clips + _STEP_S * clips / training.train.batch


def small_form(model: Model) -> Model:
    """The small form of a paper's network: `tiny_resnet` (`tiny_inception` for Inception), eight frames, eight
    classes, no dropout, random weights.

    Its method and the options of both stay. The head's form then makes no difference: without dropout, averaging the
    features of all frames or their scores is the same.
    """
    inception = model.backbone in ("bninception", "inceptionv3", "tiny_inception")
    shape = frozen() if inception or model.name in _OWN_FORM else frozen(blocks=1, pool=True)
    return replace(
        model,
        backbone="tiny_inception" if inception else "tiny_resnet",
        frames=FRAMES,
        num_classes=8,
        dropout=0.0,
        pretrained="none",
        options=frozen(model.options, **shape),
    )


def probe_model(model: Model, name: str) -> Model:
    """The small form of a paper's network on the probe `name`. A narrow one has half of GN's groups and of the
    reduction in DNR's relays.
    """
    small, narrow = small_form(model), name != ORDER
    if "blocks" in small.options:
        groups = frozen(groups=_GROUPS) if narrow and small.options.get("norm") == "gn" else frozen()
        small = replace(small, options=frozen(small.options, **(_NARROW if narrow else _WIDE), **groups))
    if small.method == "dnr" and narrow and "reduction" in small.method_options:
        reduction = max(1, small.method_options["reduction"] // 2)
        small = replace(small, method_options=frozen(small.method_options, reduction=reduction))
    return small


def probe(
    model: Model, name: str, *, batch: int = RECIPE.batch, split: str = TEST, shuffled: bool = False, **changes: Any
) -> Experiment:
    """Training and test of a network on the probe `name`, in batches of `batch` clips that are normalized together.

    `split` is what is scored. `shuffled` gives frames in random order, in training and test. `changes` are those of the
    recipe; `epochs` takes warm-up and milestones along.
    """
    small = probe_model(model, name)
    train, test = recipe(small.name)
    if shuffled:
        train = replace(train, sampling=f"repro.shuffled_train_{FRAMES}")
        test = replace(test, sampling=f"repro.shuffled_test_{FRAMES}")
    train = replace(train, batch=batch, clips_per_device=batch, lr=train.lr * batch / train.batch)
    if "epochs" in changes:
        longer = changes["epochs"] / train.epochs
        ends = tuple(longer * end for end in train.milestones)
        changes = {"warmup_epochs": longer * train.warmup_epochs, "milestones": ends, **changes}
    measure = Accuracy(dataset=name, train=replace(train, **changes), test=test, test_split=split)
    return Experiment(model=small, measure=measure)


def recipe(network: str) -> tuple[Train, Views]:
    """Recipe and test of a network by its registered name: TDN takes five consecutive frames a segment."""
    if network != "tdn":
        return RECIPE, VIEWS
    five = f"repro.centred5_{{}}_{FRAMES}"
    return replace(RECIPE, sampling=five.format("train")), replace(VIEWS, sampling=five.format("test"))


@cache
def controls(name: str) -> tuple[Control, ...]:
    """What must hold for a probe to say anything: one that must be solved, and those that must stay at chance."""
    tsn = Model(name="tsn", backbone="resnet50", options=frozen(head="clip"))
    tsm = replace(tsn, name="tsm")
    if name in (ORDER, SHAPES):
        return (
            Control("TSM reads it", probe(tsm, name), "top1", 60.0, True),
            Control("TSN, a bag of frames", probe(tsn, name), "direction_top1", 55.0, False),
            Control("TSM, frames in random order", probe(tsm, name, shuffled=True), "direction_top1", 55.0, False),
        )
    return (
        Control("TSN sees it", probe(tsn, name), "top1", 60.0, True),
        Control("TSN, the shape not painted", probe(tsn, BLANK), "top1", 15.0, False),
    )


#: (probe, network) -> training accuracy, of augmented clips in the last tenth of the epochs, below which a network
#: counts as not trained; networks that a probe is to be out of reach for have none
MARKS: Mapping[tuple[str, str], float] = {
    **dict.fromkeys([(ORDER, "tsm"), (ORDER, "tanet"), (ORDER, "tdn")], 65.0),
    (SIGHT, "tsn"): 65.0,
    (SHAPES, "tsm"): 65.0,
    (REDUNDANCY, "tsn"): 55.0,
}
