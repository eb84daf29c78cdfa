"""How public checkpoints name their tensors, and which naming a file has."""

from repro.models.formats.format import CAFFE, IMAGENET, Contract, Format, strip_wrappers
from repro.models.formats.networks import FORMATS, detect, get

__all__ = ["CAFFE", "FORMATS", "IMAGENET", "Contract", "Format", "detect", "get", "strip_wrappers"]
