import json
from pathlib import Path

import numpy as np
import pytest

from repro.core.errors import DataError
from repro.models.verify import golden

GOLDENS = Path(__file__).parents[3] / "golden"


def test_tensors_and_input_have_the_recorded_checksums():
    data = golden.read_json(GOLDENS / "tsn_resnet50_dnr.json")
    assert golden.checksum(list(golden.state_dict(data).values())) == data["weights_sha256"]
    assert golden.checksum([golden.raw_input(data)]) == data["input_sha256"]


def test_a_tensor_depends_on_its_name_alone():
    assert np.array_equal(golden.tensor("a.weight", (4, 3)), golden.tensor("a.weight", [4, 3]))
    assert not np.array_equal(golden.tensor("a.weight", (4, 3)), golden.tensor("b.weight", (4, 3)))
    assert golden.tensor("a.num_batches_tracked", ()).dtype == np.int64
    variances = golden.tensor("a.running_var", (1000,))
    assert variances.min() >= 0.5 and variances.max() <= 1.5


def test_aliases_share_the_canonical_values():
    tensors = [["a.w.weight", [3, 2], "float32"], ["b.w.weight", [3, 2], "float32"]]
    made = golden.state_dict({"tensors": tensors, "aliases": {"a.w.weight": "b.w.weight"}})
    assert np.array_equal(made["a.w.weight"], golden.tensor("b.w.weight", (3, 2)))
    assert np.array_equal(made["a.w.weight"], made["b.w.weight"])


def test_scales_apply_in_float64_to_matching_matrices_only():
    tensors = [["conv1.weight", [3, 2], "float32"], ["conv1.bias", [3], "float32"], ["fc.weight", [3, 2], "float32"]]
    made = golden.state_dict({"tensors": tensors, "tensor_scale": {"items": [["conv\\d\\.(weight|bias)$", 1.5]]}})
    assert made["conv1.weight"].dtype == np.float64
    assert np.array_equal(made["conv1.weight"], golden.tensor("conv1.weight", (3, 2)).astype(np.float64) * 1.5)
    assert np.array_equal(made["conv1.bias"], golden.tensor("conv1.bias", (3,)))
    assert np.array_equal(made["fc.weight"], golden.tensor("fc.weight", (3, 2)))


def test_layouts_put_time_before_channels():
    stored = golden.raw_input({"input": {"shape": [1, 3, 4, 2, 2], "seed": 0}})
    ours = golden.network_input({"input": {"shape": [1, 3, 4, 2, 2], "seed": 0, "layout": "NCTHW"}})
    assert ours.shape == (1, 4, 3, 2, 2)
    assert np.array_equal(ours[:, 1, 2], stored[:, 2, 1])
    with pytest.raises(DataError, match="NTFCHW"):
        golden.network_input({"input": {"shape": [1, 3, 4, 2, 2], "seed": 0, "layout": "TCHW"}})


@pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff\xfe\x00"])
def test_a_file_that_is_no_golden_is_named(tmp_path, content):
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"odd\.json"):
        golden.read_json(file)
    with pytest.raises(DataError, match="none"):
        golden.read_json(tmp_path / "none.json")


def test_model_spec_takes_the_names_as_they_stand():
    data = json.loads((GOLDENS / "tsn_resnet50_dnr_paper.json").read_text())
    model = golden.model_spec(data)
    assert (model.name, model.backbone, model.method, model.frames, model.num_classes) == (
        "tsn",
        "resnet50",
        "dnr",
        8,
        174,
    )
    assert dict(model.method_options) == {"relay_distance": 4, "channel_interlacing": True}
