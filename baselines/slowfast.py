"""SlowFast (Feichtenhofer et al., ICCV 2019, arXiv 1812.03982): a slow pathway with many channels, a fast one with few.

Code studied: facebookresearch/SlowFast@287ec00:slowfast/models/video_model_builder.py and configs/Kinetics/{.,c2};
open-mmlab/mmaction2@4d6c934:mmaction/models/backbones/resnet3d_slowfast.py and configs/recognition/slowfast.
Tensors: N clips, T frames of the fast pathway, T/alpha of the slow one; maps (N, C, T, H, W). The slow pathway stands
under the plain names conv1, bn1, layer1..4, the fast one under `fast`; `lateral1..4` carry fast maps into the slow
ones, after the stem's pooling and after the first three stages.

Networks: slowfast_4x16 (alpha 8), slowfast_8x8 (alpha 4), slowfast_nl_16x8 (alpha 4, non-local blocks after 7, 14 and
21 blocks of the slow third stage). `frames` counts the fast frames: 32, 32, 64.

Options
  form            pyslowfast or mmaction2, the two public codes below. mmaction2 is the default where DNR's Table 5
                  takes it, slowfast_8x8 on ResNet-18 and ResNet-50.
  nonlocal_pool   frames pooled before the attention, 1 (the code's default) or 2, which gives the 234 GMACs that the
                  paper prints.

Known differences of the forms
1. Slow frames: PySlowFast int(linspace(0, T-1, T/alpha)), mmaction2 every alpha-th from 0.
2. Laterals: PySlowFast kernel 5 (7 for 8x8 on ResNet-50), normalized, ReLU; mmaction2 bare, kernel 7 for 8x8,
   5 for 4x16.
3. ResNet-101: PySlowFast keeps temporal kernels in the first 6 of the 23 blocks of the third stage only ("R101_50_50"),
   mmaction2 in all.
4. Classifier's input: PySlowFast (slow, fast), mmaction2 (fast, slow).
5. PySlowFast averages over windows of the training crop, so a larger test crop gives several softmaxes, then their
   mean; we average over the whole map as mmaction2 does. Equal at the training crop.
6. ResNet-18 exists in no public configuration; it is mmaction2's code with depth 18, as DNR's Table 5 has to have it.
   `tiny_resnet`, for 32x32 probes, is nobody's: three stages of two basic blocks, 32 to 128 slow channels.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from baselines.nonlocal_block import NonLocalForm
from baselines.options import require_choice
from baselines.resnet3d import BASIC, BLOCKS, block_of, stage
from baselines.volume import Sizes, VolumeNetwork, conv3d, initialize_volumes, read_options

FORMS = ("pyslowfast", "mmaction2")
SLOW_KERNELS, FAST_KERNELS = (1, 1, 3, 3), (3, 3, 3, 3)
STRIDES = (1, 2, 2, 2)
SLOW_WIDTH, TINY_WIDTH, BETA = 64, 32, 8
NON_LOCAL_BLOCKS = (6, 13, 20)
_WITH_TIME = {"resnet101": (3, 4, 6, 3)}


class FastPathway(nn.Module):
    """The parts of the fast pathway; `SlowFast` runs them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = conv3d(3, width, (5, 7, 7), (1, 2, 2))
        self.bn1 = nn.BatchNorm3d(width)
        self.layer1: nn.Module
        self.layer2: nn.Module
        self.layer3: nn.Module
        self.layer4: nn.Module


class Lateral(nn.Module):
    """Fast maps (N, C, T, H, W) -> what joins the slow ones, (N, 2C, T / alpha, H, W)."""

    bn: nn.Module | None

    def __init__(self, channels: int, kernel: int, alpha: int, normalized: bool) -> None:
        super().__init__()
        self.conv = conv3d(channels, 2 * channels, (kernel, 1, 1), (alpha, 1, 1))
        self.bn = nn.BatchNorm3d(2 * channels) if normalized else None

    def forward(self, x: Tensor) -> Tensor:
        """A strided temporal convolution; normalized and rectified in PySlowFast's form."""
        y = self.conv(x)
        return y if self.bn is None else relu(self.bn(y), inplace=True)


