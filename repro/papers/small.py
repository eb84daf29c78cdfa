"""`run real/small`: three networks on a user's small dataset, from ImageNet weights, in minutes on a laptop.

Nothing here is a paper's. MobileNetV2 at 112x112, eight frames; the head and the last two stages are trained, the stem
and the first two stay ImageNet's: with a hundred clips there is nothing to learn in them, and half the time is saved.
DNR stands in the trained stages alone. Clips are not mirrored, which would turn left into right.
"""

from __future__ import annotations

from repro.core.spec import Accuracy, Experiment, Model, Train, Views, frozen, replace

NAME = "real/small"
FRAMES, SIZE, RESIZE, FROZEN = 8, 112, 128, 2
BACKBONE, WEIGHTS = "mobilenetv2_100", "mobilenetv2-imagenet"
#: what the trained networks see of a test clip besides
ORDERS = {"shuffled": f"repro.shuffled_test_{FRAMES}", "reversed": f"repro.reversed_test_{FRAMES}"}
RECIPE = Train(
    epochs=15,
    batch=8,
    lr=0.01,
    sampling=f"mmaction2.uniform_train_{FRAMES}",
    nesterov=True,
    weight_decay=5e-4,
    decay_on="matrices",
    schedule="cosine",
    schedule_by="step",
    warmup_epochs=1,
    clip_norm=5,
    crop=SIZE,
    crop_rule="random",
    resize=RESIZE,
    flip=0.0,
    last_batch="smaller",
    frozen_stages=FROZEN,
)
_HOST = Model(name="", backbone=BACKBONE, frames=FRAMES, pretrained="imagenet", dropout=0.5)
#: row -> label, network, method
_ROWS = {"tsn": ("TSN", "tsn", None), "tsm": ("TSM", "tsm", None), "tsm_dnr": ("TSM+DNR", "tsm", "dnr")}
LABELS = {key: label for key, (label, _, _) in _ROWS.items()}


def views(train: Train) -> Views:
    """How a clip is tested that is trained on like this."""
    return Views(sampling=f"mmaction2.uniform_test_{FRAMES}", resize=train.resize, crop=train.crop)


def experiment(row: str, dataset: str, classes: int, train: Train = RECIPE) -> Experiment:
    """Training and test of a row on one fold."""
    _, name, method = _ROWS[row]
    trained = tuple(range(train.frozen_stages + 1, 5))
    options = frozen(stages=trained) if method else frozen()
    model = replace(_HOST, name=name, num_classes=classes, method=method, method_options=options)
    return Experiment(model=model, measure=Accuracy(dataset=dataset, train=train, test=views(train)))
