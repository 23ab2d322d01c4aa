"""The command line as a user meets it: each test starts the program itself."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ablate.images.config import FashionMNIST
from ablate.images.data import where

ROOT = Path(__file__).parents[1]
SMALL = ["data.train_size=600", "train.epochs=2", "train.batch_size=64", "train.compile=off"]


@pytest.fixture
def ablate(tmp_path):
    """Runs the program in an empty folder."""

    def run(*arguments, code=0):
        environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        done = subprocess.run(
            [sys.executable, "-m", "ablate", *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    run.folder = tmp_path
    return run


def study(folder, name, text):
    (folder / "sweeps").mkdir(exist_ok=True)
    (folder / "sweeps" / f"{name}.yaml").write_text(text)


def folder_of(ablate, study):
    """The folder of a study's report; these are changed on the command line, so that it has the overrides' digest."""
    (folder,) = (ablate.folder / "results").glob(f"{study}@*")
    return folder


def records(ablate, *arguments):
    return [json.loads(line) for line in ablate("runs", "--json", *arguments).stdout.splitlines()]


def test_a_study_from_file_to_figures(ablate):
    study(ablate.folder, "mine", "optimizer: {lr: 0.1}\nstudy: {factors: {optimizer.lr: [0.1, 0.5]}, seeds: 2}\n")
    before = json.loads(ablate("plan", "mine", *SMALL, "--json").stdout)
    assert (before["runs_distinct"], before["in_store"], before["to_train"]) == (4, 0, 4)
    assert not (ablate.folder / "results").exists()
    first = ablate("sweep", "mine", *SMALL, "workers=2")
    assert "4 complete, 0 diverged, 0 failed (4 trained" in first.stdout
    again = ablate("sweep", "mine", *SMALL)
    assert "4 already in the store" in again.stdout
    assert "nothing to train" in ablate("plan", "mine", *SMALL).stdout
    ablate("report", "mine", *SMALL)
    out = folder_of(ablate, "mine")
    expected = {
        "runs.csv",
        "curves.csv",
        "table.csv",
        "table.md",
        "table.tex",
        "table-train_loss.tex",
        "table-train_acc.tex",
        "methods.md",
        "methods.tex",
        "references.bib",
        "report.html",
        "summary.json",
        "figures",
    }
    assert {p.name for p in out.iterdir()} == expected
    assert {p.suffix for p in (out / "figures").iterdir()} == {".json", ".png", ".svg"}
    assert {p.name for p in ablate.folder.iterdir()} == {"results", "sweeps"}, "no litter"
    rows = list(csv.DictReader(io.StringIO((out / "runs.csv").read_text())))
    assert sorted((row["config.optimizer.lr"], row["config.seed"]) for row in rows) == [
        ("0.1", "0"),
        ("0.1", "1"),
        ("0.5", "0"),
        ("0.5", "1"),
    ]
    assert len(list(csv.DictReader(io.StringIO((out / "curves.csv").read_text())))) == 8

    # From the committed CSV files alone: the same report, and the records back in an empty store.
    files = {p: p.read_bytes() for p in out.rglob("*") if p.is_file()}
    for database in (ablate.folder / "results").glob("ablate.db*"):
        database.unlink()
    ablate("report", "mine", *SMALL)
    assert {p: p.read_bytes() for p in out.rglob("*") if p.is_file()} == files
    assert "4 records read, 4 new" in ablate("merge", str(out)).stdout
    assert "4 already in the store" in ablate("sweep", "mine", *SMALL).stdout


def test_a_plain_multirun_and_a_single_run_share_the_store(ablate):
    tiny = ["data.train_size=300", "train.epochs=1"]
    ablate("run", *tiny)
    done = ablate("run", "-m", "optimizer.lr=0.5,0.9", "seed=range(0,2)", *tiny)
    assert "3 trained" in done.stdout
    assert "1 already in the store" in done.stdout
    assert {(r["config"]["optimizer"]["lr"], r["config"]["seed"]) for r in records(ablate)} == {
        (0.5, 0),
        (0.5, 1),
        (0.9, 0),
        (0.9, 1),
    }
    assert {p.name for p in ablate.folder.iterdir()} == {"results"}, "no outputs/ and no multirun/"
    assert "runs: 4 complete" in ablate("run", "sweeps=lr", "optimizer.lr=0.5,0.9", "study.seeds=2", "-m", *tiny).stdout


def test_hydra_s_flags_work(ablate):
    assert "lr: 0.25" in ablate("run", "optimizer.lr=0.25", "--cfg", "job").stdout
    assert "optimizer: adagrad, adam, adamw, rmsprop, sgd" in ablate("run", "--help").stdout
    assert ablate("--version").stdout.startswith("ablate, version")
    assert "61,706" in ablate("model").stdout


def test_tab_completion(ablate):
    environment = os.environ | {"PYTHONPATH": str(ROOT), "_ABLATE_COMPLETE": "bash_complete"}

    def complete(*words):
        environment.update({"COMP_WORDS": " ".join(["ablate", *words]), "COMP_CWORD": str(len(words))})
        done = subprocess.run(
            [sys.executable, "-m", "ablate"], env=environment, capture_output=True, text=True, check=True
        )
        return [line.split(",")[-1] for line in done.stdout.split()]

    assert complete("sweep", "kern") == ["kernel_size", "kernel_size_looks"]
    assert "optimizer.lr=" in complete("run", "optimizer.l")
    assert "optimizer=adamw" in complete("plan", "lr", "optimizer=adamw")
    # bash takes KEY=VALUE for three words and replaces the last one
    assert complete("sweep", "lr", "data.flip", "=") == ["true", "false"]
    assert complete("sweep", "lr", "optimizer", "=", "ad") == ["adagrad", "adam", "adamw"]
    assert complete("sweep", "lr", "optimizer", "=", "sgd", "optimizer.l") == ["optimizer.lr="]


def test_a_level_that_diverges_is_counted_and_stops_nothing(ablate):
    study(ablate.folder, "mixed", "study: {factors: {optimizer.lr: [0.1, 1.0e+30]}, seeds: 2}\noptimizer: {lr: 0.1}\n")
    done = ablate(
        "sweep", "mixed", *SMALL, "model.activation=relu", "model.activation_c5=relu", "model.activation_f6=relu"
    )
    assert "2 complete, 2 diverged, 0 failed" in done.stdout
    assert {r["status"] for r in records(ablate, "--status", "diverged")} == {"diverged"}
    ablate("report", "mixed", *SMALL, "model.activation=relu", "model.activation_c5=relu", "model.activation_f6=relu")
    text = (folder_of(ablate, "mixed") / "table.csv").read_text()
    counts = [(row["label"], row["complete"], row["diverged"]) for row in csv.DictReader(io.StringIO(text))]
    assert counts == [("0.1", "2", "0"), ("1e+30", "0", "2")]


def test_a_run_that_raises_stops_no_other_and_makes_the_exit_code_1(ablate):
    """The engine's stand-in raises at one learning rate; everything around it is the program itself."""
    code = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests" / "execute")!r})
