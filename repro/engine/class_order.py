"""The classes of given weights held against those of a dataset: which output of the network means which class."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from repro.core.errors import BadOption
from repro.data.class_names import Match, match
from repro.data.index import Index
from repro.models.import_report import is_classifier
from repro.models.pretrained import class_names


def matched(weights: Path, index: Index, classes: int) -> Match:
    """The place of each class of the dataset among those of a file of weights; see `repro.data.class_names.match`."""
    return match(class_names(weights), index.classes, classes, index.name.partition("@")[0])


def reorder_classifier(module: nn.Module, found: Match) -> None:
    """Put the rows of the network's classifiers into the dataset's order, where a training is to start from them."""
    if not found.moved:
        return
    tensors = [value for name, value in module.state_dict().items() if is_classifier(name)]
    rows = [value for value in tensors if value.dim() and len(value) == len(found.order)]
    if not rows or len(rows) < len(tensors):
        raise BadOption(
            f"the classes of the weights stand in another order than the dataset's: {found.note}",
            fix="a label map in the order of the weights",
        )
    with torch.no_grad():
        for value in rows:
            value.copy_(value[list(found.order)])
