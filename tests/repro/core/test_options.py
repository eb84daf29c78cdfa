from __future__ import annotations

from dataclasses import dataclass, field, fields

import pytest

from methods.adafuse.insert import Options as AdaFuse
from methods.dnr.insert import Options as Dnr
from methods.psn.insert import Options as Psn
from methods.psn.rf import Options as Rf
from repro.core.errors import BadOption
from repro.core.options import declared, name_and_options, resolved
from repro.registry import methods


@dataclass(frozen=True, kw_only=True)
class Options:
    reduction: int = 4
    """Channels over
    the width."""
    stages: tuple[int, ...] = (1, 2)
    rate: float | None = None
    """A share."""
    places: tuple[str, ...] = field(default_factory=lambda: ("bn1",))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("dnr", ("dnr", {})),
        ("gate:reduction=8", ("gate", {"reduction": 8})),
        ("gate:stages=[1,2],rate=0.5,name=a,b", ("gate", {"stages": (1, 2), "rate": 0.5, "name": "a,b"})),
        ("gate:cl=null,on=true", ("gate", {"cl": None, "on": True})),
    ],
)
def test_a_method_with_its_options_on_the_command_line(text, found):
    assert name_and_options(text) == found


def test_a_declaration_tells_names_types_defaults_and_help():
    assert [(one.name, one.default, one.help) for one in declared(Options)] == [
        ("reduction", "4", "Channels over the width."),
        ("stages", "(1, 2)", ""),
        ("rate", "None", "A share."),
        ("places", "('bn1',)", ""),
    ]


def test_a_users_options_enter_with_their_defaults():
    assert resolved("method gate", Options, {"reduction": 8}) == {
        "reduction": 8, "stages": (1, 2), "rate": None, "places": ("bn1",),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"reductoin": 8}, "method gate has no option 'reductoin'; did you mean reduction"),
        ({"reduction": "x"}, "reduction 'x' is not possible.*a whole number"),
        ({"reduction": True}, "reduction True is not possible"),
        ({"stages": ("a",)}, "stages"),
        ({"rate": "much"}, "rate 'much'"),
    ],
)
def test_what_is_not_declared_is_refused(given, told):
    with pytest.raises(BadOption, match=told):
        resolved("method gate", Options, given)


def test_a_method_without_a_declaration_takes_none():
    assert resolved("method gate", None, {}) == {}
    with pytest.raises(BadOption, match="declares no option, and is given reduction"):
        resolved("method gate", None, {"reduction": 8})


@pytest.mark.parametrize(("name", "kind"), [("dnr", Dnr), ("adafuse", AdaFuse), ("psn", Psn), ("rf_s", Rf)])
def test_the_suites_own_are_read_without_importing_them_as_they_are(name, kind):
    told = declared(methods[name].facts["options"])
    assert [one.name for one in told] == [one.name for one in fields(kind)]
    assert all(one.help for one in told)
    for one, true in zip(told, fields(kind), strict=True):
        assert one.default in (str(true.default), one.default.upper())


@pytest.mark.parametrize("entry", [entry for entry in methods if entry.origin == "repro"], ids=lambda one: one.name)
def test_every_own_method_declares_and_keeps_what_is_given_alone(entry):
    assert entry.resolved({}) == {}
    with pytest.raises(BadOption, match=f"method {entry.name} has no option"):
        entry.resolved({"nothing_of_the_kind": 1})
