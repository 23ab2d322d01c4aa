"""Networks that are cut for longer than anybody waits for an answer: a part of :mod:`benchmarks.soak`.

- Between sweeps and the PostgreSQL server: one sweep is in a network namespace whose cable is pulled, so that
  packets get lost and nobody is told; another's connections break, and new ones are left without an answer.
- Between sweeps and Slurm: its controller is stopped (SIGSTOP), so that it takes connections and answers nothing. A job
  dies meanwhile, which nobody can tell them.

All goes on afterwards: nothing may be lost, and nothing trained again but what that job was at.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ablate.store import open_store
from benchmarks import slurm_cluster
from benchmarks.cluster import Link, Server
from benchmarks.soak_calls import Project
from benchmarks.soak_executors import Kill, Round, worker
from benchmarks.soak_sweeps import another
from benchmarks.soak_table import Part

SECONDS = 90.0
TRAINED = 5
"""Runs of each sweep before the cut."""
SPACE, NEAR, FAR = "ablate-soak", "ablate-near", "ablate-far"
"""The namespace, and the two ends of its cable: the far one is in it."""
ADDRESS = "10.213.77.{}"


def cuts(database: str, location: str, folder: Path, seconds: float, server: Server | None) -> Part:
    """Cut what sweeps on one store need, and let them end.

    Args:
        database: For the table.
        location: Of the store; for each cut, a new one is made beside it.
        folder: Empty.
        seconds: How long.
        server: The database server; None: only Slurm is cut off.
    """
    part = Part(f"cut off for {seconds:.0f} s: {'the server, then Slurm' if server else 'Slurm'}", database)
    with ExitStack() as stack:
        slurm = stack.enter_context(slurm_cluster.cluster(folder / "slurm"))
        os.environ.update(slurm)
        if server is not None:
            near = stack.enter_context(cable())
            far = Link(server, ADDRESS.format(1))
            link = Link(server)
            stack.callback(far.close)
            stack.callback(link.close)
            at = another(location, 0)
            open_store(at).close()
            through = at.replace(f"@127.0.0.1:{server.port}/", f"@{ADDRESS.format(1)}:{far.port}/")
            first = Project(0, folder / "0-0", through, ["executor=local"], slurm, ["ip", "netns", "exec", SPACE])
            through = at.replace(f":{server.port}/", f":{link.port}/")
            second = Project(1, folder / "0-1", through, ["executor=slurm"], slurm)

            def pull(_: Round) -> None:
                near("down")
                link.cut(silently=True)
                time.sleep(seconds)
                link.mend()
                near("up")

            _one([first, second], at, part, pull, stack)
        at = another(location, 1)
        open_store(at).close()
        projects = [Project(i, folder / f"1-{i}", at, ["executor=slurm"], slurm) for i in range(1, 3)]
        controller = int((folder / "slurm" / "slurmctld.pid").read_text())

        def silence(round_: Round) -> None:
            os.kill(controller, signal.SIGSTOP)
            try:
                end = time.monotonic() + seconds
                time.sleep(seconds / 10)
                kill = Kill("job step", time.time(), ())
                if (hits := worker(round_)) is not None:
                    kill.hits, kill.until = hits, time.time() + seconds
                    round_.kills.append(kill)
                time.sleep(max(0.0, end - time.monotonic()))
            finally:
                os.kill(controller, signal.SIGCONT)

        _one(projects, at, part, silence, stack)
    return part


def _one(projects: Sequence[Project], at: str, part: Part, cut: Callable[[Round], None], stack: ExitStack) -> None:
    for project in projects:
        stack.callback(project.end)
    round_ = Round(projects, at, part)
    end = time.monotonic() + 120
    while any(len(project.calls()) < TRAINED for project in projects) and time.monotonic() < end:
        round_.tend()
        time.sleep(0.05)
    cut(round_)
    part.events += 1
    round_.look()
    round_.finish()
    if part.wrong_exits:
        print(subprocess.run(["squeue", "-a", "-t", "all"], capture_output=True, text=True).stdout, file=sys.stderr)


@contextmanager
def cable() -> Iterator[Callable[[str], None]]:
    """A network namespace with a cable to this one; gives what sets this end of it ``up`` or ``down``."""

    def ip(*words: str, inside: bool = False) -> None:
        subprocess.run(["ip", *(("-n", SPACE) if inside else ()), *words], check=True)

    ip("netns", "add", SPACE)
    try:
        ip("link", "add", NEAR, "type", "veth", "peer", "name", FAR, "netns", SPACE)
        ip("address", "add", f"{ADDRESS.format(1)}/24", "dev", NEAR)
        ip("link", "set", NEAR, "up")
        ip("address", "add", f"{ADDRESS.format(2)}/24", "dev", FAR, inside=True)
        ip("link", "set", FAR, "up", inside=True)
        ip("link", "set", "lo", "up", inside=True)
        yield lambda state: ip("link", "set", NEAR, state)
    finally:
        ip("netns", "delete", SPACE)
