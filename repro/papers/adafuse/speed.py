"""What AdaFuse's decisions save in time: the paper counts multiply-adds and leaves speed to the future.

No paper prints this table. Each row is one measurement (`repro.cost.compact`): AdaFuse on TSN-ResNet-50, one clip of
8x224x224, that computes only what its decisions ask for; TSN in the fastest form found on the machine; AdaFuse as its
authors run it, all channels computed and masked. The three take turns. Networks have random weights; decisions are
drawn at the shares that the authors report for trained networks (mengyuest/temporal-shift-module@944a085,
scripts/plot_dataset_stat.py:10-15), and the policy networks run all the same.

Expected on one quiet core: about a minute a row, most of it the trial of forms of TSN.
"""

from __future__ import annotations

from repro.core.spec import Experiment, Speed, replace
from repro.papers.adafuse.networks import host, with_adafuse
from repro.papers.layout import table
from repro.papers.table import RowSpec, TableSpec

#: shares of skip, reuse and keep
POINTS: dict[str, tuple[float, float, float]] = {
    "sthv1": (0.370, 0.258, 0.372),
    "sthv2": (0.596, 0.172, 0.232),
    "jester": (0.712, 0.105, 0.183),
}


def speed() -> TableSpec:
    """Time ratios beside ratios of arithmetic at the authors' operating points, and where everything is kept."""
    rows = [
        _row(key if drawn == "each" else f"{key}_{drawn}", shares, drawn)
        for drawn in ("each", "groups", "lasting")
        for key, shares in POINTS.items()
    ]
    return table("adafuse/speed", (*rows, _row("kept", (0.0, 0.0, 1.0), "each")))


def _row(key: str, shares: tuple[float, float, float], drawn: str) -> RowSpec:
    plain = replace(host("tsn", "resnet50"), pretrained="none")
    measure = Speed(form="compact", threads=1, shares=shares, drawn=drawn, against=plain, repeats=9)  # type: ignore[arg-type]
    return RowSpec(key=key, cells={"compact": Experiment(model=with_adafuse(plain), measure=measure)})
