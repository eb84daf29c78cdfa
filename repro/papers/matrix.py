"""The table that no paper has: every method on every host, by one protocol.

Costs, memory and times are of ResNet-50 at full size, one view of 8x224x224, 400 classes; accuracies are of the small
forms on the twins, by the recipe of the ablations, three seeds. Where a row of another table is the same experiment it
is measured once: costs and times of plain networks and of DNR in dnr/table6, plain TSN and TSM on the twins in
dnr/table1a and dnr/table4.

Expected on one quiet core: static cells 3 seconds each, times 15 to 30, a twin 20 to 60 a seed.
"""

from __future__ import annotations

from repro.core.spec import Experiment, Model, Speed, Static, frozen, replace
from repro.papers import columns
from repro.papers.adafuse import networks as adafuse
from repro.papers.dnr.networks import SEEDS, with_dnr
from repro.papers.dnr.table6 import HOSTS
from repro.papers.table import ColumnSpec, QuestionSpec, RowSpec, TableSpec
from repro.papers.twins import APPEARANCE, TEMPORAL, ablation_twin

_COST = "one view of 8x224x224 (TDN: 8x5 frames)"
_MEMORY = "memory of that view (MiB)"
_SPEED = "forward time of that view"
_TWINS = "twins, NOT a real dataset: small networks, synthetic clips, top-1 %, 3 seeds"
_ALONE = "not applicable: the network alone"

#: PSN on TDN: its stem holds differences of five frames, and no stage conv1 behind which a synthesizer can stand
_PSN_ON_TDN = ("conv2", "conv3", "conv4")


def _with_psn(model: Model) -> Model:
    options = frozen(insert_after=_PSN_ON_TDN) if model.name == "tdn" else frozen()
    return replace(model, method="psn", method_options=options)


#: why AdaFuse cannot stand on a host, in its own words: it decides on channels between a block's first and second
#: convolution, frame by frame; TANet's blocks mix frames there, TDN's around the block
_ADAFUSE_REFUSES = {
    "tanet": "method 'adafuse' does not fit the AdaptiveBottleneck layer1.0",
    "tdn": "method 'adafuse' does not fit a TDN",
}
_WHY = {
    "tanet": "its blocks mix frames between the first and second convolution, where AdaFuse drops channels frame by "
    "frame",
    "tdn": "each segment reads five frames and its neighbours' differences, so that a dropped channel is still needed",
}


def _with_adafuse(model: Model) -> Model:
    return adafuse.with_adafuse(model, "minikinetics")


def _twin(model: Model, dataset: str) -> Experiment:
    """The small form; TSN and TSM are the very ones of DNR's tables, and DNR has the paper's interlacing."""
    if model.method == "adafuse":
        return adafuse.twin(model, dataset)
    same = replace(model, options=frozen(head="clip")) if model.name in ("tsn", "tsm") else model
    return ablation_twin(same, dataset, interlacing=True)


def _row(key: str, label: str, model: Model, host: Model | None, note: str = "") -> RowSpec:
    memory = Static(sizes=(224,), memory=True)
    return RowSpec(
        key=key,
        label=label,
        section="own",
        cells={
            "static": Experiment(model=model, measure=Static()),
            "memory": Experiment(model=model, measure=memory),
            "speed": Experiment(model=model, measure=Speed(against=host)),
            **{twin: _twin(model, twin) for twin in (APPEARANCE, TEMPORAL)},
        },
        baseline=model.name if host else None,
        note=note,
    )


def _refused(name: str, label: str) -> RowSpec:
    """AdaFuse on a host that it cannot be defined on: every cell says so."""
    reason = f"not defined: {_ADAFUSE_REFUSES[name]}: {_WHY[name]}"
    cells = ("static", "memory", "speed", APPEARANCE, TEMPORAL)
    return RowSpec(
        key=f"{name}_adafuse",
        label=f"{label}+AdaFuse",
        section="own",
        reasons={**dict.fromkeys(cells, reason), **dict.fromkeys((column.key for column in _COLUMNS), reason)},
        baseline=name,
    )


def _rows() -> tuple[RowSpec, ...]:
    rows = []
    for name, (label, paper_model) in HOSTS.items():
        host = replace(paper_model, pretrained="none")
        note = "Without a synthesizer behind conv1, which TDN's stem does not have." if name == "tdn" else ""
        rows += [
            _row(name, label, host, None),
            _row(f"{name}_dnr", f"{label}+DNR", with_dnr(host), host),
            _refused(name, label)
            if name in _ADAFUSE_REFUSES
            else _row(f"{name}_adafuse", f"{label}+AdaFuse", _with_adafuse(host), host),
            _row(f"{name}_psn", f"{label}+PSN", _with_psn(host), host, note),
        ]
    return tuple(rows)


