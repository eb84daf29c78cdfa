import pytest
import torch

from repro.__main__ import main
from repro.core.errors import DecodeError
from repro.core.spec import Model, Views
from repro.engine.end_to_end import measure
from repro.models import pretrained
from tests.repro.conftest import write_video

VIEWS = Views(sampling="mmaction2.uniform_test_8", clips=1, crops=3, resize=40, crop=32)


@pytest.fixture
def network():
    return pretrained.random(Model(name="tsn", backbone="tiny_resnet", num_classes=4))


def test_rates_are_told_beside_those_of_each_part(network, tmp_path):
    write_video(tmp_path / "a.mp4", 5, frames=12)
    found = measure(network, [tmp_path / "a.mp4"], VIEWS, device="cpu", workers=1, videos=5)
    assert min(found[key] for key in ("videos_per_s", "decoded_per_s", "network_per_s")) > 0
    slower = min(found["decoded_per_s"], found["network_per_s"])
    assert found["of_the_slower"] == pytest.approx(found["videos_per_s"] / slower)
    assert (found["videos"], found["views"], found["threads"]) == (5, 3, torch.get_num_threads())


def test_a_video_that_cannot_be_read_is_named(network, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(DecodeError, match=r"bad\.mp4"):
        measure(network, [tmp_path / "bad.mp4"], VIEWS, device="cpu", workers=1, videos=3)


def test_the_command_tells_it(tmp_path, capsys):
    write_video(tmp_path / "a.mp4", 5, frames=12)
    words = ["speed", "tsn", "--backbone", "tiny_resnet", "--data", str(tmp_path / "a.mp4"), "--repeats", "2"]
    assert main(words) == 0
    assert "videos/s from file to scores" in capsys.readouterr().out
