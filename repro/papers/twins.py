"""The protocol on the twin datasets: one small form of every network, one recipe for all of them.

Nothing here is a paper's: the twins show in minutes, on a CPU, which networks can read the order of frames. All
networks train alike, on 8 of the 16 frames of a video, uniformly spread; TDN takes five consecutive frames around each
of the same eight. Clips are not mirrored, which would turn `right` into `left`.
"""

from __future__ import annotations

from repro.spec import Accuracy, Model, Train, Views, frozen, replace

FRAMES = 8
_CROP = 32
_BACKBONE = frozen(blocks=1, pool=True)
#: networks that take five consecutive frames for each of their segments
_FIVE_FRAMES = ("tdn",)

RECIPE = Train(
    epochs=6,
    batch=32,
    lr=0.1,
    sampling="mmaction2.uniform_train_8",
    nesterov=True,
    weight_decay=5e-4,
    decay_on="matrices",
    schedule="cosine",
    schedule_by="step",
    warmup_epochs=0.6,
    clip_norm=5,
    crop=_CROP,
    crop_rule="random",
    resize=0,
    flip=0.0,
)
TEST = Views(sampling="mmaction2.uniform_test_8", resize=0, crop=_CROP)


def twin_model(model: Model) -> Model:
    """The small form of a paper's network: `tiny_resnet`, eight frames, eight classes, no dropout, random weights.

    Its method and the options of both stay. The head's form then makes no difference: without dropout, averaging the
    features of all frames or their scores is the same.
    """
    return replace(
        model,
        backbone="tiny_resnet",
        frames=FRAMES,
        num_classes=8,
        dropout=0.0,
        pretrained="none",
        options=frozen(model.options, **_BACKBONE),
    )


def twin_accuracy(dataset: str, model: str) -> Accuracy:
    """Training and test on `dataset`, `twin-appearance` or `twin-temporal`, for the registered network `model`."""
    five = model in _FIVE_FRAMES
    train = replace(RECIPE, sampling=f"repro.centred5_train_{FRAMES}") if five else RECIPE
    test = replace(TEST, sampling=f"repro.centred5_test_{FRAMES}") if five else TEST
    return Accuracy(dataset=dataset, train=train, test=test)
