"""Sweeps that are cut off in the middle of cohorts go on from their checkpoints."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import execute_fakes as fakes
import pytest
from click.testing import CliRunner
from execute_fakes import run

from ablate.cli import main
from ablate.commands.studies import named, order
from ablate.execute import KeptCheckpoints, Progress, execute
from ablate.execute.ledger import Assignment, Flight
from ablate.execute.worker import serve
from ablate.plan.cohorts import Cohort
from ablate.store import open_store
from ablate.task.checkpoint import checkpoints_in, content_of, write_checkpoint
from ablate.task.executor import Raised, StepEnded, Stop, TrainCohort, Trained, WorkerSettings

ROOT = Path(__file__).parents[2]

OPTIONS = {"workers": 1, "device": "cpu", "engine": "execute_fakes:Resuming"}


class Said(Progress):
    def __init__(self):
        self.lines = []

    def say(self, text):
        self.lines.append(text)


def leave(folder, runs, step):
    """A checkpoint as the engine of these tests leaves it."""
    folder.mkdir(exist_ok=True)
    digests = [r.digest for r in runs]
    content = content_of(digests, {})
    about = {"runs": digests, "step": step, "content": content, "version": "version", "device": "cpu"}
    write_checkpoint(folder / f"{content}.checkpoint", about, b"state")


def begun(folder):
    return sorted(file.name.rpartition(" ")[0] for file in folder.glob("begins *"))


def test_cohorts_that_were_cut_off_are_formed_again_and_the_rest_around_them(tmp_path):
    folder = tmp_path / "checkpoints"
    runs = [run(0.1 * (1 + seed % 2), seed, root=str(tmp_path)) for seed in range(6)]
    leave(folder, [runs[4], runs[1]], 2)
    leave(folder, [runs[1], runs[2]], 3)  # of a run that is in another cohort already, one way or the other
    leave(folder, [runs[0], run(0.7, root=str(tmp_path))], 1)  # one of them is not asked for
    said = Said()
    with open_store(str(tmp_path / "runs.db")) as store:
        summary = execute(runs, store, checkpoints=KeptCheckpoints(folder), max_members=6, progress=said, **OPTIONS)
    assert summary.complete == 6
    assert len(begun(tmp_path)) == 2
    assert begun(tmp_path)[0] in ("begins 2 at 2", "begins 2 at 3")
    assert begun(tmp_path)[1] == "begins 4 at 0"
    assert len([line for line in said.lines if "goes on after step" in line]) == 1
    # One went with its cohort; the other's runs have records by now, but those of the third not all.
    assert execute_again(tmp_path, runs).reused == 6
    assert [checkpoint.step for checkpoint in checkpoints_in(folder)] == [1]


def execute_again(tmp_path, runs):
    with open_store(str(tmp_path / "runs.db")) as store:
        return execute(runs, store, checkpoints=KeptCheckpoints(tmp_path / "checkpoints"), **OPTIONS)


def test_a_checkpoint_that_kills_is_gone_on_with_once_and_then_its_runs_are_tried_in_halves(tmp_path):
    folder = tmp_path / "checkpoints"
    runs = [run(fakes.KILLS_IN_COMPANY, seed, root=str(tmp_path)) for seed in range(2)]
    leave(folder, runs, 1)
    with open_store(str(tmp_path / "runs.db")) as store:
        summary = execute(runs, store, checkpoints=KeptCheckpoints(folder), max_members=2, **OPTIONS)
    assert (summary.complete, summary.deaths) == (2, 1)
    assert begun(tmp_path) == ["begins 1 at 0", "begins 1 at 0", "begins 2 at 1"]
    assert not folder.exists()


def test_a_folder_that_cannot_be_written_is_said_once_and_training_goes_on(tmp_path):
    (tmp_path / "checkpoints").write_text("a file")
    said = Said()
    with open_store(str(tmp_path / "runs.db")) as store:
        kept, options = KeptCheckpoints(tmp_path / "checkpoints", 0.0), {**OPTIONS, "engine": "execute_fakes:Engine"}
        summary = execute([run(root=str(tmp_path))], store, checkpoints=kept, progress=said, **options)
    assert summary.complete == 1
    (line,) = [line for line in said.lines if "checkpoints" in line]
    assert line == f"{tmp_path / 'checkpoints'}: no checkpoints are kept, as it cannot be written: File exists"


def test_what_is_behind_a_cohort_is_neither_left_nor_counted_as_speed():
    cohort = Cohort((run(epochs=4), run(epochs=2)), done=3)
    assert (cohort.samples, cohort.samples_left) == (600, 100)
    flight = Flight(Assignment(cohort, {}), "", None)
    assert flight.samples == 0
    flight.steps |= {0: 4}
    assert flight.samples == 100


def test_plan_says_which_runs_go_on_from_shorter_ones_and_which_never_will(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["data.train_size=1000", "study.seeds=2", "device=cpu", "workers=1"]
    runs = order(named(["pooling"], words)).plan.runs
    folder = tmp_path / "results" / "states"
    folder.mkdir(parents=True)
    for step, one in zip((1, 2, 50), runs, strict=False):  # the last is none of a shorter run
        (folder / f"{one.trajectory}.{step}.state").touch()
    said = CliRunner().invoke(main, ["plan", "pooling", *words]).output
    assert "2 runs go on from where shorter ones ended" in said
    assert "cannot be gone on with" not in said
    found = json.loads(CliRunner().invoke(main, ["plan", "pooling", *words, "--json"]).stdout)
    assert [(cohort["members"], cohort["done"]) for cohort in found["cohorts"]] == [(1, 1), (1, 2), (2, 0)]
    assert found["samples"] == 1000 * (9 + 8 + 2 * 10)  # what is behind them costs nothing
    assert "was cut off" not in said
    said = CliRunner().invoke(main, ["plan", "pooling", *words, "keep=state", "schedule=cosine"]).output
    assert "go on from" not in said
    assert "4 runs cannot be gone on with later: their schedules depend on their length" in said
    refused = CliRunner().invoke(main, ["plan", "pooling", *words, "keep=state", "checkpoint_minutes=0"])
    assert refused.exit_code == 2
    assert "keep = state: goes together with checkpoints" in refused.output + refused.stderr


# Somebody's own code

PROJECT = {
    "ablate.toml": """
