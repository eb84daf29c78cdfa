"""Gains of a user's table: paired seed by seed, corrected for their number."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from repro.core.spec import Accuracy, Experiment, Model, Views
from repro.evidence.own_gains import own_gains
from repro.papers.table import ColumnSpec, RowSpec, TableSpec

TEST = Views(sampling="mmaction2.uniform_test_8")


def experiment(name):
    return Experiment(model=Model(name=name, backbone="resnet50"), measure=Accuracy(dataset="probe-order", test=TEST))


def layout(*rows):
    made = [RowSpec(key="base", label="b", cells={"my": experiment("base")})]
    made += [RowSpec(key=row, label=row, cells={"my": experiment(row)}, baseline="base") for row in rows]
    columns = (ColumnSpec(key="gain", title="gain", source="gain:my:top1"),)
    return TableSpec(paper="own", name="t", title="t", rows=tuple(made), columns=columns, file="t.toml")


def found(rows, results):
    def done(one):
        values = results[one.model.name]
        return [SimpleNamespace(seed=seed, results={"top1": value}) for seed, value in values.items()]

    return {row: gain for (row, _), gain in own_gains(layout(*rows), done).items()}


def test_what_a_seed_decides_for_both_falls_out():
    base = {0: 20.0, 1: 50.0, 2: 80.0}
    gains = found(["a"], {"base": base, "a": {seed: value + 2 + 0.1 * seed for seed, value in base.items()}})
    assert gains["a"].value == pytest.approx(2.1) and gains["a"].half == pytest.approx(0.2484, abs=1e-3)
    assert (gains["a"].word, gains["a"].seeds) == ("higher", 3)


def test_only_seeds_that_both_have_count_and_one_is_none():
    assert found(["a"], {"base": {0: 1.0, 1: 2.0}, "a": {1: 3.0, 2: 9.0}}) == {}
    gains = found(["a"], {"base": {0: 1.0, 1: 2.0, 5: 7.0}, "a": {0: 3.0, 1: 4.5, 9: 0.0}})
    assert (gains["a"].seeds, gains["a"].value) == (2, 2.25)


def test_a_gain_that_is_sure_alone_is_not_among_many():
    base = {seed: 50.0 for seed in range(4)}
    near = dict(zip(range(4), (50.5, 51.5, 52.5, 51.9), strict=True))
    alone = found(["a"], {"base": base, "a": near})
    many = found(
        list("abcdef"), {"base": base, "a": near, **{row: {0: 49.0, 1: 51.0, 2: 50.5, 3: 49.4} for row in "bcdef"}}
    )
    assert alone["a"].word == "higher" and many["a"].word == "undecided"
    assert alone["a"].half == many["a"].half
