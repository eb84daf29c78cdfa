from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from repro.core.errors import ReproError
from repro.core.spec import Accuracy, Experiment, Model, experiment_from_dict, replace, to_dict
from repro.data.cache import open_cache
from repro.data.datasets import open_index
from repro.data.index import Index
from repro.engine import batch_size, evaluate
from repro.models.build import build
from repro.records import metrics
from tests.repro.engine import forked


@pytest.fixture(scope="module")
def net(tiny_model: Model) -> nn.Module:
    torch.manual_seed(0)
    return build(tiny_model)


@pytest.fixture(scope="module")
def index(tiny_csv: Path) -> Index:
    return open_index(str(tiny_csv), "val")


@pytest.fixture(scope="module")
def scores(net: nn.Module, index: Index, tiny_accuracy: Accuracy) -> evaluate.Scores:
    return evaluate.score(net, index, tiny_accuracy.test)


def test_scores_have_a_row_per_video_and_a_view_per_clip_and_crop(scores: evaluate.Scores, index: Index) -> None:
    assert scores.logits.shape == (5, 6, 3)
    assert scores.logits.dtype == np.float32
    assert scores.ids == [video.id for video in index.videos]
    assert scores.labels.tolist() == [video.label for video in index.videos]
    assert scores.problems == []


def test_every_decoder_gives_the_scores_bit_for_bit_and_is_named(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores
) -> None:
    assert scores.about["decoders"] == {"pyav": 5}
    for decoder, used in (("pyav", "pyav"), ("decord", "decord")):
        cache = open_cache(index, decoder=decoder, resize=tiny_accuracy.test.resize)
        for options in ({}, {"cache": cache}):
            found = evaluate.score(net, index, tiny_accuracy.test, decoder=decoder, **options)
            assert np.array_equal(found.logits, scores.logits) and found.about["decoders"] == {used: 5}


@pytest.mark.parametrize("chunk", [1, 4, 5, 7, 100])
def test_the_chunk_size_changes_nothing(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores, chunk: int
) -> None:
    found = evaluate.score(net, index, tiny_accuracy.test, chunk=chunk)
    assert np.allclose(found.logits, scores.logits, rtol=1e-5, atol=1e-6)
    assert found.ids == scores.ids


def test_views_are_where_they_belong(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores
) -> None:
    from repro.data import loader

    for video in loader.test_videos(index, tiny_accuracy.test, clip_length=1):
        assert video.views is not None
        with torch.inference_mode():
            expected = net.eval()(loader.normalize(video.views)).numpy()
        assert np.allclose(scores.logits[video.position], expected, rtol=1e-5, atol=1e-6)


def test_a_repeated_test_is_equal_bit_for_bit(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores, tmp_path: Path
) -> None:
    again = evaluate.score(net, index, tiny_accuracy.test, workers=2)
    assert np.array_equal(again.logits, scores.logits)
    assert again.save(tmp_path / "a.npz") == scores.save(tmp_path / "b.npz")


def with_videos(index: Index, **paths: Path) -> Index:
    videos = tuple(replace(v, path=paths[f"v{i}"]) if f"v{i}" in paths else v for i, v in enumerate(index.videos))
    return replace(index, videos=videos)