[tasks.function]
kind = "function"
function = "trainer:train"
defaults = { x = 1.0 }
metrics.loss = { goal = "min", low = 0 }

[tasks.program]
kind = "program"
command = ["python3", "program.py", "{x}", "{seed}"]
defaults = { x = 1.0 }
metrics.loss = { goal = "min", low = 0 }
read = { kind = "pattern", pattern = "step (?P<step>.*) loss=(?P<loss>.*)" }
retries = { codes = [75] }
""",
    "steps.py": """
import json, os
from pathlib import Path

def steps(x, seed, cut_off):
    state = Path(os.environ["ABLATE_CHECKPOINT_DIR"]) / "losses.json"
    losses = json.loads(state.read_text()) if state.exists() else []
    began = len(losses)
    yield from enumerate(losses, 1)
    for step in range(began + 1, 6):
        if step == 4 and not began:
            cut_off()
        losses.append(x / step + seed)
        aside = state.with_suffix(".aside")
        aside.write_text(json.dumps(losses))
        aside.replace(state)
        yield step, losses[-1]
    with Path("began").open("a") as file:
        file.write(f"{began} ")
""",
    "trainer.py": """
import os, signal
from steps import steps

def train(config, seed, report):
    for step, loss in steps(config["x"], seed, lambda: os.kill(os.getpid(), signal.SIGKILL)):
        report(step, {"loss": loss})
""",
    "program.py": """
import sys
from steps import steps
for step, loss in steps(float(sys.argv[1]), int(sys.argv[2]), lambda: sys.exit(75)):
    print("step", step, "loss=%r" % loss)
