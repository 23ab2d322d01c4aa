"""A job of Slurm that is cut off: it leaves a checkpoint where it can, and goes back into the queue.

Slurm sends what submitit waits for (USR2) some time before a job's end by its time limit or by preemption, and submitit
puts the job back at once. Where a cohort is in training that can be gone on with, the job first comes to its next safe
point. Before it ends a job in other ways Slurm sends TERM, and some time later KILL: a checkpoint is written then, too.
"""

import os
import signal
import threading
from types import FrameType
from typing import Any

from ablate.execute.mail import WorkerMail
from ablate.task.checkpoint import Checkpoints

SAFE_POINT_SECONDS = 60.0
"""The longest wait for a safe point; submitit then puts the job back as it is."""


class CutOff:
    """Handles the signals of a job.

    Args:
        mail: The worker's, which is told to leave off.
    """

    def __init__(self, mail: WorkerMail) -> None:
        self._mail = mail
        self._checkpoints: Checkpoints | None = None
        self._own: Any = None
        """What puts the job back."""
        self._number: int = getattr(signal, f"SIG{os.environ.get('SUBMITIT_PREEMPT_SIGNAL', 'USR2')}")
        self._timer: threading.Timer | None = None

    def use(self, checkpoints: Checkpoints) -> None:
        """Wait for safe points from now on."""
        self._checkpoints = checkpoints
        self._own = signal.signal(self._number, self._leave)
        signal.signal(signal.SIGTERM, self._ask)

    def go_back(self) -> None:
        """Go back into the queue, if the worker has left off for that."""
        if self._timer is not None:
            self._timer.cancel()
            self._own(self._number, None)

    def _leave(self, number: int, frame: FrameType | None) -> None:
        assert self._checkpoints is not None
        if self._timer is not None or not self._checkpoints.is_in_use:
            self._own(number, frame)
            return
        self._mail.is_cut_off = self._checkpoints.is_asked = True
        self._timer = threading.Timer(SAFE_POINT_SECONDS, os.kill, (os.getpid(), number))
        self._timer.daemon = True
        self._timer.start()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        assert self._checkpoints is not None
        self._checkpoints.is_asked = True
