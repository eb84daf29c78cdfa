"""Counts and times of one network as text for the terminal. Nothing is computed here but differences and ratios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from repro.core.spec import Model
from repro.core.words import many
from repro.cost.macs import COUNTERS, matching_sizes
from repro.papers import published

_TEST_CROP = 256
_MANY = 8


def render_flops(model: Model, result: Mapping[str, Any]) -> RenderableType:
    """Counters side by side at each crop, what each leaves out, parameters, and the modules."""
    parts: list[RenderableType] = [_counts(model, result), _parameters(result)]
    parts += _printed_lines(model, result)
    parts += [Text(f"{COUNTERS[name]} failed: {why}", style="red") for name, why in result["failed"].items()]
    parts += [_left_out(name, calls) for name, calls in result["uncounted"].items()]
    if result["modules"]:
        parts.append(_modules(result))
    return Group(*parts)


def render_speed(model: Model, result: Mapping[str, Any]) -> RenderableType:
    """One measurement: times, rate, spread, form, memory, ratio and what to think of it."""
    lines = [
        f"{describe(model)}: batch {result['batch']} of {model.frames}x{result['size']}x{result['size']}, "
        f"{result['precision']}, {result['form']} form, {result['layout']}",
        f"  {told_time(result)}   {result['views_per_s']:.3g} views/s   "
        f"{many(len(result['times_s']), 'repeat')} after {result['warmup']} to warm up",
        f"  {result['device_name']} ({result['device']}), {result['threads']} thread(s), "
        f"peak memory {result['peak_memory_bytes'] / 2**20:.0f} MiB ({result['peak_memory_of']})",
    ]
    lines += _form_lines(result)
    against = result["against"]
    if against:
        low, high = against["ratio_iqr"]
        lines.append(f"  without {model.method}: {told_time(against)}   {against['views_per_s']:.3g} views/s")
        lines.append(f"  time with / without: {against['ratio_median']:.3f} (quartiles {low:.3f} to {high:.3f})")
    if result.get("saturation"):
        lines.append(f"  {_full(result['saturation'], model)}")
    if result["precision"] == "bf16" and result["machine"]["cpu_bf16"] is False:
        lines.append("  this CPU has no bf16 arithmetic and converts to fp32 and back: slower than fp32")
    lines.append(f"  arithmetic: {result['roofline']['text']}")
    lines += told_load(result["machine"], "ratio")
    return Text("\n".join(lines))


def render_end_to_end(label: str, found: Mapping[str, Any]) -> str:
    """What came out of files and what each part alone would give."""
    rates = f"decoding alone {found['decoded_per_s']:.3g}, the network alone {found['network_per_s']:.3g}"
    return (
        f"{label}: {found['videos_per_s']:.3g} videos/s from file to scores, {many(found['views'], 'view')} a video\n"
        f"  {rates}: {found['of_the_slower']:.2f} of the slower\n"
        f"  {found['videos']} videos, {many(found['workers'], 'process', 'processes')} to decode, "
        f"{many(found['threads'], 'thread')}, {found['device_name']}"
    )


def _full(readings: Sequence[Mapping[str, Any]], model: Model) -> str:
    best = max(readings, key=lambda reading: reading["views_per_s"])
    text = f"full at batch {best['batch']} of 1 to {readings[-1]['batch']}: {best['views_per_s']:.4g} views/s"
    return text + (f", {best['against']['ratio_median']:.3f} times without {model.method}" if "against" in best else "")


def render_sweep(model: Model, results: Sequence[Mapping[str, Any]]) -> RenderableType:
    """Views per second and memory against batch size."""
    table = Table(
        title=f"{describe(model)}, {results[0]['precision']}, {results[0]['form']} form", title_justify="left"
    )
    for title in ("batch", "time (s)", "quartiles (s)", "views/s", "peak memory (MiB)"):
        table.add_column(title, justify="right")
    for result in results:
        low, high = result["iqr_s"]
        rate, memory = f"{result['views_per_s']:.3g}", f"{result['peak_memory_bytes'] / 2**20:.0f}"
        table.add_row(str(result["batch"]), f"{result['median_s']:.4g}", f"{low:.4g} to {high:.4g}", rate, memory)
    return table


def describe(model: Model) -> str:
    """`tsm+dnr on resnet50, 8 frames, 400 classes`."""
    method = f"+{model.method}" if model.method else ""
    shape = f"{many(model.frames, 'frame')}, {many(model.num_classes, 'class', 'classes')}"
    return f"{model.name}{method} on {model.backbone}, {shape}"


def printed_gmacs(model: Model) -> list[tuple[str, str, str]]:
    """(table, row, printed number) of this network in the papers' tables; they print it under the name GFLOPs."""
    found = []
    for stem, table in published.load_all().items():
        for row in table.rows.values():
            value = {column: cell.text for column, cell in row.values.items()}
            same = (value.get("model"), value.get("backbone"), value.get("method")) == (
                model.name, model.backbone, model.method,
            )  # fmt: skip
            if same and "gflops" in value and value.get("frames", "").split("x")[0] == str(model.frames):
                found.append((stem, row.key, value["gflops"]))
    return found


