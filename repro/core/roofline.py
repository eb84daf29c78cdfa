"""Can a device do that? Claimed throughput times multiply-accumulates against the device's peak arithmetic.

Peaks are in TMAC/s, 1e12 multiply-accumulates a second: half of the vendor's dense TFLOP/s. For a CPU the peak is
measured, by the largest matrix product and convolution rate of a short calibration. A finding of `impossible` is a
matter of arithmetic: the speed, the count or the protocol is not what was stated. One way around it exists: Winograd's
3x3 convolutions multiply up to 2.25 times less, which for a whole ResNet-50 is at most a factor of 1.4.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

#: TMAC/s. fp32 outside of tensor cores; tf32, bf16, fp16 on them, dense
PEAKS: Mapping[str, Mapping[str, float]] = {
    # NVIDIA Turing whitepaper WP-09183, 2018, table 4: Founders Edition 14.2; 13.45 at the reference boost of 1,545 MHz
    "RTX 2080 Ti": {"fp32": 6.725, "fp16": 53.8},
    # NVIDIA Pascal GP102 product page: 11.34 TFLOP/s at 1,582 MHz
    "GTX 1080 Ti": {"fp32": 5.67},
    # NVIDIA Pascal GP102: 12.15 TFLOP/s at 1,582 MHz, 3,840 cores
    "TITAN Xp": {"fp32": 6.07},
    # NVIDIA V100 data sheet, 2020, SXM2: 15.7 and 125
    "V100": {"fp32": 7.85, "fp16": 62.5},
    # NVIDIA T4 data sheet, 2019: 8.1 and 65
    "T4": {"fp32": 4.05, "fp16": 32.5},
    # NVIDIA A100 data sheet, 2021: 19.5, 156, 312, 312
    "A100": {"fp32": 9.75, "tf32": 78.0, "bf16": 156.0, "fp16": 156.0},
    # NVIDIA Ampere GA102 whitepaper, 2020, RTX 3090: 35.6 and (fp32 accumulation) 71, tf32 35.6
    "RTX 3090": {"fp32": 17.8, "tf32": 17.8, "bf16": 35.5, "fp16": 71.0},
    # NVIDIA H100 data sheet, SXM: 67, 494.5, 989, 989 without sparsity; H200 has the same arithmetic
    "H100": {"fp32": 33.5, "tf32": 247.0, "bf16": 494.7, "fp16": 494.7},
    "H200": {"fp32": 33.5, "tf32": 247.0, "bf16": 494.7, "fp16": 494.7},
}

#: a calibrated CPU peak may be short of the truth by this factor: clocks vary and some convolutions beat the two tried
CPU_MARGIN = 1.4
#: share of the peak that whole networks seldom pass
_LIKELY = 0.7


@dataclass(frozen=True)
class Finding:
    """What arithmetic says of a claimed speed."""

    verdict: str
    """`possible`, `doubtful` (above 70 % of the peak), `impossible` (above the peak), `unknown` (no peak known)."""
    needed_tmacs: float
    """TMAC/s that the claim asks for."""
    peak_tmacs: float | None
    share: float | None
    """needed / peak."""
    limit_per_s: float | None
    """Videos (or views) a second at the peak."""
    text: str


def check_throughput(
    gmacs_per_video: float, videos_per_s: float, device: str, precision: str = "fp32", *, peak: float | None = None
) -> Finding:
    """Check a claim of `videos_per_s` for videos of `gmacs_per_video` (views times GMACs of one view).

    `device` is a name that contains one of `PEAKS`, e.g. "NVIDIA GeForce RTX 2080 Ti"; `peak` in TMAC/s overrides it.
    """
    needed = gmacs_per_video * videos_per_s / 1e3
    peak = peak if peak is not None else peak_of(device, precision)
    if peak is None:
        return Finding("unknown", needed, None, None, None, f"no {precision} peak is known for {device!r}")
    share, limit = needed / peak, peak * 1e3 / gmacs_per_video
    verdict = "impossible" if share > 1 else "doubtful" if share > _LIKELY else "possible"
    text = (
        f"{videos_per_s:g}/s at {gmacs_per_video:.4g} GMACs each need {needed:.3g} TMAC/s, {share:.0%} of the "
        f"{precision} peak of {device} ({peak:.4g} TMAC/s, which allows at most {limit:.3g}/s): {verdict}"
    )
    return Finding(verdict, needed, peak, share, limit, text)


def peak_of(device: str, precision: str) -> float | None:
    """Peak of a GPU by its name as people write it (`rtx2080ti`, `2080 Ti`, `Tesla V100-SXM2`), or None."""
    names = [name for name in PEAKS if _pattern(name).search(device)]
    return PEAKS[max(names, key=len)].get(precision) if names else None


@cache
def _pattern(name: str) -> re.Pattern[str]:
    """A name without RTX or GTX, whatever stands between its parts; another number, or `Ti`, is another card."""
    rest = name.removeprefix("RTX ").removeprefix("GTX ")
    words = r"[\s_-]*".join(re.findall(r"[A-Za-z]+|\d+", rest))
    before = "(?<![0-9])" if rest[0].isdigit() else "(?<![0-9a-z])"
    return re.compile(rf"{before}{words}(?![0-9])(?![\s_-]*(?:ti|super)\b)", re.IGNORECASE)


#: (threads, precision) -> the best calibration of this process
_best_peaks: dict[tuple[int, str], float] = {}
#: calibrations before a measurement above the peak is believed to be above it
_CALIBRATIONS = 6


def cpu_peak(threads: int, precision: str = "fp32", *, again: bool = False) -> float:
    """TMAC/s of this CPU with `threads`: the best of a matrix product and a 3x3 convolution, times `CPU_MARGIN`.

    Takes a fraction of a second and is kept for the life of the process; `again` calibrates once more and keeps the
    better: what other processes take away at that moment is no property of the CPU. A CPU without bf16 arithmetic
    computes bf16 in fp32, so that its fp32 peak counts.
    """
    known = _best_peaks.get((threads, precision))
    if known is None or again:
        known = _best_peaks[threads, precision] = max(known or 0.0, _calibrated(threads, precision))
    return known


def _calibrated(threads: int, precision: str) -> float:
    import torch

    bf16 = precision == "bf16" and cpu_has_bf16()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            return CPU_MARGIN * _rate(torch.bfloat16 if bf16 else torch.float32) / 1e12
    finally:
        torch.set_num_threads(before)


def cpu_has_bf16() -> bool:
    """Whether this CPU multiplies bfloat16 (AVX-512 BF16, AMX and the like); without it bf16 is slower than fp32."""
    import torch

    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _rate(dtype: Any) -> float:
    """Multiply-accumulates a second of the better of the two calibration problems."""
    import torch

    a, b = torch.rand(768, 768).to(dtype), torch.rand(768, 768).to(dtype)
    x, w = torch.rand(8, 256, 14, 14).to(dtype), torch.rand(256, 256, 3, 3).to(dtype)
    product, convolution = _best(lambda: a @ b), _best(lambda: torch.conv2d(x, w, padding=1))
    return max(768**3 / product, 8 * 14 * 14 * 256 * 256 * 9 / convolution)


def _best(call: Callable[[], Any], repeats: int = 5) -> float:
    """Shortest time of a few calls, in seconds."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return min(times)


def own_finding(gmacs: float, per_s: float, *, device: str, device_name: str, precision: str, threads: int) -> Finding:
    """The check for a measurement made here."""
    if device == "cpu":
        for attempt in range(_CALIBRATIONS):
            peak = cpu_peak(threads, precision, again=attempt > 0)
            found = check_throughput(gmacs, per_s, f"{device_name}, {threads} thread(s)", precision, peak=peak)
            if found.verdict == "possible":
                break
        return found
    return check_throughput(gmacs, per_s, device_name, precision)
