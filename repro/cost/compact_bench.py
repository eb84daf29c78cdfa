"""The networks that are timed for compact AdaFuse, made ready: compact, plain at its fastest, masked; and the clips."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from methods.adafuse.compact.compact import calibrate, compact
from methods.adafuse.compact.native import load
from methods.native import CannotCompile
from repro.core import paths
from repro.core.spec import Model, Speed, replace
from repro.cost import fastest_form
from repro.cost.drawn_decisions import draw
from repro.cost.onednn_fusion import FusedConv
from repro.cost.speed import random_clips, random_network
from repro.cost.timing import seconds

_SEED = 0


@dataclass
class Bench:
    """The networks that take turns, and the clips."""

    example: Tensor
    masked: Any
    small: Any
    calibration_s: float
    dense: fastest_form.Form
    dense_frame: fastest_form.Form
    dense_detail: dict[str, Any]
    kernels: str


def prepare(model: Model, speed: Speed, device: str) -> Bench:
    """Random networks and clips, with decisions drawn at the shares of `speed`."""
    assert speed.against is not None
    generator = torch.Generator().manual_seed(_SEED)
    example = random_clips(model, speed, generator).to(device)
    masked: Any = random_network(model, generator).to(device)
    channels = {block: gate.decided for block, gate in masked.adafuse.gates.items()}
    codes = draw(speed.shares, channels, model.frames, speed.drawn, _SEED)
    masked.adafuse.force({block: torch.from_numpy(found).to(device) for block, found in codes.items()})
    dense, frame, detail = _dense(speed.against, example, device)
    with torch.inference_mode(False):
        how, kernels = parts_for(device)
        small = compact(masked, **how)
    return Bench(example, masked, small, calibrate(small, example), dense, frame, detail, kernels)


def parts_for(device: str) -> tuple[dict[str, Any], str]:
    """What the compact form is built of on this device, and its name."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return {}, "plain PyTorch"
    how: dict[str, Any] = {"convolution": FusedConv}
    try:
        kernel = load(paths.cache() / "native")
    except CannotCompile as why:
        return how, f"plain PyTorch ({why}), dense convolutions as fused oneDNN calls"
    parts = {"pair": kernel.pair, "last": kernel.last, "scores": kernel.scores}
    return {**how, **parts}, f"{kernel}, dense convolutions as fused oneDNN calls"


def _dense(model: Model, example: Tensor, device: str) -> tuple[fastest_form.Form, fastest_form.Form, dict[str, Any]]:
    """The plain network's fastest form for clips, its fastest for single frames, and what was tried."""
    whole = random_network(model, torch.Generator().manual_seed(_SEED)).to(device)
    single = random_network(replace(model, frames=1), torch.Generator().manual_seed(_SEED)).to(device)
    single.load_state_dict(whole.state_dict())
    on_clips, tried = fastest_form.fastest(whole, example)
    on_frames, tried_frames = fastest_form.fastest(single, example[:, :1].contiguous())
    forms = {"whole clips": on_clips, "frame after frame": _in_turn(on_frames)}
    taken = {name: min(seconds(form, example) for _ in range(3)) for name, form in forms.items()}
    best = min(taken, key=taken.__getitem__)
    detail = {
        "chosen": f"{best}: {(tried if best == 'whole clips' else tried_frames)['chosen']}",
        "max_rel_error": fastest_form.relative_error(forms[best](example), whole(example)),
        "seconds": taken,
        "whole clips": tried,
        "frame after frame": tried_frames,
    }
    return forms[best], on_frames, detail


def _in_turn(form: fastest_form.Form) -> fastest_form.Form:
    """Clips frame after frame; the logits are averaged."""

    def run(x: Tensor) -> Tensor:
        return torch.stack([form(frame) for frame in x.split(1, dim=1)]).mean(0)

    return run
