"""A job of a Slurm cluster: what it asks for, what it runs, and how the sweep sees it."""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ablate.execute.cut_off import CutOff
from ablate.execute.mail import SweepMail, WorkerMail
from ablate.execute.worker import serve
from ablate.task.executor import MeasureSpeed, Stop, TrainCohort, WorkerSettings
from ablate.task.fields import Fields
from ablate.task.marked_processes import MARK


class SlurmOptions(Fields):
    """What a job asks of Slurm: ``executor.partition=gpu executor.gpus=1``."""

    partition: Annotated[str, Field(min_length=1)] | None = None
    """None: the cluster's default."""
    account: Annotated[str, Field(min_length=1)] | None = None
    qos: Annotated[str, Field(min_length=1)] | None = None
    constraint: Annotated[str, Field(min_length=1)] | None = None
    """Features of nodes."""
    exclude: Annotated[str, Field(min_length=1)] | None = None
    """Nodes."""
    time: Annotated[int, Field(ge=1)] = 60
    """Limit, in minutes. A job that reaches it goes back into the queue, and on from its checkpoint; a cohort without
    any must fit into it."""
    cpus: Annotated[int, Field(ge=1)] = 1
    """Processor cores of each job; on the CPU it trains with as many threads."""
    gpus: Annotated[int, Field(ge=0, le=1)] = 0
    """GPUs of each job; a worker trains on one."""
    gres: Annotated[str, Field(min_length=1)] | None = None
    """Such as ``gpu:a100:1``, instead of ``gpus``."""
    memory: Annotated[float, Field(gt=0.0)] | None = None
    """GB of each job; None: the cluster's default."""
    signal: Annotated[int, Field(ge=1, le=3600)] = 90
    """Seconds before the time limit at which a job goes back into the queue."""
    requeues: Annotated[int, Field(ge=0)] = 3
    """So often the same cohort may be cut off, without a checkpoint in between, before it fails."""
    folder: Annotated[str, Field(min_length=1)] | None = None
    """The folder that sweep and jobs share; None: ``slurm`` in the folder of results."""

    @property
    def has_gpu(self) -> bool:
        """Whether a job gets a GPU."""
        return self.gpus > 0 or (self.gres is not None and self.gres.startswith("gpu"))


@dataclass(frozen=True)
class SlurmWorker:
    """What a job runs; submitit calls it again after the job was put back into the queue."""

    folder: str
    name: str
    settings: WorkerSettings
    attempts: int
    path: tuple[str, ...]
    """``sys.path`` of the sweep: modules of the user's project are found there."""

    def __call__(self) -> None:
        """Serve until there is nothing left to do."""
        sys.path[:] = [*self.path, *(entry for entry in sys.path if entry not in self.path)]
        names = ["SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"]
        number = "_".join(os.environ[name] for name in names if name in os.environ) or os.environ.get("SLURM_JOB_ID")
        mail = WorkerMail(Path(self.folder), self.name, {"slurm_job": number}, self.attempts)
        cut_off = CutOff(mail)
        os.environ.pop(MARK, None)  # of whoever started the cluster
        serve(mail, self.settings, cut_off.use)
        cut_off.go_back()
        mail.leave()

    def checkpoint(self) -> Any:
        """What goes back into the queue: the same, as its order lies in the folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


@dataclass(eq=False)
class Job:
    """A worker, seen from the sweep."""

    mail: SweepMail
    name: str
    settings: WorkerSettings
    number: str | None = None
    """Number of Slurm's job; None: it is not submitted yet."""
    is_ready: bool = False
    hardware: dict[str, Any] = field(default_factory=dict)
    sent: int = 0
    """Number of the last order."""
    heard: int = -1
    """Number of the last answer; 0 is that it is ready."""
    settled: int = 0
    """Number of the last answer that whoever heard it has dealt with."""
    completing: float | None = None
    """Since when (``time.monotonic``) Slurm says that it is completing."""

    def send(self, message: TrainCohort | MeasureSpeed | Stop) -> None:
        """Say something; what it has answered before is in the store by now."""
        self.settle()
        if isinstance(message, Stop):
            self.mail.stop(self.name)
            return
        self.sent += 1
        self.mail.send(self.name, self.sent, message)

    def settle(self) -> None:
        """Remove what it has said."""
        for number in range(self.settled + 1, self.heard + 1):
            self.mail.answer_file(self.name, number).unlink(missing_ok=True)
        self.settled = max(self.settled, self.heard)
