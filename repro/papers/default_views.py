"""How a network looks at one video when nobody says: its authors' test protocol, as far as one is known here.

Sources: `repro.papers.recipes.used` for the networks of DNR's Table 6; the test windows of PySlowFast's and mmaction2's
configurations for 3D networks, frames apart as in their names (slowfast 8x8 feeds 32 frames, every second one).
"""

from __future__ import annotations

import re

from repro.core.spec import Model, Views, replace
from repro.papers.recipes.used import KINETICS
from repro.papers.twins import twin_accuracy
from repro.registry import backbones, models

#: 3D network -> frames from one frame of its window to the next
_STEPS = {
    "slowfast_4x16": 2, "slowfast_8x8": 2, "slowfast_nl_16x8": 2, "i3d": 2, "i3d_res5s1": 2, "i3d_nl": 2,
    "i3d_nl_dot": 2, "i3d_nl_embedded_gaussian": 2, "i3d_nl_gaussian": 2, "r2plus1d": 8, "x3d_s": 6, "x3d_m": 5,
    "x3d_l": 5, "x3d_xl": 5,
}  # fmt: skip
_CLIPS, _CROPS = 10, 3


def default_views(model: Model) -> Views:
    """The test views of this network, for as many frames as it has."""
    body = backbones[model.backbone]
    if body.fact("twin"):
        return _for_frames(twin_accuracy("twin-temporal", model.name).test, model)
    if model.name in KINETICS:
        return _for_frames(KINETICS[model.name][1], model)
    entry = models[model.name]
    size = body.fact("input_size") or entry.fact("input_size", 224)
    resize = size if size < 224 or size >= 256 else size * 256 // 224
    if model.name in _STEPS:
        rule = f"mmaction2.clip_{model.frames}x{_STEPS[model.name]}_test_{_CLIPS}"
        return Views(sampling=rule, clips=_CLIPS, crops=_CROPS, resize=resize, crop=size)
    if entry.fact("clip_length", 1) > 1:
        return Views(sampling=f"tdn.val_{model.frames}", resize=resize, crop=size)
    if entry.fact("input_frames") and not model.name.startswith("eco"):
        rule = f"mmaction2.clip_{model.frames}x1_test_{_CLIPS}"
        return Views(sampling=rule, clips=_CLIPS, resize=resize, crop=size)
    return Views(sampling=f"mmaction2.uniform_test_{model.frames}", resize=resize, crop=size)


def _for_frames(views: Views, model: Model) -> Views:
    return replace(views, sampling=rule_for(views.sampling, model.frames))


def rule_for(rule: str, frames: int) -> str:
    """The same sampling rule for another number of frames: the 8 in its name."""
    return re.sub(r"_8(?=x|$)", f"_{frames}", rule, count=1)