def test_bad_videos_are_named_and_left_out(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(index.videos[1].path.read_bytes()[:500])
    steps: list[dict[str, object]] = []
    spoiled = with_videos(index, v1=broken, v3=tmp_path / "gone.mp4")
    found = evaluate.score(net, spoiled, tiny_accuracy.test, on_progress=steps.append)
    assert found.ids == [index.videos[i].id for i in (0, 2, 4)]
    assert [problem["id"] for problem in found.problems] == [index.videos[1].id, index.videos[3].id]
    assert all(problem["problem"] for problem in found.problems)
    assert np.allclose(found.logits, scores.logits[[0, 2, 4]], rtol=1e-5, atol=1e-6)
    summary = evaluate.summarise(found, "softmax")
    assert summary["videos"] == 3
    assert [left["id"] for left in summary["left_out"]] == [problem["id"] for problem in found.problems]
    assert (steps[-1]["step"], steps[-1]["steps"]) == (5, 5)


def test_nothing_scored_is_an_error(net: nn.Module, index: Index, tiny_accuracy: Accuracy, tmp_path: Path) -> None:
    gone = with_videos(index, **{f"v{i}": tmp_path / "gone.mp4" for i in range(5)})
    with pytest.raises(ReproError, match="none of the 5 videos"):
        evaluate.score(net, gone, tiny_accuracy.test)


def test_a_network_that_gives_no_number_is_an_error(index: Index, tiny_model: Model, tiny_accuracy: Accuracy) -> None:
    net = build(tiny_model)
    nn.init.constant_(net.fc.bias, float("nan"))
    with pytest.raises(ReproError, match=f"not finite, first '{index.videos[0].id}'"):
        evaluate.score(net, index, tiny_accuracy.test)


def test_labels_that_the_network_has_not(net: nn.Module, index: Index, tiny_accuracy: Accuracy) -> None:
    videos = (replace(index.videos[0], label=3), *index.videos[1:])
    with pytest.raises(ReproError, match=f"'{index.videos[0].id}' .* has label 3"):
        evaluate.score(net, replace(index, videos=videos), tiny_accuracy.test)


def test_a_device_that_runs_out_gets_smaller_chunks(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    class Small(nn.Module):
        num_classes, clip_length = 3, 1

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if len(x) > 3:
                raise torch.OutOfMemoryError("full")
            sizes.append(len(x))
            return net(x)

    found = evaluate.score(Small(), index, tiny_accuracy.test, chunk=8)
    assert np.allclose(found.logits, scores.logits, rtol=1e-5, atol=1e-6)
    assert set(sizes) == {3}
    assert sum(sizes) == 30
    assert found.about["views_per_batch"] == [3, 6]


def test_scores_survive_the_disk(scores: evaluate.Scores, tmp_path: Path) -> None:
    problems = [{"id": "a <b>.mp4", "problem": "cut"}]
    kept = evaluate.Scores(scores.logits, scores.labels, scores.ids, problems, 2, 3)
    digest = kept.save(tmp_path / "deep" / "scores.npz")
    found = evaluate.Scores.load(tmp_path / "deep" / "scores.npz", digest)
    assert np.array_equal(found.logits, kept.logits)
    assert np.array_equal(found.labels, kept.labels)
    assert (found.ids, found.problems, found.clips, found.crops) == (kept.ids, problems, 2, 3)
    with pytest.raises(ReproError, match="do not fit the sha256"):
        evaluate.Scores.load(tmp_path / "deep" / "scores.npz", "0" * 64)


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 not really"])
def test_damaged_scores(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "s.npz").write_bytes(content)
    with pytest.raises(ReproError, match="cannot be read"):
        evaluate.Scores.load(tmp_path / "s.npz")
    with pytest.raises(ReproError, match="no such file"):
        evaluate.Scores.load(tmp_path / "none.npz")


def test_summary(scores: evaluate.Scores) -> None:
    summary = evaluate.summarise(scores, "softmax")
    fused = metrics.aggregate(scores.logits, "softmax", 2, 3)
    assert summary["top1"] == metrics.top_k(fused, scores.labels, 1)
    assert summary["aggregations"]["2x3/softmax"] == {"top1": summary["top1"], "top5": summary["top5"]}
    assert set(summary["aggregations"]) == {
        "view", *(f"{clips}x{crops}/{kind}" for clips in (1, 2) for crops in (1, 3) for kind in ("logits", "softmax"))
    }  # fmt: skip


def test_memory_estimates_scale_with_the_budget(net: nn.Module) -> None:
    x = torch.zeros(1, 4, 3, 32, 32)
    few, many = batch_size.scoring_views(net, x, 10 * 2**20), batch_size.scoring_views(net, x, 100 * 2**20)
    assert 1 <= few < many
    assert many == pytest.approx(10 * few, abs=10)
    assert batch_size.scoring_views(net, x, 1) == 1
    x = torch.zeros(2, 4, 3, 32, 32)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    random = torch.get_rng_state()
    assert 1 <= batch_size.training_clips(net, x, 50 * 2**20) < batch_size.training_clips(net, x, 500 * 2**20)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("videos", "views", "most", "expected"),
    [
        (20_000, 30, 16, (1, 2, 15)),
        (20_000, 30, 30, (1, 1, 30)),
        (20_000, 1, 256, (256, 1, 256)),
        (5, 1, 256, (1, 1, 1)),
        (128, 1, 256, (2, 1, 2)),
        (20_000, 3, 256, (85, 1, 255)),
        (1, 250, 1, (1, 250, 1)),
    ],
)
def test_the_layout_of_a_batch(videos: int, views: int, most: int, expected: tuple[int, int, int]) -> None:
    assert evaluate.batch_of(videos, views, most) == evaluate.Batch(*expected)


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_a_batch_holds_each_view_once_and_no_more_than_fit(videos: int, views: int, most: int) -> None:
    made = evaluate.batch_of(videos, views, most)
    assert 1 <= made.size <= most
    assert made.videos * views <= made.passes * made.size < made.videos * views + made.passes


def test_a_video_scores_the_same_bit_for_bit_beside_one_that_cannot_be_read(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "_FEWEST_GROUPS", 2)
    whole = evaluate.score(net, index, tiny_accuracy.test, chunk=18)
    assert whole.about["views_per_batch"] == [18]
    holed = evaluate.score(net, with_videos(index, v1=tmp_path / "gone.mp4"), tiny_accuracy.test, chunk=18)
    assert np.array_equal(holed.logits, whole.logits[[0, 2, 3, 4]])


def test_a_killed_test_goes_on_where_it_stopped(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: evaluate.Scores, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    class Killed(Exception):
        pass

    def kill(facts: dict[str, object]) -> None:
        if facts["step"] == 4:
            raise Killed

    monkeypatch.setattr("repro.engine.logit_buffer._SAVE_EVERY_S", 0.0)
    spoiled = with_videos(index, v1=tmp_path / "gone.mp4")
    with pytest.raises(Killed):
        evaluate.score(net, spoiled, tiny_accuracy.test, on_progress=kill, folder=tmp_path)
    log = next(tmp_path.glob("test-*.jsonl"))
    assert [json.loads(line)[0] for line in log.read_text().splitlines()] == [0, 1, 2, 3]
    log.write_text(log.read_text() + "[4, nu")  # the process died while it wrote
    steps: list[dict[str, Any]] = []
    found = evaluate.score(net, spoiled, tiny_accuracy.test, on_progress=steps.append, folder=tmp_path)
    assert [facts["step"] for facts in steps] == [5], "four are done"
    assert found.ids == [index.videos[at].id for at in (0, 2, 3, 4)]
    assert found.about["decoders"] == {"pyav": 4}, "three before the kill, one after it"
    assert [problem["id"] for problem in found.problems] == [index.videos[1].id]
    assert np.array_equal(found.logits, scores.logits[[0, 2, 3, 4]])
    assert not list(tmp_path.glob("test-*")), "what served is gone"
    with torch.no_grad():
        other = copy.deepcopy(net)
        other.fc.bias.add_(1.0)
    with pytest.raises(Killed):
        evaluate.score(net, index, tiny_accuracy.test, on_progress=kill, folder=tmp_path)
    assert not np.array_equal(evaluate.score(other, index, tiny_accuracy.test, folder=tmp_path).logits, scores.logits)


def share(folder: Path, rank: int, world: int, count: int) -> str:
    """What one of `world` processes scores of the first videos, and the digest of the file that it writes."""
    if world > 1:
        dist.init_process_group("gloo", init_method=f"file://{folder}/meet{world}", rank=rank, world_size=world)
    evaluate._FEWEST_GROUPS = 3
    experiment = experiment_from_dict(json.loads((folder / "spec.json").read_text()))
    assert isinstance(experiment.measure, Accuracy)
    torch.manual_seed(0)
    index = with_videos(open_index(experiment.measure.dataset, "val"), v2=Path("gone.mp4"))
    index = replace(index, videos=index.videos[:count])
    scores = evaluate.score(build(experiment.model), index, experiment.measure.test, chunk=12, folder=folder)
    return scores.save(folder / f"{world}-{rank}.npz")


@pytest.mark.parametrize(("videos", "batch", "scored"), [(5, 12, 4), (3, 6, 2), (1, 6, 1)])
def test_any_number_of_processes_gives_the_same_file(
    tiny_model: Model, tiny_accuracy: Accuracy, tmp_path: Path, videos: int, batch: int, scored: int
) -> None:
    """1, 2 and 3 processes; the third video cannot be read. Of five, groups of two, of which the last is half empty;
    of three, one process has the unreadable one alone; of one, most have none.
    """
    experiment = Experiment(model=tiny_model, measure=tiny_accuracy)
    (tmp_path / "spec.json").write_text(json.dumps(to_dict(experiment)))
    digests = set()
    for world in (1, 2, 3):
        shares = [forked.Child(share, tmp_path, rank, world, videos) for rank in range(world)]
        digests.update([one.result() for one in shares])
    assert len(digests) == 1
    found = evaluate.Scores.load(tmp_path / "3-2.npz")
    assert found.logits.shape == (scored, 6, 3) and found.about["views_per_batch"] == [batch]
    assert len(found.problems) == videos - scored
