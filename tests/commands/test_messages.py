"""What a command line has wrong is one message with exit code 2, and what only looks odd works."""

import os
import subprocess
import sys

import pytest

STUDY = "study: {factors: {optimizer.lr: [0.1, 0.9]}, seeds: 2}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "model=nosuch"], "model = 'nosuch': there is no such option; options are alexnet"),
        (["run", "optimizer.lrr=1"], "optimizer.lrr: there is no such field; did you mean optimizer.lr"),
        (["run", "optimiser.lr=1"], "optimiser.lr: there is no such field; did you mean optimizer.lr?"),
        (["run", "epochs=3"], "epochs: there is no such field; did you mean train.epochs?"),
        (["run", "sweeps=lr"], "a study is many runs; train it with: ablate sweep lr (or ablate run -m)"),
        (["plan", "lr", "study.seeds=1,2"], "a list is study.seeds=[1,2]"),
        (["plan", "sweeps/lr.yaml"], "study 'sweeps/lr.yaml'"),
        (["sweep", "lr", "store=sqlite:///"], "is in memory, and would be gone at the end"),
        (["plan", "lr", "study.seeds=1000000000"], "must be a count of at least 1 and at most 100,000"),
        (["plan", "lr", "store=nowhere/x.db"], "there is no folder"),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(results, ablate, tmp_path, arguments, message):
    results()
    assert message in ablate(*arguments, code=2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["10", "nan", "null", "1e3", "true", "a-b"])
def test_a_study_may_be_called_anything_that_names_a_file(results, ablate, tmp_path, name):
    results()
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / f"{name}.yaml").write_text(STUDY)
    assert "4 runs asked for" in ablate("plan", name)


@pytest.mark.parametrize("name", ["résultats d'été", "a (b)", "with blank", "100%", "a=b"])
def test_results_may_lie_in_any_folder(results, ablate, tmp_path, name):
    (results("pooling").parent / "results").rename(tmp_path / name)
    assert "20 in reports below" in ablate("plan", "pooling", f"results={name}")


def test_a_tilde_is_the_users_home(results, ablate, tmp_path, monkeypatch):
    results("pooling")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir("/")
    assert "20 in reports below" in ablate("plan", "pooling", "results=~/results")


def test_a_configuration_of_somebody_else_breaks_no_packaged_study(results, ablate, tmp_path):
    results()
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text("defaults: [database: mysql]\nuser: me\n")
    assert "20 runs asked for" in ablate("plan", "pooling")


def test_the_configuration_of_a_multirun_is_printed(results, ablate):
    results()
    assert "epochs: 10" in ablate("run", "-m", "sweeps=lr", "--cfg", "job")


def test_a_record_that_lacks_epochs_is_not_merged_as_complete(results, ablate):
    folder = results("pooling") / "pooling"
    file = folder / "curves.csv"
    header, *rows = file.read_text().splitlines(keepends=True)
    first = rows[0].partition(",")[0]
    assert sum(row.startswith(first) for row in rows) == 10
    file.write_text("".join([header, rows[0], *(row for row in rows if not row.startswith(first))]))
    said = ablate("merge", str(folder), "--store", "new.db", code=2)
    assert "runs.csv, line 2, column epochs = '10': curves.csv has 1 of this run" in said
    assert not (folder.parents[1] / "new.db").exists()


@pytest.mark.parametrize("module", ["click", "ablate.cli", "hydra", "ablate.execute.sweep"])
def test_an_interrupt_ends_with_130_also_while_modules_are_loaded(results, module):
    results()
    code = f"""
import sys
class Interrupts:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupts())
sys.argv = ["ablate", "sweep", "lr", "train.epochs=2"]
import runpy
runpy.run_module("ablate", run_name="__main__")
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 130, done.stderr
    assert done.stderr.strip() == "ablate: interrupted"
