"""TRN: Temporal Relation Networks (Zhou et al., ECCV 2018, arXiv 1711.08496), multi-scale, on features of frames.

Authors' code: zhoubolei/TRN-pytorch@060509c:TRNmodule.py, models.py, with the BN-Inception of
yjxiong/tensorflow-model-zoo.torch@e31e0b7. Tensors: N clips, T frames, K classes. Each frame gives F = 256 features. A
relation of scale s reads s frames in their order, (N, s F), by two linear layers of its scale, the last one to the
classes. The logits are the sum over all scales, T to 2, of three relations each (one of scale T).
Weights on BN-Inception expect BGR pixels 0..255 minus (104, 117, 128).

Known differences
1. The authors draw the three relations of a scale anew in each forward, also in evaluation, where the same clip so gets
   other scores each time. Here training draws, from torch's generator on the CPU; evaluation has one draw for all
   clips, of numpy's generator seeded by `relation_seed`.
2. The printed 18.3 M parameters (AdaFuse Table 5) cannot be had: the authors' code has 13.14 M for 174 classes, and no
   other width of features and hidden layers (256 to 1024) gives it.
3. The authors' BN-Inception averages windows of 7x7 and takes 224x224 only; we average over the whole map.
4. BN-Inception's normalizations move with momentum 0.1 here.
5. Other backbones than BN-Inception, and other T than 8, are possible with the authors' code, too; ResNets' weights
   expect their own input.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from baselines.bninception import BNInception
from baselines.options import require_count
from baselines.resnet import backbone as make_backbone
from baselines.video import VideoResNet, split_options

FEATURES = 256
SUBSAMPLE = 3
_MOMENTUM = 0.1
_STD = 0.001


def trn_multiscale(
    backbone: str,
    *,
    num_classes: int,
    frames: int,
    dropout: float = 0.8,
    features: int = FEATURES,
    subsample: int = SUBSAMPLE,
    relation_seed: int = 0,
    **options: Any,
) -> TemporalRelations:
    """Multi-scale TRN on a registered backbone.

    Options: `features` of a frame; `subsample`, relations of a scale; `relation_seed`; and the backbone's.
    """
    owner = "model 'trn_multiscale'"
    require_count(owner, "features", features)
    require_count(owner, "subsample", subsample)
    if isinstance(relation_seed, bool) or not isinstance(relation_seed, int) or not 0 <= relation_seed < 2**32:
        raise ValueError(f"{owner}: relation_seed {relation_seed!r} is not possible; allowed: 0 to {2**32 - 1}")
    head, rest = split_options(options)
    if head:
        raise ValueError(f"{owner} has no option 'head': its relations are the head; allowed: features, subsample")
    if frames < 2:
        raise ValueError(f"{owner}: frames {frames} is not possible; allowed: at least 2, which a relation needs")
    body = make_backbone(backbone, rest)
    if isinstance(body, BNInception):
        for part in body.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.momentum = _MOMENTUM
    sizes: dict[str, Any] = {"num_classes": num_classes, "frames": frames, "dropout": dropout}
    return TemporalRelations(body, features=features, subsample=subsample, relation_seed=relation_seed, **sizes)


class TemporalRelations(VideoResNet):
    """`(N, T, 3, H, W) -> (N, K)`; `fc` gives the features of a frame, `relations` the logits."""

    def __init__(self, body: nn.Module, *, features: int, subsample: int, relation_seed: int, **settings: Any) -> None:
        super().__init__(body, **settings)
        self.fc = nn.Identity()  # type: ignore[assignment]
        self.frame_fc = nn.Linear(self.num_features, features)
        nn.init.normal_(self.frame_fc.weight, 0.0, _STD)
        nn.init.zeros_(self.frame_fc.bias)
        self.subsample = subsample
        self.scales = tuple(range(self.frames, 1, -1))
        self.tuples = tuple(tuple(combinations(range(self.frames), scale)) for scale in self.scales)
        self.relations = nn.ModuleList(Relation(scale * features, features, self.num_classes) for scale in self.scales)
        self.picks = self._fixed(relation_seed)

    def frame_features(self, x: Tensor) -> Tensor:
        """(N, T, F): what relations read."""
        return self.frame_fc(self.dropout(self.features(x)))

    def frame_logits(self, x: Tensor) -> Tensor:
        """A relation is of several frames: ValueError."""
        raise ValueError("TRN scores frames together, not one by one; allowed: a network with a classifier on frames")

    def forward(self, x: Tensor) -> Tensor:
        """(N, K): the sum of all relations drawn."""
        frames = self.frame_features(x)
        picks = self._drawn() if self.training else self.picks
        logits = [
            relation(torch.cat([frames[:, frame] for frame in choices[index]], dim=1))
            for relation, choices, chosen in zip(self.relations, self.tuples, picks, strict=True)
            for index in chosen
        ]
        return torch.stack(logits).sum(0)

    def _fixed(self, seed: int) -> tuple[tuple[int, ...], ...]:
        """For each scale the numbers of its relations in evaluation: one draw, scales in falling order."""
        generator = np.random.RandomState(seed)
        picks = [
            generator.choice(len(choices), min(self.subsample, len(choices)), replace=False)
            for choices in self.tuples[1:]
        ]
        return ((0,), *(tuple(int(index) for index in chosen) for chosen in picks))

    def _drawn(self) -> tuple[tuple[int, ...], ...]:
        """The same, drawn for one training step."""
        drawn = (torch.randperm(len(choices), device="cpu")[: self.subsample] for choices in self.tuples)
        return tuple(tuple(chosen.tolist()) for chosen in drawn)


class Relation(nn.Module):
    """Two linear layers over the features of some frames, in turn: (N, s F) -> (N, K)."""

    def __init__(self, inputs: int, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(inputs, hidden)
        self.fc = nn.Linear(hidden, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """ReLU, linear, ReLU, linear."""
        return self.fc(self.hidden(x.relu()).relu())
