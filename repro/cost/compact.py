"""Times of AdaFuse that computes what its decisions ask for, beside TSN at its best and AdaFuse as its authors run it.

Random weights; the policies run, and decisions drawn at the shares of an operating point are taken in place of theirs.
The three take turns, A B C A B C: compact AdaFuse; the network without AdaFuse in the fastest form found here, on whole
clips or frame after frame, normalizations folded; masked AdaFuse as written. Ratios are taken within each turn.
After them single frames are timed: a stream with carried state, and the plain network frame by frame.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from methods.adafuse_compact import blocks_of, calibrate, compact, executed_gmacs, kinds_of
from methods.adafuse_compact_costs import KINDS
from methods.adafuse_compact_native import CannotCompile, load
from methods.adafuse_stream import Stream
from repro import paths
from repro.build import input_shape
from repro.cost import fast
from repro.cost.decisions import draw
from repro.cost.fused import FusedConv2d
from repro.cost.plausible import own_finding
from repro.cost.speed import (
    Timed,
    check,
    device_name,
    load_average,
    machine,
    peak_memory,
    quartiles,
    random_network,
    summary,
    take_turns,
    threads_of,
    warm_up,
)
from repro.errors import BadOption
from repro.spec import Model, Speed, replace

_SEED = 0


@dataclass
class _Bench:
    """The networks that take turns, and the clips."""

    example: Tensor
    masked: Any
    small: Any
    calibration_s: float
    dense: fast.Form
    dense_frame: fast.Form
    dense_detail: dict[str, Any]
    kernels: str


def measure_compact(model: Model, speed: Speed, *, device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Time AdaFuse as `speed` says; see the module's head for the protocol. Times are in seconds for one batch."""
    check(speed)
    if model.method != "adafuse" or speed.against is None or speed.precision != "fp32":
        raise BadOption(
            f"form compact does not fit {model.name}, method {model.method}, {speed.precision}",
            allowed="method adafuse in fp32, beside its network without it",
            fix="python -m repro speed tsn --method adafuse --compact",
        )
    with threads_of(speed.threads or threads) as used, torch.inference_mode():
        before = load_average()
        bench = _prepare(model, speed, device)
        sides = [Timed(form, bench.example, None, None) for form in (bench.small, bench.dense, bench.masked)]
        error = fast.relative_error(bench.small(bench.example), bench.masked(bench.example))
        with peak_memory(device) as memory:
            sides[0].warmup = warm_up(sides[0])
        for side in sides[1:]:
            side.warmup = warm_up(side)
        times = take_turns(sides, speed.repeats)
        went = kinds_of(bench.small)
        gmacs = _gmacs(bench, speed)
        stream = _stream(bench, speed.repeats)
        parts = _parts(bench)
    result = {
        "times_s": times[0],
        **summary(times[0], speed.batch),
        "batch": speed.batch,
        "size": speed.size,
        "threads": used,
        "device": device,
        "device_name": device_name(device),
        "precision": speed.precision,
        "form": speed.form,
        "form_detail": {"chosen": f"compact, {bench.kernels}"},
        "layout": "channels_last",
        "warmup": sides[0].warmup,
        "max_rel_error": error,
        "against": {**_beside(times[0], times[1], speed.batch), "form_detail": bench.dense_detail},
        "masked": _beside(times[2], times[1], speed.batch, own=True),
        "over_masked": _ratios(times[0], times[2]),
        "gmacs": gmacs,
        "decided": _decided(bench),
        "kinds": {kind: list(went.values()).count(kind) / len(went) for kind in KINDS},
        "kinds_by_block": went,
        "calibration_s": bench.calibration_s,
        "stream": stream,
        "parts_s": parts,
        "machine": machine(before, device),
        **memory,
    }
    finding = own_finding(
        gmacs["executed"],
        result["views_per_s"],
        device="cpu" if device == "cpu" else "cuda",
        device_name=result["device_name"],
        precision=speed.precision,
        threads=used,
    )
    return {**result, "roofline": {"gmacs_per_view": gmacs["executed"], **finding.to_dict()}}


