"""The papers' tables with a dataset of the user's own."""

from __future__ import annotations

import pytest

from repro import papers, registry
from repro.core.errors import BadOption
from repro.core.spec import Model, Views
from repro.data.sampling import clip_length_of, clips_of, frames_of
from repro.papers.default_views import views_of
from repro.papers.recipes.fitted import fitted
from repro.papers.recipes.used import DENSE_K400_TEST, DNR_K400, KINETICS
from repro.papers.with_data import OwnData, with_data
from repro.report.build_table import table_view
from repro.report.short_columns import counterparts
from repro.report.short_form import short_form

pytestmark = pytest.mark.usefixtures("own_registry")


def test_each_row_that_the_paper_trains_is_trained_on_it_by_its_own_recipe(tiny_csv):
    plain, table = papers.find("table6"), papers.find("table6", data=OwnData(str(tiny_csv)))
    for before, row in zip(plain.rows, table.rows, strict=True):
        assert all(row.cells[cell] == experiment for cell, experiment in before.cells.items())
        if row.section == "quoted":
            assert row.cells.keys() == before.cells.keys()
            continue
        usual, own = row.cells["kinetics400"], row.cells["own-tiny"]
        assert own.measure.dataset.startswith("tiny@") and own.model.num_classes == 3
        assert own.measure.train.epochs == usual.measure.train.epochs and own.measure.test == usual.measure.test
        assert own.measure.train.batch == 12
    keys = [column.key for column in table.columns]
    assert keys[-2:] == ["tiny_top1", "tiny_gain"]
    assert "Your data, not the paper's: tiny, 3 classes, 12 train and 5 val videos" in table.columns[-2].note
    assert "batch 12 for the recipe's 64" in table.columns[-2].note


def test_a_method_of_ones_own_stands_on_ones_own_data(tiny_csv):
    table = papers.find("table6", ["psn"], OwnData(str(tiny_csv)))
    assert table.row("tsn_r50_psn").cells["own-tiny"].model.method == "psn"
    assert [column.source for column in table.columns].count("gain:own-tiny:top1") == 1


def test_nothing_of_it_stands_beside_print(tiny_csv):
    layout = papers.find("table6", data=OwnData(str(tiny_csv)))
    table = table_view(layout, [])
    beside = [layout.columns[at].source for at in counterparts(table, layout, "top1")]
    assert beside == ["record:kinetics400:top1"]
    short = short_form(table, layout, columns=["tiny_top1"])
    assert [(column.title, column.group) for column in short.columns] == [("your tiny top-1", "here")]


def test_views_crop_and_recipe_are_changed_on_it_alone(tiny_csv):
    own = OwnData(str(tiny_csv), "1x1", 112, {"epochs": 2, "pretrained": "none"})
    table = with_data(papers.find("table6"), own)
    for row in (one for one in table.rows if one.section != "quoted"):
        measure = row.cells["own-tiny"].measure
        assert (measure.test.clips, measure.test.crops, measure.test.crop, measure.test.resize) == (1, 1, 112, 112)
        assert clip_length_of(measure.test.sampling) == (5 if row.key.startswith("tdn") else 1)
        assert measure.train.epochs == 2 and row.cells["own-tiny"].model.pretrained == "none"
    assert "changed: epochs=2, pretrained=none, views 1x1, test crop 112" in table.columns[-2].note


def test_a_table_without_such_rows_says_so(tiny_csv):
    with pytest.raises(BadOption, match="trains no network on a dataset of its paper"):
        papers.find("suite/matrix", data=OwnData(str(tiny_csv)))


@pytest.mark.parametrize(
    ("videos", "batch", "lr"), [(1000, 64, 0.1), (64, 64, 0.1), (42, 42, 0.065625), (3, 3, 0.0046875)]
)
def test_a_batch_is_no_larger_than_the_data_and_the_rate_goes_with_it(videos, batch, lr):
    made, told = fitted(DNR_K400, videos)
    assert (made.batch, made.lr) == (batch, lr) and bool(told) == (videos < 64)


def test_clips_on_a_device_still_make_up_a_fitted_batch():
    from dataclasses import replace

    made, _ = fitted(replace(DNR_K400, clips_per_device=8), 42)
    assert (made.batch, made.clips_per_device) == (40, 8)
    with pytest.raises(BadOption, match="two or more"):
        fitted(DNR_K400, 1)
    assert fitted(replace(DNR_K400, last_batch="smaller"), 3)[1] == ""


@pytest.mark.parametrize("network", ["tsn", "tsm", "tanet", "tdn", "slowfast_8x8", "i3d", "tea", "x3d_m"])
@pytest.mark.parametrize("text", ["1x1", "3x1", "10x3", "2x5"])
def test_views_on_request_fit_every_network(network, text):
    frames = {"slowfast_8x8": 32, "x3d_m": 16}.get(network, 8)
    model = Model(name=network, backbone="resnet50", frames=frames)
    views = views_of(model, KINETICS.get(network, (None, DENSE_K400_TEST))[1], text, 112)
    clips, crops = map(int, text.split("x"))
    assert (views.clips, views.crops, views.crop) == (clips, crops, 112)
    assert clips_of(views.sampling) == clips and frames_of(views.sampling) == frames
    assert clip_length_of(views.sampling) == registry.models[network].fact("clip_length", 1)


@pytest.mark.parametrize("text", ["0x1", "1x2", "1", "axb", "1x1x1", ""])
def test_views_that_are_none(text):
    model = Model(name="tsn", backbone="resnet50")
    if not text:
        assert views_of(model, DENSE_K400_TEST) == DENSE_K400_TEST
        return
    with pytest.raises(BadOption, match="CLIPSxCROPS"):
        views_of(model, Views(sampling="mmaction2.uniform_test_8"), text)
