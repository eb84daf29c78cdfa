"""The protocol of data-dependent costs: what is told for each clip reaches the score file and the record unchanged."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from repro.core.spec import Accuracy, Model, frozen, replace
from repro.cost import dynamic
from repro.data import loader
from repro.data.datasets import open_index
from repro.data.index import Index
from repro.engine import evaluate
from repro.models.build import build
from repro.records.scores import Scores

RECORDS = Path(__file__).resolve().parents[3] / "results" / "records"


@pytest.fixture(scope="module")
def net(tiny_model: Model) -> nn.Module:
    torch.manual_seed(0)
    gated = replace(tiny_model, name="tsn", method="adafuse", method_options=frozen(hidden=8, policy="sample"))
    return build(gated).eval()


@pytest.fixture(scope="module")
def index(tiny_csv: Path) -> Index:
    return open_index(str(tiny_csv), "val")


@pytest.fixture(scope="module")
def scores(net: nn.Module, index: Index, tiny_accuracy: Accuracy) -> Scores:
    return evaluate.score(net, index, tiny_accuracy.test)


def test_every_view_has_its_own_figures(net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: Scores) -> None:
    assert scores.stats is not None and scores.stats.shape == (5, 6, len(scores.stat_names))
    for video in loader.test_videos(index, tiny_accuracy.test, clip_length=1):
        with torch.inference_mode():
            logits = net(loader.normalize(video.views))
            told = net.adafuse.stats()  # type: ignore[union-attr, operator]
        assert np.allclose(scores.logits[video.position], logits.numpy(), rtol=1e-5, atol=1e-6)
        for place, name in enumerate(scores.stat_names):
            assert np.allclose(scores.stats[video.position, :, place], told[name].numpy(), rtol=1e-5), name


def test_ar_net_is_measured_as_adafuse_is(
    index: Index, tiny_model: Model, tiny_accuracy: Accuracy, scores: Scores
) -> None:
    torch.manual_seed(0)
    net = build(replace(tiny_model, name="arnet", dropout=0.0, options=frozen(policy="sample"))).eval()
    found = evaluate.score(net, index, tiny_accuracy.test)
    names = {"gmacs", "gmacs_macs", "gmacs_macs_without_policy"}
    assert found.stats is not None and names <= set(found.stat_names) & set(scores.stat_names)
    assert set(found.about["facts"]) == set(scores.about["facts"])
    gmacs = found.stats[:, :, found.stat_names.index("gmacs_macs")]
    for video in loader.test_videos(index, tiny_accuracy.test, clip_length=1):
        with torch.inference_mode():
            net(loader.normalize(video.views))
            told = net.policy.gmacs()  # type: ignore[union-attr, operator]
        assert np.allclose(gmacs[video.position], told.numpy(), rtol=1e-6)
    cost = evaluate.summarise(found, "softmax")["cost"]
    assert cost["mean"]["gmacs_macs"] == pytest.approx(gmacs.astype(np.float64).mean())
    assert (
        0 < cost["mean"]["gmacs_macs"] <= cost["highest"]["gmacs_macs"] <= cost["facts"]["gmacs_macs_base"] * (1 + 1e-6)
    )


@pytest.mark.parametrize("chunk", [1, 4, 7])
def test_neither_batch_nor_processes_change_the_figures(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: Scores, chunk: int
) -> None:
    found = evaluate.score(net, index, tiny_accuracy.test, chunk=chunk)
    assert found.stats is not None and np.allclose(found.stats, scores.stats, rtol=1e-6)
    assert found.about["facts"] == scores.about["facts"]


def test_figures_survive_the_disk_and_reach_the_record(scores: Scores, tmp_path: Path) -> None:
    digest = scores.save(tmp_path / "s.npz")
    found = Scores.load(tmp_path / "s.npz", digest)
    assert found.stat_names == scores.stat_names and np.array_equal(found.stats, scores.stats)
    cost = evaluate.summarise(found, "softmax")["cost"]
    videos = scores.stats[:, :, scores.stat_names.index("gmacs")].astype(np.float64).mean(1)
    assert cost["mean"]["gmacs"] == pytest.approx(videos.mean())
    assert cost["std"]["gmacs"] == pytest.approx(videos.std(ddof=1))
    assert cost["lowest"]["gmacs"] <= cost["mean"]["gmacs"] <= cost["highest"]["gmacs"] < cost["facts"]["gmacs_base"]
    assert cost["facts"]["gmacs_base_without_policy"] < cost["facts"]["gmacs_base"]
    total = sum(cost["mean"][f"layer1.0.{action}"] for action in ("skip", "reuse", "keep"))
    assert total == pytest.approx(1)


def test_an_interrupted_test_goes_on_with_its_figures(
    net: nn.Module, index: Index, tiny_accuracy: Accuracy, scores: Scores, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def after_three(facts: dict[str, object]) -> None:
        if facts["step"] == 4:
            raise Killed

    with pytest.raises(Killed):
        evaluate.score(net, index, tiny_accuracy.test, folder=tmp_path, on_progress=after_three)
    found = evaluate.score(net, index, tiny_accuracy.test, folder=tmp_path)
    assert np.array_equal(found.stats, scores.stats) and np.array_equal(found.logits, scores.logits)


def test_scores_without_figures_are_written_as_before(tmp_path: Path) -> None:
    """A file of an earlier version is read, and written again member by member the same."""
    old = sorted((RECORDS / "dnr" / "table1a").rglob("*.npz"))[0]
    found = Scores.load(old)
    assert found.stats is None and found.stat_names == ()
    assert "cost" not in evaluate.summarise(found, "softmax")
    found.save(tmp_path / "again.npz")
    with zipfile.ZipFile(old) as before, zipfile.ZipFile(tmp_path / "again.npz") as after:
        assert before.namelist() == after.namelist()
        assert all(before.read(name) == after.read(name) for name in before.namelist())


def test_figures_that_do_not_fit_are_told(scores: Scores, tmp_path: Path) -> None:
    from repro.core.errors import DataError

    Scores(
        scores.logits, scores.labels, scores.ids, [], 2, 3, {}, scores.stats, scores.stat_names[:-1]
    ).save(tmp_path / "s.npz")  # fmt: skip
    with pytest.raises(DataError, match="do not fit logits"):
        Scores.load(tmp_path / "s.npz")


class Part(nn.Module):
    def __init__(self, **told: torch.Tensor) -> None:
        super().__init__()
        self.told = told

    def stats(self) -> dict[str, torch.Tensor]:
        return self.told


def test_two_parts_do_not_tell_the_same() -> None:
    net = nn.Sequential(Part(gmacs=torch.ones(2)), Part(gmacs=torch.ones(2)))
    with pytest.raises(RuntimeError, match="two parts of the network tell 'gmacs'"):
        dynamic.figures(net, ("gmacs",))


def test_a_network_that_tells_nothing_costs_nothing() -> None:
    net = nn.Linear(3, 2)
    assert dynamic.names(net, torch.ones(1, 3)) == () and dynamic.facts(net) == {}
