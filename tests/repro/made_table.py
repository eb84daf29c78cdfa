"""A small table with made-up records: two printed pairs, one quoted row, one row of a user's own."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import pytest

from repro.core.spec import Accuracy, Experiment, Model, Speed, Static, Train, Views, replace, to_dict
from repro.papers.probes import TEST, recipe
from repro.papers.table import ColumnSpec, RowSpec, TableSpec
from repro.records.schema import Record
from repro.report.page import Content, parts

ENVIRONMENT = {
    "python": "3.11.9", "packages": {"torch": "2.11.0", "numpy": "2.0.0"}, "device": "cpu", "device_name": "A CPU <7>",
    "cpu": "A CPU <7>", "cores": 2, "platform": "Linux x86_64", "memory_gib": 4.0, "threads": 1,
    "flags": {"mkldnn": True}, "git": {"commit": "0" * 40, "dirty": False},
}  # fmt: skip
VIEWS = Views(sampling="uniform_8", resize=0, crop=32)
RECIPE = Train(epochs=2, batch=32, lr=0.1, sampling="uniform_8")
KINETICS = "not run: kinetics400 is not configured (python -m repro data add kinetics400)"


def render_page(content: Content) -> str:
    """The report's page as one text."""
    return "".join(parts(content))


def unpack(text: str) -> Any:
    """What `embedded_data.pack` packed."""
    return json.loads(zlib.decompress(base64.b64decode(text), -zlib.MAX_WBITS))


def accuracy_of(network: str, name: str) -> Accuracy:
    """Training and test of a network by its registered name on the probe `name`."""
    train, test = recipe(network)
    return Accuracy(dataset=name, train=train, test=test, test_split=TEST)


def network(name: str, method: str | None = None, backbone: str = "resnet50") -> Model:
    return Model(name=name, backbone=backbone, method=method)


def cells(name: str, method: str | None = None) -> dict[str, Experiment]:
    model, plain = network(name, method), network(name)
    small = network(name, method, "tiny_resnet")
    probe = Accuracy(dataset="probe-order", test=VIEWS, train=RECIPE)
    full = Accuracy(dataset="kinetics400", test=replace(VIEWS, clips=10, crops=3), train=RECIPE)
    return {
        "static": Experiment(model=model, measure=Static()),
        "speed": Experiment(model=model, measure=Speed(against=plain if method else None)),
        "probe-order": Experiment(model=small, measure=probe),
        "kinetics400": Experiment(model=model, measure=full),
    }


def row(name: str, label: str, method: str | None = None, **more: Any) -> RowSpec:
    key = f"{name}_r50_{method}" if method else f"{name}_r50"
    facts: dict[str, Any] = {
        "key": key, "label": label, "published_row": key, "cells": cells(name, method),
        "reasons": {"kinetics400": KINETICS}, "baseline": f"{name}_r50" if method else None,
    }  # fmt: skip
    return RowSpec(**(facts | more))


COLUMNS = (
    ColumnSpec(key="pretrain", title="Pretrain", group="Printed by the paper", source="published:pretrain"),
    ColumnSpec(key="gflops", title="GFLOPs × views", group="Printed by the paper", source="published:gflops*views"),
    ColumnSpec(key="top1", title="Top-1", group="Printed by the paper", unit="%", source="published:top1",
               better="higher"),
    ColumnSpec(key="gain", title="+method", group="Printed by the paper", unit="points", source="difference:top1"),
    ColumnSpec(key="slow_printed", title="slow-down", group="Printed by the paper", unit="×",
               source="slowdown:dnr_supp_table2:videos_per_s", note="supplement, Table 2"),
    ColumnSpec(key="gmacs224", title="GMACs at 224", group="Measured here", source="record:static:sizes.224.gmacs",
               better="lower", note="torch.utils.flop_counter; one view"),
    ColumnSpec(key="params", title="Parameters", group="Measured here", unit="M", scale=1e-6,
               source="record:static:params"),
    ColumnSpec(key="speed", title="Views/s", group="Measured here", source="record:speed:views_per_s", digits=1,
               better="higher"),
    ColumnSpec(key="slow", title="slow-down", group="Measured here", unit="×",
               source="record:speed:against.ratio_median", spread="against.ratio_iqr"),
    ColumnSpec(key="order", title="Top-1", group="probe-order (not Kinetics)", unit="%",
               source="record:probe-order:top1", better="higher"),
    ColumnSpec(key="k400", title="Top-1", group="Kinetics-400, measured", unit="%", source="record:kinetics400:top1"),
)  # fmt: skip


