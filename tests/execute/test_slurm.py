"""What jobs of Slurm can do beside what every executor does (``test_executors.py``), on a real cluster of one node."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import execute_fakes as fakes
import pytest
from execute_fakes import run
from slurm_sweep import runs, sweep

from ablate.execute import Progress, slurm_commands
from ablate.execute.choice import make_executor, settings_on
from ablate.plan.launch import split_launch
from ablate.store import open_store
from ablate.task.errors import ConfigError
from ablate.task.executor import Died, ExecutorChoice, Ready, TrainCohort, WorkerSettings

HERE = Path(__file__).parent


def until(is_so):
    end = time.monotonic() + 90
    while not (found := is_so()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


@pytest.fixture
def make(slurm, tmp_path):
    """Makes an executor of so many jobs."""
    made = []

    def make(workers=1, **options):
        choice = ExecutorChoice("slurm", {k: str(v) for k, v in options.items()}, tmp_path / "results", "store")
        made.append(make_executor(choice, [WorkerSettings("cpu", 1, "execute_fakes:Engine")] * workers))
        return made[-1]

    yield make
    for executor in made:
        executor.kill()


class Asking(Progress):
    """Does something as soon as something is said."""

    def __init__(self, **acts):
        self.said, self._acts = [], acts

    def say(self, text):
        self.said.append(text)
        for word, act in self._acts.items():
            if word in text:
                act()


def test_workers_that_start_together_are_one_array(make):
    executor = make(3, partition="main", time=5)
    first = [executor.start(), executor.start()]
    executor.wait(0.0)
    later = executor.start()
    executor.wait(0.0)
    array = first[0].number.partition("_")[0]
    assert [worker.number for worker in first] == [f"{array}_0", f"{array}_1"]
    assert later.number.isdigit()
    done = subprocess.run(["scontrol", "show", "job", array], capture_output=True, text=True, check=True)
    assert "Partition=main" in done.stdout
    assert "TimeLimit=00:05:00" in done.stdout
    assert "Requeue=1" in done.stdout


def begun(folder, seed):
    return list(folder.glob(f"start {seed} *"))


@pytest.mark.parametrize("as_slurm_itself", [False, True])
def test_a_job_that_is_preempted_or_timed_out_goes_on_after_it_was_put_back(slurm, tmp_path, as_slurm_itself):
    """Slurm signals a job whose time is up (USR2, see submitit); a preempted one it puts back itself."""

    def cut_off(seconds=0):
        until(lambda: begun(tmp_path, 0))
        (number,) = [number for number, state in slurm_commands.states().items() if state == "RUNNING"]
        command = ["scontrol", "requeue"] if as_slurm_itself else ["scancel", "--signal=USR2"]
        subprocess.run([*command, number], check=True, capture_output=True)
        until(lambda: len(begun(tmp_path, 0)) == 2)
        (tmp_path / "go 0").touch()

    class Cutting(Progress):
        def update(self, state):
            if state.running and not (tmp_path / "go 0").exists():
                cut_off()

    summary = sweep(tmp_path, 1, progress=Cutting())
    assert (summary.complete, summary.deaths) == (1, 0)
    with open_store(str(tmp_path / "runs.db")) as store:
        (record,) = store.all()
    assert repr(record.result.curves) == repr(fakes.expected(runs(tmp_path, 1)[0]).curves)


def test_a_cohort_that_is_cut_off_too_often_fails(slurm, tmp_path):
    class Cutting(Progress):
        def update(self, state):
            alive = [number for number, status in slurm_commands.states().items() if status == "RUNNING"]
            if state.running and len(begun(tmp_path, 0)) == 1 and alive and not (tmp_path / "cut").exists():
                (tmp_path / "cut").touch()
                subprocess.run(["scancel", "--signal=USR2", *alive], check=True, capture_output=True)

    summary = sweep(tmp_path, 1, progress=Cutting(), options={"requeues": "0"})
    assert summary.failed == 1
    assert "begun once and cut off each time, by its time limit or by preemption" in summary.failures[0].error
    assert len(begun(tmp_path, 0)) == 1


def test_what_was_trained_while_the_sweep_was_dead_is_taken_up_and_what_trains_goes_on(slurm, tmp_path):
    paths = os.pathsep.join([str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, str(HERE / "slurm_sweep.py"), str(tmp_path), "2"], env=os.environ | {"PYTHONPATH": paths}
    ) as process:
        until(lambda: begun(tmp_path, 0) and begun(tmp_path, 1))
        process.send_signal(signal.SIGKILL)
    (tmp_path / "go 0").touch()
    until(lambda: list((tmp_path / "results" / "slurm").glob("*/*/answers/*.1.json")))
    with open_store(str(tmp_path / "runs.db")) as store:
        assert store.all() == []
    progress = Asking(**{"it goes on": lambda: (tmp_path / "go 1").touch()})
    summary = sweep(tmp_path, 2, progress=progress)
    assert (summary.complete, summary.reused, summary.trained) == (2, 1, 1)
    assert "1 results taken up that workers of an earlier sweep left behind" in progress.said
    assert [len(begun(tmp_path, seed)) for seed in (0, 1)] == [1, 1]
    with open_store(str(tmp_path / "runs.db")) as store:
        found = {record.digest: repr(record.result.curves) for record in store.all()}
    assert found == {r.digest: repr(fakes.expected(r).curves) for r in runs(tmp_path, 2)}
    assert not list((tmp_path / "results" / "slurm").glob("*/*"))


def test_a_job_that_is_gone_is_told_with_its_state(make):
    executor = make()
    worker = executor.start()
    until(lambda: any(isinstance(answer, Ready) for _, answer in executor.wait(0.5)))
    worker.send(TrainCohort((run(fakes.BLOCKS),)))
    subprocess.run(["scancel", worker.number], check=True)
    (died,) = until(lambda: [answer for _, answer in executor.wait(0.5) if isinstance(answer, Died)])
    assert died.reason.startswith(f"(Slurm's job {worker.number}) was ended: CANCELLED")


def test_while_slurm_does_not_answer_nobody_is_dead(make, monkeypatch):
    executor = make()
    executor.start()
    until(lambda: any(isinstance(answer, Ready) for _, answer in executor.wait(0.5)))
    monkeypatch.setattr(slurm_commands, "states", lambda: None)
    assert list(executor.wait(1.0)) == []
    assert len(executor.workers) == 1


def test_a_job_that_has_ended_and_does_not_go_away_is_given_up(make, monkeypatch):
    """Slurm goes on waiting for its end where the news of it got lost."""
    executor = make()
    worker = executor.start()
    until(lambda: any(isinstance(answer, Ready) for _, answer in executor.wait(0.5)))
    worker.send(TrainCohort((run(fakes.BLOCKS),)))
    monkeypatch.setattr("ablate.execute.slurm.QUEUE_SECONDS", 0.0)
    executor._next_question = 0.0
    monkeypatch.setattr(slurm_commands, "states", lambda: {worker.number: "COMPLETING"})
    assert list(executor.wait(0.3)) == []
    monkeypatch.setattr("ablate.execute.slurm.COMPLETING_SECONDS", 0.2)
    (died,) = until(lambda: [answer for _, answer in executor.wait(0.5) if isinstance(answer, Died)])
    assert died.reason.startswith(f"(Slurm's job {worker.number}) was ended: COMPLETING")
    assert (worker.mail.folder / f"stop.{worker.name}").exists()


# What a user has to mend


def problems(act):
    with pytest.raises(ConfigError) as caught:
        act()
    return caught.value.problems


def test_a_partition_that_does_not_exist_is_one_message(make):
    assert problems(lambda: make(partition="gpu")) == [
        "executor.partition = 'gpu': there is no such partition; partitions are main, short"
    ]


def test_what_slurm_does_not_take_is_one_message_in_its_words(make):
    executor = make(partition="short", time=600)
    executor.start()
    (message,) = problems(lambda: executor.wait(0.0))
    assert message.startswith("executor = 'slurm': sbatch: error: ")
    assert "time limit" in message


def test_a_job_that_can_never_start_is_one_message(make, monkeypatch):
    executor = make()
    worker = executor.start()
    executor.wait(0.0)
    monkeypatch.setattr(slurm_commands, "states", lambda: {worker.number: "PENDING (PartitionTimeLimit)"})
    (message,) = problems(lambda: until(lambda: executor.wait(0.5)))
    assert message.endswith("would wait for ever: PartitionTimeLimit")


def test_without_slurm_there_is_one_message(monkeypatch):
    monkeypatch.setenv("PATH", "")
    (message,) = problems(lambda: make_executor(ExecutorChoice("slurm"), [WorkerSettings("cpu", 1)]))
    assert message.startswith("executor = 'slurm': there is no Slurm here (sbatch, ")


def test_where_slurm_does_not_answer_there_is_one_message(slurm, monkeypatch, tmp_path):
    (tmp_path / "slurm.conf").write_text("ClusterName=none\nSlurmctldHost=localhost\nMessageTimeout=1\n")
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    (message,) = problems(lambda: make_executor(ExecutorChoice("slurm"), [WorkerSettings("cpu", 1)]))
    assert message.startswith("executor = 'slurm': Slurm does not answer: ")


def test_options_are_validated_all_at_once():
    words = ["executor=slurm", "executor.gpu=1", "executor.time=soon", "executor.cpus=0", "device=tpu"]
    found = problems(lambda: split_launch(words, lambda key: False))
    assert len(found) == 1
    found = problems(lambda: split_launch(words[:-1], lambda key: False))
    assert found[0].startswith("executor.gpu: executor slurm has no such option; they are partition, account, ")
    assert found[1].startswith("executor.time = 'soon': ")
    assert found[2].startswith("executor.cpus = '0': ")
    (message,) = problems(lambda: split_launch(["executor.time=5"], lambda key: False))
    assert message == "executor.time: executor local has no options"


def test_the_number_of_jobs_is_said_and_a_gpu_is_asked_for():
    def choice(**options):
        return ExecutorChoice("slurm", options)

    assert problems(lambda: settings_on(choice(), "cuda", None, 10)) == [
        "workers: is missing; executor=slurm needs to know how many jobs may run at a time: workers=8",
        "device = 'cuda': a job has no GPU; ask for one with executor.gpus=1",
    ]
    assert settings_on(choice(cpus="4"), "auto", 8, 3, "e") == [WorkerSettings("cpu", 4, "e")] * 3
    assert settings_on(choice(gpus="1", cpus="4"), "auto", 8, 30) == [WorkerSettings("cuda:0", 1)] * 8
    assert settings_on(choice(gres="gpu:a100:1"), "cuda", 1, 30) == [WorkerSettings("cuda:0", 1)]
