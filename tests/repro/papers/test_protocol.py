"""Recipes against the figures of their sources, and what a protocol says of each field."""

from __future__ import annotations

import pytest

from repro.core.errors import UnknownName
from repro.core.spec import Train, Views, content_id, frozen
from repro.data import sampling
from repro.papers import published
from repro.papers.recipes import authors, literature, mmaction2, papers, used
from repro.papers.recipes import sources as filed
from repro.papers.recipes.protocol import FIELDS, NOT_STATED, Protocol
from repro.papers.recipes.sources import protocols
from repro.papers.recipes.used import DNR_K400, KINETICS
from repro.registry import models

MODULES = (used, mmaction2, authors, papers, literature)
V, A, P, L = mmaction2, authors, papers, literature

#: network -> first digits of the content ids of its recipe and test views on Kinetics-400
IDS = {
    "tsn": ("711ff7d1842d", "ccd8955c8d2a"),
    "tsm": ("67a0da63e639", "ed304efa2e08"),
    "tanet": ("28e98284ba79", "ed304efa2e08"),
    "tdn": ("21765517c4fc", "fd2ef91edff7"),
}

#: constant -> lr, batch, milestones, weight decay, clip, groups, epochs, as printed in configurations and scripts
STEPS = {
    "V.TSN_K400": (0.01, 256, (40, 80), 1e-4, 40, "plain", 100),
    "V.TSN_STHV2": (0.01, 256, (20, 40), 1e-4, 40, "plain", 50),
    "V.TSM_K400": (0.02, 128, (25, 45), 1e-4, 20, "tsm", 50),
    "V.TSM_STHV2": (0.02, 128, (25, 45), 5e-4, 20, "tsm", 50),
    "V.TSM_K400_DENSE": (0.02, 64, (40, 80), 1e-4, 20, "tsm", 100),
    "V.TSM_STHV1_V015": (0.01, 64, (20, 40), 5e-4, 20, "tsm", 50),
    "V.TSM_STHV2_V015": (0.0075, 48, (20, 40), 5e-4, 20, "tsm", 50),
    "V.TANET_K400_DENSE": (0.01, 64, (50, 75, 90), 1e-4, 20, "tsm", 100),
    "V.TANET_STHV1": (0.01, 64, (30, 40, 45), 1e-3, 20, "tsm", 50),
    "A.TSM_K400": (0.02, 128, (20, 40), 1e-4, 20, "tsm-author", 50),
    "A.TSM_STH": (0.01, 64, (20, 40), 5e-4, 20, "tsm-author", 50),
    "A.TAM_K400": (0.01, 64, (50, 75, 90), 1e-4, 20, "tsm-author", 100),
    "A.TAM_STHV1": (0.01, 64, (30, 40, 45), 1e-3, 20, "tsm-author", 50),
    "A.TAM_STHV2": (0.02, 128, (30, 40, 45), 5e-4, 20, "tsm-author", 50),
    "A.TDN_K400": (0.02, 128, (50, 75, 90), 1e-4, 20, "tdn", 100),
    "A.TDN_STHV1": (0.01, 64, (30, 45, 55), 5e-4, 20, "tdn", 60),
    "P.ADAFUSE": (0.002, 64, (20, 40), 5e-4, 20, "tdn", 50),
    "P.ADAFUSE_CODE_TSN_STHV1": (0.01, 64, (20, 40), 5e-4, 20, "tdn", 50),
    "P.ADAFUSE_CODE_TSM_STHV1": (0.02, 64, (20, 40), 5e-4, 20, "tdn", 50),
    "P.ADAFUSE_CODE_STHV2": (0.02, 64, (20, 40), 1e-4, 20, "tdn", 50),
    "L.TEA_STHV1": (0.02, 64, (30, 40, 45), 5e-4, 20, "tsm", 50),
    "P.PSN_STHV1": (0.01, 64, (50, 60, 70), 5e-4, 20, "tsm-author", 80),
}


@pytest.mark.parametrize("name", sorted(STEPS))
def test_a_step_recipe_has_the_figures_of_its_source(name):
    module, _, constant = name.partition(".")
    train = getattr(globals()[module], constant)
    assert train.schedule == "step"
    made = (train.lr, train.batch, train.milestones, train.weight_decay, train.clip_norm, train.groups, train.epochs)
    assert made == STEPS[name]
    assert train.momentum == 0.9


def test_the_cosine_recipes():
    for train, lr, epochs, warmup in ((V.R2PLUS1D_K400, 0.01, 180, 0), (V.SLOWFAST_K400, 0.1, 256, 34)):
        assert (train.lr, train.batch, train.epochs, train.warmup_epochs) == (lr, 64, epochs, warmup)
        assert (train.schedule, train.weight_decay, train.clip_norm) == ("cosine", 1e-4, 40)
        assert train.crop_rule == "random_resized"


