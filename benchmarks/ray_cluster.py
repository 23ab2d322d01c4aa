"""A Ray cluster of two nodes on this machine, with a GPU that is only said to be there."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.slurm_cluster import free_ports

OPEN = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
"""Environment: Ray would have a token where it has left one in this user's home before, and only then; and its workers
are 15 nicer than others, which starves them on a machine that does more."""


class Nodes:
    """The head with 4 CPUs, and another node with 2 and the GPU; each is a process whose children are Ray's own.

    Args:
        folder: For Ray's files.
        paths: Where workers find modules.
    """

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        (self._port,) = free_ports(1)
        self.address = f"127.0.0.1:{self._port}"
        self._log = folder / "start.log"
        self._environment = os.environ | OPEN | {"PYTHONPATH": os.pathsep.join(map(str, paths))}
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        """Start both, and wait until they know each other."""
        head = ["--head", f"--port={self._port}", "--num-cpus=4", "--include-dashboard=false"]
        self._start([*head, f"--temp-dir={self._folder}"])
        _until_heard(self._port, self._processes[-1], self._log)
        self.start_second()
        _until_up(self.address, 2, self._log)

    def start_second(self) -> None:
        """Start the node that is not the head."""
        self._start([f"--address={self.address}", "--num-cpus=2", "--num-gpus=1"])

    def kill_second(self) -> None:
        """Kill the raylet of the node that is not the head, at once, and then what it has left behind."""
        process = self._processes.pop()
        for pid in _children(process.pid):
            if Path(f"/proc/{pid}/comm").read_text().startswith("raylet"):
                os.kill(pid, signal.SIGKILL)
        _end(process, seconds=2)

    def stop(self) -> None:
        """Stop all."""
        for process in reversed(self._processes):
            _end(process, seconds=30)

    def _start(self, node: Sequence[str]) -> None:
        command = [str(Path(sys.executable).parent / "ray"), "start", "--block", "--node-ip-address=127.0.0.1", *node]
        with self._log.open("a") as log:
            process = subprocess.Popen(command, env=self._environment, stdout=log, stderr=log, start_new_session=True)
            self._processes.append(process)


@contextmanager
def cluster(*paths: Path) -> Iterator[Nodes]:
    """Start one, and stop it in the end.

    Args:
        paths: Where workers find modules.
    """
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        nodes = Nodes(Path(folder), paths)
        try:
            nodes.start()
            yield nodes
        finally:
            nodes.stop()


def _end(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Ask it to end, and then end all that it has started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _until_heard(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + 90
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"Ray does not start: {log.read_text()[-6000:]}") from None
        time.sleep(0.1)


def _until_up(address: str, nodes: int, log: Path) -> None:
    code = (
        "import sys, time, ray\n"
        "end = time.monotonic() + 60\n"
        "while time.monotonic() < end:\n"
        "    try:\n"
        "        ray.init(address=sys.argv[1], log_to_driver=False, logging_level='error')\n"
        "        break\n"
        "    except Exception:\n"
        "        time.sleep(0.5)\n"
        "while len([n for n in ray.nodes() if n['Alive']]) < int(sys.argv[2]) and time.monotonic() < end:\n"
        "    time.sleep(0.2)\n"
        "sys.exit(time.monotonic() >= end)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, address, str(nodes)], capture_output=True, text=True, env=os.environ | OPEN
    )
    if done.returncode:
        raise RuntimeError(f"Ray does not start: {done.stderr[-3000:]}\n{log.read_text()[-6000:]}")
