"""The embedded datasets as files: encoding, writing once, listing, and noticing damage.

Every frame is coded by itself with one quantizer, so that the codec cannot give the direction of time away: a reversed
video decodes to exactly the reversed frames. The encoder runs in one thread. A manifest keeps the size and sha256 of
each file, and for each split a fingerprint over labels and decoded frames, which is what enters the records.

    <cache>/probes/v6/probe-order/manifest.json
                                   train/00000.mp4 ...
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from itertools import starmap
from pathlib import Path
from typing import Any

import numpy as np

from repro.core.errors import DataError
from repro.core.files import building, clear_left, write_atomic
from repro.data import probe_render
from repro.data.drawing import FRAMES, SIDE
from repro.data.pool import Pool, Problem

Sizes = Mapping[str, int]
Entries = dict[str, dict[str, Any]]

#: of H.264, the same for every frame: 0 loses nothing, 51 most
_QUANTIZER = 28
#: videos that are worth processes of their own
_MANY = 256


def ensure(folder: Path, kind: str, sizes: Sizes) -> None:
    """Write the dataset if it is not there, of a kind of `probe_render.DIALS`. Of several processes that come first
    together, one writes.
    """
    if (folder / "manifest.json").is_file():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        if not (folder / "manifest.json").is_file():
            write(folder, kind, sizes)


def write(folder: Path, kind: str, sizes: Sizes, *, processes: int | None = None) -> None:
    """Render, encode and list a dataset in a temporary folder, which then takes its name: it is whole or absent."""
    with building(folder) as part:
        for split in sizes:
            (part / split).mkdir(parents=True)
        entries = _write_all(part, kind, sizes, processes or min(4, os.cpu_count() or 1))
        version = probe_render.DIALS[kind].version
        listing = {"version": version, "kind": kind, "splits": _listing(entries, sizes)}
        write_atomic(part / "manifest.json", json.dumps(listing, indent=0).encode())
        if folder.exists() and not (folder / "manifest.json").exists():
            shutil.rmtree(folder)


def listed(folder: Path, split: str) -> dict[str, Any]:
    """The manifest's part on a split: its `fingerprint` and `files` (name -> label, size, sha256).

    Refuses a dataset of which a file is missing or has another size. It reads no file; `problems` does.
    """
    entry = _manifest(folder)["splits"].get(split)
    if entry is None:
        raise _damaged(folder, f"{folder / 'manifest.json'} does not list the split {split}")
    for file, facts in entry["files"].items():
        path = folder / file
        if not path.is_file() or path.stat().st_size != facts["size"]:
            raise _damaged(folder, f"{path} is missing or has not its size")
    found: dict[str, Any] = entry
    return found


def problems(folder: Path) -> list[str]:
    """Read every file and compare its sha256 with the manifest: one line for each that is missing or differs."""
    found = []
    for split in _manifest(folder)["splits"].values():
        for file, facts in split["files"].items():
            path = folder / file
            if not path.is_file():
                found.append(f"{path}: missing")
            elif _sha256(path.read_bytes()) != facts["sha256"]:
                found.append(f"{path}: content differs from what was written")
    return found


def encode(planes: np.ndarray) -> bytes:
    """H.264 in mp4 of yuv420p frames (FRAMES, SIDE * 3 // 2, SIDE); the same bytes for the same frames and encoder."""
    import av
    from av.bitstream import BitStreamFilterContext

    buffer = io.BytesIO()
    settings = f"keyint=1:qp={_QUANTIZER}:threads=1:lookahead-threads=1"
    with av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        options = {"preset": "veryfast", "flags": "+bitexact", "x264-params": settings}
        stream: Any = container.add_stream("libx264", rate=FRAMES, options=options)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        # the encoder's banner (SEI, NAL type 6) is a sixth of such a short file, and names the encoder's build
        strip = BitStreamFilterContext("filter_units=remove_types=6", stream)
        frames = [av.VideoFrame.from_ndarray(np.ascontiguousarray(plane), format="yuv420p") for plane in planes]
        for frame in [*frames, None]:
            for packet in stream.encode(frame):
                container.mux(strip.filter(packet))
    return buffer.getvalue()


def decode_planes(file: bytes) -> np.ndarray:
    """The yuv420p frames of a file, as `encode` takes them: H.264 decodes to the same numbers on every machine."""
    import av

    with av.open(io.BytesIO(file), "r") as container:
        return np.stack([frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0)])


def _video(kind: str, split: str, position: int) -> tuple[str, bytes, dict[str, Any]]:
    """One video: its file's name and content, and its entry in the manifest."""
    made = probe_render.draw(kind, split, position)
    data = encode(made.planes)
    frames = _sha256(decode_planes(data).tobytes())
    entry = {"label": made.label, "size": len(data), "sha256": _sha256(data), "frames": frames}
    return f"{split}/{made.name}.mp4", data, entry


def _write_all(part: Path, kind: str, sizes: Sizes, processes: int) -> Entries:
    """Write all videos, which are made in processes of their own where there are many."""
    tasks = [(kind, split, position) for split, count in sizes.items() for position in range(count)]
    many = len(tasks) >= _MANY
    entries: Entries = {}
    for made in Pool(_video, workers=processes).run(tasks, ahead=4 * processes) if many else starmap(_video, tasks):
        if isinstance(made, Problem):
            raise DataError(f"a video for {part} cannot be made: {made.reason}")
        file, data, entry = made
        (part / file).write_bytes(data)
        entries[file] = entry
    return entries


def _listing(entries: Entries, sizes: Sizes) -> dict[str, dict[str, Any]]:
    splits = {}
    for split in sizes:
        files = {file: entries[file] for file in sorted(entries) if file.startswith(f"{split}/")}
        lines = "\n".join(f"{file} {entry['label']} {entry['frames']}" for file, entry in files.items())
        facts = {file: {key: entry[key] for key in ("label", "size", "sha256")} for file, entry in files.items()}
        splits[split] = {"fingerprint": _sha256(lines.encode()), "files": facts}
    return splits


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
        complete = all(entry["files"] and entry["fingerprint"] for entry in manifest["splits"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder, f"{path} cannot be read ({type(error).__name__})") from error
    if not complete:
        raise _damaged(folder, f"{path} does not list the dataset")
    return manifest


def _damaged(folder: Path, what: str) -> DataError:
    return DataError(what, fix=f"rm -r {folder}  (it is written again on its next use)")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Wait for other writers of `folder`."""
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        clear_left(folder.parent)
        yield
