"""A sweep in a process of its own: ``execute_sweep.py STORE WORKERS LR,LR,... SEEDS EPOCHS``."""

import sys

from execute_fakes import run, say

from ablate.execute import Interrupted, execute, make_progress
from ablate.store import open_store

if __name__ == "__main__":
    location, workers, levels, seeds, epochs = sys.argv[1:]
    runs = [run(float(lr), seed, int(epochs)) for lr in levels.split(",") for seed in range(int(seeds))]
    with open_store(location) as store:
        say("begin")
        try:
            summary = execute(
                runs, store, workers=int(workers), device="cpu", engine="execute_fakes:Engine", progress=make_progress()
            )
        except Interrupted as interrupt:
            summary = interrupt.summary
            say("interrupted")
        say("torch", "torch" in sys.modules)
        say("summary", summary.trained, summary.reused, summary.elsewhere, summary.missing)
