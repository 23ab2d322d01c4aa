"""Memory that runs out in earnest: allocations that the system refuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablate.images.engine.exhaustion import is_out_of_memory, shortage

ROOT = Path(__file__).parents[3]


def refused() -> RuntimeError:
    """What the allocator of the CPU raises."""
    with pytest.raises(RuntimeError) as found:
        torch.empty(2**56, dtype=torch.uint8)
    return found.value


@pytest.mark.parametrize(
    ("error", "is_memory"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"), True),
        (refused(), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("std::bad_alloc"), True),
        (RuntimeError("could not create a memory object"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_whether_memory_ran_out_is_seen_by_the_error(error: Exception, is_memory: bool) -> None:
    assert is_out_of_memory(error) == is_memory
    outer = KeyError("a caller's own")
    outer.__cause__ = error
    assert is_out_of_memory(outer) == is_memory


def test_a_shortage_names_what_was_asked_for_and_what_there_was() -> None:
    line = shortage(refused(), torch.device("cpu"))
    assert line.startswith("MemoryError: this run alone needs more memory than there is: its worker had ")
    assert str(2**56) in line


IN_A_PROCESS = """
import json, resource, sys, torch
from ablate.images.config import SGD, FashionMNIST, LeNet, Train
from ablate.images.data import load
from ablate.images.engine import train
from ablate.images.engine.memory import _without_numbers, step_bytes
from ablate.images.run import RunConfig

torch.set_num_threads(1)
cpu = torch.device("cpu")
data = FashionMNIST(train_size=64, test_size=64)
runs = [
    RunConfig(model=LeNet(widths=(2000, 2000)), data=data, optimizer=SGD(lr=0.1 * (k + 1)),
              train=Train(epochs=1, batch_size=64)) for k in range(4)
]
images = load(data, cpu)
alone, pairs, four = (step_bytes(runs[:n], _without_numbers(images), fuses=True) for n in (1, 2, 4))

def limited(room):
    used = next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith("VmSize:"))
    resource.setrlimit(resource.RLIMIT_AS, (used + room, resource.RLIM_INFINITY))
    try:
        return train(runs, images, device=cpu)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

def values(results):
    return [[dict(m.values) for m in r.curves] for r in results]

train(runs[:1], images, device=cpu)  # what is imported and compiled at first use
found = limited(int(0.85 * four))
failed = limited(int(0.3 * alone))
sizes, wanted = [r.notes["cohort"] for r in found], []
while len(wanted) < len(found):
    wanted += train(runs[len(wanted) : len(wanted) + sizes[len(wanted)]], images, device=cpu)
print(json.dumps({
    "equal": values(found) == values(wanted), "statuses": [r.status for r in found],
    "cohorts": sizes, "fused": all(r.notes["fused"] for r in found), "apart": [r.notes.get("apart") for r in found],
    "failed": [r.status for r in failed], "error": failed[0].error,
}))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are Linux's")
def test_a_cohort_that_the_system_has_no_memory_for_is_trained_in_halves_with_the_same_results() -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", IN_A_PROCESS], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["statuses"] == ["complete"] * 4
    sizes = found["cohorts"]
    assert set(sizes) <= {1, 2}, "pairs may not fit either: room counts addresses, of which a heap has gaps"
    assert found["apart"][0] == f"RuntimeError in a cohort of {2 * sizes[0]}"
    assert found["fused"], "in the same kernels"
    assert found["equal"], "bit for bit as cohorts that were of this size from the beginning"
    assert found["failed"] == ["failed"] * 4
    assert "MemoryError: this run alone needs more memory than there is" in found["error"]
