"""Checks on videos: decoders, colour order, resizing. They write a clip whose every frame is known."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from repro.cli.doctor_checks.check import Check, Failed, NotHere, torch_here
from repro.core.errors import ReproError
from repro.data import decode, resize

FRAMES, HEIGHT, WIDTH = 24, 48, 96
#: red, green, blue: each fills a third of every frame's lower half
COLOURS = np.array([(200, 40, 40), (40, 180, 40), (50, 50, 210)], np.uint8)
_BITS = 5
_NEAR = 24  # grey levels that a lossy codec and a colour conversion may change
#: decoder -> its package
_PACKAGES = {"decord": "decord", "pyav": "av", "auto": "av decord"}


def picture(number: int) -> np.ndarray:
    """Frame `number`: above, its number in black and white blocks (lowest bit left); below, the three colours."""
    frame = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    for bit in range(_BITS):
        columns = slice(bit * WIDTH // _BITS, (bit + 1) * WIDTH // _BITS)
        frame[: HEIGHT // 2, columns] = 235 if number >> bit & 1 else 20
    for third, colour in enumerate(COLOURS):
        frame[HEIGHT // 2 :, third * WIDTH // 3 : (third + 1) * WIDTH // 3] = colour
    return frame


def number_of(frame: np.ndarray) -> int:
    """The number that a frame shows."""
    middles = [(2 * bit + 1) * WIDTH // (2 * _BITS) for bit in range(_BITS)]
    return sum(int(frame[HEIGHT // 4, middle].mean() > 128) << bit for bit, middle in enumerate(middles))


@contextmanager
def clip() -> Iterator[Path]:
    """The clip as H.264 with B-frames and a key frame every eighth frame."""
    import av

    with tempfile.TemporaryDirectory(prefix="repro-doctor-") as folder:
        path = Path(folder) / "known.mp4"
        with av.open(str(path), "w") as container:
            options = {"crf": "8", "g": "8", "bf": "2"}
            stream: Any = container.add_stream("libx264", rate=12, options=options)
            stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
            for number in range(FRAMES):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture(number), format="rgb24")))
            container.mux(stream.encode())
        yield path


def _decoded(path: Path, decoder: str, numbers: list[int]) -> np.ndarray:
    try:
        return decode.read_frames(path, numbers, decoder=decoder)
    except ReproError as error:
        what = f"{decoder} does not read a clip that was just written: {error.what}"
        raise Failed(what, f"python -m pip install --force-reinstall {_PACKAGES[decoder]}") from error


def _at_hand() -> list[str]:
    """The decoders that load here; PyAV always has to."""
    found = []
    for decoder in decode.DECODERS:
        try:
            decode.version(decoder)
            found.append(decoder)
        except (ReproError, ImportError, OSError) as error:
            package = _PACKAGES[decoder]
            if importlib.util.find_spec(package) is not None:
                what = f"{decoder} is installed and does not load: {error}"
                raise Failed(what, f"python -m pip install --force-reinstall {package}") from error
            if decoder == "pyav":
                raise Failed("pyav is not installed", f"python -m pip install {package}") from error
    return found


def decoders() -> str:
    """Each decoder gives every frame under its number, in order and by jumps; all decoders give the same pixels."""
    found = _at_hand()
    with clip() as path:
        whole = {decoder: _decoded(path, decoder, list(range(FRAMES))) for decoder in found}
        for decoder in found:
            _require_numbers(decoder, whole[decoder], list(range(FRAMES)), "in order")
            jumps = [17, 3, 22, 3, 0, FRAMES - 1]
            picked = _decoded(path, decoder, jumps)
            _require_numbers(decoder, picked, jumps, "by jumps")
            if not np.array_equal(picked, whole[decoder][jumps]):
                raise Failed(f"{decoder} gives other pixels by jumps than in order", _another(decoder))
    for other in found[1:]:
        _require_equal(found[0], whole[found[0]], other, whole[other])
    if "decord" not in found:
        raise NotHere(
            f"no decord, which has wheels for x86-64 Linux and Windows alone; pyav reads {FRAMES} frames rightly, and "
            "there is none to compare it with"
        )
    versions = ", ".join(map(decode.version, found[:2]))
    return f"{versions}, auto: {FRAMES} frames of a written clip equal, in order and by jumps"


def _require_equal(first: str, frames: np.ndarray, other: str, others: np.ndarray) -> None:
    difference = np.abs(frames.astype(int) - others).reshape(FRAMES, -1).max(1)
    if difference.any():
        at = int(difference.argmax())
        raise Failed(
            f"{first} and {other} differ in {np.count_nonzero(difference)} of {FRAMES} frames, most in frame {at}, "
            f"by {difference[at]} of 255",
            "keep to one decoder for all that you compare; colour-order may tell which is wrong",
        )


def _require_numbers(decoder: str, frames: np.ndarray, wanted: list[int], how: str) -> None:
    shown = [number_of(frame) for frame in frames]
    wrong = [(want, got) for want, got in zip(wanted, shown, strict=True) if want != got]
    if wrong:
        want, got = wrong[0]
        shift = {got - want for want, got in wrong}
        every = f"all shifted by {shift.pop():+d}" if len(shift) == 1 and len(wrong) == len(wanted) else "not a shift"
        raise Failed(
            f"{decoder} {how}: {len(wrong)} of {len(wanted)} frames are wrong, {every}: frame {want} shows frame {got}",
            _another(decoder),
        )


def _another(decoder: str) -> str:
    other = "decord" if decoder == "pyav" else "pyav"
    return f"use --decoder {other}, or another version: python -m pip install -U {_PACKAGES[decoder]}"


def colour_order() -> str:
    """Every decoder, and pictures of a folder, give red, green and blue in this order."""
    found = _at_hand()
    with clip() as path:
        for decoder in found:
            _require_colours(decoder, _decoded(path, decoder, [0])[0], _another(decoder))
    from PIL import Image

    with tempfile.TemporaryDirectory(prefix="repro-doctor-") as folder:
        for number in range(2):
            Image.fromarray(picture(number)).save(Path(folder) / f"{number}.png")
        frames = decode.read_frames(folder, [0, 1])
        _require_colours("the reader of pictures", frames[0], "python -m pip install --force-reinstall pillow")
        if not np.array_equal(frames, np.stack([picture(0), picture(1)])):
            raise Failed("pictures of a folder do not come back as written", "python -m pip install -U pillow")
    return f"red, green, blue by {', '.join(found)} and from pictures, within {_NEAR} of 255"


def _require_colours(who: str, frame: np.ndarray, mend: str) -> None:
    seen = np.array([frame[HEIGHT * 3 // 4, (2 * third + 1) * WIDTH // 6] for third in range(3)]).astype(int)
    if np.abs(seen - COLOURS).max() <= _NEAR:
        return
    told = "; ".join(
        f"{name} is {tuple(map(int, rgb))}" for name, rgb in zip(("red", "green", "blue"), seen, strict=True)
    )
    if np.abs(seen[:, ::-1] - COLOURS).max() <= _NEAR:
        raise Failed(f"{who} gives blue, green, red (BGR) where red, green, blue is meant: {told}", mend)
    raise Failed(f"{who} gives wrong colours: {told}", mend)


def resizing() -> str:
    """Frames are resized as OpenCV's INTER_LINEAR does: half-pixel centres, no smoothing; compared with torch."""
    torch_here()
    import torch
    import torch.nn.functional as F

    rng = np.random.default_rng(0)
    worst = 0.0
    for height, width, short in ((48, 96, 32), (30, 20, 64), (37, 53, 24)):
        frame = rng.integers(0, 256, (height, width, 3), np.uint8)
        ours = resize.resize_short(frame, short)
        size = resize.short_side_size(height, width, short)
        scale = short / min(height, width)
        expected = int(height * scale + 0.5), int(width * scale + 0.5)
        if size != expected or ours.shape[:2] != expected:
            raise Failed(f"{width}x{height} with short side {short} becomes {ours.shape[1]}x{ours.shape[0]}, "
                         f"not {expected[1]}x{expected[0]}", _MEND_CODE)  # fmt: skip
        x = torch.from_numpy(frame.astype(np.float32)).permute(2, 0, 1)[None]
        theirs = F.interpolate(x, expected, mode="bilinear", align_corners=False)[0].permute(1, 2, 0).numpy()
        worst = max(worst, float(np.abs(ours - theirs).max()))
    if worst > 1:
        raise Failed(f"resized frames differ from torch's bilinear ones by {worst:.1f} of 255", _MEND_CODE)
    return f"within {worst:.2f} of 255 of torch's bilinear interpolation, sizes as mmcv's"


_MEND_CODE = "git status: the code or numpy is not what was tested; git checkout ., python -m pip install -e ."

CHECKS = (
    Check("decoders", "a written clip, frame by frame", decoders),
    Check("colour-order", "red, green and blue out of each decoder", colour_order),
    Check("resize", "against another implementation", resizing),
)
