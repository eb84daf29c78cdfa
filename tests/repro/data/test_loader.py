"""Loading: the same clips whatever the workers, the cache and the place of a resume; broken videos named, never
replaced at test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from repro.core.errors import BadOption, DataError
from repro.core.spec import Train, Views
from repro.data import sampling, views, views_of_video
from repro.data.cache import open_cache
from repro.data.decode import read_frames
from repro.data.index import read_csv
from repro.data.loader import clips_per_epoch, epoch_order, normalize, test_videos, train_batches

TRAIN = Train(
    epochs=1,
    batch=4,
    lr=0.1,
    sampling="mmaction2.uniform_train_4",
    crop=24,
    crop_rule="multi_scale",
    resize=32,
    flip=0.5,
)
TEST = Views(sampling="mmaction2.dense_test_4", clips=10, crops=3, resize=32, crop=32)
GOOD = ("h264.mp4", "portrait.mp4", "odd.avi", "vp9.webm", "one.mp4", "bframes.avi", "long_gop.mp4", "still.mp4")


@pytest.fixture(scope="module")
def index(clip_folder, write_csv):
    return read_csv(
        write_csv(clip_folder / "good.csv", [(name, str(at), "train") for at, name in enumerate(GOOD)]), "train"
    )


@pytest.fixture(scope="module")
def mixed(bad_folder, bad_files, write_csv):
    rows = [(name, "1", "train") for name in bad_files] + [("whole.mp4", "0", "train"), ("late.mov", "1", "train")]
    return read_csv(write_csv(bad_folder / "mixed.csv", rows), "train")


def loaded(index, train=TRAIN, clip_length=1, **options):
    settings = {"seed": 0, "epoch": 0, "micro_batch": 2, **options}
    return list(train_batches(index, train, clip_length=clip_length, **settings))


def same(one, two):
    return len(one) == len(two) and all(
        torch.equal(a, c) and torch.equal(b, d) for (a, b), (c, d) in zip(one, two, strict=True)
    )


def test_batches_are_uint8_and_independent_of_workers_cache_and_resume(index):
    whole = loaded(index)
    assert [tuple(x.shape) for x, _ in whole] == [(2, 4, 3, 24, 24)] * 4
    assert whole[0][0].dtype == torch.uint8 and whole[0][1].dtype == torch.int64
    assert sorted(torch.cat([y for _, y in whole]).tolist()) == list(range(8))
    assert same(whole, loaded(index, workers=3))
    assert same(whole[2:], loaded(index, start=2))
    assert same(whole, loaded(index, cache=open_cache(index, resize=32)))
    assert loaded(index, start=4) == []


def test_seed_and_epoch_change_order_and_clips(index):
    cache = open_cache(index, resize=32)
    base = loaded(index, cache=cache)
    assert not same(base, loaded(index, cache=cache, epoch=1)) and not same(base, loaded(index, cache=cache, seed=1))
    assert not np.array_equal(epoch_order(50, 0, 0), epoch_order(50, 0, 1))
    one, two = (
        views_of_video.generator(0, 0, views_of_video.SAMPLE, 1),
        views_of_video.generator(0, 0, views_of_video.SAMPLE, 2),
    )
    assert one.integers(1 << 60) != two.integers(1 << 60)


def test_micro_batches_do_not_change_the_clips(index):
    cache = open_cache(index, resize=32)
    two, four = (torch.cat([x for x, _ in loaded(index, cache=cache, micro_batch=size)]) for size in (2, 4))
    assert torch.equal(two, four)


def test_processes_share_an_epoch(index):
    cache = open_cache(index, resize=32)
    whole = torch.cat([x for x, _ in loaded(index, cache=cache)])
    parts = [torch.cat([x for x, _ in loaded(index, cache=cache, rank=rank, world=2)]) for rank in (0, 1)]
    assert torch.equal(torch.stack(parts, 1).flatten(0, 1), whole)


def test_an_epoch_is_whole_batches():
    assert [clips_per_epoch(count, TRAIN) for count in (3, 4, 11)] == [3, 4, 8]


@pytest.mark.parametrize(("world", "micro"), [(1, 6), (1, 4), (2, 3), (2, 1), (3, 2), (6, 1)])
def test_a_smaller_last_batch_has_each_clip_once(index, world, micro):
    """8 videos in batches of 6: the last has 2, of which all processes make equally many forward passes."""
    train = replace(TRAIN, batch=6, last_batch="smaller")
    cache = open_cache(index, resize=32)
    last = set(epoch_order(8, 0, 0)[6:].tolist())
    labels, passes = [], []
    for rank in range(world):
        made = loaded(index, train, cache=cache, micro_batch=micro, rank=rank, world=world)
        sizes = views_of_video.shares(2, micro, rank, world)
        passes.append(len(sizes))
        for (x, y), size in zip(made[-len(sizes) :], sizes, strict=True):
            assert len(x) == len(y) == max(size, 1)
            labels += y.tolist()[:size]
        assert sum(len(y) for _, y in made[: -len(sizes)]) == 6 // world
    assert sorted(labels) == sorted(last) and len(set(passes)) == 1


def test_a_mirrored_clip_has_the_other_label(index):
    train = replace(TRAIN, flip=1.0, flip_labels=((0, 1),), crop_rule="centre")
    plain = replace(train, flip=0.0)
    cache = open_cache(index, resize=32)
    for (x, y), (mirrored, swapped) in zip(
        loaded(index, plain, cache=cache), loaded(index, train, cache=cache), strict=True
    ):
        assert torch.equal(x.flip(-1), mirrored)
        assert swapped.tolist() == [{0: 1, 1: 0}.get(label, label) for label in y.tolist()]


def test_segments_of_tdn(index):
    x, _ = loaded(index, replace(TRAIN, sampling="tdn.train_4"), clip_length=5)[0]
    assert tuple(x.shape) == (2, 4, 5, 3, 24, 24)
    with pytest.raises(BadOption, match="segments of 5 frames, the network takes 1"):
        loaded(index, replace(TRAIN, sampling="tdn.train_4"))


def test_bad_training_videos_are_named_and_left_out(mixed):
    problems: dict[str, str] = {}
    batches = loaded(mixed, problems=problems, workers=2)
    assert set(problems) == {video.id for video in mixed.videos} - {"whole.mp4", "late.mov"}
    assert sum(len(y) for _, y in batches) == clips_per_epoch(len(mixed), TRAIN)
    cached: dict[str, str] = {}
    assert same(batches, loaded(mixed, problems=cached, cache=open_cache(mixed, resize=32))) and cached == problems


def test_training_on_nothing_readable_is_refused(bad_folder, write_csv):
    index = read_csv(
        write_csv(bad_folder / "all.csv", [("text.mp4", "0", "train"), ("empty.mp4", "0", "train")]), "train"
    )
    with pytest.raises(DataError, match="2 of 2 videos of all cannot be read"):
        loaded(index)


def test_test_views_are_clips_times_crops_of_one_decoding(index):
    found = list(test_videos(index, TEST, clip_length=1, workers=2))
    assert [video.position for video in found] == list(range(8)) and all(video.problem is None for video in found)
    assert {tuple(video.views.shape) for video in found} == {(30, 4, 3, 32, 32)}
    portrait = found[1]
    picked = sampling.indices(TEST.sampling, 12)
    frames = read_frames(portrait.video.path, picked.ravel(), resize_short=32).reshape(10, 4, 58, 32, 3)
    boxes = views.three_crops(58, 32, 32)
    for clip, number in ((0, 0), (9, 1), (4, 2)):
        expected = np.moveaxis(views.crop(frames[clip], boxes[number]), -1, -3)
        assert np.array_equal(portrait.views[clip * 3 + number], expected)
    cached = test_videos(index, TEST, clip_length=1, cache=open_cache(index, resize=32))
    assert all(torch.equal(one.views, two.views) for one, two in zip(found, cached, strict=True))


def test_bad_test_videos_are_listed_and_never_substituted(mixed):
    for options in ({"workers": 2}, {"cache": open_cache(mixed, resize=32)}):
        found = list(test_videos(mixed, TEST, clip_length=1, **options))
        assert [video.video for video in found] == list(mixed.videos)
        left_out = {video.video.id: video.problem for video in found if video.views is None}
        assert len(left_out) == len(mixed) - 2 and all(left_out.values())
        assert left_out["missing.mp4"] == "missing: no such file"


def test_a_frame_smaller_than_the_crop_is_a_problem_of_its_video(index):
    small = replace(TEST, resize=0, crop=49, crops=1)
    problems = {video.video.id: video.problem for video in test_videos(index, small, clip_length=1)}
    assert "does not fit into frames of 64x48" in problems["h264.mp4"] and problems["portrait.mp4"] is None


def test_random_views_are_seeded_by_the_video(index):
    rule = replace(TEST, sampling="tdn.kinetics_random_4x2", clips=2, crops=1)
    one, two, other = (
        next(test_videos(index, rule, clip_length=5, positions=[0], seed=seed)).views for seed in (0, 0, 1)
    )
    alone = list(test_videos(index, rule, clip_length=5, positions=[2, 0]))[1]
    assert torch.equal(one, two) and torch.equal(one, alone.views) and not torch.equal(one, other)
    assert tuple(one.shape) == (2, 4, 5, 3, 32, 32)


def test_wrong_number_of_clips_is_refused(index):
    with pytest.raises(BadOption, match="allowed: 10 clips"):
        next(test_videos(index, replace(TEST, clips=1), clip_length=1))


def test_a_wrong_option_is_refused_not_blamed_on_a_video(index):
    with pytest.raises(BadOption, match="mutli_scale"):
        loaded(index, replace(TRAIN, crop_rule="mutli_scale"))


def test_normalize_follows_the_contract():
    x = torch.randint(0, 256, (2, 4, 3, 5, 5), dtype=torch.uint8)
    mean, std = (np.reshape(values, (3, 1, 1)) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert np.allclose(normalize(x).numpy(), (x.numpy() / 255 - mean) / std, atol=1e-5)
    caffe = normalize(x, order="BGR", scale=255.0, mean=(104.0, 117.0, 128.0), std=(1.0, 1.0, 1.0))
    assert torch.allclose(caffe[:, :, 0], x[:, :, 2].float() - 104.0, atol=1e-3)
    assert normalize(x, dtype=torch.bfloat16).dtype == torch.bfloat16
    for wrong in ({"order": "RBG"}, {}):
        with pytest.raises(BadOption):
            normalize(x if wrong else x.float(), **wrong)
