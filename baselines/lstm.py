"""LSTM over the frames' features instead of averaging (Donahue et al., CVPR 2015), a baseline of AdaFuse's Table 1.

AdaFuse's release has no such network; its authors' earlier one does: mengyuest/AR-Net@2a9d72b:ops/models_ada.py
(--offline_lstm_all, --hidden_dim 512). Tensors: N clips, T frames, features (N, T, D), states (N, h), logits (N, K):

    h_t = LSTMCell(dropout(features_t), h_{t-1});   logits = mean over t of Linear(h_t)

Known differences
1. Which code and how many units AdaFuse's rows have is not said. 512 units on ResNet-50 make 28.77 M parameters (27
   classes) to 28.84 M (174), the printed 28.8. On ResNet-18 they make 13.37 M where 11.7 are printed; those would need
   about 180 units, or 128 and a second classifier (11.62 M), of which nothing is said.
2. The printed 14.7 GMACs are reached by none: the LSTM adds 0.01 to 14.55.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from baselines.options import require_count
from baselines.resnet import backbone as make_backbone
from baselines.video import VideoResNet, split_options


def lstm(backbone: str, *, num_classes: int, frames: int, dropout: float = 0.5, **options: Any) -> RecurrentVideo:
    """An LSTM over a registered backbone's frames. Options: `hidden` (units, 512), and the backbone's."""
    hidden = options.pop("hidden", 512)
    require_count("model 'lstm'", "hidden", hidden)
    head, rest = split_options(options)
    if head:
        raise ValueError("model 'lstm' has no option 'head'; allowed: hidden, and the options of the backbone")
    body = make_backbone(backbone, rest)
    return RecurrentVideo(body, hidden=hidden, num_classes=num_classes, frames=frames, dropout=dropout)


class RecurrentVideo(VideoResNet):
    """`(N, T, 3, H, W) -> (N, K)`; `rnn` reads the features, `fc` its states."""

    def __init__(self, body: nn.Module, *, hidden: int, num_classes: int, frames: int, dropout: float) -> None:
        super().__init__(body, num_classes=num_classes, frames=frames, dropout=dropout)
        self.rnn = nn.LSTMCell(self.num_features, hidden)
        self.fc = nn.Linear(hidden, num_classes)
        nn.init.normal_(self.fc.weight, 0.0, 0.001)
        nn.init.zeros_(self.fc.bias)

    def frame_logits(self, x: Tensor) -> Tensor:
        """(N, T, K): the classifier on the state after each frame."""
        features = self.dropout(self.features(x))
        state: tuple[Tensor, Tensor] | None = None
        states = []
        for t in range(self.frames):
            state = self.rnn(features[:, t], state)
            states.append(state[0])
        return self.fc(torch.stack(states, dim=1))
