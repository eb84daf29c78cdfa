"""A process that has imported all that a training needs, and forks itself for each one: what is killed is the training,
not the two seconds before it.

    python -m tests.torture.zygote EXPERIMENT        then a line of JSON for each child: seed, out, seconds or null

It answers each line with the status of the child, negative for a signal. `seconds` after its start it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from repro.core.spec import Accuracy, Experiment, experiment_from_dict, replace
from repro.engine.execution import Execution
from repro.runner import one_experiment


def train(experiment: Experiment, seed: int, out: Path) -> None:
    import torch

    torch.set_num_threads(1)
    how = Execution(checkpoint_every_s=0.0)
    made, _ = one_experiment.run_single(experiment, how, out=out, seed=seed)
    assert made.status == "done", made.reason


def child(experiment: Experiment, told: dict[str, Any]) -> int:
    number = os.fork()
    if number == 0:
        try:
            train(experiment, told["seed"], Path(told["out"]))
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if told["seconds"] is not None:
        time.sleep(told["seconds"])
        os.kill(number, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def main() -> None:
    import repro.engine.accuracy
    import repro.engine.evaluate
    import repro.models.build  # noqa: F401

    experiment = experiment_from_dict(json.loads(sys.argv[1]))
    assert isinstance(experiment.measure, Accuracy)
    named = one_experiment.dataset_name(experiment.measure.dataset)
    experiment = replace(experiment, measure=replace(experiment.measure, dataset=named))
    for line in sys.stdin:
        print(child(experiment, json.loads(line)), flush=True)


if __name__ == "__main__":
    main()
