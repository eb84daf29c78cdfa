"""AdaFuse written down once more, frame by frame and channel by channel, from its description; for tests alone.

It knows nothing of this project's networks: it reads tensors under the names of the authors' files, keeps frames in a
list, and counts cost by eq. 5 as sums over frames. float64 throughout.
"""

from __future__ import annotations

import math
import zlib

import numpy as np
import torch
import torch.nn.functional as F

SKIP, REUSE, KEEP = range(3)
_EPS = 1e-5
_DEPTHS = {"resnet18": (2, 2, 2, 2), "resnet50": (3, 4, 6, 3)}
_MODULES = ("3a", "3b", "3c", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
_REDUCING = ("3c", "4e")
_MAX_POOLED = ("3c", "4e", "5b")


class Reference:
    """One clip (T, 3, H, W) through a network; `noise` samples with the noise of each block's name."""

    def __init__(self, tensors, *, backbone, shift=False, stages=(1, 2, 3, 4), noise=False):
        self.w = {name: torch.as_tensor(value).double() for name, value in tensors.items()}
        self.backbone, self.shift, self.stages, self.noise = backbone, shift, stages, noise
        self.codes: dict[str, torch.Tensor] = {}
        self.saved_first = self.saved_second = 0.0
        """Multiply-adds of the clip."""

    def __call__(self, clip):
        frames = list(clip.double())
        frames = self.inception(frames) if self.backbone == "bninception" else self.resnet(frames)
        logits = [self.w["new_fc.weight"] @ frame.mean((1, 2)) + self.w["new_fc.bias"] for frame in frames]
        return sum(logits) / len(logits)

    # parts ------------------------------------------------------------------------------------------------------

    def conv(self, name, x, stride=1, padding=0):
        weight = self.w[f"base_model.{name}.weight"]
        return F.conv2d(x[None], weight, self.w.get(f"base_model.{name}.bias"), stride, padding)[0]

    def norm(self, name, x):
        at = {key: self.w[f"base_model.{name}.{key}"] for key in ("weight", "bias", "running_mean", "running_var")}
        scale = at["weight"] / torch.sqrt(at["running_var"] + _EPS)
        shape = (-1,) + (1,) * (x.dim() - 1)
        return (x - at["running_mean"].view(shape)) * scale.view(shape) + at["bias"].view(shape)

    def shifted(self, frames):
        """An eighth of the channels from the next frame, an eighth from the one before, zeros outside the clip."""
        if not self.shift:
            return frames
        fold, zero, made = len(frames[0]) // 8, torch.zeros_like(frames[0]), []
        for t, frame in enumerate(frames):
            after = frames[t + 1] if t + 1 < len(frames) else zero
            before = frames[t - 1] if t else zero
            made.append(torch.cat([after[:fold], before[fold : 2 * fold], frame[2 * fold :]]))
        return made

    def policy(self, place, block, pooled, channels):
        """Codes (T, channels) from the pooled input of each frame."""
        weights = [self.w[f"base_model.{place}.gate_fc{n}.{part}"] for n in (0, 1) for part in ("weight", "bias")]
        logits = []
        for t, now in enumerate(pooled):
            joined = torch.cat([pooled[t - 1] if t else torch.zeros_like(now), now])
            hidden = torch.relu(self.norm(f"{place}.gate_bn", weights[0] @ joined + weights[1]))
            logits.append((weights[2] @ hidden + weights[3]).view(channels, 3))
        scores = torch.stack([torch.log(torch.softmax(one, 1).clamp(min=1e-8)) for one in logits])
        if self.noise:
            generator = np.random.Generator(np.random.PCG64(zlib.crc32(f"gumbel:{block}".encode())))
            uniform = generator.uniform(1e-12, 1, (len(pooled), channels, 3))
            scores = (scores + torch.from_numpy(-np.log(-np.log(uniform)))) / 0.67
        self.codes[block] = scores.argmax(-1)
        return self.codes[block]

    def fused(self, raw, codes):
        made = []
        for t, now in enumerate(raw):
            before = raw[t - 1] if t else torch.zeros_like(now)
            keep, reuse = ((codes[t] == code).double()[:, None, None] for code in (KEEP, REUSE))
            made.append(keep * now + reuse * before)
        return made

    def needless(self, codes):
        """(T, C): neither kept now nor reused in the next frame."""
        later = torch.zeros_like(codes, dtype=torch.bool)
        later[:-1] = codes[1:] == REUSE
        return (codes != KEEP) & ~later

    # networks ---------------------------------------------------------------------------------------------------

    def resnet(self, frames):
        stem = [torch.relu(self.norm("bn1", self.conv("conv1", frame, 2, 3))) for frame in frames]
        frames = [F.max_pool2d(frame[None], 3, 2, 1)[0] for frame in stem]
        for stage, depth in enumerate(_DEPTHS[self.backbone], start=1):
            for number in range(depth):
                frames = self.residual(f"layer{stage}.{number}", frames, 2 if stage > 1 and number == 0 else 1, stage)
        return frames

    def residual(self, block, frames, stride, stage):
        wide = self.backbone == "resnet50"
        inputs = self.shifted(frames)
        first = (1, 0) if wide else (stride, 1)
        raw = [torch.relu(self.norm(f"{block}.bn1", self.conv(f"{block}.conv1", x, *first))) for x in inputs]
        passed = raw
        if stage in self.stages:
            pooled = [x.mean((1, 2)) for x in inputs]
            codes = self.policy(f"{block}.policy_net", block, pooled, len(raw[0]))
            passed = self.fused(raw, codes)
            self.count(block, codes, raw[0].shape[1:], stride if wide else 1)
        out = [self.norm(f"{block}.bn2", self.conv(f"{block}.conv2", y, stride if wide else 1, 1)) for y in passed]
        if wide:
            out = [self.norm(f"{block}.bn3", self.conv(f"{block}.conv3", torch.relu(y))) for y in out]
        shortcut = frames
        if f"base_model.{block}.downsample0.weight" in self.w:
            shortcut = [self.norm(f"{block}.downsample1", self.conv(f"{block}.downsample0", x, stride)) for x in inputs]
        return [torch.relu(y + x) for y, x in zip(out, shortcut, strict=True)]

    def count(self, block, codes, size, stride):
        each = [self.w[f"base_model.{block}.conv{n}.weight"] for n in (1, 2)]
        area = math.prod(size)
        self.saved_first += float(self.needless(codes).sum()) * each[0][0].numel() * area
        after = math.prod((side + stride - 1) // stride for side in size)
        a_channel = each[1].numel() / each[1].shape[1] * after
        self.saved_second += float((codes == SKIP).sum()) * a_channel

    def inception(self, frames):
        def unit(name, x, stride=1, padding=0):
            return torch.relu(self.norm(f"{name}_bn", self.conv(name, x, stride, padding)))

        def pooled(x):
            return F.max_pool2d(x[None], 3, 2, ceil_mode=True)[0]

        stem = [pooled(unit("conv1_7x7_s2", frame, 2, 3)) for frame in frames]
        frames = [pooled(unit("conv2_3x3", unit("conv2_3x3_reduce", x), 1, 1)) for x in stem]
        for name in _MODULES:
            inputs = frames
            raw = [self.module(name, x, unit) for x in inputs]
            codes = self.policy(f"policy_net_{name}", name, [x.mean((1, 2)) for x in inputs], len(raw[0]))
            frames = self.fused(raw, codes)
        return frames

    def module(self, name, x, unit):
        at = f"inception_{name}_"
        stride = 2 if name in _REDUCING else 1
        branches = []
        if f"base_model.{at}1x1.weight" in self.w:
            branches.append(unit(f"{at}1x1", x))
        branches.append(unit(f"{at}3x3", unit(f"{at}3x3_reduce", x), stride, 1))
        double = unit(f"{at}double_3x3_1", unit(f"{at}double_3x3_reduce", x), 1, 1)
        branches.append(unit(f"{at}double_3x3_2", double, stride, 1))
        if name in _REDUCING:
            branches.append(F.max_pool2d(x[None], 3, 2, ceil_mode=True)[0])
        else:
            average = name not in _MAX_POOLED
            flat = F.avg_pool2d(x[None], 3, 1, 1) if average else F.max_pool2d(x[None], 3, 1, 1)
            branches.append(unit(f"{at}pool_proj", flat[0]))
        return torch.cat(branches)
