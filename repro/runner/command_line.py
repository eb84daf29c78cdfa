"""A job as the shell line that runs it: what `--dry-run` prints, what a person can run by hand, what SLURM runs.

One process a line, or a training on several of one node by torchrun.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from repro.runner.jobs import Job


def arguments_of(job: Job, *, device: str, force: bool, words: Sequence[str] = (), table: str = "") -> list[str]:
    """What stands behind `python -m repro`; it makes this job's record and prints no table.

    `words`: arguments that make the table what it is; `table`: the file that it is read from, if it is.
    """
    line = ["run", table or f"{job.paper}/{job.table}", "--rows", job.row, "--only", job.cell, "--seed", str(job.seed)]
    line += ["--device", device, "--jobs", "1", "--records-only"]
    line += ["--smoke"] if job.smoke else []
    line += ["--force"] if force else []
    return [*line, *words]


def program(job: Job, arguments: list[str], processes: int = 1) -> list[str]:
    """What stands behind `python`; a training runs on `processes` of one machine, any other cell on one."""
    together = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    return [*(together if processes > 1 and job.kind == "accuracy" else []), "-m", "repro", *arguments]


def shell_line(program: list[str], gpu: str | None = None) -> str:
    """The program as one line of a shell, on one GPU where that is said."""
    line = shlex.join(["python", *program])
    return line if gpu is None else f"CUDA_VISIBLE_DEVICES={shlex.quote(gpu)} {line}"
