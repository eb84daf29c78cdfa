"""Hypothesis over readers of files: a few cases each in the default run, 100,000 each by `tox -e fuzz`.

Hypothesis draws one case in five; each is read four times more with other bytes damaged, which are made sooner than a
case is drawn. The seed is printed, and `REPRO_FUZZ_SEED` repeats it; `REPRO_FUZZ_CASES` is another number than 100,000.
"""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Callable
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from repro.core.errors import ReproError

FEW = 80
MANY = int(os.environ.get("REPRO_FUZZ_CASES") or 100_000)


def fuzz(strategy: st.SearchStrategy[Any], check: Callable[[Any], Any], count: int, near: int = 4) -> None:
    """Call `check` with so many cases; any exception but a `ReproError` with a sentence fails.

    Args:
        near: how many damages of each drawn case are cases too; 0 for what is neither bytes nor text.
    """
    seed = int(os.environ.get("REPRO_FUZZ_SEED") or (random.randrange(2**32) if count > FEW else 0))
    print(f"REPRO_FUZZ_SEED={seed}, {count} cases")

    drawn = -(-count // (near + 1))

    @settings(max_examples=drawn, deadline=None, database=None, suppress_health_check=list(HealthCheck),
              phases=(Phase.generate, Phase.shrink))  # fmt: skip
    @hypothesis.seed(seed)
    @given(strategy)
    def once(case: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            chance = random.Random(repr(case))
            for one in (case, *(damaged(case, chance) for _ in range(near))):
                hypothesis.note(repr(one)[:2000])
                try:
                    check(one)
                except ReproError as error:
                    assert str(error) and len(str(error)) < 20_000

    once()


def damaged(case: Any, chance: random.Random) -> Any:
    """Bytes or a text with a piece cut, doubled, turned or put in; of a tuple, one of the parts that are bytes."""
    if isinstance(case, tuple):
        at = chance.choice([at for at, part in enumerate(case) if isinstance(part, bytes)])
        return (*case[:at], damaged(case[at], chance), *case[at + 1 :])
    at = chance.randrange(len(case) + 1)
    piece = case[at : at + chance.randint(1, 8)]
    strange = chance.randrange(256)
    new = bytes([strange]) if isinstance(case, bytes) else chr(strange)
    return case[:at] + chance.choice([piece * 2, piece[::-1], new, new + piece, case[:0]]) + case[at + len(piece) :]


def mutated(bases: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the files, with bytes changed, put in, taken out, and cut off."""
    edit = st.tuples(st.floats(0, 1), st.sampled_from("=+-|"), st.binary(min_size=1, max_size=6))

    def apply(case: tuple[bytes, list[tuple[float, str, bytes]]]) -> bytes:
        data = bytearray(case[0])
        for where, how, what in case[1]:
            at = int(where * len(data))
            if how == "=":
                data[at : at + len(what)] = what
            elif how == "+":
                data[at:at] = what
            elif how == "-":
                del data[at : at + len(what)]
            else:
                del data[at:]
        return bytes(data)

    return st.tuples(st.sampled_from(bases), st.lists(edit, max_size=4)).map(apply)


TEXTS = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["", "²", "-1", "0", "1e999", "nan", "9" * 5000, "~nouser/x", "[bold]", "../x", "\udc80", "a=b", "a\nb"]
    ),
)
NUMBERS = st.one_of(st.integers(-3, 9), st.integers(), st.floats(), st.booleans(), st.none())
JSON = st.recursive(
    st.one_of(NUMBERS, st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)


def encoded(text: str) -> bytes:
    """Bytes of any text, of halves of letters too."""
    return text.encode(errors="surrogatepass")


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """A JSON document in which some values are others, or gone, at any depth."""
    if draw(st.integers(0, 3)) == 0:
        return draw(JSON)
    if isinstance(document, dict) and document:
        keys = draw(st.sets(st.sampled_from(sorted(document)), max_size=2))
        kept = {key: draw(changed(value)) if key in keys else value for key, value in document.items()}
        return {key: value for key, value in kept.items() if key not in keys or draw(st.integers(0, 4))}
    if isinstance(document, list) and document:
        at = draw(st.integers(0, len(document) - 1))
        return [*document[:at], draw(changed(document[at])), *document[at + 1 :]]
    return draw(JSON)
