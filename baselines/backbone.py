"""What a backbone is made of, as those who put something into it ask: stages, blocks, branches, normalizations.

Nothing here goes by a backbone's name. A stage is a part `layer1` to `layer4` of the network; its blocks are its
numbered parts. A block's branch is told by its layers in the order in which they stand; what stands on the shortcut, or
weighs channels (squeeze-and-excitation), is no part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

STAGES = ("layer1", "layer2", "layer3", "layer4")
#: parts of blocks that are not on the branch
_BESIDE = ("downsample", "shortcut", "se", "attn", "skip", "drop_path")


@dataclass(frozen=True)
class Branch:
    """The layers of a block between its input and the sum with its shortcut, by their names in the block."""

    convs: tuple[str, ...]
    """Convolutions in turn; `mlp.fc1` of a ConvNeXt is a matrix product and none."""
    norms: tuple[str, ...]
    """Normalizations in turn, of whatever kind."""
    residual: bool
    """Whether the block adds its input, as it is or projected."""

    def spatial(self, block: nn.Module) -> str | None:
        """The first convolution of more than one pixel."""
        return next((name for name in self.convs if max(block.get_submodule(name).kernel_size) > 1), None)  # type: ignore[arg-type, type-var]


def is_layer(module: nn.Module) -> bool:
    """Whether this is a convolution or a matrix product."""
    return isinstance(module, nn.Conv2d | nn.Linear)


def is_block(module: nn.Module) -> bool:
    """Whether this is a block: several layers under a name of their own."""
    return type(module) is not nn.Sequential and sum(is_layer(part) for _, part in _on_branch(module)) > 1


def blocks_of(stage: nn.Module) -> list[nn.Module]:
    """The numbered parts of a stage."""
    return [part for name, part in stage.named_children() if name.isdigit()]


def branch_of(block: nn.Module) -> Branch:
    """What a block's branch is made of."""
    parts = _on_branch(block)
    norms = nn.modules.batchnorm._BatchNorm | nn.GroupNorm | nn.LayerNorm
    return Branch(
        convs=tuple(name for name, part in parts if isinstance(part, nn.Conv2d)),
        norms=tuple(name for name, part in parts if isinstance(part, norms)),
        residual=bool(getattr(block, "has_skip", hasattr(block, "downsample") or hasattr(block, "shortcut"))),
    )


def _on_branch(block: nn.Module) -> list[tuple[str, nn.Module]]:
    return [
        (name, part) for name, part in block.named_modules() if name and not set(name.split(".")).intersection(_BESIDE)
    ]


def copy_of(cls: type[nn.Conv2d], conv: Any) -> Any:
    """A convolution of the kind `cls` that keeps the weight and bias of `conv` themselves.

    Raises ValueError for a convolution that does more than convolve, or pads otherwise than with zeros.
    """
    if type(conv) is not nn.Conv2d or conv.padding_mode != "zeros":
        raise ValueError(
            f"a {type(conv).__name__} cannot be worked into; allowed: plain convolutions, padded with zeros"
        )
    sizes = (conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, conv.padding, conv.dilation)
    new = cls(*sizes, conv.groups, bias=conv.bias is not None, device="meta")  # type: ignore[arg-type]
    new.weight, new.bias = conv.weight, conv.bias
    return new
