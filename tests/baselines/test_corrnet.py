import pytest
import torch

from baselines.corrnet import DILATION, GROUPS, KERNEL, Correlation, corrnet101


def test_size_and_cost(cost):
    assert cost("corrnet101", "corrnet101", 32, 224) == (91_787_488, 371.595)


def test_correlation_against_its_definition():
    torch.manual_seed(0)
    layer = Correlation(2 * GROUPS, 3).double()
    x = torch.randn(1, 2 * GROUPS, 3, 6, 5, dtype=torch.float64)
    y = layer(x)
    assert y.shape == (1, KERNEL**2 * GROUPS, 3, 6, 5)
    reach = KERNEL // 2
    for time, row, column, shift_row, shift_column, group in (
        (0, 2, 1, 0, 0, 3),
        (1, 5, 4, -2, 1, 0),
        (2, 0, 0, 3, 3, 31),
    ):
        far_row, far_column = row + shift_row * DILATION, column + shift_column * DILATION
        inside = 0 <= far_row < 6 and 0 <= far_column < 5
        before = x[0, :, max(time - 1, 0), row, column]
        now = x[0, :, time, far_row, far_column] if inside else torch.zeros_like(before)
        weight = layer.weight[:, time, shift_row + reach, shift_column + reach]
        expected = (weight * before * now)[2 * group : 2 * group + 2].mean()
        channel = ((shift_row + reach) * KERNEL + shift_column + reach) * GROUPS + group
        torch.testing.assert_close(y[0, channel, time, row, column], expected)


def test_its_tensors_depend_on_the_clip():
    with torch.device("meta"):
        short, long = (corrnet101("corrnet101", num_classes=2, frames=frames) for frames in (4, 8))
    name = "layer3.12.correlation.weight"
    assert short.state_dict()[name].shape[1] == 2 and long.state_dict()[name].shape[1] == 4
    with pytest.raises(ValueError, match="multiples of 4"):
        corrnet101("corrnet101", num_classes=2, frames=6)