def _counts(model: Model, result: Mapping[str, Any]) -> Table:
    table = Table(title=f"{describe(model)}: GMACs of one view", title_justify="left")
    table.add_column("counter")
    for size in result["sizes"]:
        note = "\n(crop of the test)" if int(size) == _TEST_CROP else ""
        table.add_column(f"{size}x{size}{note}", justify="right")
    for name, spelled in COUNTERS.items():
        values = [counts.get(name) for counts in result["sizes"].values()]
        table.add_row(spelled, *("failed" if value is None else f"{value:.3f}" for value in values))
    return table


def _parameters(result: Mapping[str, Any]) -> Text:
    text = f"parameters: {result['params']:,}, trainable {result['params_trainable']:,}"
    return Text(text + (f", of the method {result['params_method']:+,}" if result["params_method"] else ""))


def _printed_lines(model: Model, result: Mapping[str, Any]) -> list[Text]:
    rows: dict[str, list[str]] = {}
    for stem, row, text in printed_gmacs(model):
        rows.setdefault(text, []).append(f"{stem} {row}")
    lines = []
    for text, names in rows.items():
        sizes = sorted({size for size, _ in matching_sizes(dict(result), text)})
        fits = " and ".join(f"{size}x{size}" for size in sizes)
        where = f"counted on crops of {fits}" if sizes else "not reproduced at these crops by any counter"
        tested = "" if _TEST_CROP in sizes else f"; the protocol tests on {_TEST_CROP}x{_TEST_CROP}"
        lines.append(Text(f"printed {text} ({', '.join(names)}): {where}{tested}"))
    return lines


def _left_out(name: str, calls: Mapping[str, int]) -> Text:
    most = sorted(calls.items(), key=lambda item: -item[1])
    listed = ", ".join(f"{op.removeprefix('aten::')} x{count}" for op, count in most[:_MANY])
    more = f" and {len(most) - _MANY} more" if len(most) > _MANY else ""
    return Text(f"not counted by {COUNTERS[name]}: {listed or 'nothing'}{more}", style="dim")


def _modules(result: Mapping[str, Any]) -> Table:
    size = next(iter(result["sizes"]))
    table = Table(title=f"modules at {size}x{size}, by torch.utils.flop_counter / 2", title_justify="left")
    for title in ("module", "type"):
        table.add_column(title)
    for title in ("parameters", "GMACs"):
        table.add_column(title, justify="right")
    for row in result["modules"]:
        indent = "  " * row["name"].count(".")
        table.add_row(indent + row["name"], row["type"], f"{row['params']:,}", f"{row['gmacs']:.3f}")
    return table


def told_time(result: Mapping[str, Any]) -> str:
    """Median and quartiles."""
    low, high = result["iqr_s"]
    return f"median {result['median_s'] * 1e3:.1f} ms (quartiles {low * 1e3:.1f} to {high * 1e3:.1f})"


def told_ratio(result: Mapping[str, Any]) -> str:
    """Median and quartiles of a ratio of times."""
    low, high = result["ratio_iqr"]
    return f"{result['ratio_median']:.3f} ({low:.3f} to {high:.3f})"


def told_load(machine: Mapping[str, Any], what: str) -> list[str]:
    """A line where other work disturbed; `what` is to be trusted all the same."""
    load, cores = machine["load_before"], machine["cores"]
    if load is None or not cores or load <= cores / 2:
        return []
    return [f"  other work was running (load {load:g} on {cores} cores): trust the {what}, not the seconds"]


def _form_lines(result: Mapping[str, Any]) -> list[str]:
    lines = []
    if result["max_rel_error"] is not None:
        lines.append(f"  logits differ from eager fp32 by at most {result['max_rel_error']:.2g} of the largest one")
    detail = result["form_detail"]
    if detail:
        lines.append(f"  form: {detail['chosen']}")
    for name, entry in (detail or {}).get("candidates", {}).items():
        what = f"{entry['median_s'] * 1e3:.1f} ms" if "median_s" in entry else f"left out: {entry['left_out']}"
        lines.append(f"    {name}: {what}")
    return lines
