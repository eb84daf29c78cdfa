"""Checks with real weights on real pictures, by `doctor --real`: the whole path, from the file to the class, is right.

The photos come with scikit-image and scikit-learn. What is expected of each is what torchvision's own MobileNetV2 and
its own evaluation transforms (Resize 256, CenterCrop 224, ToTensor, Normalize) give of the same file and weights. Input
in another colour order, range or size misses it by 0.08 to 0.99 on one of them, and the check says so of itself.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from repro.cli.doctor_checks.check import Check, Failed, NotHere, Outcome, run
from repro.core.errors import BadOption, NotConfigured
from repro.core.spec import replace

if TYPE_CHECKING:
    from repro.models.pretrained import Trained

#: how far a probability may lie from the expected one: another resampling of the same picture moves it by 0.03
_NEAR = 0.05
#: how sure I3D has to be of a clip
_SURE = 0.9
_ONE_CLIP = "mmaction2.clip_64x1_test_1"
_PACKAGES = {"decord": "decord", "pyav": "av"}


@dataclass(frozen=True)
class Photo:
    """A picture that a package carries: its class in ImageNet and that class's probability."""

    package: str
    file: str
    number: int
    probability: float

    @property
    def path(self) -> Path:
        """Where it is; `NotHere` without its package."""
        found = importlib.util.find_spec(self.package)
        path = Path(found.origin).parent / self.file if found and found.origin else None
        if path is None or not path.is_file():
            raise NotHere(f"{self.file} comes with {self.package}: pip install scikit-image scikit-learn")
        return path


PHOTOS = (
    Photo("skimage", "data/chelsea.png", 285, 0.717),  # a cat
    Photo("skimage", "data/coffee.png", 967, 0.992),  # an espresso
    Photo("sklearn", "datasets/images/china.jpg", 698, 0.692),  # a palace
)


def trained(name: str) -> Trained:
    """The network of a known set of weights, fetched if it is not here."""
    from repro.models import known_weights, pretrained
    from repro.models.get_weights import get

    try:
        return pretrained.load(get(known_weights.find(name)))
    except NotConfigured as error:
        raise NotHere(str(error)) from error


def check_photos(network: Trained) -> str:
    """Each photo has its class, at the probability that is expected; Failed with what was found instead."""
    told = []
    for photo in PHOTOS:
        found = classes_of(photo, network)
        best, own = found[0], next(one for one in found if one["number"] == photo.number)
        if best is not own or abs(own["score"] - photo.probability) > _NEAR:
            raise Failed(
                f"{Path(photo.file).name} is {best['name']!r} ({best['score']:.2f}); expected {own['name']!r} "
                f"({photo.probability:.2f}, found {own['score']:.2f}): the network sees other input than in training",
                "its colour order, range, mean and size; python -m repro weights get mobilenetv2-imagenet",
            )
        told.append(f"{Path(photo.file).stem} {own['name'].partition(',')[0]} {own['score']:.2f}")
    return ", ".join(told)


def classes_of(photo: Photo, network: Trained) -> list[dict[str, Any]]:
    """All classes of a photo, best first: `number`, `name`, `score`."""
    from repro.engine.predict import predict

    with tempfile.TemporaryDirectory(prefix="repro-doctor-") as folder:
        shutil.copy(photo.path, folder)
        return predict(Path(folder), network, network.views, top=network.model.num_classes).classes


def wrong_inputs(network: Trained) -> dict[str, Trained]:
    """The network with input as it must not be, by what is wrong with it."""
    right, views = network.normalize, network.views

    def with_input(**changes: object) -> Trained:
        return dataclasses.replace(network, normalize=functools.partial(right, **changes))

    return {
        "colour order": dataclasses.replace(network, normalize=lambda x: right(x.flip(-3))),
        "range 0 to 255": with_input(scale=255.0),
        "no mean and deviation": with_input(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
        "no resize": dataclasses.replace(network, views=replace(views, resize=0)),
        "resize of 512": dataclasses.replace(network, views=replace(views, resize=512)),
    }


def _photos() -> str:
    network = trained("mobilenetv2-imagenet")
    told, unseen = check_photos(network), []
    for what, wrong in wrong_inputs(network).items():
        try:
            check_photos(wrong)
        except Failed:
            continue
        unseen.append(what)
    if unseen:
        raise Failed(f"wrong input is not seen: {', '.join(unseen)}", "report it with this line")
    return f"{told}; wrong colour order, range and size are seen"


def check_clip(clip: Path, name: str) -> str:
    """I3D is sure of the clip's class by each decoder; Failed where it is not."""
    from repro.engine.predict import predict

    network = trained("i3d-kinetics400")
    views = replace(network.views, sampling=_ONE_CLIP, clips=1)
    told = []
    for decoder, package in _PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            continue
        best = predict(clip, network, views, decoder=decoder, top=1).classes[0]
        if best["name"] != name or best["score"] <= _SURE:
            raise Failed(
                f"{clip.name} by {decoder} is {best['name']!r} ({best['score']:.2f}); expected {name!r} above {_SURE}",
                "python -m repro doctor --only pyav decord, and the clip itself",
            )
        told.append(f"{decoder} {best['score']:.3f}")
    return f"{name}: {', '.join(told)}"


def check_real(clip: str, on_outcome: Callable[[Outcome], None]) -> list[Outcome]:
    """The outcomes on photos, and on the clip of `CLIP=CLASS` where one is given."""
    path, _, name = clip.rpartition("=")
    if clip and not path:
        raise BadOption(f"--real {clip!r} names no class", allowed='CLIP=CLASS, e.g. "demo.mp4=arm wrestling"')
    made = []
    for check in (
        Check("real-photos", "ImageNet's MobileNetV2 on photos", _photos),
        *([Check("real-clip", "Kinetics' I3D on a clip", lambda: check_clip(Path(path), name))] if clip else []),
    ):
        made.append(run(check))
        on_outcome(made[-1])
    return made
