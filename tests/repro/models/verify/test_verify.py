import json
from pathlib import Path

import numpy as np
import pytest

from repro.models.verify import case, verify
from repro.models.verify.golden import read_json

GOLDENS = Path(__file__).parents[3] / "golden"
NETWORKS = sorted(file.stem for file in GOLDENS.glob("*.json") if file.name != "sampling.json")
LAYOUTS = sorted(file.stem for file in (GOLDENS / "layouts").glob("*.json"))


def all_passed(outcomes: list[verify.Outcome]) -> bool:
    missed = [outcome.line() for outcome in outcomes if not outcome.passed]
    assert not missed, "\n".join(missed)
    return bool(outcomes)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_equal_the_authors(name, monkeypatch):
    """In evaluation; the one with DNR also in training, gradients and running statistics included."""
    if name != "tsn_resnet50_dnr":
        monkeypatch.delitem(verify.CHECKS, "train")
    outcomes = verify.verify_file(GOLDENS / f"{name}.json")
    assert all_passed(outcomes)
    figures = {outcome.what: outcome for outcome in outcomes}
    assert figures["logits float64"].relative_error <= 1e-9 and figures["logits float32"].relative_error <= 1e-5
    assert ("train logits" in figures) == (name == "tsn_resnet50_dnr")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if "train" in read_json(GOLDENS / f"{name}.json")])
def test_networks_train_as_the_authors(name):
    outcomes = verify.verify_file(GOLDENS / f"{name}.json")
    assert all_passed(outcomes)
    assert {"train logits", "train gradient norms", "train running statistics"} <= {o.what for o in outcomes}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_fit(name):
    outcomes = verify.verify_file(GOLDENS / "layouts" / f"{name}.json")
    assert all_passed(outcomes)
    assert {"layout fits", "parameters"} == {outcome.what for outcome in outcomes}


def test_sampling_rules_equal_the_authors():
    outcomes = verify.verify_file(GOLDENS / "sampling.json")
    rules = [rule for rule in read_json(GOLDENS / "sampling.json") if not rule.startswith("_")]
    assert all_passed(outcomes) and [outcome.what for outcome in outcomes] == rules


def golden_data(name: str) -> dict:
    return json.loads((GOLDENS / name).read_text())


def outcomes_of(tmp_path: Path, data: object) -> list[verify.Outcome]:
    (tmp_path / "g.json").write_text(json.dumps(data))
    return verify.verify_file(tmp_path / "g.json")


def test_a_wrong_logit_is_a_miss_with_its_figure(tmp_path):
    data = golden_data("tsn_resnet50.json")
    data["logits"][1][3] += 1e-6 * np.abs(data["logits"]).max()
    found = {outcome.what: outcome for outcome in outcomes_of(tmp_path, data)}
    assert not found["logits float64"].passed and found["logits float64"].relative_error == pytest.approx(
        1e-6, rel=0.01
    )
    assert found["logits float32"].passed
    assert "MISS" in found["logits float64"].line() and "1e-09" in found["logits float64"].line()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "tms"}, "did you mean"),
        ({"backbone": "resnet51"}, "did you mean"),
        ({"method": "dnrr"}, "did you mean"),
        ({"checkpoint_format": "tsm_repo"}, "tsm-repo"),
        ({"checkpoint_format": "dnr-repo"}, "look like tsm-repo"),
        ({"backbone": "resnet34"}, "does not fit"),
        ({"method_options": {"relay": 2}, "method": "dnr"}, "relay"),
    ],
)
def test_a_spec_that_cannot_be_built_is_a_miss(tmp_path, change, message):
    data = golden_data("layouts/tsm_resnet18.json")
    data["spec"].update(change)
    (outcome,) = outcomes_of(tmp_path, data)
    assert not outcome.passed and message in outcome.note


def test_layouts_are_strict(tmp_path):
    data = golden_data("layouts/tsm_resnet18.json")
    data["tensors"][0][1] = [64, 4, 7, 7]
    (outcome,) = outcomes_of(tmp_path, data)
    assert not outcome.passed and "conv1.weight" in outcome.note
    data = golden_data("layouts/tsm_resnet18.json")
    data["tensors"].append(["base_model.layer9.0.conv1.weight", [3, 3], "float32"])
    (outcome,) = outcomes_of(tmp_path, data)
    assert not outcome.passed and "layer9" in outcome.note
    data = golden_data("layouts/tsm_resnet18.json")
    data["params"] += 1
    assert [outcome.what for outcome in outcomes_of(tmp_path, data) if not outcome.passed] == ["parameters"]


def test_numpy_drawing_other_numbers_is_told_apart(tmp_path):
    data = golden_data("tsn_resnet50.json")
    del data["logits"]
    data["weights_sha256"] = "0" * 64
    missed = [outcome for outcome in outcomes_of(tmp_path, data) if not outcome.passed]
    assert [outcome.what for outcome in missed] == ["checksum"] and "numpy" in missed[0].note


def test_sampling_misses_name_rule_and_length(tmp_path):
    good = golden_data("sampling.json")["mmaction2.uniform_test_8"]
    bad = {**good, "13": [0] * 8}
    data = {"_notes": "x", "mmaction2.uniform_test_8": bad, "mmaction2.uniform_tset_8": good}
    wrong, unknown = outcomes_of(tmp_path, data)
    assert not wrong.passed and "13" in wrong.note and wrong.what == "mmaction2.uniform_test_8"
    assert not unknown.passed and "mmaction2.uniform_tset_8" in unknown.note


