"""A Ray cluster of two nodes on this machine, with a GPU that is only said to be there."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slurm_cluster import free_ports

HERE = Path(__file__).parent

OPEN = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}
"""Environment: Ray would have a token where it has left one in this user's home before, and only then."""


@contextmanager
def cluster() -> Iterator[str]:
    """Start one; gives its address."""
    ray = Path(sys.executable).parent / "ray"
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1])])
    environment = os.environ | OPEN | {"PYTHONPATH": paths}
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder:
        head = ["--head", f"--port={port}", "--num-cpus=4", "--include-dashboard=false", f"--temp-dir={folder}"]
        nodes = [head, [f"--address={address}", "--num-cpus=2", "--num-gpus=1"]]
        processes = []
        try:
            for node in nodes:
                command = [str(ray), "start", "--block", "--node-ip-address=127.0.0.1", *node]
                log = (Path(folder) / "start.log").open("a")
                with log:
                    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                processes.append(process)
                _until_heard(port, process, Path(folder) / "start.log")
            _until_up(address, len(nodes), Path(folder) / "start.log")
            yield address
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(30)


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