_COLUMNS = (
    columns.parameters(_COST),
    ColumnSpec(
        key="params_added",
        title="of the method (M)",
        source="gain:static:params",
        group=_COST,
        scale=1e-6,
        digits=3,
        absent=_ALONE,
    ),
    columns.gmacs(
        224,
        _COST,
        note="GMACs: convolutions and matrix products by torch.utils.flop_counter, divided by 2; of AdaFuse, when "
        "nothing is saved.",
    ),
    ColumnSpec(
        key="gmacs_added",
        title="of the method (GMACs)",
        source="gain:static:sizes.224.gmacs",
        group=_COST,
        digits=3,
        absent=_ALONE,
    ),
    ColumnSpec(
        key="memory_test",
        title="at test",
        source="record:memory:memory.test_bytes",
        group=_MEMORY,
        digits=0,
        scale=2**-20,
        better="lower",
        note="Weights, and the most that tensors hold at one time in the forward, counted from their shapes; a "
        "library's work buffers come on top.",
    ),
    ColumnSpec(
        key="memory_train",
        title="kept for backward",
        source="record:memory:memory.saved_bytes",
        group=_MEMORY,
        digits=0,
        scale=2**-20,
        better="lower",
        note="What each clip of a batch adds in training, in fp32; weights, gradients and momentum come on top once.",
    ),
    ColumnSpec(
        key="speed",
        title="views/s",
        source="record:speed:views_per_s",
        group=_SPEED,
        note="Median of the repeats in the record; eager PyTorch as written, fp32, random weights. Compare rows by the "
        "ratio beside it: they are timed one after another.",
    ),
    columns.slowdown(
        _SPEED,
        absent=_ALONE,
        note="The network with the method and without it timed in turn; median and quartiles of the ratio.",
    ),
    *(
        column
        for name, short in ((APPEARANCE, "appearance"), (TEMPORAL, "temporal"))
        for column in (
            columns.twin(name, f"twin_{short}", short, _TWINS, seeds="interval"),
            columns.gain(name, f"gain_{short}", _TWINS, _ALONE),
        )
    ),
    *(
        ColumnSpec(
            key=f"keep_{short}",
            title=f"computed on {short} (%)",
            source=f"record:{name}:cost.mean.keep",
            group=_TWINS,
            digits=1,
            scale=100,
            seeds="interval",
            absent="not applicable: every channel of every frame is computed",
            note="Of the channels that AdaFuse decides on, those that are computed; the others are reused or skipped. "
            "The small form's policy costs about as much as it saves: see adafuse/table1 and adafuse/table6.",
        )
        for name, short in ((APPEARANCE, "appearance"), (TEMPORAL, "temporal"))
    ),
    columns.direction(TEMPORAL, "direction", _TWINS, seeds="interval"),
)


def matrix() -> TableSpec:
    """Four hosts, each alone and with each method that can be inserted into it."""
    return TableSpec(
        paper="suite",
        name="matrix",
        title="Matrix: four hosts, three methods, one protocol",
        caption="What no paper compares: TSN, TSM, TANet and TDN, each alone and with every method. Costs of ResNet-50 "
        "at full size, accuracies of small forms on the twins.",
        rows=_rows(),
        columns=_COLUMNS,
        questions=tuple(
            QuestionSpec(
                asks=f"Does {method} help {label} to read the order of frames?",
                cell=TEMPORAL,
                better=f"{name}_{method.lower()}",
                worse=name,
            )
            for name, (label, _) in HOSTS.items()
            for method in ("DNR", "AdaFuse", "PSN")
            if method != "AdaFuse" or name not in _ADAFUSE_REFUSES
        ),
        footnotes=(
            "DNR as in the paper: relay distance 4, reduction 4, channel interlacing, which is TSM's shift; TSM has it "
            "already. The rows of dnr/table1a and dnr/table4 without interlacing tell the two apart.",
            "AdaFuse as in its paper, on all stages, hidden_quota 196608; its small form and loss on the twins are "
            "those of adafuse/table1. Its accuracy is that of decisions which save computation; the share that is "
            "computed stands beside it.",
            "PSN as in its paper: kernels of at most 5x5x5 in four groups behind conv1 to conv4, both losses.",
            "On the twins all networks have tiny_resnet with two blocks a stage and train alike: 512 videos, 8 epochs "
            "in batches of 8 (repro/papers/twins.py). No network's own recipe is used: none was tuned for the twins.",
        ),
        seeds=SEEDS,
    )