@pytest.mark.parametrize(
    "data", [{}, [1], {"a": 1}, {"spec": {}, "tensors": []}, {"rule": {"x": [1]}}, {"_notes": "x"}]
)
def test_what_is_no_golden_is_a_miss(tmp_path, data):
    (outcome,) = outcomes_of(tmp_path, data)
    assert not outcome.passed and outcome.note


def test_a_missing_file_is_a_miss(tmp_path):
    (outcome,) = verify.verify_file(tmp_path / "none.json")
    assert not outcome.passed and "none.json" in outcome.note


def test_relative_error():
    assert case.relative_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])) == 0.5
    assert case.relative_error(np.array([1.0]), np.array([1.0, 4.0])) == float("inf")
    assert case.relative_error(np.array([np.nan]), np.array([1.0])) == float("inf")
    assert case.relative_error(np.zeros(2), np.zeros(2)) == 0.0
    assert case.relative_error(np.array([0.5]), np.array([0.25]), floor=1.0) == 0.25


def test_figures_that_are_null_are_left_out_and_told(tmp_path):
    data = golden_data("adafuse_tsn_resnet18.json")
    data["gflops"]["per_frame_real_last_frame_fixed"] = None
    data["logits"][0][0] = None
    data["params"] = None
    found = {outcome.what: outcome for outcome in outcomes_of(tmp_path, data)}
    assert all(outcome.passed for outcome in found.values())
    assert "per_frame_real_last_frame_fixed left out: null" in found["GMACs"].note
    assert found["GMACs"].relative_error is not None and "4 figures" in found["GMACs"].note
    assert "1 of" in found["logits float64"].note and "left out: null" in found["logits float64"].note
    assert "left out: null" in found["params"].note


def test_a_reference_of_nulls_alone_compares_nothing_and_says_so(tmp_path):
    data = golden_data("layouts/tsm_resnet18.json")
    facts = {"grad_norm": {"a": None, "b": 1.0}, "running": {"m": [None, 1.0]}}
    outcome = case.compare_named(case_of(data), "gradients", {"b": 1.0}, facts["grad_norm"])
    assert outcome.passed and "1 tensors" in outcome.note and "a left out: null" in outcome.note
    outcome = case.compare_named(case_of(data), "running", {"m": [0.0, 1.0]}, facts["running"])
    assert outcome.passed and outcome.relative_error is None and "all figures left out" in outcome.note
    outcome = case.compare(case_of(data), "logits", np.zeros((1, 2)), [[None, None]], 1e-9)
    assert outcome.passed and outcome.relative_error is None and "all figures left out" in outcome.note
    outcome = case.compare(case_of(data), "logits", np.zeros((1, 2)), [[None, 1.0]], 1e-9)
    assert not outcome.passed and "1 of 2 figures left out" in outcome.note


class case_of:
    """As much of a case as a comparison needs."""

    def __init__(self, data):
        self.name = data["name"] if "name" in data else "g"

    def our_name(self, name):
        return name


def test_null_lengths_of_a_sampling_rule_are_told(tmp_path):
    good = golden_data("sampling.json")["mmaction2.uniform_test_8"]
    some, none = {**good, "13": None}, dict.fromkeys(good)
    (outcome,) = outcomes_of(tmp_path, {"mmaction2.uniform_test_8": some})
    assert outcome.passed and "13 frames left out: null" in outcome.note
    (outcome,) = outcomes_of(tmp_path, {"mmaction2.uniform_test_8": none})
    assert outcome.passed and "all lengths left out" in outcome.note


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, '{"a": NaN}', '{"spec": [], "tensors": {}}', '{"spec": {"model": []}, "tensors": [[1]]}',
     "9" * 5000,
     '{"spec": {"model": "tsn", "backbone": "tiny_resnet", "frames": 2, "num_classes": 1e999}, "tensors": []}'],
)  # fmt: skip
def test_nonsense_is_a_sentence(tmp_path, text):
    (tmp_path / "g.json").write_text(text)
    (outcome,) = verify.verify_file(tmp_path / "g.json")
    assert not outcome.passed and outcome.what == "read" and outcome.note


@pytest.mark.parametrize("what", ["tensors", "input", "classes"])
def test_a_reference_that_claims_more_than_memory_is_refused(tmp_path, what):
    data = golden_data("layouts/tsm_resnet18.json")
    if what == "tensors":
        data["tensors"][0][1] = [2**20, 2**20, 7, 7]
    elif what == "input":
        data |= {"input": {"shape": [2**20, 8, 3, 2**10, 2**10], "seed": 1}, "logits": [[0.0]]}
    else:
        data["spec"]["num_classes"] = 10**10
    (outcome,) = outcomes_of(tmp_path, data)
    assert not outcome.passed and "GiB" in outcome.note


@pytest.mark.parametrize("section", [3, "x", {"a": 1}, [[1, 2], 3], {"target": None, "logits": None}])
@pytest.mark.parametrize("name", ["params", "train"])
def test_a_garbled_section_is_a_miss_of_that_section(tmp_path, name, section):
    data = {**golden_data("layouts/tsm_resnet18.json"), name: section}
    outcomes = outcomes_of(tmp_path, data)
    assert [outcome for outcome in outcomes if not outcome.passed]
