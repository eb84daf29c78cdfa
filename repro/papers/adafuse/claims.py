"""What AdaFuse claims (the anonymous ICLR 2021 submission), sentence by sentence, in our words."""

from __future__ import annotations

from functools import partial
from typing import Any

from repro.papers.claim import Claim, Contest, effect, gain

_gain = partial(gain, "adafuse")
_effect = partial(effect, "adafuse")


def _claim(number: int, where: str, says: str, **parts: object) -> Claim:
    return Claim(key=f"adafuse-{number:02d}", paper="adafuse", where=where, says=says, **parts)  # type: ignore[arg-type]


def _twins(better: str, worse: str, *cells: str, **more: Any) -> tuple[Contest, ...]:
    """Two rows of Table 6 or 5 against each other, by default where the order of frames decides.

    Of Table 6 after 16 epochs: after 8, policies have hardly begun to differ from chance.
    """
    ablation = better in _TABLE6 and worse in _TABLE6
    table, usual = ("adafuse/table6", "twin-temporal-long") if ablation else ("adafuse/table5", "twin-temporal")
    return tuple(Contest(table=table, better=better, worse=worse, cell=cell, **more) for cell in cells or (usual,))


def _shares(metric: str, **more: Any) -> tuple[Contest, ...]:
    """What AdaFuse on TSN decides, one share or quotient against another."""
    return _twins("adafuse", "adafuse", metric=metric, **more)


def _saved(table: str, row: str, base: str) -> str:
    """The share of printed GFLOPs that `row` saves against `base`."""
    return f"1 - adafuse.{table}.{row}.gflops / adafuse.{table}.{base}.gflops"


_TABLE6 = ("tsn", "ada_skip", "ada_reuse", "random", "adafuse")
_BOTH = ("twin-temporal-long", "twin-appearance-long")
_LSTM = Contest(table="adafuse/table1", better="adafuse_tsn_r18", worse="lstm_r18")
_DATASETS = ("sthv1", "sthv2", "jester", "minikinetics")
_T3 = [(f"adafuse_tsn_{net}_{data}", f"tsn_{net}_{data}") for net in ("r18", "r50") for data in _DATASETS]
_LSTM3 = [(row, base.replace("tsn_", "lstm_", 1)) for row, base in _T3]
_EFFICIENT = [(f"adafuse_b{size}", f"tsn_b{size}") for size in range(4)]

_ABSTRACT = (
    _claim(
        1,
        "abstract; 4, Table 5",
        "About 40 % of the computation is saved against the state of the art.",
        printed=tuple(
            f"0.35 < {_saved('table5', f'adafuse_tsm_r50_{data}', f'tsm_r50_{data}')} < 0.45"
            for data in ("sthv1", "sthv2")
        ),
        note="Read as: 35 to 45 %, AdaFuse on TSM against TSM.",
    ),
    _claim(
        2,
        "abstract; 4, Table 5",
        "At that saving the accuracy is comparable.",
        printed=tuple(
            f"abs({_gain('table5', f'adafuse_tsm_r50_{data}', f'tsm_r50_{data}')}) <= 1" for data in ("sthv1", "sthv2")
        ),
        note="Read as: within 1 point; it is 0.7 and 0.8 below, where the text says 1 % loss.",
    ),
    _claim(
        3,
        "introduction",
        "The computation is reduced without loss of accuracy.",
        printed=tuple(
            f"{_gain('table5', f'adafuse_tsm_r50_{data}', f'tsm_r50_{data}')} >= 0" for data in ("sthv1", "sthv2")
        ),
        effects=(_effect("table5", "tsm_r50_sthv2", "adafuse_tsm_r50_sthv2"),),
        note="True on TSN, which cannot read order; not on TSM.",
        contests=_twins("adafuse_tsm_r50_sthv1", "tsm_r50_sthv1"),
    ),
)

