"""What is asked of Slurm: submitting through submitit, and its own commands for the rest."""

import importlib.util
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ablate.task.errors import ConfigError

ALIVE = frozenset(
    "PENDING CONFIGURING RUNNING SUSPENDED COMPLETING REQUEUED REQUEUE_HOLD REQUEUE_FED RESIZING SIGNALING STAGE_OUT "
    "STOPPED SPECIAL_EXIT".split()
)
"""States of a job that runs or will."""

NEVER = frozenset(
    {"PartitionTimeLimit", "PartitionNodeLimit", "BadConstraints", "InvalidAccount", "InvalidQOS", "AccountNotAllowed"}
)
"""Reasons for which a job waits until somebody changes it."""

SECONDS = 60
"""Given to a command."""

FOREVER = 1_000_000
"""Most time-outs of one job: its worker counts how often a cohort may be cut off."""


def check(partition: str | None) -> None:
    """See that there is a Slurm here and that it has this partition.

    Raises:
        ConfigError: It is not so, or submitit is not installed.
    """
    lacking = [name for name in ("sbatch", "srun", "squeue", "scancel", "sinfo") if shutil.which(name) is None]
    if lacking:
        raise ConfigError(
            f"executor = 'slurm': there is no Slurm here ({', '.join(lacking)} cannot be found); run this on a "
            "machine from which jobs are submitted"
        )
    if importlib.util.find_spec("submitit") is None:
        raise ConfigError("executor = 'slurm': needs submitit: pip install 'ablate[slurm]'")
    try:
        done = _run(["sinfo", "-h", "-a", "-o", "%R"])
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"executor = 'slurm': Slurm does not answer: {error}") from None
    if done.returncode:
        raise ConfigError(f"executor = 'slurm': Slurm does not answer: {done.stderr.strip()}")
    known = sorted(set(done.stdout.split()))
    if partition is not None and not set(partition.split(",")) <= set(known):
        raise ConfigError(
            f"executor.partition = {partition!r}: there is no such partition; partitions are {', '.join(known)}"
        )


def submit(functions: Sequence[Callable[[], None]], folder: Path, options: Mapping[str, Any]) -> list[str]:
    """Submit jobs, several as one array.

    Args:
        functions: One for each job; pickled.
        folder: Folder of submitit's scripts and logs.
        options: An instance of :class:`ablate.execute.slurm_job.SlurmOptions`.

    Returns:
        The jobs' numbers, such as ``12_3``.

    Raises:
        ConfigError: Slurm takes no such job.
    """
    import submitit

    wanted = {
        "job_name": "ablate",
        "partition": options["partition"],
        "account": options["account"],
        "qos": options["qos"],
        "constraint": options["constraint"],
        "exclude": options["exclude"],
        "time": options["time"],
        "cpus_per_task": options["cpus"],
        "gpus_per_node": options["gpus"] or None,
        "gres": options["gres"],
        "mem": f"{round(options['memory'] * 1024)}M" if options["memory"] is not None else None,
        "signal_delay_s": options["signal"],
        "array_parallelism": len(functions),
        "additional_parameters": {"requeue": True},
    }
    executor = submitit.SlurmExecutor(folder, max_num_timeout=FOREVER)
    executor.update_parameters(**{name: value for name, value in wanted.items() if value is not None})
    try:
        with executor.batch():
            jobs = [executor.submit(function) for function in functions]
    except submitit.core.utils.FailedJobError as error:
        lines = [line.strip() for line in str(error).splitlines() if "error" in line.lower()] or [str(error).strip()]
        raise ConfigError([f"executor = 'slurm': {line}" for line in dict.fromkeys(lines)]) from None
    return [str(job.job_id) for job in jobs]


def states() -> dict[str, str] | None:
    """The states of this user's jobs by number, without those that ended a while ago; None: no answer.

    Behind the state of a job that can never start stands why: ``PENDING (PartitionTimeLimit)``.
    """
    try:
        done = _run(["squeue", "-h", "-r", "--me", "-t", "all", "-o", "%i|%T|%r"])
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    found = {}
    for line in done.stdout.splitlines():
        number, state, reason = line.strip().split("|", 2)
        found[number] = f"{state} ({reason})" if state == "PENDING" and reason in NEVER else state
    return found


def cancel(numbers: Sequence[str]) -> None:
    """End jobs at once, without the time that Slurm gives them to end by themselves."""
    if not numbers:
        return
    for arguments in (["--signal=KILL"], []):
        try:
            _run(["scancel", "--quiet", *arguments, *numbers])
        except (OSError, subprocess.TimeoutExpired):
            """Jobs that are told to stop in their folder, too, exit by themselves."""


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, stdin=subprocess.DEVNULL)
