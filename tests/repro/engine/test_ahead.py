import threading

import pytest
import torch

from repro.engine.ahead import ahead

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def made(monkeypatch):
    """A maker of (tensor, number) that notes what it does and in which thread; page-locking leaves tensors alone."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    noted = {"made": [], "closed": 0, "threads": set()}

    def make(count, error_at=None):
        try:
            for number in range(count):
                noted["threads"].add(threading.current_thread().name)
                if number == error_at:
                    raise OSError("no such batch")
                noted["made"].append(number)
                yield torch.full((2,), float(number)), number
        finally:
            noted["closed"] += 1

    return make, noted


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_all_come_in_their_order(made, device):
    make, noted = made
    assert [number for x, number in ahead(make(5), device) if float(x[0]) == number] == [0, 1, 2, 3, 4]
    assert noted["closed"] == 1
    own = threading.current_thread().name
    assert noted["threads"] == {own} if device is CPU else own not in noted["threads"]


def test_a_gpu_has_one_made_ahead_and_no_more(made):
    make, noted = made
    batches = ahead(make(9), CUDA)
    for taken in range(3):
        next(batches)
        assert len(noted["made"]) <= taken + 2
    batches.close()
    assert noted["closed"] == 1 and len(noted["made"]) <= 4


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_an_error_comes_in_its_place(made, device):
    make, noted = made
    batches = ahead(make(5, error_at=2), device)
    assert [next(batches)[1] for _ in range(2)] == [0, 1]
    with pytest.raises(OSError, match="no such batch"):
        next(batches)
    assert noted["closed"] == 1
