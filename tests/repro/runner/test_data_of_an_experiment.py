"""`test` by hand on real videos: whose classes are scored, on what data, and what a stored result is shown for."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image

from repro import registry
from repro.__main__ import main
from repro.core import spec
from repro.data.loader import normalize
from repro.engine.accuracy import trained_on
from repro.models.build import build
from repro.models.formats import IMAGENET
from repro.models.weights import save_weights
from repro.papers.recipes.used import KINETICS

COLOURS = {"apple": (230, 20, 20), "banana": (230, 230, 20), "grape": (20, 20, 230), "lime": (20, 230, 20)}


pytestmark = pytest.mark.usefixtures("own_registry")


def clip(path: Path, colour: tuple[int, int, int]) -> None:
    """A video of one colour."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        frame = np.broadcast_to(np.array(colour, np.uint8), (64, 64, 3)).copy()
        for _ in range(10):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))


def pictures(folder: Path, colour: tuple[int, int, int]) -> None:
    """A folder of frames of one colour; all pictures have the same number of bytes."""
    folder.mkdir(exist_ok=True)
    for number in range(10):
        Image.new("RGB", (64, 64), colour).save(folder / f"img_{number:05d}.bmp")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four videos, and weights that name their four colours without error."""
    folder = tmp_path_factory.mktemp("fruit")
    for name, colour in COLOURS.items():
        clip(folder / f"{name}.mp4", colour)
    model = spec.Model(name="tsn", backbone="tiny_resnet", num_classes=len(COLOURS))
    torch.manual_seed(0)
    net, seen = build(model).eval(), []
    hook = net.fc.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.no_grad():
        for colour in COLOURS.values():
            x = torch.tensor(colour, dtype=torch.uint8).reshape(1, 1, 3, 1, 1).expand(1, 8, 3, 32, 32)
            net(normalize(x.contiguous()))
        features = torch.stack([one.reshape(-1, one.shape[-1]).mean(0) for one in seen])
        centre = features.mean(0)
        weight = torch.linalg.pinv(features - centre) @ (torch.eye(len(features)) - 0.25)
        net.fc.weight.copy_(20 * weight.T)
        net.fc.bias.copy_(-20 * (centre @ weight))
    hook.remove()
    train, test = KINETICS["tsn"]
    for file, names in (("w", tuple(COLOURS)), ("numbered", tuple("0123")), ("nameless", ())):
        more = trained_on(spec.Accuracy(dataset="fruit", train=train, test=test), names)
        save_weights(folder / f"{file}.safetensors", net.state_dict(), model=model, contract=IMAGENET, more=more)
    return folder


class Trial:
    """Runs `test` on CSV files beside the videos."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.capsys = folder, capsys

    def csv(self, rows: list[str], name: str = "my.csv") -> Path:
        """A CSV of rows `path,label[,split]`."""
        columns = ["path", "label", "split"][: rows[0].count(",") + 1]
        file = self.folder / name
        file.write_text("\n".join([",".join(columns), *rows]) + "\n", encoding="utf-8")
        return file

    def __call__(self, csv: Path, *more: str, weights: str = "w") -> tuple[float | None, str]:
        """Top-1, and all that was said."""
        options = "--backbone tiny_resnet --crop 32 --resize 40 --device cpu --threads 1".split()
        file = str(self.folder / f"{weights}.safetensors")
        out = str(self.folder / "runs")
        main(["test", "tsn", *options, "--weights", file, "--dataset", str(csv), "--out", out, *more])
        text = "".join(self.capsys.readouterr())
        found = re.search(r"top-1 ([\d.]+) %", text)
        return (float(found[1]) if found else None), text

    def records(self) -> list[dict[str, object]]:
        """All that were written."""
        return [json.loads(file.read_text()) for file in sorted((self.folder / "runs").rglob("*.json"))]


