from __future__ import annotations

import csv
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from repro.core.spec import Accuracy, Model, Train, Views, frozen


def write_video(path: Path, seed: int, frames: int = 9, side: int = 40) -> None:
    rng = np.random.default_rng(seed)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width = stream.height = side
        stream.pix_fmt = "yuv420p"
        for _ in range(frames):
            picture = rng.integers(0, 256, (5, 5, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


@pytest.fixture(scope="session")
def tiny_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of 12 training and 5 validation videos of 3 classes, 9 frames of 40 x 40."""
    folder = tmp_path_factory.mktemp("tiny")
    with (folder / "tiny.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for number in range(17):
            write_video(folder / f"{number}.mp4", number)
            rows.writerow([f"{number}.mp4", f"class{number % 3}", "train" if number < 12 else "val"])
    return folder / "tiny.csv"


@pytest.fixture(scope="session")
def tiny_model() -> Model:
    return Model(
        name="tsm", backbone="tiny_resnet", num_classes=3, frames=4, dropout=0.5, options=frozen(blocks=1, pool=True)
    )


@pytest.fixture(scope="session")
def tiny_accuracy(tiny_csv: Path) -> Accuracy:
    """3 steps of 4 clips an epoch, 2 epochs; 2 clips x 3 crops at test."""
    train = Train(
        epochs=2,
        batch=4,
        lr=0.02,
        sampling="mmaction2.uniform_train_4",
        crop=32,
        crop_rule="random",
        resize=0,
        groups="tsm",
        clip_norm=5,
        warmup_epochs=0.5,
        schedule_by="step",
    )
    test = Views(sampling="mmaction2.uniform_test_4_twice", clips=2, crops=3, resize=0, crop=32)
    return Accuracy(dataset=str(tiny_csv), train=train, test=test)
