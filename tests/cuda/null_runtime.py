"""Builds the null CUDA runtime beside the torch that is installed: `runtime.c`, and what else torch asks for."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_HERE = Path(__file__).parent
#: of these libraries torch asks for CUDA's functions, and by these prefixes their names are known
_LIBRARIES = (
    "libtorch_cuda.so",
    "libc10_cuda.so",
    "libtorch_cuda_linalg.so",
    "libtorch_python.so",
    "libcaffe2_nvrtc.so",
)
_PREFIXES = ("cuda", "__cuda", "cublas", "cusolver", "cusparse", "cufft", "cudnn")
#: words that NVIDIA's headers take from a header of its compiler
_WORDS = """
#define CUDARTAPI
#define CUDARTAPI_CDECL
#define CUDART_CB
#define __align__(n) __attribute__((aligned(n)))
#define __builtin_align__(n) __align__(n)
#define __device_builtin__
#define __device_builtin_texture_type__
#define __device_builtin_surface_type__
#define __cudart_builtin__
#define __host__
#define __device__
"""


def why_not() -> str:
    """Why it cannot be built here; empty where it can."""
    import torch

    if torch.version.cuda is None:
        return "torch without CUDA"
    if not (shutil.which("gcc") and shutil.which("nm")):
        return "no gcc and nm"
    return "" if _headers() else "no headers of the CUDA runtime"


def build(folder: Path) -> Path:
    """The library to load before torch."""
    words = folder / "crt"
    words.mkdir()
    for name in ("host_defines.h", "host_config.h"):
        (words / name).write_text(_WORDS)
    include = [f"-I{path}" for path in (folder, *_headers())]
    parts = [folder / "runtime.o", folder / "rest.o"]
    _compile([str(_HERE / "runtime.c"), *include, "-o", str(parts[0])])
    ours = _symbols(parts[0], "--defined-only")
    rest = folder / "rest.c"
    rest.write_text(_returning_nothing(name for name in _asked_for() - ours if name.startswith(_PREFIXES)))
    _compile([str(rest), "-o", str(parts[1])])
    library = folder / "libnullcuda.so"
    subprocess.run(["gcc", "-shared", *map(str, parts), "-o", str(library)], check=True)
    driver = folder / "driver.c"
    driver.write_text(_returning_nothing(_named_by_text()))
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", str(driver), "-o", str(folder / "libcuda.so.1")], check=True)
    return library


def settings(folder: Path) -> dict[str, str]:
    """What a process needs in its environment to run on it."""
    return {"LD_PRELOAD": str(folder / "libnullcuda.so"), "LD_LIBRARY_PATH": str(folder), "OMP_NUM_THREADS": "1"}


def _returning_nothing(names: Iterable[str]) -> str:
    return "".join(f"int {name}(void) {{ return 0; }}\n" for name in sorted(names))


def _compile(arguments: list[str]) -> None:
    subprocess.run(["gcc", "-c", "-fPIC", "-O1", "-w", *arguments], check=True)


def _headers() -> list[Path]:
    spec = importlib.util.find_spec("nvidia")
    roots = [Path(root) for root in (spec.submodule_search_locations or [])] if spec else []
    return [path.parent for root in roots for path in root.glob("*/include/cuda_runtime_api.h")]


def _libraries() -> list[Path]:
    spec = importlib.util.find_spec("torch")
    assert spec is not None and spec.origin is not None
    found = [Path(spec.origin).parent / "lib" / name for name in _LIBRARIES]
    return [path for path in found if path.exists()]


def _asked_for() -> set[str]:
    return set().union(*(_symbols(path, "--undefined-only", "-D") for path in _libraries()))


def _named_by_text() -> set[str]:
    """Functions of the driver, which torch looks up by name while it runs."""
    texts = (path.read_bytes() for path in _libraries() if path.name != "libtorch_python.so")
    return {name.decode() for text in texts for name in re.findall(rb"\0(cu[A-Z][A-Za-z0-9]{4,}(?:_v\d)?)\0", text)}


def _symbols(path: Path, *options: str) -> set[str]:
    told = subprocess.run(["nm", *options, str(path)], capture_output=True, text=True, check=True).stdout
    return {line.split()[-1].partition("@")[0] for line in told.splitlines() if line.strip()}
