"""The Slurm executor: workers are jobs of a cluster, submitted in arrays through submitit.

A job is a worker that trains cohort after cohort until nothing is left or its time is up. It needs the package, the
data and a folder that it shares with the sweep (see :mod:`ablate.execute.mail`), and no database: the sweep's process
writes the records.

- A job that is preempted, or whose time limit is near, is put back into the queue (submitit has Slurm signal it), and
  goes on with its cohort from a checkpoint, or trains it again; so does Slurm itself when a node fails.
- When the sweep's process dies, its jobs train what they have begun to the end, leave the results in the folder, and
  exit. The next sweep with this executor and the same folder takes the results over, and the jobs that still train.
- When the sweep cannot reach Slurm or the folder for a while, it knows nothing of its jobs, and waits.
"""

import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from ablate.execute import slurm_commands
from ablate.execute.mail import SweepMail
from ablate.execute.slurm_job import Job, SlurmOptions, SlurmWorker
from ablate.store.owner import Owner
from ablate.task.errors import ConfigError
from ablate.task.executor import (
    Answer,
    Died,
    ExecutorChoice,
    LeftBehind,
    Ready,
    TrainCohort,
    Worker,
    WorkerSettings,
)
from ablate.task.run import Run
from ablate.task.whole_files import write_whole

POLL_SECONDS = 0.1
"""Seconds between two looks into the folder."""

QUEUE_SECONDS = 5.0
"""Seconds between two questions to Slurm how its jobs are."""

COMPLETING_SECONDS = 60.0
"""Given to a job that has ended to be gone from its node: Slurm may be waiting for news of it that got lost."""

EXIT_SECONDS = 3.0
"""Given to jobs to exit by themselves."""

STILL_SECONDS = 60.0
"""A sweep on another machine that has given no sign of life for so long has ended."""


