"""The embedded datasets as files: encoding, writing once, listing, and noticing damage.

Every frame is coded by itself with one quantizer, so that the codec cannot give the direction of time away: a reversed
video decodes to exactly the reversed frames. The encoder runs in one thread. A manifest keeps the size and sha256 of
each file, and for each split a fingerprint over labels and decoded frames, which is what enters the records.

    <cache>/probes/v6/probe-order/manifest.json
                                   train/00000.mp4 ...
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from repro.core.errors import DataError
from repro.core.files import building, clear_left, write_atomic
from repro.data.drawing import FRAMES, SIDE, Drawn

Sizes = Mapping[str, int]
Entries = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Content:
    """What the videos of a dataset are made of."""

    draw: str
    """`module:function`, called with kind, split and position; returns `drawing.Drawn`."""
    kind: str
    version: int
    quantizer: int
    """Of H.264, the same for every frame: 0 loses nothing, 51 most."""

    def drawn(self, split: str, position: int) -> Drawn:
        """One video."""
        module, _, name = self.draw.partition(":")
        made: Drawn = getattr(importlib.import_module(module), name)(self.kind, split, position)
        return made


def ensure(folder: Path, content: Content, sizes: Sizes) -> None:
    """Write the dataset if it is not there. Of several processes that come first together, one writes."""
    if (folder / "manifest.json").is_file():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _lock(folder):
        if not (folder / "manifest.json").is_file():
            write(folder, content, sizes)


def write(folder: Path, content: Content, sizes: Sizes, *, processes: int | None = None) -> None:
    """Render, encode and list a dataset in a temporary folder, which then takes its name: it is whole or absent."""
    with building(folder) as part:
        for split in sizes:
            (part / split).mkdir(parents=True)
        entries = _write_all(part, content, sizes, processes or min(4, os.cpu_count() or 1))
        listing = {"version": content.version, "kind": content.kind, "splits": _listing(entries, sizes)}
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


def encode(planes: np.ndarray, quantizer: int) -> bytes:
    """H.264 in mp4 of yuv420p frames (FRAMES, SIDE * 3 // 2, SIDE); the same bytes for the same frames and encoder."""
    import av
    from av.bitstream import BitStreamFilterContext

    buffer = io.BytesIO()
    settings = f"keyint=1:qp={quantizer}:threads=1:lookahead-threads=1"
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


def _write_some(part: Path, content: Content, sizes: Sizes, start: int, step: int) -> Entries:
    """Write the videos start, start + step, ... of all splits; file name -> its entry in the manifest."""
    entries: Entries = {}
    for split, count in sizes.items():
        for position in range(start, count, step):
            made = content.drawn(split, position)
            data = encode(made.planes, content.quantizer)
            file = f"{split}/{made.name}.mp4"
            (part / file).write_bytes(data)
            frames = _sha256(decode_planes(data).tobytes())
            entries[file] = {"label": made.label, "size": len(data), "sha256": _sha256(data), "frames": frames}
    return entries


def _write_all(part: Path, content: Content, sizes: Sizes, processes: int) -> Entries:
    """Write all videos, in this process and in others beside it."""
    processes = 1 if sum(sizes.values()) < 256 else processes
    # plain child processes: a fork would copy the threads of torch, and spawning would run the user's script again
    root = str(Path(__file__).resolve().parents[2])
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from repro.data.embedded_files import child; child(*sys.argv[2:])"
    )
    fixed = [sys.executable, "-c", code, root, str(part), json.dumps(asdict(content)), json.dumps(dict(sizes))]
    children = [
        subprocess.Popen([*fixed, str(start), str(processes)], stdout=subprocess.PIPE, text=True)
        for start in range(1, processes)
    ]
    try:
        entries = _write_some(part, content, sizes, 0, processes)
        for process in children:
            output, _ = process.communicate()
            if process.returncode:
                raise DataError(f"a process that writes videos into {part} ended with code {process.returncode}")
            entries.update(json.loads(output))
    finally:
        for process in children:
            process.kill()
            process.wait()
    return entries


def child(part: str, content: str, sizes: str, start: str, step: str) -> None:
    """What each process that `_write_all` starts runs; the entries go to standard output."""
    made = _write_some(Path(part), Content(**json.loads(content)), json.loads(sizes), int(start), int(step))
    with contextlib.suppress(BrokenPipeError):  # whoever asked is gone
        print(json.dumps(made), flush=True)


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
    """Wait for other writers of `folder`. Where files cannot be locked two may write, and the first rename wins."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with folder.with_name(f".{folder.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        clear_left(folder.parent)
        yield
