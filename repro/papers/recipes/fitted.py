"""A recipe on data that it was not written for: a batch that the videos fill, labels and frames that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from repro.core.errors import BadOption, UnknownName
from repro.core.spec import Model, Train, replace, to_dict
from repro.papers.default_views import rule_of

#: what may be changed with a recipe though it is of the network
OF_THE_MODEL = ("pretrained", "dropout")


def changed(train: Train, changes: Mapping[str, Any]) -> Train:
    """The recipe with other values of its fields; an unknown field is an error with the nearest."""
    known = to_dict(train)
    for key in changes:
        if key not in known:
            raise UnknownName("field of the recipe", key, [*known, *OF_THE_MODEL], fix="--set epochs=2 lr=0.05")
    return replace(train, **changes)


def fitted(train: Train, videos: int) -> tuple[Train, str]:
    """The recipe with a batch of no more clips than there are training videos, and a sentence on what was changed.

    The learning rate goes with the batch (linear rule). A recipe that ends an epoch with a smaller batch needs none of
    it.
    """
    there = train.videos or videos
    if there >= train.batch or train.last_batch == "smaller":
        return train, ""
    if there < 2:
        raise BadOption(f"{there} training video", allowed="two or more: batch normalization needs them")
    share = train.clips_per_device
    batch = there - there % share if share and there >= share else there
    rate = float(f"{train.lr * batch / train.batch:.6g}")
    told = f"batch {batch} for the recipe's {train.batch}, and learning rate {rate:g} for {train.lr:g}: "
    clips = share if share and batch % share == 0 else 0
    return replace(train, batch=batch, lr=rate, clips_per_device=clips), f"{told}there are {there} training videos"


def for_model(train: Train, model: Model) -> Train:
    """The recipe with a sampling rule that gives the frames this network takes."""
    return replace(train, sampling=rule_of(train.sampling, model, training=True))
