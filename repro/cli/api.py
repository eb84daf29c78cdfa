"""What `import repro` offers, each a function of the suite: networks, predictions, tables, records, checks, costs.

    net = repro.model("tsm", method="dnr").load("w.safetensors")
    repro.predict("clips/", net).to_frame()
    repro.table("table6").to_frame()

Nothing heavy is imported before it is needed: tables and records read without torch; frames need pandas.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro import papers
from repro.cli.arguments import changed_model
from repro.core import spec
from repro.core.errors import BadOption, RecordError, WeightsError
from repro.evidence.check_rules import Finding
from repro.records.index import shown_records
from repro.records.schema import Record
from repro.registry import models

if TYPE_CHECKING:
    import pandas as pd
    from torch import Tensor, nn

    from repro.engine.predict import Prediction
    from repro.models.pretrained import Trained
    from repro.report.table import Table as Shown

__all__ = ["Counts", "Network", "Table", "check", "count", "model", "predict", "records", "speed", "table"]

Paths = str | Path | Iterable[str | Path]


class Network:
    """A network by its spec; its module is built, with random weights, when it is first asked for."""

    def __init__(self, spec: spec.Model, given: frozenset[str] = frozenset()) -> None:
        self.spec, self._given = spec, given

    def __repr__(self) -> str:
        method = f"+{self.spec.method}" if self.spec.method else ""
        return f"<{self.spec.name}{method} on {self.spec.backbone}, {self.spec.frames} frames>"

    @cached_property
    def trained(self) -> Trained:
        """The module with its input's normalization, test views and class names."""
        import torch

        from repro.models import pretrained

        with torch.random.fork_rng(devices=[]):
            return pretrained.random(self.spec)

    @property
    def module(self) -> nn.Module:
        """The PyTorch module, in evaluation."""
        return self.trained.module

    @property
    def classes(self) -> list[str]:
        """Names of the classes, in the order of the logits."""
        return [self.trained.class_name(number) for number in range(self.spec.num_classes)]

    def load(self, weights: str | Path) -> Network:
        """This network with the weights of a file of `train` or `import-weights`, or a name of `weights list`.

        What was not given when it was named (backbone, frames, options, number of classes) is the file's. Raises
        `WeightsError` where the file is of another network.
        """
        import torch

        from repro.models import pretrained
        from repro.models.known_weights import file_of

        path = file_of(weights)
        saved = pretrained.saved(path).model
        own = {name: getattr(self.spec, name) for name in ("name", "method", *sorted(self._given))}
        for name in ("name", "backbone", "method", "num_classes"):
            if own.get(name, getattr(saved, name)) != getattr(saved, name):
                told = (
                    f"{str(weights)!r} is of {name} {getattr(saved, name)!r}, the network asked for has {own[name]!r}"
                )
                raise WeightsError(told, fix="name the network that the file is of")
        wanted = spec.replace(saved, **own)
        with torch.random.fork_rng(devices=[]):
            self.trained = pretrained.load(path, wanted)
        self.spec = self.trained.model
        return self

    def __call__(self, clips: Tensor) -> Tensor:
        """Logits (N, K) of normalized clips float32 (N, T, 3, H, W), TDN (N, T, 5, 3, H, W); no gradients."""
        import torch

        with torch.inference_mode():
            return self.module(clips)  # type: ignore[no-any-return]


def model(
    name: str,
    *,
    method: str | None = None,
    backbone: str = "",
    frames: int = 0,
    classes: int = 0,
    options: Mapping[str, Any] | None = None,
    method_options: Mapping[str, Any] | None = None,
) -> Network:
    """A network: a registered model (`tsm`), or a table's row (`table6/tsm_r50_dnr`), with what is given changed.

    Without a row: ResNet-50, 8 frames, 400 classes, no method, or what weights say that are loaded. Raises
    `UnknownName` with the nearest names.
    """
    row = papers.row_model(name) if "/" in name else None
    base = row or spec.Model(name=models[name].name, backbone="resnet50")
    asked: dict[str, Any] = {"backbone": backbone, "frames": frames, "num_classes": classes}
    asked |= {"options": options, "method_options": method_options}
    given = {name for name, value in asked.items() if value}
    given |= {"backbone", "frames", "options", "method_options"} if row else set()
    return Network(changed_model(base, method=method, **asked), frozenset(given))


class Predictions(list["Prediction"]):
    """One for each clip, in order: `clip`, `classes` (best first: number, name, score), `problem`, `frames`."""

    def to_frame(self) -> pd.DataFrame:
        """A line a clip: `path`, `class1`, `score1` (0 to 1), ..., `problem` (empty where it was read)."""
        import pandas as pd

        lines = []
        for one in self:
            line: dict[str, Any] = {"path": str(one.clip)}
            for k, best in enumerate(one.classes, 1):
                line |= {f"class{k}": best["name"], f"score{k}": best["score"]}
            lines.append({**line, "problem": one.problem})
        frame = pd.DataFrame(lines)
        return frame[[*(name for name in frame if name != "problem"), "problem"]] if lines else frame


def predict(
    clips: Paths,
    network: Network | str | Path,
    *,
    top: int = 5,
    device: str = "auto",
    decoder: str = "auto",
    workers: int = 1,
) -> Predictions:
    """The best classes of clips: files, folders, patterns or lists of them, as the command line takes them.

    `network` has its weights, or is a file of weights. A clip that cannot be read has a `problem` in place of classes.
    """
    from repro.data.clip_paths import clips_of
    from repro.engine.predict import predictions
    from repro.models import pretrained
    from repro.models.device import device_of
    from repro.models.known_weights import file_of

    found = network.trained if isinstance(network, Network) else pretrained.load(file_of(network))
    if found.sha256 is None:
        raise BadOption(f"{found.label} has nothing to say", fix="network.load('w.safetensors')")
    paths = clips_of([clips] if isinstance(clips, str | Path) else clips)
    how: dict[str, Any] = {"decoder": decoder, "device": device_of(device), "workers": workers}
    return Predictions(predictions(paths, found, found.views, top=top, **how))


