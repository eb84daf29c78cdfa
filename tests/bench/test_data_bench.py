"""Timings of samplers, decoding and loading: `tox -e bench`."""

from __future__ import annotations

import time

import av
import numpy as np
import pytest

from repro.core import paths
from repro.core.spec import Train
from repro.cost.test_clips import CLIPS, clip_file
from repro.data import sampling
from repro.data.cache import open_cache
from repro.data.decode import DECODERS
from repro.data.index import read_csv
from repro.data.loader import train_batches
from repro.data.resize import resize_short

from .loading_speed import CASES, PUBLIC, measure, ratio, ways

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def clip():
    """name -> the file of a written clip; kept between runs."""
    return lambda name: clip_file(name, paths.cache() / "clips")


@pytest.mark.parametrize("rule", ["mmaction2.uniform_train_8", "mmaction2.dense_test_8", "tdn.train_8"])
def test_sampler(benchmark, rule):
    rng = np.random.default_rng(0)
    benchmark(sampling.indices, rule, 300, rng)


@pytest.mark.benchmark(timer=time.process_time)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("way", [PUBLIC, *DECODERS])
def test_views_of_a_video(benchmark, clip, way, name, case):
    """CPU time, not wall-clock time, of one video from the file to its views."""
    run = ways(clip(name), CASES[case])[0][way]
    made = benchmark.pedantic(run, rounds=5, warmup_rounds=1)
    assert made.shape[:2] == (CASES[case].clips * CASES[case].crops, 8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", CLIPS)
def test_against_the_public_pipeline_and_the_fastest_decoder(clip, name, case):
    times = measure(clip(name), case, repeats=5)
    wanted = 1.2 if case == "8 sparse" else 2.0 if case == "10 clips x 8" and "720" in name else 1.0
    fastest = min(ratio(times, way, "auto") for way in times if way not in (PUBLIC, "auto"))
    assert ratio(times, PUBLIC, "auto") >= wanted and fastest >= 1 / 1.1


def test_resize_of_eight_frames_of_720p(benchmark):
    frames = np.random.default_rng(0).integers(0, 256, (8, 720, 1280, 3), dtype=np.uint8)
    benchmark.pedantic(resize_short, (frames, 256), rounds=5, warmup_rounds=1)


def test_epoch_from_the_frame_cache(benchmark, tmp_path):
    for number in range(16):
        with av.open(str(tmp_path / f"{number}.mp4"), "w") as container:
            stream = container.add_stream("libx264", rate=8)
            stream.width, stream.height, stream.pix_fmt = 40, 40, "yuv420p"
            for _ in range(16):
                image = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode(None))
    (tmp_path / "x.csv").write_text("path,label,split\n" + "".join(f"{n}.mp4,0,train\n" for n in range(16)))
    index = read_csv(tmp_path / "x.csv", "train")
    train = Train(
        epochs=1, batch=16, lr=0.1, sampling="mmaction2.uniform_train_8", crop=32, crop_rule="random", resize=0
    )
    cache = open_cache(index)

    def epoch() -> int:
        batches = train_batches(index, train, clip_length=1, seed=0, epoch=0, micro_batch=16, cache=cache)
        return sum(len(labels) for _, labels in batches)

    assert benchmark(epoch) == 16
