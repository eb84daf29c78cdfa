"""The state of an unfinished training run on disk: whole or absent, and only ever continued by the same experiment.

A file is a line `repro-training-3 <sha256>` and what torch.save wrote. The two newest are kept, so that one damaged
file costs the steps since the one before it, not the run.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import random
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_map_only

from repro.core.errors import BadOption
from repro.core.files import write_atomic

_MAGIC = b"repro-training-3 "
_HEADER = len(_MAGIC) + 64 + 1
_KEEP = 2


def save(folder: Path, step: int, identity: dict[str, Any], state: dict[str, Any]) -> Path:
    """Write the state after optimizer step `step`, then drop all but the newest two."""
    buffer = io.BytesIO()
    torch.save({"identity": identity, "step": step, "state": state}, buffer)
    payload = buffer.getvalue()
    path = folder / f"step-{step:09d}.pt"
    write_atomic(path, _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
    for old in sorted(folder.glob("step-*.pt"))[:-_KEEP]:
        old.unlink(missing_ok=True)
    return path


class Writer:
    """Saves states in their order; of a training on a GPU beside it, which goes on while the copy is written."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._thread = ThreadPoolExecutor(1, "repro-checkpoint") if device.type == "cuda" else None
        self._last: Future[Path] | None = None

    def save(self, folder: Path, step: int, identity: dict[str, Any], state: dict[str, Any]) -> None:
        """As the function; an error comes with the next call."""
        self.wait()
        if self._thread is None:
            save(folder, step, identity, state)
            return
        copied = tree_map_only(torch.Tensor, lambda v: v.detach().to("cpu", non_blocking=True, copy=True), state)
        there = torch.cuda.current_stream(self._device).record_event()

        def write() -> Path:
            there.synchronize()
            return save(folder, step, identity, copied)

        self._last = self._thread.submit(write)

    def wait(self) -> None:
        """Until all that was to be saved is, or has failed."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


def load(folder: Path, identity: dict[str, Any]) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest usable state, or None, and notes on files that were not usable.

    A sound file of another experiment is refused: going on from it would give a number that no spec describes.
    """
    notes = []
    for path in sorted(folder.glob("step-*.pt"), reverse=True):
        try:
            found = _read(path)
        except (OSError, EOFError, ValueError, RuntimeError, KeyError, pickle.UnpicklingError) as error:
            notes.append(f"checkpoint {path.name} is damaged ({error}) and was passed over")
            continue
        for key, value in identity.items():
            if found["identity"].get(key) != value:
                raise BadOption(
                    f"checkpoint {path} has {key} {found['identity'].get(key)!r}, this run has {value!r}",
                    allowed="checkpoints of the same experiment",
                    fix=f"rm -r {folder}",
                )
        state: dict[str, Any] = found["state"]
        return state, notes
    return None, notes


def _read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    if not content.startswith(_MAGIC):
        raise ValueError("no header")
    if hashlib.sha256(content[_HEADER:]).hexdigest().encode() != content[len(_MAGIC) : _HEADER - 1]:
        raise ValueError("content does not fit its sha256")
    found: dict[str, Any] = torch.load(io.BytesIO(content[_HEADER:]), map_location="cpu", weights_only=True)
    return found


def discard(folder: Path) -> None:
    """Remove all checkpoints of the folder."""
    for path in folder.glob("step-*.pt"):
        path.unlink(missing_ok=True)


def random_state(device: torch.device) -> dict[str, Any]:
    """States of the random generators of Python, numpy, torch and the device, as plain data."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": [str(name), [int(key) for key in keys], int(position), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
    }


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """The inverse of `random_state`."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), position, has_gauss, cached))
    torch.set_rng_state(state["torch"])
    if device.type == "cuda" and state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)


def weights_sha256(state: dict[str, torch.Tensor]) -> str:
    """sha256 over names, types, shapes and values of a state dict, in order of names; layout in memory is no part."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}:".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
