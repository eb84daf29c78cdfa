import pytest
import torch

from baselines.i3d_inceptionv1 import SameMaxPool3d, SamePad, i3d_inceptionv1
from baselines.inception3d import PairsInTime
from baselines.s3d import EndPaddedMaxPool3d, Gate, pixels_to_channels, s3dg_s2d


@pytest.mark.parametrize(
    ("name", "frames", "params", "gmacs"),
    [
        ("i3d_inceptionv1", 64, 12_697_264, 111.153),
        ("i3d_inceptionv1", 16, 12_697_264, 27.788),
        ("s3d", 64, 8_320_048, 71.916),
        ("s3dg", 64, 9_535_072, 64.182),
        ("s3dg_s2d", 64, 9_556_000, 73.565),
    ],
)
def test_size_and_cost(cost, name, frames, params, gmacs):
    assert cost(name, "inceptionv1", frames, 224) == (params, gmacs)


@pytest.mark.parametrize("size", [7, 8, 9, 224, 225])
@pytest.mark.parametrize(("kernel", "stride"), [(7, 2), (3, 2), (3, 1), (2, 2), (1, 1)])
def test_same_padding_gives_the_size_divided_and_rounded_up(size, kernel, stride):
    x = SamePad((1, 1, kernel), (1, 1, stride))(torch.ones(1, 1, 1, 1, size))
    assert (x.shape[-1] - kernel) // stride + 1 == -(-size // stride)
    ones = x.flatten().nonzero().flatten()
    front, back = int(ones[0]), x.shape[-1] - 1 - int(ones[-1])
    assert back - front in (0, 1)


def test_poolings_round_up():
    x = torch.rand(1, 2, 5, 7, 8)
    assert SameMaxPool3d((3, 3, 3), (2, 2, 2))(x).shape == (1, 2, 3, 4, 4)
    assert EndPaddedMaxPool3d((3, 3, 3), (2, 2, 2))(x).shape == (1, 2, 3, 4, 4)


def test_cubes_become_channels_place_first():
    x = torch.arange(2 * 4 * 2 * 4.0).view(1, 2, 4, 2, 4)
    y = pixels_to_channels(x)
    assert y.shape == (1, 16, 2, 1, 2)
    for index in range(16):
        time, row, column, channel = index // 8, index // 4 % 2, index // 2 % 2, index % 2
        assert torch.equal(y[0, index], x[0, channel, time::2, row::2, column::2])
    with pytest.raises(ValueError, match="even"):
        pixels_to_channels(torch.ones(1, 3, 4, 5, 4))
    with pytest.raises(ValueError, match="multiples of 2"):
        s3dg_s2d("inceptionv1", num_classes=2, frames=7)


def test_end_frames_count_half():
    x = torch.zeros(1, 1, 4, 2, 2)
    x[:, :, 0] = 1
    assert PairsInTime()(x).mean() == pytest.approx(1 / 6)
    assert PairsInTime()(x[:, :, :1]).shape == (1, 1, 1)


def test_a_gate_scales_channels():
    gate, x = Gate(3), torch.rand(2, 3, 2, 4, 4) + 0.1
    assert ((gate(x) / x).flatten(2).std(2) < 1e-6).all()


def test_a_crop_of_256_works():
    net = i3d_inceptionv1("inceptionv1", num_classes=2, frames=8).to("meta")
    assert net(torch.empty(1, 8, 3, 256, 256, device="meta")).shape == (1, 2)
