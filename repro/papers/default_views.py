"""How a network looks at one video when nobody says: its authors' test protocol, as far as one is known here.

Sources: `repro.papers.recipes.used` for the networks of DNR's Table 6; the test windows of PySlowFast's and mmaction2's
configurations for 3D networks, frames apart as in their names (slowfast 8x8 feeds 32 frames, every second one).
"""

from __future__ import annotations

import re

from repro.core.errors import BadOption
from repro.core.spec import Model, Views, replace
from repro.data.sampling import clip_length_of, clips_of, frames_of
from repro.papers.probes import recipe
from repro.papers.recipes.used import KINETICS
from repro.registry import backbones, models

#: 3D network -> frames from one frame of its window to the next
_STEPS = {
    "slowfast_4x16": 2, "slowfast_8x8": 2, "slowfast_nl_16x8": 2, "i3d": 2, "i3d_res5s1": 2, "i3d_nl": 2,
    "i3d_nl_dot": 2, "i3d_nl_embedded_gaussian": 2, "i3d_nl_gaussian": 2, "r2plus1d": 8, "x3d_s": 6, "x3d_m": 5,
    "x3d_l": 5, "x3d_xl": 5,
}  # fmt: skip
_CLIPS, _CROPS = 10, 3
_CROP_COUNTS = (1, 3, 5, 10)


def default_views(model: Model) -> Views:
    """The test views of this network, for as many frames as it has."""
    body = backbones[model.backbone]
    if body.fact("small"):
        return _for_frames(recipe(model.name)[1], model)
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


def views_of(model: Model, usual: Views, text: str = "", crop: int | None = None) -> Views:
    """`usual` for this network, of CLIPSxCROPS views (`1x1`, `10x3`), at another side of the crop.

    The short side goes with the crop, so that as much of the picture is seen.
    """
    views = replace(usual, sampling=rule_of(usual.sampling, model, training=False))
    views = replace(views, clips=clips_of(views.sampling))
    if text:
        clips, crops = _counts(text)
        views = replace(views, sampling=_with_clips(views.sampling, model, clips), clips=clips, crops=crops)
    if crop is not None:
        views = replace(views, crop=crop, resize=max(crop, round(views.resize * crop / views.crop)))
    return views


def _counts(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,2})x([1-9][0-9]?)", text)
    if found is None or int(found[2]) not in _CROP_COUNTS:
        crops = ", ".join(map(str, _CROP_COUNTS))
        raise BadOption(f"views {text!r}", allowed=f"CLIPSxCROPS with {crops} crops", fix="--views 1x1")
    return int(found[1]), int(found[2])


def _with_clips(rule: str, model: Model, clips: int) -> str:
    """A rule of so many clips: the usual one where it has them, one clip over the whole video, or dense ones."""
    if clips_of(rule) == clips:
        return rule
    length, step = models[model.name].fact("clip_length", 1), _STEPS.get(model.name, 0)
    if step or (length == 1 and models[model.name].fact("input_frames") and not model.name.startswith("eco")):
        return f"mmaction2.clip_{model.frames}x{step or 1}_test_{clips}"
    if length > 1:
        return f"tdn.val_{model.frames}" if clips == 1 else f"tdn.kinetics_test_{model.frames}x{clips}"
    return f"mmaction2.uniform_test_{model.frames}" if clips == 1 else f"tam.dense{clips}_test_{model.frames}"


def rule_of(rule: str, model: Model, *, training: bool) -> str:
    """The same sampling rule for the frames of a network; where it takes segments of several frames, or the rule gives
    such, the rule of its own kind.
    """
    length = models[model.name].fact("clip_length", 1)
    if clip_length_of(rule) == length and frames_of(rule) == model.frames:
        return rule
    if clip_length_of(rule) == length and frames_of(other := rule_for(rule, model.frames)) == model.frames:
        return other
    if length > 1:
        return f"tdn.train_{model.frames}" if training else f"tdn.val_{model.frames}"
    if model.name in _STEPS:
        step = _STEPS[model.name]
        return f"mmaction2.clip_{model.frames}x{step}_" + ("train" if training else f"test_{_CLIPS}")
    return f"mmaction2.uniform_{'train' if training else 'test'}_{model.frames}"


def _for_frames(views: Views, model: Model) -> Views:
    return replace(views, sampling=rule_for(views.sampling, model.frames))


def rule_for(rule: str, frames: int) -> str:
    """The same sampling rule for another number of frames: the 8 in its name."""
    return re.sub(r"_8(?=x|$)", f"_{frames}", rule, count=1)