def constants(kind):
    return [(f"{m.__name__}.{n}", v) for m in MODULES for n, v in vars(m).items() if isinstance(v, kind)]


@pytest.mark.parametrize(("name", "views"), constants(Views))
def test_test_views_have_the_clips_of_their_rule(name, views):
    assert sampling.clips_of(views.sampling) == views.clips


@pytest.mark.parametrize(("name", "train"), constants(Train))
def test_recipes_sample_one_random_clip(name, train):
    assert sampling.is_random(train.sampling)
    assert sampling.clips_of(train.sampling) == 1


def test_the_views_of_the_papers_are_there():
    counts = {f"{views.clips}x{views.crops}" for _, views in constants(Views)}
    assert {"1x1", "10x1", "10x3", "25x10", "2x1", "2x3", "1x10"} <= counts
    assert {views.fusion for _, views in constants(Views)} == {"logits", "softmax", "features"}


def test_recipes_that_records_depend_on_have_their_old_ids():
    ids = {name: tuple(content_id(spec)[:12] for spec in pair) for name, pair in KINETICS.items()}
    assert ids == IDS


def test_every_protocol_says_something_of_every_field():
    for module, table in (
        (V, "PROTOCOLS_V015"),
        (V, "PROTOCOLS_V1"),
        (A, "PROTOCOLS"),
        (L, "PROTOCOLS"),
        (P, "DNR_PAPER"),
        (P, "ADAFUSE_PAPER"),
        (P, "ADAFUSE_AUTHORS"),
        (P, "PSN_PAPER"),
    ):
        for key, protocol in getattr(module, table).items():
            told = protocol.stated()
            assert tuple(told) == FIELDS
            for name, value in told.items():
                assert value.text, (key, name)
                assert bool(value.where) == (value.text != NOT_STATED), (key, name)


def test_protocols_are_filed_under_names_of_registered_networks():
    """Under another name a protocol would never be found: SlowFast's once stood under `slowfast`."""
    for tables in (filed._OF_ALL, *filed._OF_PAPER.values()):
        for source, table in tables.items():
            assert {network for network, _ in table} <= {entry.name for entry in models}, source
    assert "paper" in protocols("dnr", "slowfast_8x8", "kinetics200")


def test_what_a_source_leaves_open_is_not_stated():
    told = Protocol(
        where="paper 4",
        train=DNR_K400,
        unstated=("train.clip_norm",),
        said=frozen({"train.resize": "340x256"}),
        places=frozen({"train.lr": "supplement"}),
    ).stated()
    assert (told["train.lr"].text, told["train.lr"].where) == ("0.1", "supplement")
    assert (told["train.resize"].text, told["train.resize"].where) == ("340x256", "paper 4")
    assert told["train.clip_norm"].text == told["test.crops"].text == told["dropout"].text == NOT_STATED
    assert told["train.milestones"].text == "none"
    with pytest.raises(UnknownName, match=r"train\.lr"):
        Protocol(where="x", unstated=("train.lrr",))


def test_values_are_told_as_a_reader_expects():
    told = A.PROTOCOLS["tdn", "sthv2"].stated()
    assert told["train.flip_labels"].text == "86-87 93-94 166-167"
    assert told["train.resize"].text == "own size"
    assert told["train.milestones"].text == "30 45 55"
    assert told["train.warmup_ratio"].text == "none"
    assert V.PROTOCOLS_V015["tsm", "sthv1"].stated()["train.flip_labels"].text == "none"


def test_gsm_warms_up_and_tests_two_clips_of_diving48():
    train, test = L.GSM_STHV1, L.PROTOCOLS["gsm", "diving48"].test
    assert (train.lr, train.batch, train.epochs, train.warmup_epochs) == (0.01, 32, 60, 10)
    assert (train.schedule, train.weight_decay, train.clip_norm, train.groups) == ("cosine", 5e-4, 20, "plain")
    assert (test.clips, test.crops, test.resize, test.crop) == (2, 1, 261, 229)


@pytest.mark.parametrize("paper", sorted(L.QUOTED))
def test_quoted_rows_have_the_views_of_their_table_and_no_recipe(paper):
    """The tables print frames x clips x crops (`views` is their product) and the pretraining."""
    for (network, dataset), protocol in L.QUOTED[paper].items():
        table = published.load(f"{paper}_table{protocol.where.rpartition(' ')[2]}")
        printed = f"{sampling.frames_of(protocol.test.sampling)}x"
        rows = [
            row
            for key, row in table.rows.items()
            if row.values["model"].text == network and table.dataset(key) == dataset
        ]
        assert any(
            row.values["frames"].text.startswith(printed) and row.values["views"].number == protocol.test.count
            for row in rows
        )
        told = protocol.stated()
        assert protocol.train is None and told["train.lr"].text == told["test.sampling"].text == NOT_STATED
        assert protocols(paper, network, dataset)["paper"] is protocol
