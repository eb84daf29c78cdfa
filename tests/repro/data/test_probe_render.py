"""What the probes show and hide: controls on the very frames that are decoded, before any network is trained."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from repro.data import embedded_files
from repro.data.drawing import FRAMES, SIDE
from repro.data.embedded import EMBEDDED, cell_of, open_embedded
from repro.data.probe_render import DIALS, draw, draw_pose, render
from tests.repro.data.frame_facts import bag, linear_accuracy, ordered, shape_facts

MOTIONS_OF = ("order", "shapes")
TRAIN, TEST = 480, 320


def luma(kind, split, count, step=1):
    """The luma of the decoded files of a probe's first videos (count, FRAMES, SIDE, SIDE)."""
    drawn = (draw(kind, split, step * position).planes for position in range(count))
    return np.stack([embedded_files.decode_planes(embedded_files.encode(planes))[:, :SIDE] for planes in drawn])


@pytest.fixture(scope="module")
def order():
    """Frames of the order probe by split, and the facts of each frame."""
    frames = {"train": luma("order", "train", TRAIN), "choose": luma("order", "choose", TEST)}
    return frames, {split: shape_facts(pictures) for split, pictures in frames.items()}


def direction(facts, features):
    """Mean over the pairs of the accuracy of telling the two directions apart, the pair being known."""
    train, test = features(facts["train"]), features(facts["choose"])
    rates = []
    for pair in range(4):
        a, b = np.arange(TRAIN) % 8 // 2 == pair, np.arange(TEST) % 8 // 2 == pair
        rates.append(linear_accuracy(train[a], np.arange(TRAIN)[a] % 2, test[b], np.arange(TEST)[b] % 2))
    return float(np.mean(rates))


@pytest.mark.parametrize("kind", MOTIONS_OF)
@pytest.mark.parametrize("pair", range(4))
def test_second_motion_of_a_pair_is_the_first_reversed(kind, pair):
    dial = DIALS[kind]
    for seed, duration in enumerate(dial.durations):
        forth, back = (
            render(dial, 2 * pair + back, np.random.default_rng(seed), dial.radii[-1], duration) for back in (0, 1)
        )
        assert np.array_equal(back, forth[::-1])
        assert not np.array_equal(back, forth)


def test_a_bag_of_frames_is_at_chance_on_the_direction(order):
    assert abs(direction(order[1], bag) - 0.5) < 3 * 0.5 / np.sqrt(TEST)


def test_one_frame_is_at_chance_on_all_motions(order):
    frames, facts = order
    rng = np.random.default_rng(0)
    at = {
        split: (np.arange(len(pictures)), rng.integers(FRAMES, size=len(pictures)))
        for split, pictures in frames.items()
    }
    train, test = (
        np.concatenate(
            [facts[split][at[split]], frames[split][at[split]][:, ::5, ::5].reshape(len(frames[split]), -1) / 255], 1
        )
        for split in frames
    )
    rate = linear_accuracy(train, np.arange(TRAIN) % 8, test, np.arange(TEST) % 8)
    assert abs(rate - 0.125) < 3 * np.sqrt(0.125 * 0.875 / TEST)


def test_the_order_of_the_same_motions_tells_the_direction_when_nothing_hides_it():
    """The positive control of the two above: by the same means, and without noise and distractors, it can be told."""
    dial = replace(DIALS["order"], opacity=1.0, noise=0.05, distractors=0)
    facts = {
        split: shape_facts(
            np.stack([render(dial, n % 8, np.random.default_rng([seed, n]))[:, :SIDE] for n in range(count)])
        )
        for seed, (split, count) in enumerate((("train", TRAIN), ("choose", TEST)))
    }
    assert direction(facts, ordered) > 0.85
    assert abs(direction(facts, bag) - 0.5) < 3 * 0.5 / np.sqrt(TEST)


@pytest.mark.parametrize("duration", DIALS["shapes"].durations)
@pytest.mark.parametrize("pair", range(4))
def test_a_random_frame_does_not_tell_what_moves(duration, pair):
    """Position, size and angle of the shape in a frame drawn at random have one distribution, whatever moves."""

    def drawn(which, seed):
        rng = np.random.default_rng(seed)
        at = rng.integers(FRAMES, size=3000)
        poses = [draw_pose(DIALS["shapes"], which, rng, (5.0, 6.5), duration) for _ in at]
        return np.array(
            [
                [pose.x[i], pose.y[i], pose.radius[i], pose.angle[i] % (2 * np.pi)]
                for pose, i in zip(poses, at, strict=True)
            ]
        ).T

    for here, there in zip(drawn(pair, pair), drawn((pair + 1) % 4, 100 + pair), strict=True):
        assert stats.ks_2samp(here, there).pvalue > 1e-3


def test_without_its_shape_a_picture_tells_nothing_of_it():
    """The blank control: what is drawn besides, and the codec, do not depend on the class."""
    train, test = (
        luma("sight-blank", split, count).reshape(count, -1)[:, ::97]
        for split, count in (("train", TRAIN), ("test", TEST))
    )
    rate = linear_accuracy(train / 255, np.arange(TRAIN) % 8, test / 255, np.arange(TEST) % 8)
    assert abs(rate - 0.125) < 3 * np.sqrt(0.125 * 0.875 / TEST)


def test_sight_and_its_blank_control_differ_by_the_shape_alone():
    dial, blank = DIALS["sight"], DIALS["sight-blank"]
    with_shape, without = (render(one, 3, np.random.default_rng(5)).astype(int) for one in (dial, blank))
    changed = (with_shape != without)[:, :SIDE].mean()
    assert 0.02 < changed < 0.5


@pytest.mark.parametrize(("grade", "different"), [(0, 1), (1, 2), (2, 4), (3, 8)])
def test_grades_of_redundancy_survive_the_codec(grade, different):
    made = draw("redundancy", "choose", 8 * grade)
    assert made.name.endswith(f"-p{different}")
    decoded = embedded_files.decode_planes(embedded_files.encode(made.planes))
    assert len({frame.tobytes() for frame in decoded}) == different
    assert np.array_equal(decoded[:: FRAMES // different], decoded[FRAMES // different - 1 :: FRAMES // different])


def test_cells_of_the_grid_are_equally_many_and_told_by_the_name():
    names = [draw_name(position) for position in range(0, 8 * 18, 8)]
    assert sorted(map(cell_of, names)) == sorted([f"r{r}d{d}" for r in range(3) for d in range(3)] * 2)


def draw_name(position):
    return draw("shapes", "choose", position).name


@pytest.mark.parametrize("name", [name for name in EMBEDDED if name.endswith("-smoke")])
def test_splits_are_read_through_the_common_path(name):
    opened = {split: open_embedded(name, split) for split in ("train", "choose", "test")}
    assert len({index.fingerprint for index in opened.values()}) == 3
    assert all([video.label for video in index.videos] == [0, 1] for index in opened.values())
