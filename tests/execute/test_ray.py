"""What actors of Ray can do beside what every executor does (``test_executors.py``)."""

import sys
import time

import pytest
from execute_fakes import run

from ablate.execute.choice import make_executor, settings_on
from ablate.task.errors import ConfigError
from ablate.task.executor import ExecutorChoice, Ready, TrainCohort, Trained, WorkerSettings


def until(executor, is_enough):
    heard, end = [], time.monotonic() + 90
    while not is_enough(heard):
        assert time.monotonic() < end
        heard += executor.wait(0.5)
    return heard


def problems(act):
    with pytest.raises(ConfigError) as caught:
        act()
    return caught.value.problems


def choice(**options):
    return ExecutorChoice("ray", {name: str(value) for name, value in options.items()})


SETTINGS = WorkerSettings("cpu", 1, "execute_fakes:Engine")


def test_two_halves_of_a_gpu_are_on_its_node_and_the_third_waits_until_one_is_free(ray_address):
    executor = make_executor(choice(address=ray_address, gpus=0.5), [SETTINGS] * 3)
    workers = [executor.start() for _ in range(3)]
    heard = until(executor, lambda heard: len(heard) == 2)
    assert all(isinstance(answer, Ready) for _, answer in heard)
    first, second = (worker for worker, _ in heard)
    assert first.hardware["ray_node"] == second.hardware["ray_node"]
    (third,) = set(workers) - {first, second}
    executor.end(first)
    until(executor, lambda heard: third in [worker for worker, _ in heard])
    third.send(TrainCohort((run(0.1),)))
    heard = until(executor, lambda heard: any(isinstance(answer, Trained) for _, answer in heard))
    assert heard[-1][1].hardware.items() >= {"ray_node": first.hardware["ray_node"], "gpu": None}.items()
    executor.kill()


def test_what_no_node_has_is_one_message(ray_address):
    (message,) = problems(lambda: make_executor(choice(address=ray_address, cpus=3, gpus=1), [SETTINGS]))
    assert message == "executor.cpus = 3, executor.gpus = 1: no node of the cluster has as much"


def test_a_wrong_address_is_one_message():
    (message,) = problems(lambda: make_executor(choice(address="127.0.0.1:1"), [SETTINGS]))
    assert message == "executor.address = '127.0.0.1:1': cannot be reached: Connection refused"
    (message,) = problems(lambda: make_executor(choice(address="nowhere"), [SETTINGS]))
    assert message.startswith("executor.address = 'nowhere': string should match pattern")


def test_without_ray_there_is_one_message(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    (message,) = problems(lambda: make_executor(choice(), [SETTINGS]))
    assert message == "executor = 'ray': needs Ray: pip install 'ablate[ray]'"


def test_the_number_of_actors_is_said_and_a_gpu_is_asked_for():
    assert problems(lambda: settings_on(choice(), "cuda", None, 10)) == [
        "workers: is missing; executor=ray needs to know how many actors may run at a time: workers=8",
        "device = 'cuda': an actor has no GPU; ask for one with executor.gpus=1, or a part of one",
    ]
    assert settings_on(choice(cpus="2.5"), "auto", 8, 3, "e") == [WorkerSettings("cpu", 2, "e")] * 3
    assert settings_on(choice(gpus="0.25"), "auto", 8, 30) == [WorkerSettings("cuda:0", 1)] * 8
    assert settings_on(choice(gpus="0.5"), "cpu", 1, 30) == [WorkerSettings("cpu", 1)]