def _prepare(model: Model, speed: Speed, device: str) -> _Bench:
    assert speed.against is not None
    generator = torch.Generator().manual_seed(_SEED)
    example = torch.randn(input_shape(model, speed.size, speed.batch), generator=generator).to(device)
    masked: Any = random_network(model, generator).to(device)
    channels = {block: gate.decided for block, gate in masked.adafuse.gates.items()}
    codes = draw(speed.shares, channels, model.frames, speed.drawn, _SEED)
    masked.adafuse.force({block: torch.from_numpy(found).to(device) for block, found in codes.items()})
    dense, frame, detail = _dense(speed.against, example, device)
    with torch.inference_mode(False):
        how, kernels = _how(device)
        small = compact(masked, **how)
    return _Bench(example, masked, small, calibrate(small, example), dense, frame, detail, kernels)


def _how(device: str) -> tuple[dict[str, Any], str]:
    """What the compact form is built of on this device, and its name."""
    if device != "cpu" or not torch.backends.mkldnn.is_available():
        return {}, "plain PyTorch"
    how: dict[str, Any] = {"convolution": FusedConv2d}
    try:
        kernel = load(paths.cache() / "native")
    except CannotCompile as why:
        return how, f"plain PyTorch ({why}), dense convolutions as fused oneDNN calls"
    return {**how, "pair": kernel.pair, "last": kernel.last}, f"{kernel}, dense convolutions as fused oneDNN calls"


def _dense(model: Model, example: Tensor, device: str) -> tuple[fast.Form, fast.Form, dict[str, Any]]:
    """The plain network's fastest form for clips, its fastest for single frames, and what was tried."""
    whole = random_network(model, torch.Generator().manual_seed(_SEED)).to(device)
    single = random_network(replace(model, frames=1), torch.Generator().manual_seed(_SEED)).to(device)
    single.load_state_dict(whole.state_dict())
    on_clips, tried = fast.fastest(whole, example)
    on_frames, tried_frames = fast.fastest(single, example[:, :1].contiguous())
    forms = {"whole clips": on_clips, "frame after frame": _in_turn(on_frames)}
    taken = {name: min(_seconds(form, example) for _ in range(3)) for name, form in forms.items()}
    best = min(taken, key=taken.__getitem__)
    detail = {
        "chosen": f"{best}: {(tried if best == 'whole clips' else tried_frames)['chosen']}",
        "max_rel_error": fast.relative_error(forms[best](example), whole(example)),
        "seconds": taken,
        "whole clips": tried,
        "frame after frame": tried_frames,
    }
    return forms[best], on_frames, detail


def _in_turn(form: fast.Form) -> fast.Form:
    """Clips frame after frame; the logits are averaged."""

    def run(x: Tensor) -> Tensor:
        return torch.stack([form(frame) for frame in x.split(1, dim=1)]).mean(0)

    return run


def _seconds(form: Callable[[Tensor], Any], x: Tensor) -> float:
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    began = time.perf_counter()
    form(x)
    if x.is_cuda:
        torch.cuda.synchronize(x.device)
    return time.perf_counter() - began


def _ratios(own: list[float], other: list[float]) -> dict[str, Any]:
    ratios = [one / two for one, two in zip(own, other, strict=True)]
    return {"ratios": ratios, "ratio_median": statistics.median(ratios), "ratio_iqr": quartiles(ratios)}


def _beside(times: list[float], dense: list[float], batch: int, *, own: bool = False) -> dict[str, Any]:
    """Ratios of `times` to those of the dense network; with the times of the dense one, or with `own` of the first."""
    shown = times if own else dense
    return {"times_s": shown, **summary(shown, batch), **_ratios(times, dense)}


