"""Read the tensors of a checkpoint file without running anything that the file says; write them as safetensors.

PyTorch files go through `torch.load(weights_only=True)`, which builds tensors and plain containers only. Files of
mmengine and of training scripts also hold bookkeeping (loss histories, numpy scalars, argument namespaces). These are
known by name and become inert stand-ins; any other foreign name is refused, with its name. Which of a file's sets of
weights is meant is decided in `weight_sets`. What a file claims to hold is held against memory before it is read.
"""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import shlex
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from repro.core.environment import require_memory
from repro.core.errors import DataError, WeightsError
from repro.core.files import file_sha256, parse_json
from repro.core.paths import expand
from repro.models import weight_sets

#: bookkeeping that training frameworks leave beside the tensors: whole packages, and single names
_BOOKKEEPING_PACKAGES = ("mmengine", "mmcv", "mmaction", "numpy", "addict", "yacs", "easydict", "pathlib", "datetime")
_BOOKKEEPING_NAMES = {"builtins.getattr", "argparse.Namespace", "copyreg._reconstructor", "builtins.object"}
#: what PyTorch builds itself when it reads tensors alone
_PLAIN = {
    *("collections.OrderedDict", "collections.Counter", "_codecs.encode"),
    *("builtins.set", "builtins.bytearray", "builtins.complex"),
}
#: what weights can be; a whole number can only be a counter
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
#: a file whose tensors are this much larger than itself, and this large, is none that a training wrote
_INFLATED, _LARGE = 100, 2**30
_PYTHON_2_MODULES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class StandIn:
    """Takes the place of a bookkeeping object; accepts whatever it is given and does nothing."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> StandIn:
        """As above."""
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
    key: str = weight_sets.TOP
    """Which of the file's sets of weights the tensors are."""
    others: tuple[str, ...] = ()
    """The keys of the other sets."""


def read(path: str | Path, key: str | None = None) -> Checkpoint:
    """Read a PyTorch or safetensors file; raises `WeightsError` for one that is unreadable, unsafe or no checkpoint,
    and where raw and averaged weights stand side by side, unless `key` names one of them.
    """
    file = expand(path)
    if not file.is_file():
        raise WeightsError(f"{str(path)!r} is not a file", allowed="a .pth, .pt, .tar or .safetensors checkpoint")
    metadata: Mapping[str, str] = {}
    if file.suffix == ".safetensors":
        tensors, metadata = _read_safetensors(file)
        whole = weight_sets.WeightSet(weight_sets.TOP, tensors)
        found = [whole] if "repro.model" in metadata else weight_sets.split(whole)
    else:
        content = _read_torch(file)
        if not isinstance(content, Mapping):
            raise WeightsError(f"{str(file)!r} holds a {type(content).__name__}", allowed="a state dict")
        found = weight_sets.sets_of(content)
        if not found:
            raise _no_state_dict(file, [str(name) for name in content])
    chosen = weight_sets.choose(str(file), found, key)
    if chosen.others:
        raise _no_state_dict(file, chosen.others)
    _require_weights(file, chosen.tensors)
    others = tuple(one.key for one in found if one is not chosen)
    return Checkpoint(file, chosen.tensors, file_sha256(file), metadata, chosen.key, others)


def metadata_of(path: Path) -> Mapping[str, str]:
    """The metadata of a safetensors file, read without its tensors; `WeightsError` where it is none."""
    try:
        with safe_open(path, framework="pt") as opened:
            return opened.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{str(path)!r} is not a readable safetensors file: {error}") from error


def fact(path: str | Path, metadata: Mapping[str, str], name: str, kind: type | tuple[type, ...], default: str) -> Any:
    """JSON under a name of the metadata; `WeightsError` where it is not of that kind."""
    try:
        value = parse_json(metadata.get(name, default))
    except ValueError as error:
        raise WeightsError(f"{str(path)!r}: its {name} is not JSON: {error}") from error
    if not isinstance(value, kind):
        raise WeightsError(f"{str(path)!r}: its {name} holds {str(metadata.get(name, default))[:80]}")
    return value


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