_TABLES_1_TO_4 = (
    _claim(
        4,
        "4, Table 1",
        "On TSN, AdaFuse gains more than 20 points with ResNet-18 and with BN-Inception.",
        printed=(
            f"min({_gain('table1', 'adafuse_tsn_r18', 'tsn_r18')},"
            f" {_gain('table1', 'adafuse_tsn_inc', 'tsn_inc')}) > 20",
        ),
        effects=(_effect("table1", "adafuse_tsn_r18", "tsn_r18"), _effect("table1", "adafuse_tsn_inc", "tsn_inc")),
        contests=_twins("adafuse", "tsn"),
    ),
    _claim(
        5,
        "4, Table 1",
        "It uses only 74 % of TSN's computation there.",
        printed=(
            "max(adafuse.table1.adafuse_tsn_r18.gflops / adafuse.table1.tsn_r18.gflops,"
            " adafuse.table1.adafuse_tsn_inc.gflops / adafuse.table1.tsn_inc.gflops) < 0.745",
        ),
    ),
    _claim(
        6,
        "4, Table 1",
        "A random policy gains 12.7 points over TSN.",
        printed=(f"{_gain('table1', 'random_r18', 'tsn_r18')} == 12.7",),
        effects=(_effect("table1", "random_r18", "tsn_r18"),),
        contests=_twins("random", "tsn"),
    ),
    _claim(
        7,
        "4, Table 1",
        "The learned policy gains 9.4 points over the random one.",
        printed=(f"{_gain('table1', 'adafuse_tsn_r18', 'random_r18')} == 9.4",),
        effects=(_effect("table1", "adafuse_tsn_r18", "random_r18"),),
        contests=_twins("adafuse", "random"),
    ),
    _claim(
        8,
        "4, Table 1",
        "AdaFuse is 8.5 points above LSTM at 70 % of its computation.",
        printed=(
            f"{_gain('table1', 'adafuse_tsn_r18', 'lstm_r18')} == 8.5",
            "adafuse.table1.adafuse_tsn_r18.gflops / adafuse.table1.lstm_r18.gflops < 0.705",
        ),
        effects=(_effect("table1", "adafuse_tsn_r18", "lstm_r18"),),
        contests=(_LSTM,),
    ),
    _claim(
        9,
        "Table 1, caption",
        "With ResNet-18 it is best in accuracy and in computation of all rows.",
        printed=(
            "adafuse.table1.adafuse_tsn_r18.top1 > max(adafuse.table1.tsn_r18.top1, adafuse.table1.cgnet_r18.top1,"
            " adafuse.table1.threshold_r18.top1, adafuse.table1.random_r18.top1, adafuse.table1.lstm_r18.top1)",
            "adafuse.table1.adafuse_tsn_r18.gflops < min(adafuse.table1.tsn_r18.gflops,"
            " adafuse.table1.cgnet_r18.gflops, adafuse.table1.threshold_r18.gflops, adafuse.table1.random_r18.gflops,"
            " adafuse.table1.lstm_r18.gflops)",
        ),
        note="In parameters it is the largest: 15.6 M against 11.2 M.",
    ),
    _claim(
        10,
        "4, Table 2",
        "On EfficientNet it saves 10 % of the computation.",
        printed=(f"min({', '.join(_saved('table2', *pair) for pair in _EFFICIENT)}) >= 0.095",),
        note="Read as: at least 9.5 %, which rounds to 10.",
    ),
    _claim(
        11,
        "4, Table 2",
        "On EfficientNet it improves top-1 by a large margin.",
        printed=(f"min({', '.join(_gain('table2', *pair) for pair in _EFFICIENT)}) > 20",),
        effects=tuple(_effect("table2", *pair) for pair in _EFFICIENT),
    ),
    _claim(
        12,
        "4, Table 3",
        "It saves 35 % of TSN's computation on average over four datasets and two networks.",
        printed=(f"0.345 <= mean({', '.join(_saved('table3', *pair) for pair in _T3)}) < 0.355",),
    ),
    _claim(
        13,
        "4, Table 3",
        "On Mini-Kinetics it saves 20 to 33 %.",
        printed=tuple(
            f"0.2 <= {_saved('table3', f'adafuse_tsn_{net}_minikinetics', f'tsn_{net}_minikinetics')} <= 0.33"
            for net in ("r18", "r50")
        ),
        note="19.2 % with ResNet-18, 30.1 % with ResNet-50.",
    ),
    _claim(
        14,
        "4, Table 3",
        "It is above TSN on every dataset.",
        printed=(f"min({', '.join(_gain('table3', *pair) for pair in _T3)}) > 0",),
        effects=tuple(_effect("table3", *pair) for pair in _T3),
        would_decide="three seeds on Mini-Kinetics with ResNet-50, where 0.2 points are printed",
        contests=_twins("adafuse", "tsn", *_BOTH),
    ),
    _claim(
        15,
        "4, Table 3",
        "It is above LSTM on every dataset.",
        printed=(f"min({', '.join(_gain('table3', *pair) for pair in _LSTM3)}) > 0",),
        effects=tuple(_effect("table3", *pair) for pair in _LSTM3),
        would_decide="three seeds on Jester and Mini-Kinetics with ResNet-18, where 0.2 and 0.3 points are printed",
        contests=(_LSTM,),
    ),
    _claim(
        16,
        "4, Table 3",
        "The gains are large on ordered data (Something-Something, Jester), smaller on Mini-Kinetics.",
        printed=tuple(
            f"min({', '.join(_gain('table3', *pair) for pair in pairs[:3])}) > {_gain('table3', *pairs[3])}"
            for pairs in (_T3[:4], _T3[4:])
        ),
        contests=_twins("adafuse", "tsn", beyond=("adafuse", "tsn"), beyond_cell="twin-appearance-long"),
    ),
    _claim(
        17,
        "4, Table 4",
        "It has 40 % fewer parameters than AR-Net.",
        printed=("adafuse.table4.adafuse_tsn_r50_sthv1.params_m / adafuse.table4.arnet_sthv1.params_m == 0.6",),
    ),
    _claim(
        18,
        "4, Table 4",
        "It is more accurate than AR-Net and needs less computation, on three datasets.",
        printed=tuple(
            f"{_gain('table4', f'adafuse_tsn_r50_{data}', f'arnet_{data}')} > 0"
            f" and {_saved('table4', f'adafuse_tsn_r50_{data}', f'arnet_{data}')} > 0"
            for data in ("sthv1", "jester", "minikinetics")
        ),
        effects=tuple(
            _effect("table4", f"adafuse_tsn_r50_{data}", f"arnet_{data}")
            for data in ("sthv1", "jester", "minikinetics")
        ),
        would_decide="three seeds of both on Mini-Kinetics",
    ),
    _claim(
        19,
        "4, Table 4",
        "The gain over AR-Net is largest on Something-Something V1.",
        printed=(
            f"{_gain('table4', 'adafuse_tsn_r50_sthv1', 'arnet_sthv1')}"
            f" > max({_gain('table4', 'adafuse_tsn_r50_jester', 'arnet_jester')},"
            f" {_gain('table4', 'adafuse_tsn_r50_minikinetics', 'arnet_minikinetics')})",
        ),
    ),
)