@pytest.fixture
def layout() -> TableSpec:
    quoted = RowSpec(key="tsm_r50_lit", label="TSM", published_row="tsm_r50_lit", section="quoted")
    own = row("tsm", "TSM + <b>mine</b>", "mine", published_row=None)
    rows = (quoted, row("tsn", "TSN"), row("tsn", "TSN + DNR", "dnr"), row("tsm", "TSM"), own)
    return TableSpec(
        paper="dnr", name="table6", title="DNR & others", caption="Kinetics-400.", published_csv="dnr_table6",
        rows=rows, columns=COLUMNS, footnotes=("A probe is no Kinetics.",),
    )  # fmt: skip


def record_of(layout: TableSpec, row: str, cell: str, results: dict[str, Any], **more: Any) -> Record:
    job = layout.row(row).cells[cell]
    fields = {
        "id": job.id, "paper": layout.paper, "table": layout.name, "row": row, "cell": cell, "kind": job.measure.kind,
        "status": "done", "spec": to_dict(job), "results": results, "environment": ENVIRONMENT,
        "command": ["python", "-m", "repro", "run", "table6"], "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:01:00+00:00", "wall_s": 60.0,
    }  # fmt: skip
    return Record.model_validate(fields | more)


def static(params: int, gmacs: float) -> dict[str, Any]:
    return {
        "params": params, "params_trainable": params, "params_method": 0,
        "sizes": {"224": {"gmacs": gmacs, "fvcore": gmacs, "ptflops": gmacs, "ptflops_aten": gmacs}},
        "uncounted": {"fvcore": {"aten::add": 16}},
        "modules": [{"name": "fc", "type": "Linear", "params": 1, "gmacs": 0.1}],
    }  # fmt: skip


def speed(seconds: float, ratio: float | None = None, **more: Any) -> dict[str, Any]:
    against = {
        "times_s": [0.1], "median_s": 0.1, "iqr_s": 0.01, "views_per_s": 10.0, "ratios": [ratio], "ratio_median": ratio,
        "ratio_iqr": 0.05,
    }  # fmt: skip
    facts = {
        "times_s": [seconds] * 3, "median_s": seconds, "iqr_s": 0.01, "views_per_s": 1 / seconds, "batch": 1,
        "size": 224, "threads": 1, "device": "cpu", "device_name": "A CPU <7>", "precision": "fp32", "form": "eager",
        "against": against if ratio else None,
    }  # fmt: skip
    return facts | more


def accuracy(top1: float, top5: float = 100.0, **more: Any) -> dict[str, Any]:
    return {"top1": top1, "top5": top5, "videos": 256, "left_out": [], "aggregations": {}} | more


@pytest.fixture
def records(layout: TableSpec) -> list[Record]:
    curve = [{"epoch": float(e), "loss": 2.0 / (e + 1), "lr": 0.1} for e in range(5)]
    left_out = [{"id": "<script>alert(1)</script>.mp4", "problem": "no frames"}]
    return [
        record_of(layout, "tsn_r50", "static", static(24_327_632, 32.7036)),
        record_of(layout, "tsn_r50_dnr", "static", static(28_366_864, 32.7041)),
        record_of(layout, "tsm_r50", "static", static(24_327_632, 32.7036)),
        record_of(layout, "tsn_r50", "speed", speed(0.5)),
        record_of(layout, "tsn_r50_dnr", "speed", speed(0.7, 1.4)),
        record_of(layout, "tsn_r50", "probe-order", accuracy(13.0), curve=curve),
        record_of(layout, "tsn_r50", "probe-order", accuracy(14.0), curve=curve, seed=1),
        record_of(layout, "tsn_r50_dnr", "probe-order", accuracy(97.0, left_out=left_out), curve=curve),
        record_of(layout, "tsm_r50", "probe-order", {}, status="failed", reason="MemoryError: <i>none</i> left"),
    ]
