"""Read the tensors of a checkpoint file without running anything that the file says; write them as safetensors.

PyTorch files go through `torch.load(weights_only=True)`, which builds tensors and plain containers only. Files of
mmengine and of training scripts also hold bookkeeping (loss histories, numpy scalars, argument namespaces). These are
known by name and become inert stand-ins; any other foreign name is refused, with its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import pickletools
import shlex
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from repro.core.errors import WeightsError

#: where a checkpoint keeps its state dict; the first that holds tensors counts
_PLACES = ("state_dict", "model", "model_state", "model_state_dict", "module", "net")

#: bookkeeping that training frameworks leave beside the tensors: whole packages, and single names
_BOOKKEEPING_PACKAGES = ("mmengine", "mmcv", "mmaction", "numpy", "addict", "yacs", "easydict", "pathlib", "datetime")
_BOOKKEEPING_NAMES = {"builtins.getattr", "argparse.Namespace", "copyreg._reconstructor", "builtins.object"}
#: what PyTorch builds itself when it reads tensors alone
_PLAIN = {
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *("builtins.set", "builtins.bytearray", "builtins.complex"),
}
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _StandIn:
    """Takes the place of a bookkeeping object; accepts whatever it is given and does nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None: ...

    def __setstate__(self, _state: Any) -> None: ...


@dataclass(frozen=True)
class Checkpoint:
    """The tensors of a file by the file's own names, the file's sha256 and, for safetensors, its metadata."""

    path: Path
    tensors: dict[str, torch.Tensor]
    sha256: str
    metadata: Mapping[str, str]


def read(path: str | Path) -> Checkpoint:
    """Read a PyTorch or safetensors file; raises `WeightsError` for one that is unreadable, unsafe or no checkpoint."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise WeightsError(f"{str(path)!r} is not a file", allowed="a .pth, .pt, .tar or .safetensors checkpoint")
    metadata: Mapping[str, str] = {}
    if file.suffix == ".safetensors":
        tensors, metadata = _read_safetensors(file)
    else:
        tensors = _state_dict(file, _read_torch(file))
    _require_finite(file, tensors)
    return Checkpoint(file, tensors, sha256(file), metadata)


def write(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str]) -> None:
    """Write safetensors and sync them to disk. The library leaves the order of the metadata to chance; here it is
    sorted, so that equal content has equal bytes.
    """
    # clones: safetensors refuses tensors that share memory
    save_file(
        {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}, path, dict(metadata)
    )
    with path.open("r+b") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(text) <= size, "the library writes the same JSON, padded with spaces"
        file.seek(8)
        file.write(text.ljust(size))
        file.flush()
        os.fsync(file.fileno())


def sha256(path: Path) -> str:
    """Of the file's bytes, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read_safetensors(file: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, str]]:
    try:
        with safe_open(file, framework="pt") as opened:
            # safe_open is no mapping: it has keys() but does not iterate
            return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{str(file)!r} is not a readable safetensors file: {error}") from error


def _read_torch(file: Path) -> Any:
    """The unpickled content, plain containers and tensors only."""
    stand_ins = [(_StandIn, name) for name in sorted(foreign_names(file)) if _is_bookkeeping(name)]
    try:
        # numpy's and mmengine's names resolve to the stand-in, never to the real thing
        with torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickle(file):
            raise WeightsError(f"{str(file)!r} is no PyTorch checkpoint ({_start(file)})") from error
        refused = sorted(name for name in foreign_names(file) if not _is_bookkeeping(name))
        raise _refusal(file, refused, error) from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(f"{str(file)!r} is damaged or no PyTorch checkpoint ({_start(file)}): {reason}") from error


def _refusal(file: Path, refused: list[str], error: Exception) -> WeightsError:
    copy = file.with_suffix(".tensors.pth").name
    script = (
        "import torch, sys; c = torch.load(sys.argv[1], map_location='cpu', weights_only=False); "
        "torch.save(c.get('state_dict', c) if isinstance(c, dict) else c.state_dict(), sys.argv[2])"
    )
    fix = (
        "if, and only if, you trust its author, keep the tensors alone with "
        f'python -c "{script}" {shlex.quote(file.name)} {shlex.quote(copy)} and import that'
    )
    why = f"asks to import {', '.join(refused)}" if refused else f"is more than plain tensors ({_inner(str(error))})"
    what = f"{str(file)!r} {why}; reading that could run code, so it was not read"
    return WeightsError(what, allowed="tensors and plain containers", fix=fix)


def _inner(message: str) -> str:
    """The one line of torch's long advice that says what was wrong."""
    lines = [line.strip() for line in message.splitlines() if "WeightsUnpickler error" in line]
    return lines[0].partition("WeightsUnpickler error: ")[2].partition(". ")[0] if lines else message.splitlines()[0]


def _start(file: Path) -> str:
    with file.open("rb") as stream:
        return f"it starts with {stream.read(24)!r}"


def _is_pickle(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(2)
    return head in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _is_bookkeeping(name: str) -> bool:
    return name in _BOOKKEEPING_NAMES or name.partition(".")[0] in _BOOKKEEPING_PACKAGES


def foreign_names(file: Path) -> set[str]:
    """Dotted names that the file's pickles ask to import, but for PyTorch's own and plain containers. Runs nothing."""
    names: set[str] = set()
    strings: list[str] = []
    for opcode, argument in _opcodes(file):
        if opcode in ("GLOBAL", "INST"):
            module, _, name = str(argument).partition(" ")
        elif opcode == "STACK_GLOBAL" and len(strings) >= 2:
            module, name = strings[-2:]
        else:
            if isinstance(argument, str):
                strings.append(argument)
            continue
        names.add(f"{_PYTHON_2_MODULES.get(module, module)}.{name}")
    return {name for name in names if name.partition(".")[0] != "torch" and name not in _PLAIN}


def _opcodes(file: Path) -> Iterator[tuple[str, Any]]:
    """Opcodes of each pickle in the file: `data.pkl` of the zip form, or the leading pickles of the older form."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                for entry in archive.namelist():
                    if entry.endswith(".pkl"):
                        yield from ((op.name, arg) for op, arg, _ in pickletools.genops(archive.read(entry)))
            return
        with file.open("rb") as stream:
            for _ in range(5):  # magic number, protocol, system facts, the object, storage keys
                yield from ((op.name, arg) for op, arg, _ in pickletools.genops(stream))
    except (ValueError, OSError, zipfile.BadZipFile, UnicodeDecodeError):
        return  # not a pickle (any more): torch.load gives the reason


def _state_dict(file: Path, content: Any) -> dict[str, torch.Tensor]:
    """The mapping of tensors inside a checkpoint."""
    if not isinstance(content, Mapping):
        raise WeightsError(f"{str(file)!r} holds a {type(content).__name__}", allowed="a state dict")
    for place in _PLACES:
        inner = content.get(place)
        if isinstance(inner, Mapping) and any(isinstance(value, torch.Tensor) for value in inner.values()):
            content = inner
            break
    others = [str(name) for name, value in content.items() if not isinstance(value, torch.Tensor)]
    tensors = {str(name): value.detach() for name, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors or others:
        found = ", ".join(others[:5]) or "nothing"
        raise WeightsError(
            f"{str(file)!r} has no state dict of tensors; other entries: {found}",
            allowed=f"a state dict, plain or under {', '.join(_PLACES)}",
        )
    return tensors


def _require_finite(file: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{str(file)!r}: tensor {name} holds NaN or infinity", fix="fetch the file again")
