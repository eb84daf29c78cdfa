"""Where things lie. The only reader of environment variables; nothing here enters a content id."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from repro.core.errors import NotConfigured, ReproError

_ROOT = Path(__file__).resolve().parents[2]


def expand(path: str | Path) -> Path:
    """A path that begins with `~` or `~name` as one that does not."""
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        user = Path(path).parts[0][1:]
        what = f"{str(path)!r}: this system has no user {user!r}" if user else f"{str(path)!r}: {_HOMELESS}"
        raise ReproError(
            what, allowed="a path that does not begin with ~", fix=f"./{path} for a file of that name"
        ) from error


#: where neither HOME nor the list of users tells a home, as in a container of a bare user number
_HOMELESS = "HOME is not set, and the user that this process runs as has no home folder"


def _folder(variable: str, default: Callable[[], Path]) -> Path:
    return _is_folder(expand(os.environ[variable]), variable) if os.environ.get(variable) else default()


def _is_folder(path: Path, variable: str) -> Path:
    """A folder, or a name that is free for one; what else lies there would be taken for an empty folder."""
    if os.path.lexists(path) and not os.path.isdir(path):  # noqa: PTH112 - also of names that are too long
        raise NotConfigured(f"{str(path)!r} is no folder", fix=f"remove it, or export {variable}=/a/folder")
    return path


def _below_home(variable: str, usual: str, ours: str) -> Path:
    if os.environ.get(variable):
        return Path(os.environ[variable]) / "repro"
    try:
        return Path.home() / usual / "repro"
    except RuntimeError:
        return _without_home(ours) / usual.removeprefix(".")


def _without_home(ours: str) -> Path:
    """A folder of this user's number beside other temporary files; never one that somebody else has put there."""
    folder = Path(tempfile.gettempdir()) / f"repro-{os.getuid()}"
    if folder.is_symlink() or (folder.exists() and folder.stat().st_uid != os.getuid()):
        raise NotConfigured(f"{_HOMELESS}; {str(folder)!r} is another's", fix=f"export {ours}=/a/folder, or HOME")
    return folder


def results() -> Path:
    """`REPRO_RESULTS`, else `results/` of this checkout, else `results/` of the current folder."""
    checkout = (_ROOT / "pyproject.toml").exists()
    return _folder("REPRO_RESULTS", lambda: _ROOT / "results" if checkout else Path.cwd() / "results")


def published() -> Path:
    """The CSV files of printed values; they ship with the package."""
    return _ROOT / "results" / "published"


def records() -> Path:
    """The reference: measurements of the lab that publishes them, committed with the code."""
    return _is_folder(results() / "records", "REPRO_RESULTS")


def own() -> Path:
    """What this machine's user has measured; no part of the repository until `records publish` moves it."""
    return _is_folder(results() / "own", "REPRO_RESULTS")


def figures() -> Path:
    """Stored figures, which the report shows."""
    return results() / "figures"


def cache() -> Path:
    """`REPRO_CACHE`, else `~/.cache/repro` (without a home, a temporary folder): probes, decoded frames, checkpoints of
    unfinished runs; safe to delete.
    """
    return _folder("REPRO_CACHE", lambda: _below_home("XDG_CACHE_HOME", ".cache", "REPRO_CACHE"))


def weights() -> Path:
    """Imported checkpoints."""
    return _folder("REPRO_WEIGHTS", lambda: cache() / "weights")


def config() -> Path:
    """`REPRO_CONFIG`, else `~/.config/repro` (without a home, a temporary folder): where this user's datasets are."""
    return _folder("REPRO_CONFIG", lambda: _below_home("XDG_CONFIG_HOME", ".config", "REPRO_CONFIG"))


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
    return int(count) if count.isdecimal() else 0


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
    return int(told) if torchrun() and told.isdecimal() else 1


def torchrun() -> tuple[int, int, int] | None:
    """Rank, number of processes, and rank on this machine, where torchrun started several; else None."""
    told = [os.environ.get(name, "") for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]
    if not all(text.isdecimal() for text in told) or int(told[1]) < 2:
        return None
    return int(told[0]), int(told[1]), int(told[2])