_TABLE5 = (
    _claim(
        20,
        "4, Table 5",
        "On BN-Inception it is 4 points above multi-scale TRN at 75 % of its computation.",
        printed=(
            f"min({_gain('table5', 'adafuse_tsn_inc_sthv1', 'trn_ms_sthv1')},"
            f" {_gain('table5', 'adafuse_tsn_inc_sthv2', 'trn_ms_sthv2')}) > 4",
            "0.745 <= adafuse.table5.adafuse_tsn_inc_sthv1.gflops / adafuse.table5.trn_ms_sthv1.gflops < 0.765",
        ),
        effects=(_effect("table5", "adafuse_tsn_inc_sthv1", "trn_ms_sthv1"),),
    ),
    _claim(
        21,
        "4, Table 5",
        "On TSN with ResNet-50 it outperforms I3D at much less computation.",
        printed=(
            f"{_gain('table5', 'adafuse_tsn_r50_sthv1', 'i3d_sthv1')} > 0",
            "adafuse.table5.adafuse_tsn_r50_sthv1.gflops < adafuse.table5.i3d_sthv1.gflops / 2",
        ),
        effects=(_effect("table5", "adafuse_tsn_r50_sthv1", "i3d_sthv1"),),
        would_decide="seeds of both; 0.3 points are printed",
    ),
    _claim(
        22,
        "4, Table 5",
        "On TSN with ResNet-50 it outperforms ECO.",
        printed=(f"{_gain('table5', 'adafuse_tsn_r50_sthv1', 'eco_sthv1')} > 0",),
        effects=(_effect("table5", "adafuse_tsn_r50_sthv1", "eco_sthv1"),),
        note="ECO with 8 frames; the ensemble with 92 frames is 4.5 points higher.",
    ),
    _claim(
        23,
        "4, Table 5",
        "TSM+Last outperforms TSM with 5 % less computation.",
        printed=(
            f"min({_gain('table5', 'adafuse_tsm_last_r50_sthv1', 'tsm_r50_sthv1')},"
            f" {_gain('table5', 'adafuse_tsm_last_r50_sthv2', 'tsm_r50_sthv2')}) > 0",
            f"{_saved('table5', 'adafuse_tsm_last_r50_sthv1', 'tsm_r50_sthv1')} > 0.045",
            f"{_saved('table5', 'adafuse_tsm_last_r50_sthv2', 'tsm_r50_sthv2')} > 0.045",
        ),
        effects=(
            _effect("table5", "adafuse_tsm_last_r50_sthv1", "tsm_r50_sthv1"),
            _effect("table5", "adafuse_tsm_last_r50_sthv2", "tsm_r50_sthv2"),
        ),
        would_decide="three seeds of both",
        contests=_twins("adafuse_tsm_last_r50_sthv1", "tsm_r50_sthv1"),
    ),
    _claim(
        24,
        "4, Table 5",
        "TSM+Last has the best accuracy of the table on Something-Something V1.",
        printed=(
            "adafuse.table5.adafuse_tsm_last_r50_sthv1.top1 > max(adafuse.table5.eco_en_lite_sthv1.top1,"
            " adafuse.table5.i3d_gcn_nl_sthv1.top1, adafuse.table5.tsm_r50_sthv1.top1)",
        ),
        effects=(_effect("table5", "adafuse_tsm_last_r50_sthv1", "eco_en_lite_sthv1"),),
        would_decide="seeds of both; 0.4 points are printed",
    ),
    _claim(
        25,
        "Figure 2",
        "Its model size is comparable to that of other 2D networks.",
        printed=("adafuse.table5.adafuse_tsm_r50_sthv1.params_m / adafuse.table5.tsm_r50_sthv1.params_m < 1.2",),
        note="Read as: within 20 %. The policies add 55 %.",
    ),
    _claim(
        26,
        "Tables 3 and 5",
        "TSN with ResNet-50 has one top-1 on each dataset.",
        printed=(
            "adafuse.table3.tsn_r50_sthv1.top1 == adafuse.table5.tsn_r50_sthv1.top1",
            "adafuse.table3.tsn_r50_sthv2.top1 == adafuse.table5.tsn_r50_sthv2.top1",
        ),
        note="18.7 and 19.7 on V1; 32.1 and 27.8 on V2.",
    ),
    _claim(
        27,
        "Tables 1 and 5",
        "TSN with BN-Inception has one top-1 and one number of parameters.",
        printed=(
            "adafuse.table1.tsn_inc.top1 == adafuse.table5.tsn_inc_sthv1.top1",
            "adafuse.table1.tsn_inc.params_m == adafuse.table5.tsn_inc_sthv1.params_m",
        ),
    ),
    _claim(
        28,
        "Tables 3 and 5",
        "The networks with ResNet-50 have one number of parameters.",
        printed=(
            "adafuse.table3.tsn_r50_sthv1.params_m == adafuse.table5.tsn_r50_sthv1.params_m",
            "adafuse.table3.adafuse_tsn_r50_sthv1.params_m == adafuse.table5.adafuse_tsn_r50_sthv1.params_m",
        ),
        note="Something-Something's 174 classes give 23.9 M for TSN, Kinetics' 400 give 24.3 M.",
    ),
)

