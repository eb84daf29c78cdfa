"""How many of what, and how long, in words."""

from __future__ import annotations


def many(count: int, noun: str, plural: str = "") -> str:
    """`1 frame`, `8 frames`, `2,048 videos`: how many of what."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def duration(seconds: float) -> str:
    """`40 seconds`, `5 minutes`, `2.5 hours`: how long, to be read."""
    if seconds < 90:
        return many(max(1, round(seconds)), "second")
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
