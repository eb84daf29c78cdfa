"""The form in which the naming of a family of checkpoints is told."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

Rule = tuple[str, str]
ORDERS = ("RGB", "BGR")


@dataclass(frozen=True)
class Contract:
    """What values a network was trained on: (pixel / 255 * scale - mean) / std, in this colour order."""

    order: str = "RGB"
    scale: float = 1.0
    """1 for pixels in 0..1, 255 for pixels in 0..255."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Contract:
        """The inverse of `to_dict`; KeyError, TypeError or ValueError for what cannot be a network's input."""
        order, scale = data["order"], float(data["scale"])
        mean, std = (tuple(float(value) for value in data[name]) for name in ("mean", "std"))
        if order not in ORDERS:
            raise ValueError(f"order {order!r}; allowed: {', '.join(ORDERS)}")
        if (len(mean), len(std)) != (3, 3) or not all(map(math.isfinite, (scale, *mean, *std))):
            raise ValueError(f"mean {list(mean)} and std {list(std)}; allowed: three numbers each")
        if scale <= 0 or min(std) <= 0:
            raise ValueError(f"scale {scale:g} and std {list(std)}; allowed: numbers above 0")
        return Contract(order, scale, mean, std)


IMAGENET = Contract()
#: Caffe's convention, which the BN-Inception weights of the TSN and TSM authors keep
CAFFE = Contract("BGR", 255.0, (104.0, 117.0, 128.0), (1.0, 1.0, 1.0))
#: PySlowFast's, which mmaction2 keeps for X3D (114.75 and 57.38 of 255)
KINETICS = Contract("RGB", 1.0, (0.45, 0.45, 0.45), (0.225, 0.225, 0.225))


@dataclass(frozen=True)
class Format:
    """The naming of one family of checkpoints."""

    name: str
    """As `checkpoint_format` in goldens."""
    origin: str
    """Whose files these are."""
    matches: Callable[[frozenset[str]], bool]
    """Whether these tensor names can be of this family."""
    rules: tuple[Rule, ...] = ()
    """Pattern and replacement, applied to each name in this order."""
    unused: Mapping[str, str] = field(default_factory=dict)
    """Pattern of a (renamed) name that such files hold without use -> why it may be dropped."""
    contracts: Mapping[str, Contract] = field(default_factory=dict)
    """Backbone -> input contract, where it is not the usual one."""
    usual: Contract = Contract()
    """The input contract of the other backbones."""
    shift: str | None = None
    """Pattern of the file's names that only a temporal shift leaves."""

    def rename(self, name: str) -> str:
        """Our name for the file's tensor `name`."""
        for pattern, replacement in self.rules:
            name = re.sub(pattern, replacement, name)
        return name

    def reason_unused(self, name: str) -> str | None:
        """Why a tensor (by our name) may be dropped, or None if it may not."""
        return next((reason for pattern, reason in self.unused.items() if re.search(pattern, name)), None)

    def contract(self, backbone: str) -> Contract:
        """What input the weights of this backbone expect."""
        return self.contracts.get(backbone, self.usual)


def strip_wrappers(name: str) -> str:
    """`name` without what DataParallel and torch.compile put before it."""
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    return name


def all_of(*patterns: str, without: str | None = None) -> Callable[[frozenset[str]], bool]:
    """Whether each pattern has a name, and none has `without`."""
    wanted, banned = [re.compile(pattern) for pattern in patterns], re.compile(without or r"(?!)")
    return lambda names: all(any(map(one.search, names)) for one in wanted) and not any(map(banned.search, names))