from functools import partial
import ablate.execute, execute_fakes as fakes
ablate.execute.execute = partial(ablate.execute.execute, engine="execute_fakes:Engine")
from ablate.cli import main
main(["sweep", "lr", f"optimizer.lr=0.5,{{fakes.FAILS}}", "study.seeds=2", f"data.train_size={{fakes.IMAGES}}"])
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "execute")])}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ablate.folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "6 runs: 4 complete, 0 diverged, 2 failed" in done.stdout
    assert "ArithmeticError: an injected fault" in done.stdout
    failed = records(ablate, "--status", "failed")
    assert {r["config"]["optimizer"]["lr"] for r in failed} == {102.0}
    assert all("Traceback" in r["error"] for r in failed)
    ablate("report", "lr", "optimizer.lr=0.5,102.0", "study.seeds=2", "data.train_size=100")
    text = (folder_of(ablate, "lr") / "table.csv").read_text()
    counts = {row["label"]: (row["complete"], row["failed"]) for row in csv.DictReader(io.StringIO(text))}
    assert counts == {"0.5": ("2", "0"), "0.9": ("2", "0"), "102.0": ("0", "2")}
    assert "an injected fault" in (folder_of(ablate, "lr") / "report.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep", "nope"], "study 'nope': there is none of that name; studies are activation"),
        (["run", "sweeps=nope"], "study 'nope': there is none of that name"),
        (["sweep", "lr", "+train.bogus=1"], "train.bogus: there is no such field"),
        (["sweep", "lr", "train.epochs=many", "train.batch_size=0"], "train.batch_size = 0: input should be greater"),
        (["run", "model.kernel_size_2=15"], "model.conv2 (15x15): its input of 14x14 leaves an output of 0x0"),
        (["run", "-m", "optimizer.rate=1,2"], "optimizer.rate"),
        (["run", "data.root=/nowhere"], "/nowhere"),
        (["plan", "lr", "device=tpu"], "device = 'tpu'"),
        (["report", "lr"], "study lr: there is no record of it"),
        (["sweep", "empty"], "study.factors.optimizer.lr: has no levels"),
        (["sweep", "evil"], "optimizer._target_ = 'os.system': configuration is data"),
        (["run", "sweeps=worse"], "study worse: hydra: a study file says nothing about Hydra"),
        (["sweep", "lr", "store=/proc/nowhere/ablate.db"], "there is no folder /proc/nowhere"),
        (["plan", "lr", "store=/nowhere/x.db"], "store = /nowhere/x.db: there is no folder /nowhere"),
        (["runs", "store=sqlite:////nowhere/x.db"], "there is no folder /nowhere"),
        (["merge", ".", "--store", "/nowhere/x.db"], "there is no folder /nowhere"),
        (["plan", "lr", "device=cuda:97"], "device = cuda:97: PyTorch sees"),
        (["sweep", "lr", "device=cuda:97"], "device = cuda:97: PyTorch sees"),
        (["plan", "search", "device=cuda:97"], "device = cuda:97: PyTorch sees"),
        (["search", "search", "device=cuda:97"], "device = cuda:97: PyTorch sees"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(ablate, arguments, message):
    study(ablate.folder, "empty", "study: {factors: {optimizer.lr: []}}\n")
    study(ablate.folder, "evil", "study: {factors: {optimizer.lr: [1]}}\noptimizer: {_target_: os.system}\n")
    study(
        ablate.folder,
        "worse",
        "study: {factors: {optimizer.lr: [1]}}\nhydra: {callbacks: {x: {_target_: os.system}}}\n",
    )
    done = ablate(*arguments, code=2)
    assert message in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert not (ablate.folder / "results").exists(), "nothing half-written"


def test_a_truncated_data_file_is_refused_before_training(ablate):
    folder = ablate.folder / "images"
    shutil.copytree(where(FashionMNIST()), folder)
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(file.read_bytes()[:1_000_000])
    done = ablate("run", f"data.root={folder}", code=2)
    assert str(file) in done.stderr
    assert "Traceback" not in done.stderr


def test_what_a_command_does_not_need_it_does_not_import():
    code = """
import sys
from click.testing import CliRunner
from ablate.cli import main
for arguments in (["--help"], ["sweep", "--help"], ["plan", "lr"], ["runs"]):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
print("torch" in sys.modules)
"""
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_a_report_is_rebuilt_from_committed_records_where_torch_cannot_be_imported(tmp_path):
    shutil.copytree(ROOT / "results" / "pooling", tmp_path / "results" / "pooling")
    (tmp_path / "torch.py").write_text("raise AssertionError('torch was imported')")
    code = "import sys; from ablate.cli import main; sys.exit(main(['report', 'pooling']))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "results" / "ablate.db").exists()
    folders = [root / "results" / "pooling" for root in (tmp_path, ROOT)]
    for file in ("curves.csv", "runs.csv"):
        made, committed = (folder / file for folder in folders)
        assert made.read_bytes() == committed.read_bytes(), file
    made, committed = (pd.read_csv(folder / "table.csv") for folder in folders)
    pd.testing.assert_frame_equal(made, committed, rtol=1e-12, obj="processors differ in the last digit of a sum")
