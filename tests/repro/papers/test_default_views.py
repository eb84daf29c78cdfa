"""The views that a network has when nobody says: they fit it, whatever it is."""

from __future__ import annotations

import pytest

from repro.core.spec import Model
from repro.data.sampling import clip_length_of, clips_of, frames_of
from repro.papers.default_views import default_views
from repro.registry import backbones, models


@pytest.mark.parametrize("name", models.names())
@pytest.mark.parametrize("frames", [None, 16])
def test_the_views_of_every_network_fit_it(name, frames):
    entry = models[name]
    for backbone in entry.fact("backbones"):
        model = Model(name=name, backbone=backbone, frames=frames or entry.fact("input_frames", 8))
        views = default_views(model)
        assert frames_of(views.sampling) == model.frames
        assert clip_length_of(views.sampling) == entry.fact("clip_length", 1)
        assert clips_of(views.sampling) == views.clips
        assert views.resize == 0 or views.resize >= views.crop
        if backbones[backbone].fact("small"):
            assert views.crop == 32


def test_known_protocols():
    def of(name, backbone="resnet50", frames=8):
        return default_views(Model(name=name, backbone=backbone, frames=frames))

    assert (of("tsn").sampling, of("tsn").crops, of("tsn").fusion) == ("mmaction1_dnr_8x8.test_10", 3, "features")
    assert of("tsm", frames=16).sampling == "mmaction2.dense_test_16"
    assert of("tdn", frames=16).sampling == "tdn.kinetics_test_16x10"
    assert of("slowfast_8x8", frames=32).sampling == "mmaction2.clip_32x2_test_10"
    assert of("x3d_m", "x3d_m", 16).sampling == "mmaction2.clip_16x5_test_10"
    assert of("tdn", "tiny_resnet").sampling == "repro.centred5_test_8"
