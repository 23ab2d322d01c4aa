"""A sweep with jobs of Slurm in its own process: ``slurm_sweep.py FOLDER SEEDS``; its runs wait to be let go on."""

import sys
from pathlib import Path

import execute_fakes as fakes
from execute_fakes import run

from ablate.execute import execute
from ablate.store import open_store
from ablate.task.executor import ExecutorChoice

ENGINE = "execute_fakes:Engine"


def runs(folder, seeds):
    return [run(fakes.WAITS, seed, root=str(folder)) for seed in range(seeds)]


def sweep(folder, seeds, **options):
    choice = ExecutorChoice("slurm", options.pop("options", {}), Path(folder) / "results")
    with open_store(str(Path(folder) / "runs.db")) as store:
        return execute(
            runs(folder, seeds), store, workers=seeds, engine=ENGINE, executor=choice, max_members=1, **options
        )


if __name__ == "__main__":
    sweep(sys.argv[1], int(sys.argv[2]))