@pytest.fixture
def tester(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Trial:
    shutil.copytree(place, tmp_path / "fruit")
    return Trial(tmp_path / "fruit", capsys)


def test_views_and_network_are_those_of_the_weights_unless_asked_otherwise(tester: Trial) -> None:
    """The protocol in the file is of 10 clips and 3 crops; what is not asked is as it has it."""
    csv = tester.csv(["lime.mp4,lime", "banana.mp4,banana"])
    main(["test", "tsn", "--weights", str(tester.folder / "w.safetensors"), "--dataset", str(csv), "--device", "cpu",
          "--crop", "32", "--resize", "40", "--out", str(tester.folder / "runs")])  # fmt: skip
    text = tester.capsys.readouterr().out
    told = KINETICS["tsn"][1]
    assert (
        "TSN on my" in text and f"tiny_resnet, 8 segments, {told.clips * told.crops} views of 32 × 32 a video" in text
    )
    found, text = tester(csv, "--views", "1x1")
    assert found == 100.0 and "8 segments, 1 view of 32 × 32 a video" in text
    made = [record["spec"]["measure"]["test"] for record in tester.records()]
    assert {(one["clips"], one["crops"]) for one in made} >= {(told.clips, told.crops), (1, 1)}


def test_a_subset_is_scored_by_name_among_all_classes(tester: Trial) -> None:
    csv = tester.csv(["banana.mp4,banana,val", "lime.mp4,lime,val"])
    for more in ((), ("--classes", "4")):
        top1, text = tester(csv, *more)
        assert top1 == 100.0 and "2 of the 4 classes of the weights" in text
    assert "2 of the 4" in tester.records()[0]["effective"]["classes"]  # type: ignore[index]


def test_another_order_is_mapped_and_the_scores_are_in_the_dataset_s(tester: Trial) -> None:
    (tester.folder / "labels.txt").write_text("lime\ngrape\nbanana\napple\n")
    top1, text = tester(tester.csv(["apple.mp4,3,val", "lime.mp4,lime,val", "banana.mp4,2,val"]))
    assert top1 == 100.0 and "in another order" in text
    with np.load(next((tester.folder / "runs").rglob("*.npz"))) as scores:
        logits = np.asarray(scores["logits"])
        assert logits.reshape(3, -1).argmax(1).tolist() == scores["labels"].tolist() == [3, 0, 2]


def test_other_names_and_names_that_cannot_be_placed_are_refused(tester: Trial) -> None:
    csv = tester.csv(["apple.mp4,apple,val", "lime.mp4,Lime,val"])
    top1, text = tester(csv)
    assert top1 is None and "do not know: 'Lime'; the weights have 'banana'" in text
    top1, text = tester(tester.csv(["apple.mp4,apple,val", "lime.mp4,lime,val"]), weights="nameless")
    assert top1 is None and "which of them" in text
    assert not (tester.folder / "runs").exists(), "refused before anything ran"


@pytest.mark.parametrize(("weights", "labels"), [("w", "0123"), ("numbered", "0123"), ("nameless", "0123")])
def test_numbers_are_those_of_the_weights(tester: Trial, weights: str, labels: str) -> None:
    rows = [f"{name}.mp4,{number}.0,val" for name, number in zip(COLOURS, labels, strict=True)]
    assert tester(tester.csv(rows), weights=weights)[0] == 100.0
    assert tester(tester.csv(rows[:2], "part.csv"), weights=weights)[0] == 100.0


def test_names_that_the_weights_lack_are_taken_in_their_order_and_it_is_told(tester: Trial) -> None:
    rows = [f"{name}.mp4,{name},val" for name in COLOURS]
    top1, text = tester(tester.csv(rows), weights="nameless")
    assert top1 == 100.0 and "hold no names" in text


def test_every_row_of_a_split_is_scored_however_it_is_spelled(tester: Trial) -> None:
    splits = ("val", "Val", "validation", "VAL")
    rows = [f"{name}.mp4,{name},{split}" for name, split in zip(COLOURS, splits, strict=True)]
    top1, text = tester(tester.csv(rows), "--split", "Validation")
    assert top1 == 100.0 and "of 4 videos" in text and "'Val' as val" in text
    top1, text = tester(tester.csv(rows))
    assert "stored result" in text, "--split val is the same experiment"
    assert "did you mean val" in tester(tester.csv(rows), "--split", "vall")[1]


def test_new_frames_are_measured_and_a_stored_result_is_told(tester: Trial) -> None:
    for name in ("apple", "lime"):
        pictures(tester.folder / name, COLOURS[name])
    csv = tester.csv(["apple,apple,val", "lime,lime,val"])
    assert tester(csv)[0] == 100.0
    top1, text = tester(csv)
    assert top1 == 100.0 and "stored result of 2" in text and "nothing was measured anew" in text
    for name in ("apple", "lime"):
        shutil.rmtree(tester.folder / name)
        pictures(tester.folder / name, COLOURS["grape"])
    top1, text = tester(csv)
    assert top1 == 0.0 and "stored result" not in text
    pictures(tester.folder / "apple", COLOURS["apple"])
    pictures(tester.folder / "lime", COLOURS["lime"])
    assert "stored result" in tester(csv)[1], "the first data again"
    assert len({record["dataset"]["fingerprint"] for record in tester.records()}) == 2  # type: ignore[index]


def test_videos_that_change_places_are_measured_anew(tester: Trial) -> None:
    size = max((tester.folder / f"{name}.mp4").stat().st_size for name in COLOURS)
    for name in COLOURS:
        file = tester.folder / f"{name}.mp4"
        padding = size + 8 - file.stat().st_size
        file.write_bytes(file.read_bytes() + padding.to_bytes(4, "big") + b"free" + bytes(padding - 8))
    csv = tester.csv([f"{name}.mp4,{name},val" for name in COLOURS])
    assert tester(csv)[0] == 100.0
    (tester.folder / "apple.mp4").rename(tester.folder / "x.mp4")
    (tester.folder / "lime.mp4").rename(tester.folder / "apple.mp4")
    (tester.folder / "x.mp4").rename(tester.folder / "lime.mp4")
    assert tester(csv)[0] == 50.0


def test_a_dataset_that_keeps_its_name_is_measured_anew_when_its_videos_change(tester: Trial) -> None:
    from repro.data.index import read_csv

    csv = tester.csv([f"{name}.mp4,{name},val" for name in COLOURS])
    registry.datasets.add("fruit", lambda name, split: read_csv(csv, split), num_classes=4, origin="test")
    assert tester(Path("fruit"))[0] == 100.0
    clip(tester.folder / "apple.mp4", COLOURS["lime"])
    top1, text = tester(Path("fruit"))
    assert top1 == 75.0 and "the videos of val have changed" in text
    assert "stored result" in tester(Path("fruit"))[1]


@pytest.mark.parametrize(
    ("name", "called"),
    [("my data", "my-data"), ("é", "e"), ("_x", "x"), ("a@b", "a-b"), ("日本", "data"), ("x" * 130, "x" * 48)],
)
def test_any_file_name_becomes_a_name_that_a_record_bears(tester: Trial, name: str, called: str) -> None:
    top1, text = tester(tester.csv(["apple.mp4,apple,val"], f"{name}.csv"))
    assert top1 == 100.0 and f"records call '{name}.csv' '{called}'" in text
    assert tester.records()[0]["cell"] == called


def test_processes_are_bounded_by_the_videos(tester: Trial) -> None:
    csv = tester.csv([f"{name}.mp4,{name},val" for name in list(COLOURS)[:2]])
    top1, text = tester(csv, "--workers", "200")
    assert top1 == 100.0 and "2 processes decode, not 200" in text


@pytest.mark.parametrize("seed", ["-1", "1.5", "4294967296", "9" * 5000, "²"])
def test_seeds_that_a_record_refuses_are_refused_at_once(seed: str, capsys: pytest.CaptureFixture[str]) -> None:
    for verb in (["train", "tsn", "--dataset", "probe-order-smoke"], ["run", "table6"]):
        with pytest.raises(SystemExit) as ended:
            main([*verb, f"--seed={seed}"])
        assert ended.value.code == 2 and "--seed" in capsys.readouterr().err


def test_a_folder_that_takes_no_record_is_refused_at_once(tester: Trial, capsys, monkeypatch) -> None:
    csv = tester.csv([f"{name}.mp4,{name},val" for name in COLOURS])
    monkeypatch.setattr("repro.runner.one_experiment.execute", lambda *_, **__: pytest.fail("measured"))
    monkeypatch.setattr("repro.cli.run.launch", lambda *_, **__: pytest.fail("measured"))
    none, closed = "is no folder", "results cannot be written to"
    for place, told in ((csv, none), ("/proc/none", closed), ("/dev/null", none)):
        assert "results cannot be written to" in tester(csv, "--out", str(place))[1]
        monkeypatch.setenv("REPRO_RESULTS", str(place))
        assert main(["run", "table6", "--only", "static"]) == 2
        assert told in capsys.readouterr().err
        monkeypatch.delenv("REPRO_RESULTS")


@pytest.mark.parametrize("method", ["a b", "a/b", "x" * 130])
def test_methods_that_no_record_can_name_are_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], method: str
) -> None:
    module = tmp_path / "mine.py"
    module.write_text(f"from repro.registry import methods\n@methods.register({method!r})\ndef f(m, o): return m\n")
    assert main(["run", "table6", "--with", method, "--module", str(module), "--only", "static"]) == 2
    assert "register it under another name" in capsys.readouterr().err