class SlowFast(VolumeNetwork):
    """`(N, T, 3, H, W) -> (N, K)`; the same module for all configurations."""

    slow_frames: Tensor
    map_layer = "layer4"
    """The slow pathway's last maps: the fast one, which ends later, has an eighth of its channels."""

    def __init__(
        self,
        backbone: str,
        *,
        alpha: int,
        form: str,
        lateral_kernel: int,
        non_local: NonLocalForm | None,
        num_classes: int,
        frames: int,
        dropout: float,
    ) -> None:
        block = block_of(backbone)
        first_width = TINY_WIDTH if backbone == "tiny_resnet" else SLOW_WIDTH
        last = 2 ** (len(BLOCKS[backbone]) - 1) * first_width * block.expansion
        super().__init__(
            last + last // BETA, num_classes=num_classes, frames=frames, dropout=dropout, frames_multiple_of=alpha
        )
        self.form, self.depth = form, len(BLOCKS[backbone])
        self.conv1 = conv3d(3, first_width, (1, 7, 7), (1, 2, 2))
        self.bn1 = nn.BatchNorm3d(first_width)
        self.maxpool = nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1))
        slow, fast = first_width, first_width // BETA
        self.fast = FastPathway(fast)
        for index, blocks in enumerate(BLOCKS[backbone]):
            self.add_module(f"lateral{index + 1}", Lateral(fast, lateral_kernel, alpha, form == "pyslowfast"))
            with_time = _WITH_TIME.get(backbone, BLOCKS[backbone])[index] if form == "pyslowfast" else blocks
            width = first_width * 2**index
            after = {block: non_local for block in NON_LOCAL_BLOCKS} if non_local and index == 2 else {}
            slow_kernels, fast_kernels = (
                [long[index] if block < with_time else 1 for block in range(blocks)]
                for long in (SLOW_KERNELS, FAST_KERNELS)
            )
            stage_name = f"layer{index + 1}"
            slow_stage = stage(block, slow + 2 * fast, width, slow_kernels, STRIDES[index], after)
            self.add_module(stage_name, slow_stage)
            self.fast.add_module(stage_name, stage(block, fast, width // BETA, fast_kernels, STRIDES[index]))
            slow, fast = width * block.expansion, width // BETA * block.expansion
        self.register_buffer("slow_frames", _slow_frames(frames, alpha, form), persistent=False)
        initialize_volumes(self)

    def features(self, x: Tensor) -> Tensor:
        """(N, 3, T, H, W) -> (N, D): both pathways' averages, in the order of the form."""
        slow = self.maxpool(relu(self.bn1(self.conv1(x.index_select(2, self.slow_frames))), inplace=True))
        fast = self.maxpool(relu(self.fast.bn1(self.fast.conv1(x)), inplace=True))
        for index in range(1, self.depth + 1):
            slow = torch.cat((slow, self.get_submodule(f"lateral{index}")(fast)), dim=1)
            slow = self.get_submodule(f"layer{index}")(slow)
            fast = self.fast.get_submodule(f"layer{index}")(fast)
        means = slow.mean((2, 3, 4)), fast.mean((2, 3, 4))
        return torch.cat(means if self.form == "pyslowfast" else means[::-1], dim=1)


def _slow_frames(frames: int, alpha: int, form: str) -> Tensor:
    """Which of the fast frames the slow pathway takes."""
    count = frames // alpha
    last = max(count - 1, 1)
    if form == "pyslowfast":
        return torch.tensor([index * (frames - 1) // last for index in range(count)])
    return torch.arange(0, frames, alpha)


def slowfast_4x16(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any
) -> VolumeNetwork:
    """4 slow and 32 fast frames. Option: `form`."""
    given = read_options("slowfast_4x16", options, {"form": FORMS})
    form = _form(backbone, given.get("form", "pyslowfast"))
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return SlowFast(backbone, alpha=8, form=form, lateral_kernel=5, non_local=None, **sizes)


def slowfast_8x8(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any
) -> VolumeNetwork:
    """8 slow and 32 fast frames. Option: `form`."""
    given = read_options("slowfast_8x8", options, {"form": FORMS})
    usual = "pyslowfast" if backbone == "resnet101" else "mmaction2"
    form = _form(backbone, given.get("form", usual))
    kernel = 5 if (backbone, form) == ("resnet101", "pyslowfast") else 7
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return SlowFast(backbone, alpha=4, form=form, lateral_kernel=kernel, non_local=None, **sizes)


def slowfast_nl_16x8(
    backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any
) -> VolumeNetwork:
    """16 slow and 64 fast frames, three non-local blocks. Options: `form` (pyslowfast), `nonlocal_pool` (1, 2)."""
    given = read_options("slowfast_nl_16x8", options, {"form": FORMS[:1], "nonlocal_pool": (1, 2)})
    require_choice("model 'slowfast_nl_16x8'", "backbone", backbone, ("resnet101",))
    form = NonLocalForm(kind="dot_product", pool=(given.get("nonlocal_pool", 1), 2, 2))
    sizes: Sizes = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return SlowFast(backbone, alpha=4, form=FORMS[0], lateral_kernel=5, non_local=form, **sizes)


def _form(backbone: str, form: str) -> str:
    if backbone in BASIC and form == "pyslowfast":
        raise ValueError(f"PySlowFast's code has no SlowFast on basic blocks ({backbone}); allowed: form mmaction2")
    return form
