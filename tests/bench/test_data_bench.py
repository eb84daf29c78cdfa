"""Timings of samplers, decoding and loading: `tox -e bench`."""

from __future__ import annotations

import av
import numpy as np
import pytest

from repro.data import sampling
from repro.data.cache import open_cache
from repro.data.decode import read_frames
from repro.data.index import read_csv
from repro.data.loader import train_batches
from repro.data.resize import resize_short
from repro.spec import Train

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """300 frames of 340x256 in H.264, a key frame every 12: a Kinetics clip as it is usually stored."""
    path = tmp_path_factory.mktemp("bench") / "clip.mp4"
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (32, 43, 3)).repeat(8, 0).repeat(8, 1)[:256, :340].astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 340, 256, "yuv420p"
        stream.codec_context.gop_size = 12
        for number in range(300):
            frame = av.VideoFrame.from_ndarray(np.roll(base, 2 * number, 1), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("rule", ["mmaction2.uniform_train_8", "mmaction2.dense_test_8", "tdn.train_8"])
def test_sampler(benchmark, rule):
    rng = np.random.default_rng(0)
    benchmark(sampling.indices, rule, 300, rng)


@pytest.mark.parametrize("rule", ["mmaction2.uniform_test_8", "mmaction2.dense_test_8"])
@pytest.mark.parametrize("decoder", ["decord", "pyav"])
def test_decode(benchmark, video, decoder, rule):
    indices = sampling.indices(rule, 300).ravel()
    frames = benchmark.pedantic(read_frames, (video, indices), {"decoder": decoder}, rounds=7, warmup_rounds=1)
    assert frames.shape == (len(indices), 256, 340, 3)


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
