"""On what a number was measured: one dict for the record. Host names and paths stay out of it."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from repro.core import paths
from repro.core.errors import DataError

_PACKAGES = (
    "torch", "torchvision", "timm", "fvcore", "ptflops", "decord", "av", "numpy", "safetensors", "pandas", "pydantic",
)  # fmt: skip
_ROOT = Path(__file__).resolve().parents[2]
#: the vector instructions that decide how fast a CPU computes a network, the widest last, as /proc/cpuinfo names them
VECTORS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "sve", "bf16")


def environment(device: str = "cpu", threads: int | None = None) -> dict[str, Any]:
    """Packages, git state, processor, memory, device, flags that change numbers. Imports torch for the device part.

    Flags are those of the moment: where a measurement sets its own, it is asked for among them.
    """
    import torch

    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": packages(),
        "git": dict(git_state()),
        "cpu": machine()[0],
        "cores": machine()[1],
        "vectors": vectors(),
        "memory_gib": memory_gib(),
        "device": device,
        "device_name": device_name(device),
        "cuda": torch.version.cuda if device.startswith("cuda") else None,
        "threads": threads or torch.get_num_threads(),
        "flags": flags(),
        **({"gpu": gpu(device)} if device.startswith("cuda") else {}),
    }


def device_name(device: str) -> str:
    """Of the GPU or CPU; imports torch for a GPU."""
    if not device.startswith("cuda"):
        return cpu_name()
    import torch

    return torch.cuda.get_device_name(device)


def flags() -> dict[str, Any]:
    """Switches of torch that change numbers, as they are now."""
    import torch

    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "mkldnn": torch.backends.mkldnn.is_available(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


#: what nvidia-smi is asked of a GPU
_GPU_FACTS = ("driver_version", "clocks.sm", "clocks.max.sm", "power.draw", "power.limit", "temperature.gpu")


def gpu(device: str) -> dict[str, Any]:
    """Of the GPU: compute capability, cuDNN, and as nvidia-smi tells them now driver, clocks (MHz), power (W), and
    temperature (degrees C); what it does not tell is left out.
    """
    import torch

    facts = torch.cuda.get_device_properties(device)
    found = {"capability": f"{facts.major}.{facts.minor}", "cudnn": torch.backends.cudnn.version()}
    ids, number = gpu_ids(), torch.device(device).index or 0
    if number >= len(ids):
        return found
    command = ("nvidia-smi", f"--query-gpu={','.join(_GPU_FACTS)}", "--format=csv,noheader,nounits")
    told = _output(*command, "-i", ids[number])
    values = [part.strip() for part in told.split(",")] if told else []
    return found | dict(zip(_GPU_FACTS, values, strict=False))


def _output(*command: str) -> str | None:
    """What a program prints; None where it is not here, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def machine() -> tuple[str, int]:
    """The processor's name and how many of its cores this process may use: what a speed belongs to."""
    return cpu_name(), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_here(made: Mapping[str, Any]) -> bool:
    """Whether a record's environment tells of this kind of machine; what an old record does not tell does not count."""
    if (made.get("cpu"), made.get("cores")) != machine():
        return False
    if "vectors" in made:
        return bool(made["vectors"] == vectors())
    capability = (made.get("flags") or {}).get("cpu_capability")  # all that records told before they had `vectors`
    if not vectors() or capability not in ("AVX2", "AVX512"):
        return True
    return ("avx512f" in vectors()) == (capability == "AVX512")


@functools.cache
def packages() -> dict[str, str]:
    """Versions of the packages that numbers depend on; a missing one is left out."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@functools.cache
def git_state() -> dict[str, Any]:
    """Commit, and whether files of the code differ from it (results are data, and do not count)."""
    git = ("git", "-C", str(_ROOT))
    commit = _output(*git, "rev-parse", "HEAD")
    if commit is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit.strip(), "dirty": bool(_output(*git, "status", "--porcelain", "--", ".", ":!results"))}


@functools.cache
def cpu_name() -> str:
    """The processor's own name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


@functools.cache
def vectors() -> list[str]:
    """Which of `VECTORS` the processor has; two of a name may differ here. Empty where the system does not say."""
    told = (_cpuinfo("flags") or _cpuinfo("Features")).split()
    return [name for name in VECTORS if name in told]


def _cpuinfo(field: str) -> str:
    """What Linux says of the first core, or nothing."""
    info = Path("/proc/cpuinfo")
    found = re.search(rf"^{field}\s*:\s*(.+)", info.read_text(errors="replace"), re.M) if info.exists() else None
    return found.group(1).strip() if found else ""


def gpu_ids() -> list[str]:
    """The NVIDIA GPUs of this machine that this process may use, as CUDA_VISIBLE_DEVICES names them; no torch."""
    visible = paths.visible_gpus()
    if visible is not None:
        return visible
    return (_output("nvidia-smi", "--query-gpu=index", "--format=csv,noheader") or "").split()


def memory_gib() -> float | None:
    """Memory of the machine in GiB."""
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def command() -> list[str]:
    """The command line as a reader can repeat it, without this machine's paths."""
    name = Path(sys.argv[0]).name
    head = ["python", "-m", "repro"] if name in {"__main__.py", "repro"} else [name]
    return [*head, *(Path(a).name if Path(a).is_absolute() else a for a in sys.argv[1:])]


def memory_at_hand() -> int | None:
    """Bytes that this process can still take: what the system has free, no more than its control group leaves."""
    found = []
    info = Path("/proc/meminfo")
    free = re.search(r"^MemAvailable:\s*(\d+) kB", info.read_text(), re.M) if info.exists() else None
    if free:
        found.append(int(free[1]) * 1024)
    for group, limit, used in _GROUPS:
        told, taken = _number_in(group / limit), _number_in(group / used)
        if told is not None and taken is not None and told < 2**60:
            found.append(max(0, told - taken + _dropped_on_demand(group)))
    return min(found, default=None)


def require_memory(claimed: int, what: str) -> None:
    """Raise `DataError` unless so many bytes are at hand."""
    free = memory_at_hand()
    if free is not None and claimed > free:
        raise DataError(
            f"{what} claims {claimed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB of memory are free here",
            fix="a machine with more memory, or a whole file in place of a damaged one",
        )


#: this process's control group, of version 2 and version 1, and its files of limit and use
_GROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
)


def _dropped_on_demand(group: Path) -> int:
    """Bytes of files that the group has in memory, which count as used and make way."""
    try:
        found = re.search(r"^inactive_file (\d+)", (group / "memory.stat").read_text(), re.M)
    except (OSError, UnicodeDecodeError):
        return 0
    return int(found[1]) if found else 0


def _number_in(file: Path) -> int | None:
    try:
        text = file.read_text().strip()
    except (OSError, UnicodeDecodeError):
        return None
    return int(text) if text.isascii() and text.isdigit() else None
