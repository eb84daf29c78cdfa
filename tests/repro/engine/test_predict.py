"""predict from the command line: files and folders, what is used and said, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from repro.__main__ import main
from repro.core.spec import Model, frozen, replace
from repro.data import decode, views_of_video
from repro.data.loader import normalize
from repro.engine.accuracy import trained_on
from repro.models.build import build
from repro.models.device import seed_all
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights
from repro.records import metrics
from tests.repro.conftest import write_video
from tests.repro.made_table import accuracy_of

MODEL = Model(name="tsm", backbone="tiny_resnet", num_classes=8, dropout=0.0, options=frozen(blocks=1, pool=True))
NAMES = tuple("abcdefgh")


def network(model, path, names=NAMES):
    seed_all(4)
    net = build(model).eval()
    torch.nn.init.normal_(net.fc.weight)
    told = trained_on(accuracy_of(model.name, "probe-order"), names)
    save_weights(path, net.state_dict(), model=model, contract=IMAGENET, more=told)
    return net


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    write_video(folder / "clip.mp4", 5, frames=20)
    network(MODEL, folder / "w.safetensors")
    return folder


def told(place, capsys, *more, clip="clip.mp4", model="tsm"):
    weights = [] if "--weights" in more else ["--weights", str(place / "w.safetensors")]
    code = main(["predict", str(place / clip), "--model", model, *weights, *more])
    found = capsys.readouterr()
    return code, found.out, found.err


def test_the_best_classes_are_those_of_the_network_on_the_protocol_s_views(place, tmp_path, capsys):
    net = network(MODEL, tmp_path / "w.safetensors")
    views = accuracy_of("tsm", "probe-order").test
    cuts = views_of_video.test_cuts(views_of_video.FileSource(place / "clip.mp4", "decord", 0), views, "clip.mp4")
    x = cuts.part(0, len(cuts))
    with torch.no_grad():
        expected = metrics.softmax(net(normalize(torch.from_numpy(x))).numpy())[0]
    code, out, _ = told(place, capsys, "--json")
    assert code == 0
    found = json.loads(out)
    order = np.argsort(-expected)[:5].tolist()
    assert [one["number"] for one in found["classes"]] == order
    assert [one["name"] for one in found["classes"]] == [NAMES[number] for number in order]
    assert [one["score"] for one in found["classes"]] == pytest.approx(expected[order].tolist(), abs=1e-6)
    assert found["clip"]["frames"] == 20 and found["decoder"] == decode.version("pyav")
    assert found["views"]["sampling"] == views.sampling and len(found["weights_sha256"]) == 64


@pytest.mark.parametrize("fusion", ["softmax", "logits", "features"])
def test_views_are_fused_as_asked_and_scores_add_up_to_one(place, capsys, fusion):
    given = ["--sampling", "mmaction2.dense_test_8", "--crops", "3", "--crop", "24", "--resize", "32"]
    code, out, _ = told(place, capsys, *given, "--fusion", fusion, "--top", "99", "--json")
    found = json.loads(out)
    assert code == 0 and len(found["classes"]) == 8
    assert sum(one["score"] for one in found["classes"]) == pytest.approx(1)
    assert (found["views"]["clips"], found["views"]["crops"]) == (10, 3)


def test_the_text_says_what_was_used(place, capsys):
    code, out, _ = told(place, capsys)
    assert code == 0
    assert len([line for line in out.splitlines() if " %  " in line]) == 5
    for part in ("mmaction2.uniform_test_8", "1 clip(s) x 1 crop(s)", "32x32", "pyav", "sha256", "TSM", "20 frames"):
        assert part in out


def test_fewer_classes_than_five_and_names_of_a_file_or_a_dataset(place, tmp_path, capsys):
    three = replace(MODEL, num_classes=3)
    network(three, tmp_path / "three.safetensors", ())
    weights = ["--weights", str(tmp_path / "three.safetensors")]
    _, out, _ = told(place, capsys, *weights, "--json")
    assert {one["name"] for one in json.loads(out)["classes"]} == {"class 0", "class 1", "class 2"}
    (tmp_path / "labels.txt").write_text("x\ny\nz\n")
    _, out, _ = told(place, capsys, *weights, "--labels", str(tmp_path / "labels.txt"), "--json")
    assert {one["name"] for one in json.loads(out)["classes"]} == {"x", "y", "z"}
    network(MODEL, tmp_path / "nameless.safetensors", ())
    _, out, _ = told(
        place, capsys, "--weights", str(tmp_path / "nameless.safetensors"), "--dataset", "probe-order", "--json"
    )
    assert json.loads(out)["classes"][0]["name"] in (
        "right left down up growing shrinking clockwise counterclockwise".split()
    )


def test_names_in_another_order_stay_those_of_the_weights_and_it_is_told(place, tmp_path, capsys):
    _, before, _ = told(place, capsys, "--json")
    names = NAMES
    (tmp_path / "labels.txt").write_text("\n".join(reversed(names)))
    _, out, _ = told(place, capsys, "--labels", str(tmp_path / "labels.txt"), "--json")
    assert json.loads(out)["classes"] == json.loads(before)["classes"]
    assert "another order" in json.loads(out)["note"]
    assert "another order" in told(place, capsys, "--labels", str(tmp_path / "labels.txt"))[1]
    (tmp_path / "labels.txt").write_text("\n".join([*names[:-1], "else"]))
    code, _, err = told(place, capsys, "--labels", str(tmp_path / "labels.txt"))
    assert code == 2 and "do not know: 'else'" in err and repr(names[-1]) in err


@pytest.mark.parametrize("name", ["frame_{}.png", "{}.jpg", "img_{:05d}.png"])
def test_a_folder_of_frames_gives_what_its_video_gives(place, tmp_path, capsys, name):
    frames = decode.read_frames(place / "clip.mp4", range(20), decoder="pyav")
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(
            tmp_path / name.format(number), **({"quality": 100, "subsampling": 0} if ".jpg" in name else {})
        )
    _, of_video, _ = told(place, capsys, "--decoder", "pyav", "--json")
    _, of_folder, _ = told(place, capsys, "--json", clip=tmp_path)
    video, folder = json.loads(of_video), json.loads(of_folder)
    assert folder["clip"]["frames"] == 20 and folder["decoder"].startswith("pillow")
    near = 0.05 if ".jpg" in name else 1e-6
    assert [one["score"] for one in folder["classes"]] == pytest.approx(
        [one["score"] for one in video["classes"]], abs=near
    )


def test_networks_of_segments_of_five_frames(place, tmp_path, capsys):
    network(replace(MODEL, name="tdn"), tmp_path / "tdn.safetensors")
    code, out, _ = told(place, capsys, "--weights", str(tmp_path / "tdn.safetensors"), model="tdn")
    assert code == 0 and "centred5" in out


def broken(tmp_path: Path) -> dict[str, Path]:
    whole = tmp_path / "whole.mp4"
    write_video(whole, 1)
    made = {name: tmp_path / name for name in ("empty.mp4", "text.mp4", "cut.mp4", "folder", "absent.mp4")}
    made["empty.mp4"].write_bytes(b"")
    made["text.mp4"].write_text("no video at all " * 100)
    made["cut.mp4"].write_bytes(whole.read_bytes()[:600])
    made["folder"].mkdir()
    made["notes.txt"] = tmp_path / "notes.txt"  # FFmpeg takes it for a film of letters
    made["notes.txt"].write_text("no video at all " * 100)
    return made


@pytest.mark.parametrize("decoder", ["decord", "pyav"])
@pytest.mark.parametrize("name", ["empty.mp4", "text.mp4", "notes.txt", "cut.mp4", "folder", "absent.mp4"])
def test_what_cannot_be_read_is_told_in_one_line(place, tmp_path, capsys, name, decoder):
    code, out, err = told(place, capsys, "--decoder", decoder, clip=broken(tmp_path)[name])
    assert code == 2 and not out
    assert name in err and "Traceback" not in err and len(err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--dataset", "kinetics400"], "classes that the weights do not know: 'abseiling'"),
        (["--dataset", "probe-orderl"], "probe-order"),
        (["--dataset", "probe-order", "--labels", "x.txt"], "one of them"),
        (["--labels", "x.txt"], "x.txt"),
        (["--sampling", "mmaction2.uniform_test_16"], "as tsm takes them"),
        (["--sampling", "uniform"], "unknown sampling rule"),
        (["--crop", "64"], "crop of 64 does not fit"),
        (["--classes", "9"], "num_classes"),
        (["--weights", "no.safetensors"], "no.safetensors"),
    ],
)
def test_what_cannot_be_asked_is_told(place, capsys, given, expected):
    code, _, err = told(place, capsys, *given)
    assert code == 2 and expected in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("clip", "expected"), [("", "an empty name"), ("https://a.org/b.mp4", "curl -LO https://a.org/b")]
)
def test_a_clip_is_a_file_of_this_machine(clip, expected, capsys):
    with pytest.raises(SystemExit) as refused:
        main(["predict", clip, "--model", "tsm", "--weights", "w.safetensors"])
    assert refused.value.code == 2 and expected in capsys.readouterr().err


def test_the_folder_that_one_stands_in_has_its_name(place, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "walk"
    folder.mkdir()
    for number in range(8):
        Image.new("RGB", (64, 64), (number, 0, 0)).save(folder / f"{number}.png")
    monkeypatch.chdir(folder)
    code, out, _ = told(place, capsys, clip=folder / ".")
    assert code == 0 and "clip      walk, 8 frames" in out
