import os
import sys
from pathlib import Path

import pytest

# Worker processes get this process's search path, and import the fakes from here.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def slurm_of_session(tmp_path_factory):
    """The environment in which a real Slurm of one node is reached; where there is none, CI fails, and others are told.

    CI installs it (``.ci/run``).
    """
    from benchmarks.slurm_cluster import INSTALL, cluster, lacking

    if missing := lacking():
        message = f"NOT TESTED: the Slurm executor: lacking {', '.join(missing)}; as root: {INSTALL}"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    with cluster(tmp_path_factory.mktemp("slurm")) as environment:
        yield environment


@pytest.fixture
def slurm(slurm_of_session, monkeypatch):
    """A real Slurm cluster of one node, whose jobs find the fakes."""
    for name, value in slurm_of_session.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("ablate.execute.slurm.QUEUE_SECONDS", 0.5)
    return slurm_of_session


@pytest.fixture(scope="session")
def ray_of_session():
    """Address of a Ray cluster of two nodes on this machine: one has a GPU, which is only said."""
    from benchmarks.ray_cluster import cluster

    here = Path(__file__).parent
    with cluster(here, here.parents[1]) as nodes:
        yield nodes.address


@pytest.fixture
def ray_address(ray_of_session, monkeypatch):
    """Address of a Ray cluster, from which the test is cut off at its end."""
    import ray

    from benchmarks.ray_cluster import OPEN

    for name, value in OPEN.items():
        monkeypatch.setenv(name, value)

    yield ray_of_session
    ray.shutdown()
