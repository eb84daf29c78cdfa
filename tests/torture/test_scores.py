"""Damaged files of scores: an accuracy or a sentence."""

from __future__ import annotations

import io
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from repro.__main__ import main
from repro.records.scores import Scores
from tests.torture.damage import ODD_TEXTS, bytes_damaged
from tests.torture.tools import cases, draws

TYPES = ("f2", "f4", "f8", "i1", "i8", "u8", "U3", "S2", "?", "c8", "M8[s]", "O")


def whole(folder: Path) -> Path:
    draw = np.random.default_rng(1)
    logits = draw.normal(size=(9, 6, 5)).astype(np.float32)
    names = [f"v{number}.mp4" for number in range(9)]
    made = Scores(logits, draw.integers(0, 5, 9), names, [{"id": "x.mp4", "problem": "gone"}], 2, 3, {"split": "val"})
    made.save(folder / "whole.npz")
    return folder / "whole.npz"


def damaged(path: Path, draw: random.Random) -> bytes:
    content = path.read_bytes()
    kind = draw.choice(("bytes", "array", "array", "member", "gone", "twice", "packed"))
    if kind == "bytes":
        return bytes_damaged(content, draw, (b"PK\3\4", b"PK\1\2", b"\x93NUMPY", b"\xff" * 4))
    with np.load(path) as data:
        arrays: dict[str, Any] = {name: data[name] for name in data.files}
    name = draw.choice(sorted(arrays))
    if kind == "array":
        arrays[name] = odd_array(arrays[name], draw)
    elif kind == "gone":
        del arrays[name]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    if kind not in ("member", "twice", "packed"):
        return buffer.getvalue()
    members = {}
    with zipfile.ZipFile(buffer) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    return rewritten(members, f"{name}.npy", kind, draw)


def odd_array(value: np.ndarray, draw: random.Random) -> np.ndarray:
    """Another type, shape or content."""
    kind = draw.randrange(5)
    if kind == 0:
        return np.zeros(value.shape, draw.choice(TYPES[:-1]))
    if kind == 1:
        return np.zeros([draw.choice((0, 1, 2, 3)) for _ in range(draw.randrange(5))], value.dtype)
    if kind == 2:
        return np.array(draw.choice(ODD_TEXTS))
    if kind == 3 and value.dtype.kind == "f":
        return np.where(np.arange(value.size).reshape(value.shape) % 7 == 0, draw.choice((np.nan, np.inf, 1e38)), value)
    return value[: draw.randrange(len(value) + 1)] if value.ndim else np.array(draw.choice((0, -1, 99, 2**62)))


def rewritten(members: dict[str, bytes], name: str, kind: str, draw: random.Random) -> bytes:
    """An archive whose member is damaged, there twice, or packed in an odd way."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for one, content in members.items():
            if one == name and kind == "member":
                content = bytes_damaged(content, draw, (b"'fortran_order'", b"(99999999999,)", b"|O", b"<U999999999"))
            how = draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)) if kind == "packed" else None
            archive.writestr(one, content, how)
            if one == name and kind == "twice":
                archive.writestr(one, content)
    made = bytearray(buffer.getvalue())
    if kind == "packed" and draw.random() < 0.5:  # told to be encrypted
        for at in (made.find(b"PK\1\2") + 8, 6):
            made[at] |= 1
    return bytes(made)


@cases(40, 500)
def test_a_damaged_file_of_scores_is_read_or_told(count, seed, tmp_path, capsys):
    draw = draws("scores", seed)
    path, file = whole(tmp_path), tmp_path / "s.npz"
    assert main(["scores", str(path)]) == 0
    for number in range(count):
        file.write_bytes(damaged(path, draw))
        code = main(["scores", str(file), *draw.choice(([], ["--clips", "1"], ["--crops", "1", "--fusion", "logits"]))])
        out, err = capsys.readouterr()
        assert code in (0, 2) and "repro: unexpected" not in err and "Traceback" not in err, (number, err)
        assert code == 0 or err.startswith("repro: "), number
        assert code or "nan" not in out.lower(), (number, out)
