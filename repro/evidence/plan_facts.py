"""What a plan assumes: devices, sizes of datasets, how fast networks train; each with its range and its source.

Nothing here is a measurement of this suite. A plan names each of these that it used.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of what it may be."""

    value: float
    low: float
    high: float

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high)

    def times(self, factor: Estimate | float) -> Estimate:
        """Each end by its own end of the factor."""
        if not isinstance(factor, Estimate):
            factor = Estimate(factor, factor, factor)
        return Estimate(self.value * factor.value, self.low * factor.low, self.high * factor.high)

    def over(self, factor: Estimate) -> Estimate:
        """Divided: the low end by the factor's high one."""
        return Estimate(self.value / factor.value, self.low / factor.high, self.high / factor.low)


@dataclass(frozen=True)
class Range(Estimate):
    """One that is assumed, and where it comes from."""

    source: str


#: board power in watts: the vendors' data sheets (TDP, or total graphics power)
WATTS: Mapping[str, float] = {
    "RTX 2080 Ti": 250,
    "GTX 1080 Ti": 250,
    "TITAN Xp": 250,
    "V100": 300,
    "T4": 70,
    "A100": 400,
    "RTX 3090": 350,
    "H100": 700,
    "H200": 700,
}

_MIRROR = (
    "1.5 MB a video as in the mirror of Kinetics-600 (FiftyOne's dataset zoo: 648 GB of 427,549 videos); copies at "
    "340x256 taken as a third of it"
)
_PAGE = "assumption: about the download size that its makers gave; the page is gone and was not checked"
#: train and test split of a dataset on a disk, in 1e9 bytes, in the form in which it is given out
GIGABYTES: Mapping[str, Range] = {
    "kinetics400": Range(400, 130, 450, _MIRROR),
    "kinetics200": Range(128, 40, 150, _MIRROR),
    "minikinetics": Range(197, 65, 225, _MIRROR),
    "sthv1": Range(25, 20, 30, _PAGE + " (JPEG folders)"),
    "sthv2": Range(20, 17, 25, _PAGE + " (WebM)"),
    "jester": Range(23, 20, 28, _PAGE + " (JPEG folders); a mirror has 27.4 GB of videos"),
    "diving48": Range(9.3, 9.0, 10.5, "a public mirror (Samoed/diving48): 9.29 GB of 18,404 videos"),
}

#: time of a training step over that of a forward pass: the backward pass takes two products for each of forward's
STEP_OVER_FORWARD = Range(3.0, 2.5, 4.0, "assumption: backward = 2 x forward; 4 with recomputation or a slow optimizer")

#: share of the peak on the device over the share on the machine of the record
KEPT_SHARE = Range(
    0.5,
    0.2,
    1.0,
    "assumption: small kernels and memory bandwidth leave a GPU 20 to 100 % of the CPU's share of peak",
)

#: share of the peak where no record tells one
SHARE = Range(0.2, 0.07, 0.45, "assumption: video networks reach 7 to 45 % of a GPU's peak")

#: of several devices together
SCALING = Range(0.9, 0.75, 1.0, "assumption: gradients averaged over devices cost up to a quarter")

#: CPU seconds to decode one clip of sparse frames, and cores that feed one device
DECODE_S = Range(0.03, 0.01, 0.1, "assumption: 10 to 100 ms of one core to decode, resize and crop a clip")
CORES = 16

#: mean draw over board power, and the rest of the machine on top
DRAW = Range(0.75, 0.5, 1.0, "assumption: 50 to 100 % of the board power")
HOST = Range(1.3, 1.1, 1.6, "assumption: processor, memory and fans add 10 to 60 %")

#: seconds of a cell that needs no dataset of its own, where it was never run
SECONDS: Mapping[str, Range] = {
    "static": Range(10, 3, 40, "assumption: static cells take 3 to 40 s"),
    "speed": Range(20, 5, 90, "assumption: speed cells take 5 to 90 s"),
    "probe": Range(160, 90, 600, "assumption: a training on a probe takes 90 to 600 s"),
}

#: a run's deviation in points of top-1; the value is the one that claims are judged with
RUN_DEVIATION_ENDS = (0.2, 0.9)

#: correlation over videos of two networks being right
CORRELATION = Range(0.5, 0.2, 0.8, "assumption: right answers of two networks correlate by 0.2 to 0.8")
