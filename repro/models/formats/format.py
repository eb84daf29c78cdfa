"""The form in which the naming of a family of checkpoints is told, and which form a file has."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from repro.core.errors import UnknownName, WeightsError

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


FORMATS: dict[str, Format] = {}


def add(rule: Format) -> Format:
    """Register a format; among those that match a file, the one that names most of the network's tensors is taken."""
    FORMATS[rule.name] = rule
    return rule


def get(name: str) -> Format:
    """The format called `name`."""
    if name not in FORMATS:
        raise UnknownName("checkpoint format", name, FORMATS)
    return FORMATS[name]


def strip_wrappers(name: str) -> str:
    """`name` without what DataParallel and torch.compile put before it."""
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    return name


def detect(names: Iterable[str], wanted: Iterable[str]) -> Format:
    """The format of a file with these tensor names, for a network that has the `wanted` ones.

    Raises `WeightsError` naming some of the file's tensors when no format fits.
    """
    present, targets = frozenset(names), frozenset(wanted)
    candidates = [rule for rule in FORMATS.values() if rule.matches(present)]
    if not candidates:
        sample = ", ".join(sorted(present)[:5]) or "none"
        raise WeightsError(
            f"no known checkpoint format names its tensors so: {sample}", allowed=", ".join(sorted(FORMATS))
        )
    return max(candidates, key=lambda rule: len(targets & {rule.rename(name) for name in present}))


def any_of(pattern: str) -> Callable[[frozenset[str]], bool]:
    """Whether any name has the pattern."""
    compiled = re.compile(pattern)
    return lambda names: any(compiled.search(name) for name in names)


def all_of(*patterns: str, without: str | None = None) -> Callable[[frozenset[str]], bool]:
    """Whether each pattern has a name, and none has `without`."""
    tests = [any_of(pattern) for pattern in patterns]
    banned = any_of(without) if without else None
    return lambda names: all(test(names) for test in tests) and not (banned and banned(names))


AUTHOR: tuple[Rule, ...] = ((r"^base_model\.", ""), (r"^new_fc\.", "fc."))
BN_INCEPTION_CONTRACTS = {"bninception": CAFFE}
