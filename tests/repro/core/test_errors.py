from __future__ import annotations

import pytest

from repro.core.errors import BadOption, DataError, NotConfigured, RecordError, ReproError, UnknownName, WeightsError


def test_the_message_holds_what_is_allowed_and_what_mends_it():
    error = BadOption("relay distance 3 does not divide 8 frames", allowed="1, 2, 4, 8", fix="relay_distance=4")
    assert str(error) == "relay distance 3 does not divide 8 frames; allowed: 1, 2, 4, 8; try: relay_distance=4"


def test_the_family_is_one():
    for kind in (BadOption, DataError, NotConfigured, RecordError, WeightsError, UnknownName):
        assert issubclass(kind, ReproError)


@pytest.mark.parametrize("name", ["", "zzzzzz", "t" * 500, "né\n<b>"])
def test_a_far_name_is_listed_without_a_suggestion(name):
    error = UnknownName("model", name, ["tsn", "tsm"])
    assert "tsm, tsn" in str(error)


def test_long_lists_are_cut():
    assert "(99 in all)" in str(UnknownName("row", "x", [f"row{i:02d}" for i in range(99)]))