def _gmacs(bench: _Bench, speed: Speed) -> dict[str, float]:
    """GMACs of a clip: executed as timed; executed when all blocks go compact; by eq. 5; of the networks as a whole."""
    size = (speed.size, speed.size)
    executed = executed_gmacs(bench.small, size)
    with _all(bench.small, "compact"):
        bench.small(bench.example)
        frugal = executed_gmacs(bench.small, size)
    adafuse = bench.masked.adafuse
    rule = float(adafuse.gmacs("real", rule="macs").mean())
    zeros = _zeros(bench)
    base = adafuse.base(size)
    plain = base.network["macs"] * bench.masked.frames / 1e9
    return {
        "executed": executed,
        "plain": plain,
        "ratio": executed / plain,
        "masked": base.total("macs") * bench.masked.frames / 1e9,
        "policies": base.policy["macs"] * bench.masked.frames / 1e9,
        "compact": frugal,
        "rule": rule,
        "rule_authors": float(adafuse.gmacs("real").mean()),
        "first_reuse": zeros,
        "rule_off_percent": 100 * (frugal / rule - 1),
        "rule_off_percent_but_first_reuse": 100 * (frugal / (rule - zeros) - 1),
    }


def _zeros(bench: _Bench) -> float:
    """GMACs that eq. 5 counts for what is reused before the first frame: zeros."""
    blocks = blocks_of(bench.small)
    first = {block: int((gate.forced[0] == 1).sum()) for block, gate in bench.masked.adafuse.gates.items()}
    return sum(first[name] * block.pair.macs(block.shape[2:])[1] for name, block in blocks.items()) / 1e9


@contextmanager
def _all(small: nn.Module, kind: str) -> Iterator[None]:
    """All blocks go one way."""
    blocks = blocks_of(small).values()
    before = [block.kind for block in blocks]
    try:
        for block in blocks:
            block.kind = kind
        yield
    finally:
        for block, own in zip(blocks, before, strict=True):
            block.kind = own


def _decided(bench: _Bench) -> dict[str, float]:
    """Realised shares over all blocks."""
    shares = bench.masked.adafuse.shares().mean(0).tolist()
    return dict(zip(("skip", "reuse", "keep"), shares, strict=True))


def _stream(bench: _Bench, repeats: int) -> dict[str, Any]:
    """Seconds for one frame, streamed with carried state and by the plain network; and that the logits agree."""
    clip = bench.example[0]
    expected = bench.masked(bench.example[:1])[0]
    streamed: list[float] = []
    plain: list[float] = []
    stream = Stream(bench.small)
    for repeat in range(repeats + 1):
        stream.reset()
        for frame in clip:
            taken = _seconds(stream.step, frame), _seconds(bench.dense_frame, frame[None, None])
            if repeat:  # the first clip warms up
                streamed.append(taken[0])
                plain.append(taken[1])
    return {
        "median_s": statistics.median(streamed),
        "iqr_s": quartiles(streamed),
        "plain_median_s": statistics.median(plain),
        **_ratios(streamed, plain),
        "max_rel_error": fast.relative_error(stream.logits, expected),
    }


def _parts(bench: _Bench, repeats: int = 3) -> dict[str, float]:
    """Seconds of the compact network by part: the least of a few clips."""
    found = [_profile(bench.small, bench.example) for _ in range(repeats)]
    return {part: min(one[part] for one in found) for part in found[0]}


def _profile(small: Any, x: Tensor) -> dict[str, float]:
    taken = {"stem": 0.0, "policies": 0.0, "first_and_second": 0.0, "third_and_shortcut": 0.0}

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            results: list[Any] = []
            taken[part] += _seconds(lambda _: results.append(call(*args, **more)), x)
            return results[0]

        return run

    with mock.patch.object(small.conv1, "forward", timed(small.conv1.forward, "stem")):
        patches = [
            mock.patch.object(owner, name, timed(getattr(owner, name), part))
            for block in blocks_of(small).values()
            for owner, name, part in (
                (block, "pooled", "policies"),
                (block, "codes", "policies"),
                (block, "middle", "first_and_second"),
                (block, "rest", "third_and_shortcut"),
                (block.downsample, "forward", "third_and_shortcut"),
            )
            if owner is not None
        ]
        for patch in patches:
            patch.start()
        try:
            whole = _seconds(small, x)
        finally:
            for patch in patches:
                patch.stop()
    return {**taken, "rest": max(0.0, whole - sum(taken.values()))}