_POLICIES = (
    _claim(
        29,
        "4, Figure 3",
        "Reuse/keep is higher on Something-Something and Jester than on Mini-Kinetics.",
        printed=(
            "min(adafuse.fig3_text.sthv1.value, adafuse.fig3_text.sthv2.value, adafuse.fig3_text.jester.value)"
            " > adafuse.fig3_text.minikinetics.value",
        ),
        would_decide="policies trained on data with and without order, several seeds",
        contests=_shares("cost.mean.reuse / cost.mean.keep", worse_cell="twin-appearance-long"),
    ),
    _claim(
        30,
        "4, Figure 3",
        "Jester has the highest share of skipped channels.",
        printed=(
            "adafuse.table3.adafuse_tsn_r18_jester.gflops < min(adafuse.table3.adafuse_tsn_r18_sthv1.gflops,"
            " adafuse.table3.adafuse_tsn_r18_sthv2.gflops, adafuse.table3.adafuse_tsn_r18_minikinetics.gflops)",
            "adafuse.table3.adafuse_tsn_r50_jester.gflops < min(adafuse.table3.adafuse_tsn_r50_sthv1.gflops,"
            " adafuse.table3.adafuse_tsn_r50_sthv2.gflops, adafuse.table3.adafuse_tsn_r50_minikinetics.gflops)",
        ),
        note="The shares are drawn, not printed; the lowest GFLOPs stand for them.",
    ),
    _claim(
        31,
        "4, Figure 4",
        "Early blocks skip more and reuse less, late blocks the other way round.",
        would_decide="policy shares of each block from trained weights",
        contests=(
            *_shares("cost.mean.layer1.0.skip", worse_metric="cost.mean.layer3.1.skip"),
            *_shares("cost.mean.layer3.1.reuse", worse_metric="cost.mean.layer1.0.reuse"),
        ),
    ),
    _claim(
        32,
        "4, Figure 4",
        "Reuse is the policy that changes most over the frames of a clip.",
        would_decide="the share of channels whose policy is constant over the clip, by policy",
        contests=tuple(
            contest
            for action in ("skip", "keep")
            for contest in _shares(
                f"cost.mean.{action}_constant / cost.mean.{action}",
                worse_metric="cost.mean.reuse_constant / cost.mean.reuse",
            )
        ),
    ),
    _claim(
        33,
        "4, Table 6",
        "Skipping alone saves 55 % of the computation and loses much accuracy.",
        printed=(
            f"0.545 <= {_saved('table6', 'ada_skip', 'tsn')} < 0.555",
            f"{_gain('table6', 'ada_skip', 'tsn')} < -5",
        ),
        effects=(_effect("table6", "tsn", "ada_skip"),),
        contests=_twins("tsn", "ada_skip", "twin-appearance"),
    ),
    _claim(
        34,
        "4, Table 6",
        "Reuse alone gains 21.5 points but saves little computation.",
        printed=(
            f"{_gain('table6', 'ada_reuse', 'tsn')} == 21.5",
            f"{_saved('table6', 'ada_reuse', 'tsn')} < 0.1",
        ),
        effects=(_effect("table6", "ada_reuse", "tsn"),),
        contests=_twins("ada_reuse", "tsn"),
    ),
    _claim(
        35,
        "4, Table 6",
        "With both actions, AdaFuse has the best accuracy and the second-best computation.",
        printed=(
            "adafuse.table6.adafuse.top1 > max(adafuse.table6.ada_reuse.top1, adafuse.table6.random.top1,"
            " adafuse.table6.ada_skip.top1, adafuse.table6.tsn.top1)",
            "adafuse.table6.ada_skip.gflops < adafuse.table6.adafuse.gflops < min(adafuse.table6.random.gflops,"
            " adafuse.table6.ada_reuse.gflops, adafuse.table6.tsn.gflops)",
        ),
        effects=(_effect("table6", "adafuse", "ada_reuse"),),
        would_decide="seeds of both; 0.6 points are printed over reuse alone",
        contests=(*_twins("adafuse", "ada_reuse"), *_twins("adafuse", "random")),
    ),
    _claim(
        36,
        "4, Table 7",
        "A larger weight of the efficiency loss lowers the computation.",
        printed=(
            "adafuse.table7.h1024_l050.gflops > adafuse.table7.h1024_l075.gflops > adafuse.table7.h1024_l100.gflops",
        ),
        note="By 1.6 % from the smallest to the largest weight.",
    ),
    _claim(
        37,
        "4, Table 7",
        "A larger policy network raises top-1.",
        printed=("adafuse.table7.h1024_l100.top1 < adafuse.table7.h2048_l100.top1 < adafuse.table7.h4096_l100.top1",),
        effects=(_effect("table7", "h4096_l100", "h1024_l100"), _effect("table7", "h4096_l100", "h2048_l100")),
        would_decide="three seeds or more of each size",
    ),
    _claim(
        38,
        "4, Table 7",
        "A larger policy network learns to skip more.",
        printed=(
            "adafuse.table7.h1024_l100.skip_pct < adafuse.table7.h2048_l100.skip_pct"
            " < adafuse.table7.h4096_l100.skip_pct",
        ),
    ),
    _claim(
        39,
        "4, Table 7",
        "Model size grows almost linearly with the hidden size.",
        printed=(
            "abs((adafuse.table7.h4096_l100.params_m - adafuse.table7.h2048_l100.params_m)"
            " / (adafuse.table7.h2048_l100.params_m - adafuse.table7.h1024_l100.params_m) - 2) < 0.05",
        ),
    ),
    _claim(
        40,
        "4, Table 7",
        "The larger policy network is a considerable overhead in computation.",
        printed=("adafuse.table7.h4096_l100.gflops > adafuse.table7.h1024_l100.gflops",),
        note="Both are printed as 31.04 G: what the policy costs more is saved by skipping more.",
    ),
    _claim(
        41,
        "4, Tables 5 and 7",
        "TSM+Last on Something-Something V2 is printed alike in both tables.",
        printed=(
            "abs(adafuse.table7.h1024_l075.top1 - adafuse.table5.adafuse_tsm_last_r50_sthv2.top1) <= 0.05",
            "abs(adafuse.table7.h1024_l075.gflops - adafuse.table5.adafuse_tsm_last_r50_sthv2.gflops) <= 0.05",
        ),
        note="The text prints the weight as 0.75, the table as 0.075.",
    ),
    _claim(
        42,
        "4, runtime",
        "The savings can become wall-clock savings.",
        would_decide="a timed executor that computes only what is kept or reused",
    ),
)

CLAIMS: tuple[Claim, ...] = (*_ABSTRACT, *_TABLES_1_TO_4, *_TABLE5, *_POLICIES)
