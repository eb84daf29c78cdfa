"""Names that records, folders and files can bear."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repro.core.errors import BadOption
from repro.core.names import is_name, name_like
from repro.registry import Registry


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("my data", "my-data"),
        ("é", "e"),
        ("_x", "x"),
        ("日本", "data"),
        ("ucf101_split1.v2", "ucf101_split1.v2"),
        ("a/b", "a-b"),
        ("a@b", "a-b"),
        ("", "data"),
        ("x" * 130, "x" * 48),
    ],
)
def test_the_name_that_is_most_like(text: str, name: str) -> None:
    assert name_like(text) == name and is_name(name)


@given(st.text())
def test_any_text_has_a_name_which_is_its_own(text: str) -> None:
    assert is_name(name_like(text)) and name_like(name_like(text)) == name_like(text)


@pytest.mark.parametrize("name", ["a b", "a/b", "x" * 130, "", "-x", "é", "a\n", ".."])
def test_what_no_record_takes_is_not_registered(name: str) -> None:
    registry = Registry("method")
    with pytest.raises(BadOption, match="register it under another name"):
        registry.add(name, "module:thing")
    with pytest.raises(BadOption, match="letters, digits"):
        registry.register(name)(print)
    registry.add("a.b_c+d-2", "module:thing")
    Registry("table").add("paper/table", "module:thing")
    with pytest.raises(BadOption, match="letters, digits"):
        Registry("table").add("paper/a/b", "module:thing")
