"""Times of AdaFuse that computes what its decisions ask for, beside TSN at its best and AdaFuse as its authors run it.

Random weights; the policies run, and decisions drawn at the shares of an operating point are taken in place of theirs.
The three take turns, A B C A B C: compact AdaFuse; the network without AdaFuse in the fastest form found here, on whole
clips or frame after frame, normalizations folded; masked AdaFuse as written. Ratios are taken within each turn.
After them single frames are timed: a stream with carried state, and the plain network frame by frame. The process keeps
the memory that it frees.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

from methods.adafuse.compact.compact import blocks_of, executed_gmacs, kinds_of
from methods.adafuse.compact.costs import KINDS
from methods.adafuse.compact.stream import Stream
from repro.core.errors import BadOption
from repro.core.process import memory_kept
from repro.core.spec import Model, Speed
from repro.cost import fastest_form
from repro.cost.compact_bench import Bench, prepare
from repro.cost.runtime import machine, machine_before, peak_memory, threads_of
from repro.cost.speed import facts, roofline
from repro.cost.timing import Timed, quartiles, ratios, seconds, summary, take_turns, warm_up


def measure_compact(model: Model, speed: Speed, *, device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Time AdaFuse as `speed` says; see the module's head for the protocol. Times are in seconds for one batch."""
    if model.method != "adafuse" or speed.against is None or speed.precision != "fp32":
        raise BadOption(
            f"form compact does not fit {model.name}, method {model.method}, {speed.precision}",
            allowed="method adafuse in fp32, beside its network without it",
            fix="python -m repro speed tsn --method adafuse --compact",
        )
    with threads_of(speed.threads or threads) as used, memory_kept(), torch.inference_mode():
        before = machine_before(device)
        bench = prepare(model, speed, device)
        sides = [Timed(form, bench.example, None, None) for form in (bench.small, bench.dense, bench.masked)]
        error = fastest_form.relative_error(bench.small(bench.example), bench.masked(bench.example))
        with peak_memory(device) as memory:
            sides[0].warmup = warm_up(sides[0])
        for side in sides[1:]:
            side.warmup = warm_up(side)
        own, dense, masked = take_turns(sides, speed.repeats)
        result = {
            **facts(own, speed, device, used),
            "form_detail": {"chosen": f"compact, {bench.kernels}"},
            "layout": "channels_last",
            "warmup": sides[0].warmup,
            "max_rel_error": error,
            "against": {**_beside(own, dense, speed.batch), "form_detail": bench.dense_detail},
            "masked": _beside(masked, dense, speed.batch, own=True),
            "over_masked": ratios(own, masked),
            **_work(bench, speed),
            "machine": machine(before, device),
            **memory,
        }
    return {**result, "roofline": roofline(result["gmacs"]["executed"], result)}


def _work(bench: Bench, speed: Speed) -> dict[str, Any]:
    """What was computed and how: after the turns, whose last forward tells the ways that the blocks went."""
    went = kinds_of(bench.small)
    gmacs, stream, parts = _gmacs(bench, speed), _stream(bench, speed.repeats), _parts(bench)
    return {
        "gmacs": gmacs,
        "decided": _decided(bench),
        "kinds": {kind: list(went.values()).count(kind) / len(went) for kind in KINDS},
        "kinds_by_block": went,
        "calibration_s": bench.calibration_s,
        "stream": stream,
        "parts_s": parts,
    }


def _beside(times: Sequence[float], dense: Sequence[float], batch: int, *, own: bool = False) -> dict[str, Any]:
    """Ratios of `times` to those of the dense network; with the times of the dense one, or with `own` of the first."""
    shown = times if own else dense
    return {"times_s": shown, **summary(shown, batch), **ratios(times, dense)}


def _gmacs(bench: Bench, speed: Speed) -> dict[str, float]:
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


def _zeros(bench: Bench) -> float:
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


def _decided(bench: Bench) -> dict[str, float]:
    """Realised shares over all blocks."""
    shares = bench.masked.adafuse.shares().mean(0).tolist()
    return dict(zip(("skip", "reuse", "keep"), shares, strict=True))


def _stream(bench: Bench, repeats: int) -> dict[str, Any]:
    """Seconds for one frame, streamed with carried state and by the plain network; and that the logits agree."""
    clip = bench.example[0]
    expected = bench.masked(bench.example[:1])[0]
    streamed: list[float] = []
    plain: list[float] = []
    stream = Stream(bench.small)
    for repeat in range(repeats + 1):
        stream.reset()
        for frame in clip:
            taken = seconds(stream.step, frame), seconds(bench.dense_frame, frame[None, None])
            if repeat:  # the first clip warms up
                streamed.append(taken[0])
                plain.append(taken[1])
    return {
        "median_s": statistics.median(streamed),
        "iqr_s": quartiles(streamed),
        "plain_median_s": statistics.median(plain),
        **ratios(streamed, plain),
        "max_rel_error": fastest_form.relative_error(stream.logits, expected),
    }


def _parts(bench: Bench, repeats: int = 3) -> dict[str, float]:
    """Seconds of the compact network by part: the least of a few clips."""
    found = [_profile(bench.small, bench.example) for _ in range(repeats)]
    return {part: min(one[part] for one in found) for part in found[0]}


def _profile(small: Any, x: Tensor) -> dict[str, float]:
    taken = {"stem": 0.0, "policies": 0.0, "first_and_second": 0.0, "third_and_shortcut": 0.0}

    def timed(call: Callable[..., Any], part: str) -> Callable[..., Any]:
        def run(*args: Any, **more: Any) -> Any:
            results: list[Any] = []
            taken[part] += seconds(lambda _: results.append(call(*args, **more)), x)
            return results[0]

        return run

    parts = [(small.conv1, "forward", "stem")]
    for block in blocks_of(small).values():
        parts += [(block, "pooled", "policies"), (block, "codes", "policies")]
        parts += [(block, "middle", "first_and_second"), (block, "rest", "third_and_shortcut")]
        parts += [(block.downsample, "forward", "third_and_shortcut")] if block.downsample is not None else []
    with ExitStack() as patches:
        for owner, name, part in parts:
            patches.enter_context(mock.patch.object(owner, name, timed(getattr(owner, name), part)))
        whole = seconds(small, x)
    return {**taken, "rest": max(0.0, whole - sum(taken.values()))}
