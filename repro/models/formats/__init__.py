"""How public checkpoints name their tensors, and which naming a file has."""

from repro.models.formats import networks, literature_2d  # isort: skip
from repro.models.formats.format import (
    CAFFE,
    FORMATS,
    IMAGENET,
    KINETICS,
    Contract,
    Format,
    detect,
    get,
    strip_wrappers,
)

__all__ = [
    "CAFFE", "FORMATS", "IMAGENET", "KINETICS", "Contract", "Format", "detect", "get", "literature_2d", "networks",
    "strip_wrappers",
]  # fmt: skip
