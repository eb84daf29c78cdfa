"""Where things lie. The only reader of environment variables; nothing here enters a content id."""

from __future__ import annotations

import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def _folder(variable: str, default: Path) -> Path:
    return Path(os.environ[variable]).expanduser() if os.environ.get(variable) else default


def results() -> Path:
    """`REPRO_RESULTS`, else `results/` of this checkout, else `results/` of the current folder."""
    checkout = (_ROOT / "pyproject.toml").exists()
    return _folder("REPRO_RESULTS", _ROOT / "results" if checkout else Path.cwd() / "results")


def published() -> Path:
    """The CSV files of printed values; they ship with the package."""
    return _ROOT / "results" / "published"


def records() -> Path:
    """The reference: measurements of the lab that publishes them, committed with the code."""
    return results() / "records"


def own() -> Path:
    """What this machine's user has measured; no part of the repository until `records publish` moves it."""
    return results() / "own"


def figures() -> Path:
    """Stored figures, which the report shows."""
    return results() / "figures"


def cache() -> Path:
    """`REPRO_CACHE`, else `~/.cache/repro`: twins, decoded frames, checkpoints of unfinished runs; safe to delete."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return _folder("REPRO_CACHE", base / "repro")


def weights() -> Path:
    """Imported checkpoints."""
    return _folder("REPRO_WEIGHTS", cache() / "weights")


def config() -> Path:
    """`REPRO_CONFIG`, else `~/.config/repro`: where this user's datasets are."""
    base = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return _folder("REPRO_CONFIG", base / "repro")


def work(content_id: str, seed: int) -> Path:
    """The folder of an unfinished run: checkpoints to resume from."""
    return cache() / "work" / f"{content_id[:16]}-s{seed}"


def scheduler_job() -> str | None:
    """SLURM's number of the job that this process runs in, `12` or, of an array, `12_3`; a requeued job keeps it.

    Of an array one task has the array's own number as its job's: to requeue that would requeue all.
    """
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID") or None


def scheduler_restarts() -> int:
    """How often SLURM has started this job again."""
    count = os.environ.get("SLURM_RESTART_COUNT", "0")
    return int(count) if count.isdigit() else 0


def visible_gpus() -> list[str] | None:
    """The devices that `CUDA_VISIBLE_DEVICES` leaves to this process; None where it does not say."""
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    return None if listed is None else [device for device in (part.strip() for part in listed.split(",")) if device]


def show_gpu(device: str) -> None:
    """Leave one GPU to this process and its children; before CUDA is first used."""
    os.environ["CUDA_VISIBLE_DEVICES"] = device


def processes_here() -> int:
    """How many processes torchrun started on this machine; else 1."""
    told = os.environ.get("LOCAL_WORLD_SIZE", "")
    return int(told) if torchrun() and told.isdigit() else 1


def torchrun() -> tuple[int, int, int] | None:
    """Rank, number of processes, and rank on this machine, where torchrun started several; else None."""
    told = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if not all(text.isdigit() for text in told) or int(told[1]) < 2:
        return None
    return int(told[0]), int(told[1]), int(told[2])
