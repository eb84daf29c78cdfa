"""predict of many clips: real files, bad ones among them, started twice."""

from __future__ import annotations

import csv
import json
import os
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from repro.__main__ import main
from repro.core.spec import Model, frozen
from repro.data import clip_views
from repro.data.decode import read_frames
from repro.engine import predict as engine
from repro.engine import prediction_file
from repro.engine.accuracy import trained_on
from repro.models import pretrained
from repro.models.build import build
from repro.models.device import seed_all
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights
from tests.repro.conftest import write_video
from tests.repro.made_table import accuracy_of

MODEL = Model(name="tsm", backbone="tiny_resnet", num_classes=8, dropout=0.0, options=frozen(blocks=1, pool=True))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Eight videos, of which two are bad, and weights."""
    folder = tmp_path_factory.mktemp("many")
    (folder / "clips").mkdir()
    for number in range(6):
        write_video(folder / "clips" / f"{number}.mp4", number, frames=10 + number)
    (folder / "clips" / "2b.mp4").write_bytes((folder / "clips" / "2.mp4").read_bytes()[:700])
    (folder / "clips" / "9.mp4").write_bytes(b"")
    seed_all(4)
    net = build(MODEL).eval()
    torch.nn.init.normal_(net.fc.weight)
    told = trained_on(accuracy_of("tsm", "probe-order"), tuple("abcdefgh"))
    save_weights(folder / "w.safetensors", net.state_dict(), model=MODEL, contract=IMAGENET, more=told)
    return folder


def run(place, *words):
    return main(["predict", *map(str, words), "--weights", str(place / "w.safetensors")])


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def alone(place, name, capsys):
    assert run(place, place / "clips" / name, "--json") == 0
    return json.loads(capsys.readouterr().out)["classes"]


def test_a_folder_is_what_its_clips_are_one_by_one(place, tmp_path, capsys):
    assert run(place, place / "clips", "--out", tmp_path / "p.csv") == 0
    err = capsys.readouterr().err
    assert "2 of 8 clips could not be read" in err and "2b.mp4: " in err and "9.mp4: " in err
    found = rows(tmp_path / "p.csv")
    assert [row["path"].rpartition("/")[2] for row in found] == [
        *(f"{n}.mp4" for n in (0, 1, 2)),
        "2b.mp4",
        *(f"{n}.mp4" for n in (3, 4, 5, 9)),
    ]
    assert [bool(row["problem"]) for row in found] == [False, False, False, True, False, False, False, True]
    for row in found:
        if not row["problem"]:
            expected = alone(place, row["path"].rpartition("/")[2], capsys)
            assert [row[f"class{k}"] for k in range(1, 6)] == [one["name"] for one in expected]
            scores = [float(row[f"score{k}"]) for k in range(1, 6)]
            assert scores == pytest.approx([one["score"] for one in expected], abs=2e-6)


@pytest.mark.parametrize("most", [1, 3, 5, 1000])
def test_batches_of_any_size_and_many_views(place, monkeypatch, most):
    network = pretrained.load(place / "w.safetensors")
    views = accuracy_of("tsm", "probe-order").test
    views = views.__class__(**{**vars(views), "sampling": "mmaction2.dense_test_8", "clips": 10, "crops": 1})
    clips = [place / "clips" / f"{n}.mp4" for n in (0, 1, 3)]
    monkeypatch.setattr(engine.batch_size, "scoring_views", lambda *_: most)
    monkeypatch.setitem(engine._MOST_VIEWS, "cpu", 1000)
    found = [made.classes[0] for made in engine.predictions(clips, network, views)]
    for made, clip in zip(found, clips, strict=True):
        x = network.normalize(torch.from_numpy(clip_views.views_of_clip(clip, views, "auto")[0]))
        with torch.no_grad():
            scores = engine.probabilities(network.module(x).numpy(), views)
        assert made["number"] == int(np.argmax(scores)) and made["score"] == pytest.approx(
            float(scores.max()), abs=1e-5
        )


def test_interrupted_it_goes_on_and_what_changed_is_looked_at_again(place, tmp_path):
    network = pretrained.load(place / "w.safetensors")
    views = accuracy_of("tsm", "probe-order").test
    clips = [tmp_path / f"{n}.mp4" for n in range(4)]
    for n, clip in enumerate(clips):
        clip.write_bytes((place / "clips" / f"{n}.mp4").read_bytes())
    clips[1] = tmp_path / "1"
    clips[1].mkdir()
    for n, shown in enumerate(read_frames(place / "clips" / "1.mp4", range(11))):
        Image.fromarray(shown).save(clips[1] / f"{n:05d}.bmp")
    out, seen = tmp_path / "p.jsonl", []

    def stop(done, made):
        seen.append(made.clip.name)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prediction_file.predict_all(clips, network, views, out, on_clip=stop)
    assert not out.exists() and seen == ["0.mp4", "1", "2.mp4"]
    clips[0].write_bytes((place / "clips" / "5.mp4").read_bytes())
    os.utime(clips[0], (1, 1))
    (clips[1] / "00003.bmp").write_bytes((clips[1] / "00004.bmp").read_bytes())  # as large, in a folder as old
    again = []
    prediction_file.predict_all(
        clips, network, views, out, on_clip=lambda done, made: again.append((done, made.clip.name))
    )
    assert again == [(2, "0.mp4"), (3, "1"), (4, "3.mp4")]
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [one["frames"] for one in told] == [15, 11, 12, 13]
    fresh = tmp_path / "fresh.jsonl"
    prediction_file.predict_all(clips, network, views, fresh)
    for one, other in zip(told, map(json.loads, fresh.read_text().splitlines()), strict=True):
        assert [a["number"] for a in one["classes"]] == [a["number"] for a in other["classes"]]


def kill_on_2(path, decoder, test):
    if path.endswith("2.mp4"):
        os.kill(os.getpid(), signal.SIGABRT)
    return clip_views_task(path, decoder, test)


clip_views_task = clip_views.clip_task


def test_a_decoder_that_aborts_is_one_bad_clip(place, monkeypatch):
    monkeypatch.setattr(clip_views, "clip_task", kill_on_2)
    network = pretrained.load(place / "w.safetensors")
    clips = [place / "clips" / f"{n}.mp4" for n in range(4)]
    found = list(engine.predictions(clips, network, network.views, workers=2))
    assert [made.problem for made in found] == ["", "", "the decoder process died of SIGABRT", ""]


def test_lines_without_a_file_and_only_bad_clips(place, tmp_path, capsys):
    assert run(place, place / "clips/0.mp4", place / "clips/9.mp4") == 0
    out, err = capsys.readouterr()
    assert out.splitlines()[0].endswith("0.mp4") and " %  " in out and "1 of 2 clips" in err
    assert run(place, place / "clips/9.mp4", place / "clips/2b.mp4", "--out", tmp_path / "p.csv") == 1
    assert all(row["problem"] for row in rows(tmp_path / "p.csv"))
    assert run(place, place / "clips", "--out", tmp_path / "p.xlsx") == 2
    assert "ends in .csv or .jsonl" in capsys.readouterr().err


def test_no_more_classes_than_there_are(place, tmp_path):
    assert run(place, place / "clips" / "0.mp4", "--top", 10**17, "--out", tmp_path / "p.csv") == 0
    assert list(rows(tmp_path / "p.csv")[0])[-3:] == ["class8", "score8", "problem"]


def test_views_by_clips_and_crops(place, tmp_path, capsys):
    assert run(place, place / "clips/0.mp4", "--views", "2x3", "--json") == 0
    views = json.loads(capsys.readouterr().out)["views"]
    assert (views["clips"], views["crops"]) == (2, 3)
    assert run(place, place / "clips/0.mp4", "--views", "1x1", "--crops", "3") == 2
    assert "one of them" in capsys.readouterr().err
    assert run(place, place / "clips/0.mp4", "--views", "ten") == 2
    assert "--views 1x1" in capsys.readouterr().err