@dataclass(frozen=True)
class Counts:
    """Of one view."""

    params: int
    params_method: int
    """Of them, those of the method."""
    size: int
    """Side of the crop in pixels."""
    gmacs: float
    """10^9 multiply-accumulates by torch.utils.flop_counter."""
    fvcore: float | None
    """The same by fvcore; None where that counter fails."""
    ptflops: float | None


def count(network: Network | str, size: int = 224) -> Counts:
    """Parameters and multiply-accumulates of one view of `size` x `size`; no weights are needed."""
    from repro.cost.macs import measure_static

    found = measure_static(_spec(network), spec.Static(sizes=(size,)))
    counted = {name: found["sizes"][str(size)].get(name) for name in ("gmacs", "fvcore", "ptflops")}
    return Counts(found["params"], found["params_method"], size, **counted)


def speed(
    network: Network | str,
    *,
    size: int = 224,
    batch: int = 1,
    repeats: int = 11,
    fast: bool = False,
    device: str = "cpu",
    threads: int | None = None,
) -> dict[str, Any]:
    """Forward time of `batch` views of `size` x `size` here: `median_s` and `times_s` in seconds, `iqr_s` quartiles,
    `views_per_s`, `threads`, `device_name`; with a method `against`, its host timed in turn (`ratio_median`).

    As written, or `fast`: in the fastest form within 1e-5 of that. Random weights; nothing is recorded.
    """
    from repro.cost.speed import measure_speed
    from repro.models.device import device_of

    own = _spec(network)
    host = spec.replace(own, method=None, method_options=spec.frozen()) if own.method else None
    form: Any = "fast" if fast else "eager"
    measure = spec.Speed(size=size, batch=batch, repeats=repeats, form=form, against=host)
    return measure_speed(own, measure, device=device_of(device), threads=threads)


def _spec(network: Network | str) -> spec.Model:
    return network.spec if isinstance(network, Network) else model(network).spec


class Table:
    """A table as its records make it; shown in its short form."""

    def __init__(self, name: str, with_methods: Sequence[str] = (), *, reference: bool = False) -> None:
        self.layout = papers.find(name, with_methods)
        self._reference = reference

    @cached_property
    def shown(self) -> Shown:
        """Rows, columns, footnotes."""
        from repro.report import build

        return build(self.layout, shown_records(reference=self._reference))

    def to_frame(self) -> pd.DataFrame:
        """A line a row; columns in two levels: `row`, `printed`, `here`, `verdict`. See `repro.report.frame`."""
        from repro.report.frame import table_frame

        return table_frame(self.shown, self.layout)

    def notes(self) -> pd.DataFrame:
        """What is said of its numbers: `row`, `column`, `kind`, `text`."""
        from repro.report.frame import notes_frame

        return notes_frame(self.shown)

    def __repr__(self) -> str:
        from repro.report import chosen
        from repro.report.text import render_text

        return render_text(chosen(self.shown, self.layout), width=110)

    def _repr_html_(self) -> str:
        from repro.report import chosen
        from repro.report.html import render_html

        return render_html(chosen(self.shown, self.layout))


def table(name: str, with_methods: Sequence[str] = (), *, reference: bool = False) -> Table:
    """A table by its name (`table6`, `adafuse/table5`), with rows of these methods; `reference`: of the committed
    records alone. Reads records, computes nothing, imports no torch.
    """
    return Table(name, with_methods, reference=reference)


class Records(list[Record]):
    """Stored measurements, sorted by place."""

    def to_frame(self) -> pd.DataFrame:
        """A line a record: its place, network, device, and each single number of its results."""
        from repro.report.frame import records_frame

        return records_frame(self)


def records(table: str = "", *, reference: bool = False) -> Records:
    """The stored records, own ones before the committed ones; of one `table`, or of all."""
    index = shown_records(reference=reference)
    if not table:
        return Records(index.records())
    layout = papers.find(table)
    return Records(index.of_table(layout.full_name, layout.ids))


class Findings(list[Finding]):
    """What the linter found, worst first: `rule`, `severity`, `cells`, `arithmetic`, `means`."""

    def to_frame(self) -> pd.DataFrame:
        """A line a finding."""
        from repro.report.frame import findings_frame

        return findings_frame(self)


def check(tables: pd.DataFrame | Paths) -> Findings:
    """Arithmetic, physics and protocol of printed numbers: of a frame with the columns of `results/published` (`row`
    may be its index; texts keep the printed digits, `74.30`), or of CSV files and folders of them.
    """
    import pandas as pd

    from repro.evidence.check import check_tables, read_tables

    if not isinstance(tables, pd.DataFrame):
        paths = [tables] if isinstance(tables, str | Path) else list(tables)
        return Findings(check_tables(read_tables([Path(path) for path in paths]), records()))
    frame = tables if "row" in tables.columns else tables.rename_axis("row").reset_index()
    frame = frame if "note" in frame.columns else frame.assign(note="")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "frame_table.csv"
        frame.to_csv(file, index=False)
        try:
            return Findings(check_tables(read_tables([file]), records()))
        except RecordError as error:
            raise RecordError(str(error).replace(str(file), "the frame").replace(file.name, "the frame")) from error
