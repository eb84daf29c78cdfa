"""Decoders and resizing broken on purpose: the check that should see it names it, the healthy ones pass."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from repro.cli.doctor_checks import videos
from repro.cli.doctor_checks.check import ABSENT, FAIL, PASS, Check, run
from repro.core.errors import BadOption, DecodeError
from repro.data import decode, decode_decord, frames, resize


def outcome(call):
    return run(Check("it", "", call))


def breaking(monkeypatch, decoder, change):
    """Frames of one decoder come from `change(read, numbers)`; the others and pictures stay as they are."""
    whole = decode.read_picked

    def broken(path, pick, *, decoder=None, resize_short=0, name=decoder):
        if decoder != name or Path(path).is_dir():
            return whole(path, pick, decoder=decoder, resize_short=resize_short)

        def read(numbers):
            picked = whole(path, lambda n: numbers, decoder=decoder)
            return picked.frames[picked.place]

        numbers = pick(videos.FRAMES)
        return decode.Picked(change(read, numbers), np.arange(len(numbers)), decoder)

    monkeypatch.setattr(decode, "read_picked", broken)


@pytest.mark.parametrize("call", [videos.decoders, videos.colour_order, videos.resizing])
def test_a_sound_machine_passes(call):
    assert outcome(call).state == PASS


def test_every_frame_of_the_clip_shows_its_number():
    assert [videos.number_of(videos.picture(number)) for number in range(videos.FRAMES)] == list(range(videos.FRAMES))


@pytest.mark.parametrize("decoder", decode.DECODERS)
def test_a_decoder_that_swaps_channels_is_named(monkeypatch, decoder):
    breaking(monkeypatch, decoder, lambda read, numbers: read(numbers)[..., ::-1])
    found = outcome(videos.colour_order)
    assert found.state == FAIL and found.what.startswith(f"{decoder} gives blue, green, red (BGR)")
    other = "decord" if decoder == "pyav" else "pyav"
    assert f"--decoder {other}" in found.mend
    assert outcome(videos.decoders).state == FAIL


@pytest.mark.parametrize("decoder", decode.DECODERS)
def test_a_decoder_that_is_a_frame_late_is_named(monkeypatch, decoder):
    def late(read, numbers):
        return read(np.maximum(numbers - 1, 0))

    breaking(monkeypatch, decoder, late)
    found = outcome(videos.decoders)
    assert found.state == FAIL and found.what.startswith(f"{decoder} in order: 23 of 24 frames are wrong")
    assert "frame 1 shows frame 0" in found.what


def test_a_decoder_whose_jumps_miss_is_named(monkeypatch):
    def jumping(read, numbers):
        return read(numbers if len(numbers) == videos.FRAMES else np.minimum(numbers + 1, videos.FRAMES - 1))

    breaking(monkeypatch, "decord", jumping)
    found = outcome(videos.decoders)
    assert found.state == FAIL and found.what.startswith("decord by jumps")


def test_decoders_that_differ_by_little_are_told_with_the_frame(monkeypatch):
    def dirty(read, numbers):
        out = read(numbers).copy()
        out[numbers == 7, 40, 90] ^= 4
        return out

    breaking(monkeypatch, "decord", dirty)
    found = outcome(videos.decoders)
    assert found.state == FAIL and "differ in 1 of 24 frames, most in frame 7, by 4 of 255" in found.what


def test_a_decoder_that_cannot_read_is_named(monkeypatch):
    def broken(read, numbers):
        raise DecodeError("known.mp4", "no codec")

    breaking(monkeypatch, "pyav", broken)
    found = outcome(videos.decoders)
    assert (
        found.state == FAIL and "pyav does not read" in found.what and "no codec" in found.what and "av" in found.mend
    )


def test_without_decord_there_is_nothing_to_compare_and_colours_still_count(monkeypatch):
    def absent():
        raise BadOption("decoder 'decord' cannot be loaded here: no wheel")

    monkeypatch.setattr(decode_decord, "load", absent)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    found = outcome(videos.decoders)
    assert found.state == ABSENT and "no decord" in found.what
    assert outcome(videos.colour_order).what.startswith("red, green, blue by pyav, auto and")


@pytest.mark.parametrize(("decoder", "package"), [("pyav", "av"), ("decord", "decord")])
def test_a_decoder_that_is_installed_and_broken_fails(monkeypatch, decoder, package):
    monkeypatch.setitem(sys.modules, package, None)  # its import raises
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    found = outcome(videos.decoders)
    assert found.state == FAIL and f"{decoder} is installed and does not load" in found.what
    assert found.mend == f"python -m pip install --force-reinstall {package}"


def test_pictures_in_another_colour_order_are_named(monkeypatch):
    whole = frames.read_picture
    monkeypatch.setattr(frames, "read_picture", lambda path: whole(path)[..., ::-1])
    found = outcome(videos.colour_order)
    assert found.state == FAIL and "reader of pictures gives blue, green, red" in found.what


def test_wrong_colours_that_are_no_swap_are_told(monkeypatch):
    breaking(monkeypatch, "decord", lambda read, numbers: read(numbers) // 2)
    assert "decord gives wrong colours: red is (" in outcome(videos.colour_order).what


def test_another_interpolation_or_size_is_seen(monkeypatch):
    def nearest(found, height, width):
        rows = np.arange(height) * found.shape[-3] // height
        return found[..., rows, :, :][..., np.arange(width) * found.shape[-2] // width, :]

    with monkeypatch.context() as patch:
        patch.setattr(resize, "resize", nearest)
        assert "differ from torch's" in outcome(videos.resizing).what
    monkeypatch.setattr(resize, "short_side_size", lambda height, width, short: (short, width * short // height))
    found = outcome(videos.resizing)
    assert found.state == FAIL and "with short side" in found.what
