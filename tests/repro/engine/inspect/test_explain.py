"""inspect gradcam from the command line: strips of real weights, what is told, what is refused."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from repro.__main__ import main
from repro.core.spec import Model, frozen, replace
from repro.data import decode
from repro.engine.accuracy import trained_on
from repro.engine.inspect import strips
from repro.models.build import build
from repro.models.device import seed_all
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights
from repro.records import figures
from tests.repro.conftest import write_video
from tests.repro.made_table import accuracy_of

PLAIN = Model(
    name="tsn", backbone="tiny_resnet", num_classes=8, dropout=0.0, options=frozen(blocks=1, pool=True)
)  # fmt: skip
NAMES = tuple("abcdefgh")


def weights_of(model, path, seed=0, names=NAMES):
    seed_all(seed)
    told = trained_on(accuracy_of(model.name, "probe-order"), names)
    return save_weights(path, build(model).state_dict(), model=model, contract=IMAGENET, more=told)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A clip of 12 frames of 40x40, and weights of TSN, TSN+DNR, TDN."""
    folder = tmp_path_factory.mktemp("explain")
    write_video(folder / "clip.mp4", 3, frames=12)
    weights_of(PLAIN, folder / "host.safetensors")
    weights_of(replace(PLAIN, method="dnr"), folder / "dnr.safetensors")
    weights_of(replace(PLAIN, name="tdn"), folder / "tdn.safetensors")
    return folder


def run(place, *more, model="tsn"):
    given = [str(place / word) if word.endswith(".safetensors") else word for word in more]
    return main(["inspect", "gradcam", str(place / "clip.mp4"), "--model", model, *given])


def facts_of(folder):
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text()), path.with_suffix(".png")


def test_host_and_method_side_by_side(place, tmp_path, capsys, monkeypatch):
    spoken = ["/somewhere/repro/__main__.py", "inspect", "gradcam", "/somewhere/clip.mp4", "--model", "tsn"]
    monkeypatch.setattr("sys.argv", spoken)
    code = run(place, "--method", "dnr", "--weights", "host.safetensors", "dnr.safetensors", "--out", str(tmp_path))
    assert code == 0
    facts, png = facts_of(tmp_path)
    assert [one["label"] for one in facts["networks"]] == ["TSN", "TSN+DNR"]
    assert len({one["weights_sha256"] for one in facts["networks"]}) == 2
    assert facts["clip"]["name"] == "clip.mp4"
    assert facts["command"] == ["python", "-m", "repro", "inspect", "gradcam", "clip.mp4", "--model", "tsn"]
    assert facts["details"]["frames"] == [0, 2, 3, 5, 6, 8, 9, 11]
    assert facts["details"]["decoder"] == decode.version("pyav")
    for one in facts["details"]["networks"]:
        assert one["class"] == one["predicted"]
        assert one["class"]["name"] in NAMES
        assert one["map_size"] == [8, 2, 2]
        assert max(frame["most"] for frame in one["frames"]) == 1
    for word in ("TSN+DNR", "clip.mp4", "uniform_test_8", "Trained on probe-order."):
        assert word in facts["alt"] + facts["caption"]
    assert Image.open(png).size[0] > 1000
    assert str(png) in capsys.readouterr().out


def test_the_same_question_gives_the_same_bytes_and_another_one_another_file(place, tmp_path):
    for folder in ("a", "b"):
        assert run(place, "--weights", "host.safetensors", "--out", str(tmp_path / folder)) == 0
    (one,), (other,) = (list((tmp_path / folder).glob("*.png")) for folder in ("a", "b"))
    assert one.read_bytes() == other.read_bytes() and one.name == other.name
    assert run(place, "--weights", "host.safetensors", "--class", "c", "--out", str(tmp_path / "a")) == 0
    assert len(list((tmp_path / "a").glob("*.png"))) == 2


def test_class_layer_scale_columns_labels(place, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"sign {number}" for number in range(8)))
    weights_of(PLAIN, place / "nameless.safetensors", names=())
    given = ["--class", "sign 3", "--layer", "layer1", "--scale", "frame", "--columns", "3", "--labels", str(labels)]
    assert run(place, "--weights", "host.safetensors", *given, "--out", str(tmp_path / "o")) == 2, "it has other names"
    assert run(place, "--weights", "nameless.safetensors", *given, "--out", str(tmp_path / "o")) == 0
    facts, _ = facts_of(tmp_path / "o")
    (one,) = facts["details"]["networks"]
    assert one["class"]["number"] == 3 and one["layer"] == "layer1" and one["map_size"] == [8, 8, 8]
    assert all(frame["most"] in (0, 1) for frame in one["frames"])


