"""Times of compact AdaFuse as text for the terminal. Nothing is computed here but units and shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from repro.cli.cost_text import told_load, told_ratio, told_time


def render_compact(name: str, result: Mapping[str, Any]) -> RenderableType:
    """One operating point: arithmetic, times, ways of the blocks, parts, a stream's frames."""
    decided, gmacs, against = result["decided"], result["gmacs"], result["against"]
    kinds = ", ".join(f"{100 * share:.0f} % {kind}" for kind, share in result["kinds"].items() if share)
    parts = ", ".join(f"{part.replace('_', ' ')} {1e3 * taken:.0f}" for part, taken in result["parts_s"].items())
    stream, off = result["stream"], gmacs["rule_off_percent_but_first_reuse"]
    lines = [
        f"decisions {name}: " + ", ".join(f"{action} {100 * share:.1f} %" for action, share in decided.items()),
        f"  GMACs: executed {gmacs['executed']:.2f}, of TSN {gmacs['plain']:.2f}: {gmacs['ratio']:.3f}; "
        f"by eq. 5 {gmacs['rule']:.2f}, executed if all blocks are compact {gmacs['compact']:.2f} ({off:+.3f} % off "
        f"eq. 5 without the {gmacs['first_reuse']:.2f} of zeros reused before the first frame)",
        f"  compact: {told_time(result)}; {result['form_detail']['chosen']}",
        f"  TSN: {told_time(against)}; {against['form_detail']['chosen']}",
        f"  masked: {told_time(result['masked'])}; as the authors run it",
        f"  compact / TSN {told_ratio(against)}   masked / TSN {told_ratio(result['masked'])}   "
        f"compact / masked {told_ratio(result['over_masked'])}",
        f"  blocks: {kinds}; calibrated in {result['calibration_s']:.1f} s; logits differ from those of the masked "
        f"network by at most {result['max_rel_error']:.2g} of the largest one",
        f"  parts (ms): {parts}",
        f"  one frame of a stream: {told_time(stream)}, TSN {1e3 * stream['plain_median_s']:.1f} ms: "
        f"{told_ratio(stream)}; its logits differ by at most {stream['max_rel_error']:.2g}",
        f"  {result['device_name']} ({result['device']}), {result['threads']} thread(s), {result['layout']}",
    ]
    return Text("\n".join([*lines, *told_load(result["machine"], "ratios")]))


def render_points(results: Mapping[str, Mapping[str, Any]]) -> RenderableType:
    """Ratios of arithmetic and of time side by side."""
    table = Table(title="compact AdaFuse, beside TSN at its fastest", title_justify="left")
    for title in ("decisions", "GMACs / TSN", "time / TSN", "masked / TSN", "frame / TSN"):
        table.add_column(title, justify="left" if title == "decisions" else "right")
    for name, result in results.items():
        ratios = (result["against"], result["masked"], result["stream"])
        table.add_row(name, f"{result['gmacs']['ratio']:.3f}", *(f"{ratio['ratio_median']:.3f}" for ratio in ratios))
    return table
