from __future__ import annotations

import random
import resource
from pathlib import Path

import numpy as np
import pytest
import torch

from repro.core.errors import ReproError
from repro.engine.train import checkpoint

IDENTITY = {"experiment": "a" * 64, "seed": 0}


def save(folder: Path, *steps: int) -> None:
    for step in steps:
        checkpoint.save(folder, step, IDENTITY, {"at": step, "weights": {"w": torch.full((3,), float(step))}})


def test_the_newest_is_found_and_two_are_kept(tmp_path: Path) -> None:
    assert checkpoint.load(tmp_path, IDENTITY) == (None, [])
    save(tmp_path, 5, 10, 900, 1000)
    state, notes = checkpoint.load(tmp_path, IDENTITY)
    assert state is not None
    assert (state["at"], notes) == (1000, [])
    assert torch.equal(state["weights"]["w"], torch.full((3,), 1000.0))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step-000000900.pt", "step-000001000.pt"]


def test_a_state_that_finds_no_room_is_named_and_costs_no_other(tmp_path: Path) -> None:
    save(tmp_path, 1)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ReproError, match=r"step-000000002\.pt cannot be written: File too large; try: "):
            save(tmp_path, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["step-000000001.pt"]


@pytest.mark.parametrize("damage", ["empty", "cut", "bit", "text"])
def test_a_damaged_file_falls_back_to_the_one_before(tmp_path: Path, damage: str) -> None:
    save(tmp_path, 1, 2)
    path = tmp_path / "step-000000002.pt"
    content = path.read_bytes()
    half = len(content) // 2
    flipped = content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :]
    path.write_bytes({"empty": b"", "cut": content[:half], "bit": flipped, "text": b"hello"}[damage])
    state, notes = checkpoint.load(tmp_path, IDENTITY)
    assert state is not None
    assert state["at"] == 1
    assert len(notes) == 1
    assert "step-000000002.pt is damaged" in notes[0]


def test_all_damaged_starts_again(tmp_path: Path) -> None:
    save(tmp_path, 1, 2)
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    state, notes = checkpoint.load(tmp_path, IDENTITY)
    assert state is None
    assert len(notes) == 2


def test_a_file_that_would_run_code_is_damaged(tmp_path: Path) -> None:
    import hashlib
    import io
    import pickle

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "touched",))  # type: ignore[return-value]

    buffer = io.BytesIO()
    torch.save({"identity": IDENTITY, "state": Evil()}, buffer, pickle_module=pickle)
    header = b"repro-training-3 " + hashlib.sha256(buffer.getvalue()).hexdigest().encode() + b"\n"
    (tmp_path / "step-000000001.pt").write_bytes(header + buffer.getvalue())
    state, notes = checkpoint.load(tmp_path, IDENTITY)
    assert state is None
    assert "damaged" in notes[0]
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("change", [{"seed": 1}, {"experiment": "b" * 64}, {"micro batch": 4}])
def test_another_experiment_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    save(tmp_path, 1)
    with pytest.raises(ReproError, match=f"has {next(iter(change))}"):
        checkpoint.load(tmp_path, {**IDENTITY, **change})


def test_random_states_come_back() -> None:
    device = torch.device("cpu")
    random.seed(3)
    np.random.seed(3)
    torch.manual_seed(3)
    state = checkpoint.random_state(device)
    expected = (random.random(), np.random.normal(), torch.rand(1).item())
    checkpoint.restore_random_state(state, device)
    assert (random.random(), np.random.normal(), torch.rand(1).item()) == expected


def test_weights_sha256_is_of_values_not_layout() -> None:
    state = {"a": torch.randn(2, 3, 4, 4), "n": torch.tensor(7)}
    first = checkpoint.weights_sha256(state)
    assert checkpoint.weights_sha256({"n": state["n"], "a": state["a"].to(memory_format=torch.channels_last)}) == first
    assert checkpoint.weights_sha256({**state, "n": torch.tensor(8)}) != first
    assert checkpoint.weights_sha256({**state, "a": state["a"].reshape(3, 2, 4, 4)}) != first