def test_other_networks_beside_also_those_of_segments(place, tmp_path):
    assert run(place, "--weights", "host.safetensors", "--compare", "tdn.safetensors", "--out", str(tmp_path)) == 0
    facts, _ = facts_of(tmp_path)
    assert [one["label"] for one in facts["networks"]] == ["TSN", "TDN"]


def test_random_weights_only_when_asked_and_labelled(place, tmp_path, capsys):
    assert run(place) == 2
    assert "--random" in capsys.readouterr().err
    given = ["--backbone", "tiny_resnet", "--method", "dnr", "--classes", "5", "--random", "--out", str(tmp_path)]
    assert run(place, *given) == 0
    facts, _ = facts_of(tmp_path)
    assert [one["label"] for one in facts["networks"]] == ["TSN, random weights", "TSN+DNR, random weights"]
    assert [one["weights_sha256"] for one in facts["networks"]] == [None, None]
    assert "random weights" in facts["caption"]


def test_a_figure_that_is_stored_stands_in_the_report(place, tmp_path):
    assert run(place, "--weights", "host.safetensors") == 0
    assert len(figures.load_all().figures) == 1
    assert main(["report", "--out", str(tmp_path / "r.html")]) == 0
    text = (tmp_path / "r.html").read_text()
    assert "data:image/png;base64," in text and "Grad-CAM++ on clip.mp4" in text


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--weights", "host.safetensors", "--random"], "exclude"),
        (["--weights", "host.safetensors", "--method", "dnr"], "dnr"),
        (["--weights", "host.safetensors", "host.safetensors", "--method", "dnr"], "none of the weights"),
        (["--weights", "tdn.safetensors"], "tdn"),
        (["--weights", "host.safetensors", "--backbone", "resnet50"], "resnet50"),
        (["--weights", "no.safetensors"], "not a file"),
        (["--weights", "host.safetensors", "--class", "k"], "unknown class"),
        (["--weights", "host.safetensors", "--class", "9"], "--labels"),
        (["--weights", "host.safetensors", "--layer", "layer9"], "layer3"),
        (["--weights", "host.safetensors", "--sampling", "mmaction2.uniform_test_4"], "as tsn takes them"),
        (["--weights", "host.safetensors", "--crop", "64"], "does not fit"),
        (["--weights", "host.safetensors", "--labels", "pyproject.toml"], "pyproject.toml"),
    ],
)
def test_what_cannot_be_is_told(place, given, expected, capsys):
    assert run(place, *given) == 2
    error = capsys.readouterr().err
    assert expected in error and "Traceback" not in error


def test_networks_that_see_other_frames_are_not_compared(place, tmp_path, capsys):
    other = replace(accuracy_of("tsn", "probe-order"), test=replace(accuracy_of("tsn", "probe-order").test, crop=24))
    seed_all(1)
    save_weights(
        tmp_path / "o.safetensors", build(PLAIN).state_dict(), model=PLAIN, contract=IMAGENET,
        more=trained_on(other, NAMES),
    )  # fmt: skip
    assert run(place, "--weights", "host.safetensors", str(tmp_path / "o.safetensors")) == 2
    assert "crop 24" in capsys.readouterr().err


def test_overlay_leaves_grey_where_there_is_no_heat_and_grows_lighter_with_it():
    frames = np.full((1, 1, 3, 3), 100, np.uint8)
    frames[0, 0, :, 0] = 180
    mixed = strips.overlay(frames, np.array([[[0.0, 0.5, 1.0]]]))[0, 0].astype(int)
    assert mixed[0].max() == mixed[0].min()
    light = mixed @ np.array([299, 587, 114])
    assert light[1] > light[0] and light[2] > light[1]


@pytest.mark.parametrize(("count", "most", "expected"), [(3, 8, [0, 1, 2]), (32, 4, [4, 12, 20, 28]), (9, 8, None)])
def test_columns_are_evenly_spread(count, most, expected):
    found = strips.evenly(count, most)
    assert found == expected or (expected is None and len(set(found)) == 8 and max(found) < 9)


def test_a_strip_is_a_png_of_rows_times_columns():
    pictures = np.zeros((2, 16, 16, 3), np.uint8)
    one = strips.Row("input", ("clip",), pictures)
    sizes = [Image.open(io.BytesIO(strips.draw([one] * rows, ["a", "b"]))).size for rows in (1, 2, 3)]
    assert sizes[0][0] == sizes[2][0]
    assert sizes[2][1] - sizes[1][1] == pytest.approx(sizes[1][1] - sizes[0][1], abs=1)
