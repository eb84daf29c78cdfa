"""TSN: Temporal Segment Networks (Wang et al., ECCV 2016, arXiv 1608.00859), RGB stream, average consensus.

Authors' code as later work compares with: mit-han-lab/temporal-shift-module@1f6a834:ops/models.py (is_shift=False).
Input (N, T, 3, H, W), one frame of each of T segments; logits (N, K).

Known differences
1. Backbones are ResNets; the 2016 paper used BN-Inception.
2. mmaction2 averages features before the classifier (`head="clip"`); equal in evaluation, another dropout in training.
"""

from __future__ import annotations

from typing import Any

from baselines.video import VideoResNet, build


def tsn(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> VideoResNet:
    """TSN on a registered backbone. Options: `head` (`frame`, `clip`), and the backbone's."""
    return build(VideoResNet, backbone, num_classes=num_classes, frames=frames, dropout=dropout, options=options)
