"""A real Slurm cluster of one node, with keys, ports and folders of its own: ``with cluster(folder) as environment``.

``python -m benchmarks.slurm_cluster FOLDER`` starts one, says how to reach it, and ends it with its standard input.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
INSTALL = "apt-get install --no-install-recommends slurmctld slurmd slurm-client munge"
CPUS = 8

# Without cgroups, systemd or accounting; the node may have more CPUs than the machine. A job that is put back waits
# for the credentials of its first try to expire.
CONFIGURATION = """
ClusterName=local
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
EnforcePartLimits=ALL
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
StateSaveLocation={folder}/controller
SlurmdSpoolDir={folder}/node
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ReturnToService=2
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SchedulerParameters=sched_interval=1,sched_min_interval=10000,batch_sched_delay=0
KillWait=2
JobRequeue=1
RebootProgram=/bin/false
NodeName={host} NodeAddr=127.0.0.1 Port={node_port} CPUs={cpus} RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes={host} MaxTime=10 State=UP
"""


def lacking() -> list[str]:
    """What cannot be found of what a cluster needs; it also needs to be root."""
    found = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    return found + ([] if os.getuid() == 0 else ["being root"])


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start a cluster whose one node is idle; gives the environment in which Slurm's commands find it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("controller", "node"):
        (folder / name).mkdir(exist_ok=True)
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o400)
    conf = folder / "slurm.conf"
    controller_port, node_port = free_ports(2)
    conf.write_text(
        CONFIGURATION.format(
            host=socket.gethostname().partition(".")[0],
            folder=folder,
            controller_port=controller_port,
            node_port=node_port,
            cpus=CPUS,
        )
    )
    environment = {"SLURM_CONF": str(conf)}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--pid-file={folder}/munge.pid", f"--log-file={folder}/munge.log", f"--seed-file={folder}/munge.seed"]
    with ExitStack() as daemons:
        daemons.enter_context(_daemon(munge, environment, folder))
        _until(lambda: (folder / "munge.socket").exists(), folder)
        daemons.enter_context(_daemon(["slurmctld", "-D"], environment, folder))
        daemons.enter_context(_daemon(["slurmd", "-D"], environment, folder))
        _until(lambda: "idle" in _said(["sinfo", "-h", "-o", "%t"], environment), folder)
        try:
            yield environment
        finally:
            _said(["scancel", "--full", "--signal=KILL", f"--user={os.getuid()}"], environment)
            _said(["scancel", f"--user={os.getuid()}"], environment)
            _until(lambda: not _said(["squeue", "-h"], environment).strip(), folder)


@contextmanager
def _daemon(command: Sequence[str], environment: dict[str, str], folder: Path) -> Iterator[None]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    with (folder / f"{command[0]}.out").open("w") as log:
        process = subprocess.Popen(
            command, env=os.environ | environment | {"PATH": path}, stdout=log, stderr=log, stdin=subprocess.DEVNULL
        )
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _said(command: Sequence[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, timeout=60)
    return done.stdout


def _until(is_so: Callable[[], bool], folder: Path) -> None:
    end = time.monotonic() + 60
    while not is_so():
        if time.monotonic() > end:
            logs = "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in folder.glob("*.log"))
            raise RuntimeError(f"Slurm does not start or end:\n{logs}")
        time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Below those that the system hands out and above those of Ray, so that nobody gets one before its daemon is up."""
    found: list[int] = []
    with ExitStack() as sockets:
        while len(found) < count:
            port = 20_000 + secrets.randbelow(10_000)
            one = sockets.enter_context(socket.socket())
            try:
                one.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
    return found


if __name__ == "__main__":
    with cluster(Path(sys.argv[1]).absolute()) as found:
        print(*(f"export {name}={value}" for name, value in found.items()), flush=True)
        sys.stdin.read()
