import pytest

from ablate.execute import devices
from ablate.execute.devices import speed_device, worker_settings
from ablate.task.errors import ConfigError


@pytest.fixture
def machine(monkeypatch):
    def machine(cores, gpus, torch="2.9.0", seen=0):
        monkeypatch.setattr(devices, "cores", lambda: cores)
        monkeypatch.setattr(devices, "gpus", lambda: gpus)
        monkeypatch.setattr(devices.importlib.metadata, "version", lambda name: torch)
        monkeypatch.setattr(devices, "_gpus_of_torch", lambda: seen)

    return machine


def found(*arguments):
    return [(orders.device, orders.threads) for orders in worker_settings(*arguments)]


def test_one_worker_a_core(machine):
    machine(4, 0)
    assert found("auto", None, 100) == [("cpu", 1)] * 4
    assert found("cpu", 2, 100) == [("cpu", 1)] * 2


def test_few_runs_share_the_cores(machine):
    machine(8, 0)
    assert found("auto", None, 1) == [("cpu", 8)]
    assert found("auto", None, 3) == [("cpu", 2)] * 3
    assert found("auto", None, 0) == [("cpu", 8)]
    assert speed_device(worker_settings("cpu", None, 3)) == "cpu x2"
    assert speed_device(worker_settings("cpu", 1, 3)) == "cpu"


def test_one_worker_a_gpu(machine):
    machine(8, 2)
    assert found("auto", None, 100) == [("cuda:0", 1), ("cuda:1", 1)]
    assert found("cuda", 3, 100) == [("cuda:0", 1), ("cuda:1", 1), ("cuda:0", 1)]
    assert found("cuda:1", None, 100) == [("cuda:1", 1)]
    assert found("cpu", None, 100) == [("cpu", 1)] * 8
    assert speed_device(worker_settings("cuda", None, 9)) == "cuda"


def test_a_cpu_build_of_torch_uses_no_gpu(machine):
    machine(2, 1, torch="2.9.0+cpu")
    assert found("auto", None, 100) == [("cpu", 1)] * 2


@pytest.mark.parametrize(
    ("device", "gpus", "torch", "seen"),
    [("cuda", 0, "2.9.0", 0), ("cuda:2", 2, "2.9.0", 2), ("cuda", 2, "2.9.0+cpu", 0), ("cuda:1", 0, "2.9.0", 1)],
)
def test_a_gpu_that_is_not_there(machine, device, gpus, torch, seen):
    machine(2, gpus, torch, seen)
    with pytest.raises(ConfigError, match=f"device = {device}: PyTorch sees {seen} CUDA devices"):
        worker_settings(device, None, 3)


def test_a_gpu_that_only_pytorch_sees(machine):
    machine(2, 0, "2.9.0", seen=2)
    assert found("cuda:1", None, 3) == [("cuda:1", 1)]


def test_visible_gpus(monkeypatch):
    for value, number in {"": 0, "0": 1, "0,2": 2, "-1": 0, "GPU-1f, GPU-2e": 2}.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", value)
        assert devices.gpus() == number
