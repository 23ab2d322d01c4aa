"""``python train.py -m hydra/sweeper=ablate``: the application's own function is planned, resumed and reported."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hydra_app.applications import write

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}

APP = {
    "src/train.py": """
        import os
        from pathlib import Path
        import hydra
        from helper import score

        @hydra.main(version_base="1.3", config_path="../configs", config_name="train")
        def main(cfg):
            calls = Path(hydra.utils.get_original_cwd()) / "calls"
            calls.mkdir(exist_ok=True)
            (calls / f"{cfg.optimizer.lr}-{cfg.seed}-{os.getpid()}").write_text(os.getcwd())
            if cfg.optimizer.lr > 5:
                raise ValueError("too fast")
            return score(cfg)

        if __name__ == "__main__":
            main()
        """,
    "src/helper.py": """
        def score(cfg):
            return cfg.optimizer.lr + cfg.seed / 100
        """,
    "configs/train.yaml": """
        defaults: [{optimizer: sgd}, _self_]
        seed: 7
        hydra:
          sweep: {dir: "logs/sweep", subdir: "${hydra.job.num}-${hydra.job.override_dirname}"}
          job: {chdir: true}
        """,
    "configs/optimizer/sgd.yaml": "{lr: 0.1}",
    "configs/optimizer/adam.yaml": "{lr: 0.01}",
}
SWEEP = ["-m", "hydra/sweeper=ablate", "hydra.sweeper.workers=2"]
METRIC = "hydra.sweeper.metric=val_acc:max"


@pytest.fixture
def app(tmp_path):
    """Runs the application as its user does."""
    write(tmp_path, APP)

    def run(*words, code=0):
        command = [sys.executable, "src/train.py", *SWEEP, *words]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    run.folder = tmp_path
    return run


def calls(app):
    return sorted(path.name.rpartition("-")[0] for path in (app.folder / "calls").iterdir())


def test_its_function_runs_under_its_rules_and_nothing_runs_twice(app):
    words = [METRIC, "optimizer.lr=0.1,0.2", "seed=range(0,2)"]
    done = app(*words)
    assert "4 complete" in done.stdout
    assert "0.1050" in done.stdout
    assert calls(app) == ["0.1-0", "0.1-1", "0.2-0", "0.2-1"]
    folders = {path.name for path in (app.folder / "logs" / "sweep").iterdir()}
    assert folders == {
        f"{n}-optimizer.lr={lr},seed={seed}"
        for n, (lr, seed) in enumerate((lr, seed) for lr in (0.1, 0.2) for seed in (0, 1))
    }
    cwds = {Path(path.read_text()).name for path in (app.folder / "calls").iterdir()}
    assert cwds == folders, "hydra.job.chdir is its own"
    assert "4 already in the store" in app(*words).stdout
    assert "2 trained" in app(METRIC, "optimizer.lr=0.1,0.3", "seed=0,1").stdout
    assert len(calls(app)) == 6
    helper = app.folder / "src" / "helper.py"
    helper.write_text("# a comment changes nothing\n" + helper.read_text())
    assert "0 trained" in app(*words).stdout
    helper.write_text(helper.read_text().replace("/ 100", "/ 10"))
    assert "4 trained" in app(*words).stdout


@pytest.mark.parametrize(
    "rules",
    [
        ["hydra.job.chdir=true", "hydra.sweep.dir=elsewhere", "hydra.sweep.subdir=n${hydra.job.num}"],
        ["hydra.job.chdir=false", "hydra.run.dir=its/own", "hydra.output_subdir=conf"],
    ],
)
def test_working_directories_and_folders_are_those_of_hydras_own_launcher(app, rules):
    words = ["optimizer.lr=0.1,0.2", "seed=3", *rules]
    found = []
    for sweeper in (["-m"], [*SWEEP, METRIC]):
        command = [sys.executable, "src/train.py", *sweeper, *words]
        subprocess.run(command, cwd=app.folder, env=ENVIRONMENT, check=True, capture_output=True)
        cwds = {path.name.rpartition("-")[0]: path.read_text() for path in (app.folder / "calls").iterdir()}
        shutil.rmtree(app.folder / "calls")
        shutil.rmtree(app.folder / "results", ignore_errors=True)
        files = {
            str(path.relative_to(app.folder)): path.read_text()
            for top in ("logs", "elsewhere", "its")
            for path in (app.folder / top).rglob("*")
            if path.is_file() and path.name not in ("multirun.yaml", "hydra.yaml", ".ablate-returned.jsonl")
        }
        for top in ("logs", "elsewhere", "its"):
            shutil.rmtree(app.folder / top, ignore_errors=True)
        found.append((cwds, files))
    theirs, ours = found
    assert ours[0] == theirs[0]
    assert ours[1].keys() == theirs[1].keys()
    configs = [name for name in theirs[1] if name.endswith("config.yaml")]
    assert len(configs) == 2
    assert all(ours[1][name] == theirs[1][name] for name in configs)


def test_a_failed_run_is_recorded_and_told(app):
    done = app(METRIC, "optimizer.lr=0.1,9", code=1)
    assert "1 complete, 0 diverged, 1 failed" in done.stdout
    assert "ValueError: too fast" in done.stdout
    assert calls(app) == ["0.1-7", "9-7"], "without a sweep over seeds its own seed"


def test_a_study_file_with_groups(app):
    write(
        app.folder,
        {
            "sweeps/rates.yaml": """
                study:
                  task: train
                  factors: {optimizer: [sgd, adam], optimizer.lr: [0.3]}
                  seeds: 2
                  claims:
                    - {text: More is more., kind: better, factor: optimizer.lr, metric: val_acc, levels: [0.3, 0.1]}
                """
        },
    )
    done = app(METRIC, "+study=rates", "hydra.sweeper.results=out")
    assert "6 complete" in done.stdout
    assert (app.folder / "out" / "rates" / "report.html").is_file()
    assert not (app.folder / "results").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["optimizer.lr=1,2"], "hydra.sweeper.metric=val_acc:max"),
        (["hydra.sweeper.metric=val_acc", "optimizer.lr=1,2"], "hydra.sweeper.metric=val_acc: must say whether"),
        ([METRIC, "optimizer=sgd,none"], "there is no such option"),
        ([METRIC, "hydra.sweeper.seed=trainer.seed", "optimizer.lr=1,2"], "name the field that takes the seed"),
        ([METRIC, "+study=nothing"], "there is none of that name"),
        ([METRIC, "hydra.sweeper.task=x", "optimizer.lr=1,2"], "declares no such task of train.py"),
        ([METRIC, "hydra.sweeper.workers=0", "optimizer.lr=1,2"], "workers = 0"),
    ],
)
def test_bad_input_is_one_message_and_runs_nothing(app, words, says):
    done = app(*words, code=2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert not (app.folder / "calls").exists()
    assert not (app.folder / "results").exists()
