import contextlib
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from repro.core.errors import WeightsError
from repro.models.pickled_arrays import named, read

_TYPES = st.sampled_from(["<f4", ">f4", "<f2", "<f8", "<i8", ">i4", "|u1", "|b1"])


def _file(folder, content, protocol=4):
    path = folder / "weights"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol))
    return path


@given(data=st.data(), protocol=st.sampled_from([3, 4, 5]), transposed=st.booleans())
def test_arrays_come_back_as_they_were(tmp_path_factory, data, protocol, transposed):
    value = data.draw(arrays.arrays(data.draw(_TYPES), arrays.array_shapes(min_dims=1, max_dims=4, max_side=5)))
    value = np.asfortranarray(value) if transposed else value
    told = {"params": {"conv": {"kernel": value}, "steps": 3}, "epoch": 1.5, "note": "text", "none": None}
    found = named(_file(tmp_path_factory.mktemp("pickle"), told, protocol))
    assert list(found) == ["params/conv/kernel"]
    assert found["params/conv/kernel"].dtype == value.dtype
    assert found["params/conv/kernel"].tobytes() == value.tobytes()


class _Runs:
    def __reduce__(self):
        return os.system, ("touch ran",)


class _Hidden:
    def __reduce__(self):
        return getattr, (np.dtype("f4"), "newbyteorder")


@pytest.mark.parametrize("bad", [_Runs(), _Hidden(), np.array([{}], dtype=object), [1, 2], {"a": {1, 2}}, "text"])
def test_anything_else_is_refused_and_not_run(tmp_path, monkeypatch, bad):
    monkeypatch.chdir(tmp_path)
    content = bad if isinstance(bad, list | str) else {"weights": bad}
    with pytest.raises(WeightsError, match=r"allowed: dicts.* numpy arrays"):
        named(_file(tmp_path, content))
    assert not (tmp_path / "ran").exists()


@given(st.binary(max_size=200), st.integers(0, 300), st.integers(1, 40))
def test_a_damaged_file_is_an_error_of_ours(tmp_path_factory, noise, at, cut):
    whole = pickle.dumps({"a": {"b": np.arange(6, dtype="f4").reshape(2, 3)}}, 4)
    damaged = whole[:at] + noise + whole[at + cut :]
    with contextlib.suppress(WeightsError):
        named(_file(tmp_path_factory.mktemp("damaged"), damaged))


def test_what_is_named_many_times_is_made_once(tmp_path):
    nested = [1.0]
    for _ in range(60):
        nested = [nested, nested]
    found = read(_file(tmp_path, nested))
    assert found[0] is found[1]
    value = {"a": np.zeros(1, "f4")}
    for _ in range(60):
        value = {"l": value, "r": value}
    with pytest.raises(WeightsError, match="more than 100,000"):
        named(_file(tmp_path, value))