def _read_safetensors(file: Path) -> tuple[dict[str, torch.Tensor], Mapping[str, str]]:
    _require_room(file, file.stat().st_size)  # its tensors are as large as the file
    try:
        with safe_open(file, framework="pt") as opened:
            # safe_open is no mapping: it has keys() but does not iterate
            return {name: opened.get_tensor(name) for name in opened.keys()}, opened.metadata() or {}
    except (SafetensorError, OSError, TypeError, AttributeError, RuntimeError, ValueError) as error:
        raise WeightsError(f"{str(file)!r} is not a readable safetensors file: {error}") from error


def _read_torch(file: Path) -> Any:
    """The unpickled content, plain containers and tensors only."""
    _require_room(file, _unpacked_bytes(file))
    stand_ins = [(StandIn, name) for name in sorted(foreign_names(file)) if is_bookkeeping(name)]
    try:
        # numpy's and mmengine's names resolve to the stand-in, never to the real thing
        with torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickle(file):
            raise WeightsError(f"{str(file)!r} is no PyTorch checkpoint ({_start(file)})") from error
        refused = sorted(name for name in foreign_names(file) if not is_bookkeeping(name))
        raise _refusal(file, refused, error) from error
    except (Exception, RecursionError) as error:  # the bytes decide what torch's reader trips over
        reason = str(error).splitlines()[0] if str(error).strip() else type(error).__name__
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


def is_bookkeeping(name: str) -> bool:
    """Whether a dotted name is of what training frameworks leave beside their tensors."""
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
    except Exception:  # not a pickle (any more), or an archive that cannot be read: torch.load gives the reason
        return


def _no_state_dict(file: Path, others: Sequence[str]) -> WeightsError:
    return WeightsError(
        f"{str(file)!r} has no state dict of tensors; other entries: {', '.join(others[:5]) or 'nothing'}",
        allowed=f"a state dict, plain or under {', '.join(weight_sets.PLACES)}",
    )


def _require_weights(file: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Plain finite floats and whole numbers, that fit into memory."""
    for name, value in tensors.items():
        kind = _odd_kind(value)
        if kind:
            raise WeightsError(
                f"{str(file)!r}: tensor {name} is {kind}, which are no weights of a network to be evaluated",
                allowed="plain tensors of " + ", ".join(str(one).removeprefix("torch.") for one in _FLOATS),
                fix="a checkpoint from before it was converted",
            )
    claimed, held = sum(value.numel() * value.element_size() for value in tensors.values()), file.stat().st_size
    _require_room(file, claimed, held)
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise WeightsError(f"{str(file)!r}: tensor {name} holds NaN or infinity", fix="fetch the file again")
        if name.endswith("running_var") and bool((value < 0).any()):
            raise WeightsError(f"{str(file)!r}: tensor {name} holds a variance below 0", fix="fetch the file again")


def _odd_kind(value: torch.Tensor) -> str:
    """What a tensor is that is no plain one; empty for those that are."""
    if value.is_meta:
        return "on the meta device: a shape without values"
    if value.is_nested or value.layout != torch.strided:
        return f"sparse or nested ({str(value.layout).removeprefix('torch.')})"
    if value.is_quantized:
        return f"quantized ({str(value.dtype).removeprefix('torch.')})"
    return "" if value.dtype in (*_FLOATS, *_INTEGERS) else f"of {str(value.dtype).removeprefix('torch.')}"


def _require_room(file: Path, claimed: int, held: int | None = None) -> None:
    """Raise `WeightsError` where the tensors do not fit into memory, or are many times what the file (of `held` bytes)
    can have meant.
    """
    held = file.stat().st_size if held is None else held
    if claimed > _LARGE and claimed > _INFLATED * held:
        raise WeightsError(
            f"{str(file)!r} of {held / 1e6:.1f} MB claims {claimed / 2**30:.1f} GiB of tensors; it was not read",
            fix="fetch the file again",
        )
    try:
        require_memory(claimed, f"{str(file)!r}")
    except DataError as error:
        raise WeightsError(error.what, fix=error.fix) from error


def _unpacked_bytes(file: Path) -> int:
    """What the archive says that it holds; the file's own size where it is none."""
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                return sum(entry.file_size for entry in archive.infolist())
    except Exception:  # a damaged directory: torch.load gives the reason
        pass
    return file.stat().st_size
