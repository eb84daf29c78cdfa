"""An accuracy that was read from a file of scores, as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from repro.evidence.rescored import Reading


def render_reading(reading: Reading, shown: int = 5) -> Sequence[str]:
    """The reading as text."""
    told = [f"{reading.test} views, {reading.fusion}, {reading.subset}: {reading.scored} videos scored"]
    told[0] += f", {len(reading.missing)} missing" if reading.missing else ""
    told[0] += f", {reading.beyond} scored beside them" if reading.beyond else ""
    for name, rate in reading.rates.items():
        one = rate.scored
        text = f"  {name.replace('top', 'top-')}  {one.value:6.2f} %   95 % interval {one.low:.2f} to {one.high:.2f}"
        if reading.missing:
            text += f"   with all {len(reading.missing)} missing wrong {rate.low:.2f}, all right {rate.high:.2f}"
        told.append(text)
    told += [f"  {note}" for note in reading.notes]
    told += [f"  missing: {one}" for one in reading.missing[:shown]]
    if len(reading.missing) > shown:
        told.append(f"  ... and {len(reading.missing) - shown} more")
    return told