""",
    "sweeps/f.yaml": "study: {task: function, factors: {x: [1.0]}, seeds: 1}\n",
    "sweeps/p.yaml": "study: {task: program, factors: {x: [1.0]}, seeds: 1}\n",
}


def test_own_code_finds_what_it_left_in_its_folder(tmp_path):
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    words = ["sweep", "f", "p", "workers=1", "device=cpu"]
    command = [sys.executable, "-m", "ablate", *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was ended by SIGKILL" in done.stderr
    assert (tmp_path / "began").read_text() == "3 3 "
    found, _ = what_counts(tmp_path, "results")
    assert set(found.values()) == {repr([(step, [("loss", 1.0 / step)]) for step in range(1, 6)])}
    assert len(found) == 2
    assert not (tmp_path / "results" / "checkpoints").exists()


class Line:
    """A sweep that tells its worker to stop when that has said that a step has ended."""

    def __init__(self, *messages):
        self.messages, self.said = list(messages), []

    def send(self, message):
        self.said.append(message)

    def recv(self):
        return self.messages.pop(0)

    def poll(self):
        return any(isinstance(message, StepEnded) for message in self.said)


@pytest.mark.parametrize(("worth", "steps"), [(0.0, [2]), (600.0, [])])
def test_told_to_stop_when_a_step_has_ended_a_worker_goes_on_to_its_checkpoint(tmp_path, monkeypatch, worth, steps):
    """At the end of a step the engine has just been asked whether one is due: what is worth one waits for the next."""
    monkeypatch.setattr("ablate.task.checkpoint.WORTH_SECONDS", worth)
    monkeypatch.setattr("ablate.task.checkpoint.LOOK_SECONDS", 0.0)
    line = Line(TrainCohort((run(0.1, 0, root=str(tmp_path)),)), Stop())
    folder = tmp_path / "results" / "checkpoints"
    folder.parent.mkdir()
    serve(line, WorkerSettings("cpu", 1, "execute_fakes:Resuming", checkpoints=str(folder), checkpoint_seconds=600.0))
    assert [message.step for message in line.said if isinstance(message, StepEnded)] == [1]
    assert [checkpoint.step for checkpoint in checkpoints_in(folder)] == steps
    assert not any(isinstance(message, Trained | Raised) for message in line.said)


# The built-in task, in processes of their own

WORDS = (
    "sweep pooling study.seeds=2 data.train_size=1000 data.test_size=50 train.batch_size=20 workers=1 device=cpu"
    " cohort_size=2"
)
EPOCHS = 20


def start(folder, *words, epochs=EPOCHS):
    command = [sys.executable, "-m", "ablate", *WORDS.split(), f"train.epochs={epochs}", *words]
    with (folder / "log").open("a") as log:
        return subprocess.Popen(
            command,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def finish(process, folder):
    assert process.wait(600) == 0, (folder / "log").read_text()


def what_counts(folder, results):
    with open_store(str(folder / results / "ablate.db"), read_only=True) as store:
        return {
            record.digest: repr([(point.step, sorted(point.values.items())) for point in record.result.curves])
            for record in store.all()
        }, [steps for record in store.all() if (steps := record.result.notes.get("resumed"))]


def until_it_has_come_to(share, folder, process):
    end = time.monotonic() + 240
    while not any(found.step >= share * EPOCHS for found in checkpoints_in(folder / "results" / "checkpoints")):
        assert time.monotonic() < end, (folder / "log").read_text()
        assert process.poll() is None, (folder / "log").read_text()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    finish(start(folder, "checkpoint_minutes=0"), folder)
    found, resumed = what_counts(folder, "results")
    assert resumed == []
    assert not (folder / "results" / "checkpoints").exists()
    return found


@pytest.mark.slow
def test_killed_at_forty_per_cent_it_goes_on_and_ends_bit_for_bit_alike(tmp_path, monkeypatch, undisturbed):
    process = start(tmp_path, "checkpoint_minutes=0.002")
    until_it_has_come_to(0.4, tmp_path, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.chdir(tmp_path)
    (checkpoint,) = checkpoints_in(Path("results/checkpoints"))
    planned = CliRunner().invoke(main, ["plan", *WORDS.split()[1:], f"train.epochs={EPOCHS}"])
    assert f"a cohort of 2 runs that was cut off goes on after epoch {checkpoint.step} of {EPOCHS}" in planned.output
    finish(start(tmp_path), tmp_path)
    found, resumed = what_counts(tmp_path, "results")
    assert resumed == [[checkpoint.step]] * 2
    assert found == undisturbed
    assert not Path("results/checkpoints").exists()


@pytest.mark.slow
def test_terminated_it_leaves_a_checkpoint_at_the_next_step(tmp_path):
    """Ten seconds of work are worth one, long before it is due."""
    process = start(tmp_path, epochs=100_000)
    while (tmp_path / "log").read_text().count("samples/s") < 3:  # ten seconds between two such lines
        assert process.poll() is None, (tmp_path / "log").read_text()
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130, (tmp_path / "log").read_text()
    (checkpoint,) = checkpoints_in(tmp_path / "results" / "checkpoints")
    assert 0 < checkpoint.step < 100_000


@pytest.mark.slow
def test_a_job_of_slurm_told_to_end_at_forty_per_cent_goes_on_from_its_checkpoint(slurm, tmp_path, undisturbed):
    process = start(tmp_path, "checkpoint_minutes=0.002", "executor=slurm")
    until_it_has_come_to(0.4, tmp_path, process)
    subprocess.run(["scancel", "--signal=USR2", f"--user={os.getuid()}"], check=True)
    finish(process, tmp_path)
    found, resumed = what_counts(tmp_path, "results")
    assert [len(steps) for steps in resumed] == [1] * 2
    assert all(0.4 * EPOCHS <= steps[0] < EPOCHS for steps in resumed)
    assert found == undisturbed
    assert not (tmp_path / "results" / "checkpoints").exists()