class Slurm:
    """Jobs up to a number (see :class:`ablate.task.executor.Executor`).

    Args:
        settings: One for each job.
        options: What is asked of Slurm.
        choice: As it was made on the command line.

    Raises:
        ConfigError: There is no Slurm here, no such partition, or submitit is not installed.
    """

    Options = SlurmOptions

    def __init__(self, settings: Sequence[WorkerSettings], options: SlurmOptions, choice: ExecutorChoice) -> None:
        self._unused = list(reversed(settings))
        self._options = options
        slurm_commands.check(options.partition)
        root = Path(options.folder) if options.folder is not None else choice.results / "slurm"
        self._root = root.absolute() / choice.store
        self._owner = Owner.current()
        self._mail: SweepMail | None = None
        self._taken: list[SweepMail] = []
        """Folders of sweeps that have ended."""
        self.workers: list[Job] = []
        self._started = 0
        self._next_question = 0.0
        self._has_lost = False

    @classmethod
    def settings(
        cls, options: SlurmOptions, device: str, workers: int | None, runs: int, engine: str | None
    ) -> list[WorkerSettings]:
        """See :func:`ablate.execute.choice.settings_on`."""
        problems = []
        if workers is None:
            problems.append(
                "workers: is missing; executor=slurm needs to know how many jobs may run at a time: workers=8"
            )
        if device in ("auto", "cuda"):
            found = "cuda:0" if options.has_gpu else "cpu"
        else:
            found = device
        if device.startswith("cuda") and not options.has_gpu:
            problems.append(f"device = {device!r}: a job has no GPU; ask for one with executor.gpus=1")
        elif found not in ("cpu", "cuda:0"):
            problems.append(f"device = {device!r}: must be auto, cpu or cuda: a job has one GPU at most")
        if problems:
            raise ConfigError(problems)
        number = max(1, min(workers or 1, runs))
        return [WorkerSettings(found, options.cpus if found == "cpu" else 1, engine)] * number

    @property
    def is_full(self) -> bool:
        """Whether no further worker may be started."""
        return not self._unused

    def start(self) -> Job:
        """Start one more worker; those that are started together become one array of jobs."""
        settings = self._unused.pop()
        self._started += 1
        job = Job(self._own_mail(), f"w{self._started}", settings)
        self.workers.append(job)
        return job

    def shrink(self) -> None:
        """Do with one worker less from now on."""
        self._unused.pop()

    def wait(self, seconds: float) -> Iterable[tuple[Worker, Answer | Died]]:
        """What workers have said, or that they have died, once there is anything or the time is up.

        Raises:
            ConfigError: Slurm takes no such job.
        """
        self._submit()
        end = time.monotonic() + seconds
        while True:
            for mail in self._mails():
                mail.beat()
            heard = [said for mail in self._mails() for said in self._read(mail)] or list(self._dead())
            left = end - time.monotonic()
            if heard or left <= 0.0:
                return heard
            time.sleep(min(POLL_SECONDS, left))

    def end(self, worker: Worker) -> None:
        """End one at once: what it trains is not wanted any more."""
        job = next(own for own in self.workers if own is worker)
        job.mail.stop(job.name)
        self._cancel([job])

    def stop(self) -> None:
        """Ask all workers to leave off at the end of their step."""
        for mail in self._mails():
            mail.stop()

    def close(self) -> None:
        """Let idle workers exit, and end those that do not."""
        self.stop()
        for job in self.workers:
            job.settle()
        end = time.monotonic() + EXIT_SECONDS
        while self.workers and time.monotonic() < end:
            for _ in self.wait(POLL_SECONDS):
                """What they say is not wanted any more."""
        self.kill()

    def kill(self) -> None:
        """End all workers at once; what they have said and nobody has dealt with stays in the folder."""
        if self._mail is None and not self._taken:
            return
        self.stop()
        self._cancel(list(self.workers))
        for mail in self._mails():
            if self._has_lost or any(number for numbers in mail.answers().values() for number in numbers):
                (mail.folder / "ended").touch()
            else:
                shutil.rmtree(mail.folder, ignore_errors=True)
        self._mail, self._taken = None, []

    # Sweeps that have ended

    def left_behind(self) -> Iterator[LeftBehind]:
        """See :class:`ablate.task.executor.OutlivesSweep`.

        Raises:
            ConfigError: A file of results is damaged.
        """
        for folder in self._orphans():
            mail = SweepMail(folder)
            self._taken.append(mail)
            for worker, numbers in mail.answers().items():
                for number in numbers:
                    file = mail.answer_file(worker, number)
                    try:
                        _, records = mail.read(worker, number)
                    except (OSError, ValueError, KeyError, TypeError) as error:
                        raise ConfigError(
                            f"{file}: holds results that a worker left behind, but is damaged ({error}); "
                            "put it right, or remove it and have them trained again"
                        ) from None
                    if records:
                        yield LeftBehind(records, partial(file.unlink, missing_ok=True))
                    elif number:
                        file.unlink(missing_ok=True)

    def adopt(self) -> Iterator[tuple[Worker, tuple[Run, ...]]]:
        """See :class:`ablate.task.executor.OutlivesSweep`."""
        living = slurm_commands.states() if self._taken else {}
        for mail in self._taken:
            for file in sorted((mail.folder / "jobs").glob("*.json")):
                said = json.loads(file.read_text(encoding="utf-8"))
                job = Job(mail, file.stem, WorkerSettings(**said["settings"]), said["number"])
                if living is None or living.get(job.number or "", "") not in slurm_commands.ALIVE:
                    continue
                order = mail.open_order(job.name)
                if order is None or not isinstance(order[1], TrainCohort) or self.is_full:
                    self._end_jobs([job])
                    continue
                job.sent, job.heard, job.settled = order[0], order[0] - 1, order[0] - 1
                if mail.answer_file(job.name, 0).exists():
                    ready, _ = mail.read(job.name, 0)
                    assert isinstance(ready, Ready)
                    job.hardware, job.is_ready = dict(ready.hardware), True
                self._unused.pop()
                self.workers.append(job)
                yield job, order[1].runs

    def _orphans(self) -> Iterator[Path]:
        """Folders of sweeps that have ended, which are this one's now."""
        for folder in sorted(self._root.glob("*/")) if self._root.is_dir() else ():
            try:
                owner = Owner(**json.loads((folder / "sweep.json").read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError):
                continue
            if folder.stat().st_uid != os.getuid() or not _has_ended(folder, owner):
                continue
            try:
                (folder / f"taken from {owner.name}").mkdir()  # by one of several that find it at the same time
            except FileExistsError:
                continue
            self._sign(folder)
            for name in ("stop", "ended"):
                (folder / name).unlink(missing_ok=True)
            yield folder

    def _sign(self, folder: Path) -> None:
        write_whole(folder / "sweep.json", json.dumps(asdict(self._owner)).encode())

    # Jobs

    def _mails(self) -> list[SweepMail]:
        return [*self._taken, *([self._mail] if self._mail is not None else [])]

    def _own_mail(self) -> SweepMail:
        if self._mail is None:
            folder = self._root / uuid.uuid4().hex[:12]
            try:
                self._mail = SweepMail(folder)
                (folder / "jobs").mkdir()
                self._sign(folder)
            except OSError as error:
                raise ConfigError(f"executor.folder: {folder}: cannot be written: {error.strerror or error}") from None
            self._mail.beat()
        return self._mail

    def _submit(self) -> None:
        """Submit what was started since the last time, as one array."""
        new = [job for job in self.workers if job.number is None]
        if not new or self._mail is None:
            return
        path = tuple(entry for entry in sys.path if entry)
        attempts = self._options.requeues + 1
        folder = str(self._mail.folder)
        functions = [SlurmWorker(folder, job.name, job.settings, attempts, path) for job in new]
        numbers = slurm_commands.submit(functions, self._mail.folder / "logs", self._options.model_dump())
        for job, number in zip(new, numbers, strict=True):
            job.number = number
            said = {"number": number, "settings": asdict(job.settings)}
            write_whole(job.mail.folder / "jobs" / f"{job.name}.json", json.dumps(said).encode())
        self._next_question = time.monotonic() + QUEUE_SECONDS

    def _read(self, mail: SweepMail) -> Iterator[tuple[Worker, Answer | Died]]:
        """All that has arrived in a folder."""
        jobs = {job.name: job for job in self.workers if job.mail is mail}
        if not jobs:
            return
        try:
            answered = mail.answers()
        except OSError:  # the network is gone: nothing is known
            return
        for job in jobs.values():
            numbers = [number for number in answered.get(job.name, []) if number > job.heard]
            if job.is_ready and job.sent > job.heard and job.sent not in numbers:
                yield from ((job, step) for step in mail.steps(job.name, job.sent))
            for number in numbers:
                answer, _ = mail.read(job.name, number)
                job.heard = number
                if isinstance(answer, Ready):
                    job.hardware, job.is_ready = dict(answer.hardware), True
                yield job, answer
            if mail.has_left(job.name):
                self._forget(job)
                yield job, Died("has left")

    def _dead(self) -> Iterator[tuple[Worker, Answer | Died]]:
        """Jobs that Slurm has no more; asked now and then."""
        submitted = [job for job in self.workers if job.number is not None]
        if not submitted or time.monotonic() < self._next_question:
            return
        self._next_question = time.monotonic() + QUEUE_SECONDS
        states = slurm_commands.states()
        if states is None:  # Slurm does not answer: nothing is known
            return
        for job in submitted:
            state = states.get(job.number or "", "ENDED")
            if state in slurm_commands.ALIVE and not self._hangs(job, state):
                continue
            if state.startswith("PENDING"):
                reason = state.removeprefix("PENDING (").removesuffix(")")
                raise ConfigError(f"executor = 'slurm': job {job.number} would wait for ever: {reason}")
            said = [answer for worker, answer in self._read(job.mail) if worker is job]
            yield from ((job, answer) for answer in said)
            if job in self.workers:
                self._has_lost = True
                self._forget(job)
                yield job, Died(f"(Slurm's job {job.number}) was ended: {state}{self._last_words(job)}")

    def _hangs(self, job: Job, state: str) -> bool:
        """Whether a job ended long ago and is not gone; should it come back all the same, it finds nothing to do."""
        if state != "COMPLETING":
            job.completing = None
            return False
        job.completing = job.completing if job.completing is not None else time.monotonic()
        if time.monotonic() - job.completing < COMPLETING_SECONDS:
            return False
        job.mail.stop(job.name)
        self._end_jobs([job])
        return True

    def _last_words(self, job: Job) -> str:
        log = job.mail.folder / "logs" / f"{job.number}_0_log.err"
        try:
            lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        except OSError:
            return ""
        return f"; {log} ends with: {lines[-1].strip()}" if lines else ""

    def _cancel(self, jobs: Sequence[Job]) -> None:
        self._end_jobs(jobs)
        for job in jobs:
            self._forget(job)

    def _end_jobs(self, jobs: Sequence[Job]) -> None:
        slurm_commands.cancel([job.number for job in jobs if job.number is not None])

    def _forget(self, job: Job) -> None:
        self.workers.remove(job)
        self._unused.append(job.settings)


def _has_ended(folder: Path, owner: Owner) -> bool:
    """Whether a folder's sweep has ended."""
    if (folder / "ended").exists() or owner.is_dead:
        return True
    if owner.is_here:
        return False
    try:
        return time.time() - (folder / "beat").stat().st_mtime > STILL_SECONDS
    except OSError:
        return False
