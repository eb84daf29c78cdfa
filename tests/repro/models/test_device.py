import torch
from torch import nn

from repro.models.device import channels_last, layout, place_on

CPU = torch.device("cpu")


def test_images_lie_in_channels_last_and_volumes_as_they_are_told():
    images, volumes = nn.Conv2d(3, 4, 3), nn.Conv3d(3, 4, 3)
    assert place_on(images, CPU).weight.is_contiguous(memory_format=torch.channels_last)
    assert layout(images) == "channels_last"
    values = volumes.weight.detach().clone()
    assert layout(place_on(volumes, CPU, "bf16")) == "contiguous"  # the matrix units of a GPU ask for another layout
    assert layout(channels_last(volumes)) == "channels_last_3d"
    assert layout(place_on(volumes, CPU)) == "contiguous" and volumes.weight.is_contiguous()
    assert torch.equal(volumes.weight, values)
