"""Real weights see what is in real pictures, and wrong input is found. The packages are fetched; skipped without."""

from pathlib import Path

import pytest

from repro.cli.doctor_checks import real
from repro.cli.doctor_checks.check import Failed, NotHere
from repro.core.errors import BadOption

#: the clip of Kinetics' class arm wrestling, where a checkout has it beside it
CLIP = Path(__file__).parents[5] / "shared" / "clips" / "demo.mp4"


def _network(name):
    try:
        return real.trained(name)
    except NotHere as absent:
        pytest.skip(str(absent))


@pytest.mark.real
def test_photos_have_their_class_and_wrong_input_has_not():
    network = _network("mobilenetv2-imagenet")
    told = real.check_photos(network)
    assert "Egyptian cat" in told and "espresso" in told and "palace" in told
    for what, wrong in real.wrong_inputs(network).items():
        with pytest.raises(Failed):
            pytest.fail(f"{what} is not seen: {real.check_photos(wrong)}")


@pytest.mark.real
@pytest.mark.parametrize("lite", [0, 1, 2])
def test_each_efficientnet_lite_sees_the_cat_and_the_cup(lite):
    network = _network(f"efficientnet-lite{lite}-imagenet")
    cat, cup, _ = (real.classes_of(photo, network)[0] for photo in real.PHOTOS)
    assert cat["number"] in (281, 282, 285) and cup["number"] == 967 and cup["score"] > 0.5


@pytest.mark.real
@pytest.mark.skipif(not CLIP.is_file(), reason="the clip is not beside this checkout")
def test_i3d_is_sure_of_the_clip_by_each_decoder():
    _network("i3d-kinetics400")
    told = real.check_clip(CLIP, "arm wrestling")
    assert told.startswith("arm wrestling: ") and "pyav" in told
    with pytest.raises(Failed, match="expected 'juggling balls'"):
        real.check_clip(CLIP, "juggling balls")


def test_a_clip_without_its_class_is_an_error():
    with pytest.raises(BadOption, match="names no class"):
        real.check_real("demo.mp4", print)
