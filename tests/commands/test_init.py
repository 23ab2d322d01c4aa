"""``ablate init``: each kind of project runs at once, and nothing that is there is overwritten."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ablate.commands.init import KINDS, write_project
from ablate.task.errors import ConfigError

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}

SMALLER = {
    "network": ["workers=1", "study.seeds=1", "train.epochs=1", "data.train_size=100", "train.compile=off"],
    "function": ["workers=1", "study.seeds=2", "trees=3"],
    "hydra": ["study.seeds=1", "epochs=2", "study.factors.model=[linear]", "study.factors.optimizer=[sgd]"],
    "program": ["study.seeds=1", "epochs=2"],
}


def run(folder, *command, code=0):
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_a_project_is_planned_swept_reported_and_tested_at_once(tmp_path, kind):
    folder, study = tmp_path / "2 my-own", KINDS[kind].study
    written = run(tmp_path, "ablate", "init", kind, str(folder))
    assert f"ablate sweep {study}" in written
    assert {file.name for file in tmp_path.iterdir()} == {folder.name}
    for named in KINDS[kind].edit.split(", "):
        assert (folder / named).exists()
    assert ", 0 to train" not in run(folder, "ablate", "plan", study)
    assert " 0 diverged, 0 failed" in run(folder, "ablate", "sweep", study, *SMALLER[kind])
    run(folder, "ablate", "report", study, *SMALLER[kind])
    assert list(folder.glob(f"results/{study}@*/report.html"))
    assert " passed" in run(folder, "pytest", "-q", "-p", "no:cacheprovider")


def test_the_name_of_the_project_is_the_folders_as_far_as_it_can_be_one(tmp_path):
    def name(folder):
        write_project("function", tmp_path / folder)
        return tomllib.loads((tmp_path / folder / "pyproject.toml").read_text())["project"]["name"]

    assert [name(folder) for folder in ("my-study", "My Study (2)", "ablate", "研究")] == [
        "my-study",
        "my-study-2",
        "tumours-function",
        "tumours-function",
    ]


def test_nothing_is_overwritten_and_nothing_is_written_beside_it(ablate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text("mine")
    (tmp_path / "train.py").symlink_to("nowhere")
    error = ablate("init", "program", code=2)
    assert "pyproject.toml: is there already" in error
    assert "train.py: is there already" in error
    assert {file.name for file in tmp_path.iterdir()} == {"pyproject.toml", "train.py"}
    assert (tmp_path / "pyproject.toml").read_text() == "mine"


def test_what_cannot_be_is_one_clear_message(ablate, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "kinds are network, function, hydra, program" in ablate("init", "netwerk", code=2)
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="file: cannot be written"):
        write_project("function", tmp_path / "file")


def test_without_a_kind_they_are_listed(ablate):
    listed = ablate("init")
    assert all(f"  {kind} " in listed for kind in KINDS)


def test_what_work_on_an_example_leaves_is_not_copied(tmp_path):
    for kind in KINDS:
        files = write_project(kind, tmp_path / kind)
        assert not [file for file in files if {"results", "__pycache__", ".pytest_cache"} & set(file.parts)]
        assert {"pyproject.toml", "sweeps", "tests"} <= {file.parts[0] for file in files}
