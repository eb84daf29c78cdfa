"""Kernels in C++, compiled for this machine by the compiler that is found. They take pointers, nothing of torch.

A source is compiled once, in some seconds, into a folder that the caller names; where that cannot be, `CannotCompile`
says why, and the form in plain PyTorch serves.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

_HEADER = Path(__file__).with_name("stretches.hpp")
_COMPILERS = ("c++", "g++", "clang++")
_FLAGS = ("-O3", "-std=c++17", "-shared", "-fPIC", "-ffp-contract=fast")
#: PyTorch's OpenMP serves where it has the name that the compiler knows; threads of another would fight with its own
_THREADS = "-fopenmp"
#: what makes a compiler use all instructions of the machine; Apple's and ARM's know the second
_NATIVE = ("-march=native", "-mcpu=native")
_COMPILE_SECONDS = 120


class CannotCompile(RuntimeError):
    """Why there is no kernel here, in a sentence."""


def library(source: Path, folder: Path) -> ctypes.CDLL:
    """The library of `source`, compiled into `folder` unless it is there; raises `CannotCompile`."""
    compiler = next(filter(None, map(shutil.which, _COMPILERS)), None)
    if compiler is None:
        raise CannotCompile(f"no C++ compiler ({', '.join(_COMPILERS)}) is found")
    for native in _NATIVE:
        told = _run(compiler, native, "-dM", "-E", "-x", "c++", os.devnull)
        if told.returncode == 0:
            path = _compiled(source, folder, compiler, native, told.stdout)
            try:
                return ctypes.CDLL(str(path))
            except OSError as error:
                raise CannotCompile(f"{path} cannot be loaded: {error}") from error
    raise CannotCompile(f"{compiler} knows none of {', '.join(_NATIVE)}")


def _compiled(source: Path, folder: Path, compiler: str, native: str, machine: bytes) -> Path:
    """The file for this source, compiler and machine (its macros tell both)."""
    parts = (source.read_bytes(), _HEADER.read_bytes(), machine, repr((native, _FLAGS, _THREADS)).encode())
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
    path = folder / f"{source.stem}-{digest[:16]}.so"
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            made = Path(place) / path.name
            command = (compiler, native, *_FLAGS, f"-I{_HEADER.parent}", "-o", str(made), str(source))
            told = _run(*command, _THREADS)
            if told.returncode:
                told = _run(*command)
            if told.returncode:
                reason = told.stderr.decode(errors="replace").strip().splitlines()[:1]
                raise CannotCompile(f"{compiler} fails: {reason[0] if reason else told.returncode}")
            made.replace(path)
    except OSError as error:
        raise CannotCompile(f"{folder} cannot be written: {error}") from error
    return path


def _run(*command: str) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(command, capture_output=True, timeout=_COMPILE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotCompile(f"{command[0]} cannot be run: {error}") from error


def functions(made: ctypes.CDLL, signatures: dict[str, Sequence[Any]]) -> Iterator[Any]:
    """Functions that return nothing, by name with the types of what they take."""
    for name, arguments in signatures.items():
        function = made[name]  # each access makes a new object
        function.argtypes, function.restype = arguments, None
        yield function


def is_plain(x: torch.Tensor) -> bool:
    """Whether a kernel may read it: float32 on a CPU."""
    return x.dtype == torch.float32 and x.device.type == "cpu"
