"""Train what the store lacks: cohorts handed to worker processes, results written to the store, progress shown."""

from ablate.execute.checkpoints import KeptCheckpoints
from ablate.execute.estimate import Estimate, Speeds, estimate
from ablate.execute.execute import execute, measure_speeds
from ablate.execute.limits import Limits
from ablate.execute.progress import Progress, make_progress
from ablate.execute.summary import Failure, Interrupted, Summary

__all__ = [
    "Estimate",
    "Failure",
    "Interrupted",
    "KeptCheckpoints",
    "Limits",
    "Progress",
    "Speeds",
    "Summary",
    "estimate",
    "execute",
    "make_progress",
    "measure_speeds",
]
