"""Bad input at every door, as a user meets it: one clear message, exit code 2, and nothing trained or made."""

import json

import pytest
from click.testing import CliRunner

from ablate.cli import main

STUDY = "study: {task: t, factors: {lr: [0.1, 0.2]}, seeds: 1}\n"
FUNCTION = """[tasks.t]
kind = "function"
function = "trainer:train"
defaults = {lr = 0.5}
metrics.acc = {goal = "max"}
"""
PROGRAM = """[tasks.t]
kind = "program"
command = ["./program", "{seed}"]
flags = "--{name} {value}"
version = "1"
defaults = {lr = 0.5}
read = {kind = "jsonl"}
metrics.acc = {goal = "max"}
"""
HYDRA = '[tasks.t]\nkind = "hydra"\nscript = "train.py"\nmetrics.acc = {goal = "max"}\n'
APPLICATION = """import hydra

@hydra.main(version_base="1.3", config_path=".", config_name="config")
def main(config):
    return config.lr

if __name__ == "__main__":
    main()
"""
TRAINER = "def train(config, seed, report):\n    report(1, acc=config.lr)\n"
SCRIPT = """#!/bin/sh
echo '{"step": 1, "acc": 0.5}'
"""
PICTURES = "study: {factors: {optimizer.lr: [0.1]}, seeds: 1}\nmodel: {name: mine}\n"
RAISES = "class Left(BaseException): ...\n\nraise Left('not today')\n"

DOORS = {
    "function": {"ablate.toml": FUNCTION, "trainer.py": TRAINER},
    "program": {"ablate.toml": PROGRAM, "program": SCRIPT},
    "hydra": {"ablate.toml": HYDRA, "train.py": APPLICATION, "config.yaml": "{lr: 0.5, seed: 0}"},
}


@pytest.fixture
def refused(folder, monkeypatch):
    """Runs a command in a folder with these files; returns its one message."""
    monkeypatch.setenv("COLUMNS", "200")

    def refused(files, *arguments):
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            path.chmod(0o755)
        before = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)
        done = CliRunner().invoke(main, arguments, catch_exceptions=False)
        assert done.exit_code == 2, done.output
        assert sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts) == before
        (message,) = done.stderr.splitlines()
        assert message.startswith("ablate: error: ")
        return message

    return refused


def swept(refused, door, files, *words):
    """The message of a sweep through a door whose files are these but for some."""
    return refused({**DOORS[door], "sweeps/s.yaml": STUDY, **files}, "sweep", "s", *words)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("study", "says"),
    [
        (STUDY.replace("task: t", "task: tt"), "task = 'tt': there is no such task; tasks are images, t"),
        (STUDY.replace("0.2", ".nan"), "lr = nan"),
        (
            STUDY.replace("seeds: 1", "seeds: 1, metrics: [accuracy]"),
            "study s: study.metrics = ['accuracy']: allowed are acc",
        ),
        ("", "must be a mapping"),
        (STUDY.encode() + b"# gr\xf6\xdfer\n", "is no text in UTF-8"),
        (STUDY[:-2], "s.yaml"),
    ],
)
def test_studies(refused, door, study, says):
    assert says in swept(refused, door, {"sweeps/s.yaml": study})


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda text: text + text.replace('"max"', '"min"'), "ablate.toml: cannot be read: Cannot declare"),
        (lambda text: text.encode() + b"# \xe9\n", "ablate.toml: cannot be read"),
        (lambda text: text.replace('"max"', '"max", low = nan'), "tasks.t.metrics.acc.low = nan"),
        (
            lambda text: text.replace('"max"', '"max", low = 1, high = 0'),
            "acc: low = 1: must be below high, which is 0",
        ),
        (lambda text: text + "timeout = nan\n", "tasks.t.timeout = nan"),
        (lambda text: text.replace('"max"', '"more"'), "tasks.t.metrics.acc.goal = 'more': input should be 'max' or"),
    ],
)
def test_declarations(refused, door, change, says):
    assert says in swept(refused, door, {"ablate.toml": change(DOORS[door]["ablate.toml"])})


@pytest.mark.parametrize("door", DOORS)
def test_two_tasks_of_one_name(refused, door):
    files = {"pyproject.toml": "[tool.ablate." + FUNCTION.removeprefix("["), "trainer.py": TRAINER}
    assert "task 't': two parts have this name: pyproject.toml:1 and ablate.toml:1" in swept(refused, door, files)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("async " + TRAINER, "tasks.t.function = 'trainer:train': is an async function"),
        (TRAINER + "    yield\n", "is a generator function"),
        ("class Train:\n    async def __call__(self, a, b, c): ...\ntrain = Train()\n", "is an async function"),
        ("class train:\n    def __init__(self, a, b, c): ...\n", "is a class, no function"),
        ("train = 3\n", "tasks.t.function = 'trainer:train': is of type int, no function"),
        ("x = 3\n", "tasks.t.function: trainer:train: cannot be loaded: trainer has no 'train'"),
        ("def train(config, seed): ...\n", "takes (config, seed); it must be called as train(config, seed, report)"),
        ("import sys\nsys.exit('no licence')\n" + TRAINER, "cannot be loaded: SystemExit: no licence ("),
        (RAISES + TRAINER, "trainer:train: cannot be loaded: Left: not today ("),
        ("def __getattr__(name):\n    raise OSError('gone')\n", "trainer:train: cannot be loaded: OSError: gone ("),
        ("def train(:\n", "trainer:train: cannot be loaded: SyntaxError"),
        ("", "trainer has no 'train'"),
    ],
)
def test_functions_that_are_none(refused, source, says):
    assert says in swept(refused, "function", {"trainer.py": source})


def test_a_module_that_is_not_there(refused):
    declared = FUNCTION.replace("trainer:", "elsewhere:")
    assert "there is no module elsewhere in" in swept(refused, "function", {"ablate.toml": declared})


@pytest.mark.parametrize(
    ("program", "says"),
    [
        (b"\x00\x01 no program", "./program: is neither a binary nor a script that begins with #!"),
        ("echo hello\n", "name what interprets it as the first word of the command"),
        ("", "so that it cannot be executed; it is empty"),
        ("#!\n", "./program: its first line, #!, names no interpreter"),
        ("#!/no/such/python -u\n", "./program: its first line asks for /no/such/python: there is no such program"),
        ("#!/usr/bin/env nosuchpython\n", "asks for nosuchpython: there is no such program on PATH"),
        ("#!/usr/bin/env -S A=1 nosuchpython -u\n", "asks for nosuchpython: there is no such program on PATH"),
    ],
)
def test_programs_that_cannot_be_started(refused, program, says):
    message = swept(refused, "program", {"program": program})
    assert says in message
    assert message.startswith("ablate: error: tasks.t.command: ")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("./program", "./nowhere", "tasks.t.command: ./nowhere: there is no such program"),
        ("./program", "nowhere", "tasks.t.command: nowhere: there is no such program on PATH"),
        ("./program", "{project}/sweeps", "/sweeps: there is no such program"),
        ("{seed}", "{sed}", "tasks.t.command: '{sed}': there is no field 'sed'; fields are seed, folder, project, lr"),
        ("--{name}", "--{nam}", "tasks.t.flags = '--{nam} {value}': there is no {nam}; allowed are name, dashed, leaf"),
        ("--{name}", "--{name", "tasks.t.flags = '--{name {value}'"),
        ("version", 'environment = {X = "{nolr}"}\nversion', "tasks.t.environment.X: '{nolr}': there is no field"),
    ],
)
def test_command_lines(refused, before, after, says):
    assert PROGRAM.count(before) == 1
    assert says in swept(refused, "program", {"ablate.toml": PROGRAM.replace(before, after)})


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"train.py": ""}, "train.py: ended without a call of a function with @hydra.main"),
        ({"train.py": "raise SystemExit(3)\n"}, "train.py: ended by itself (3) before it called"),
        ({"train.py": RAISES}, "train.py: Left: not today"),
        ({"train.py": b"\x00garbage"}, "train.py: "),
        ({"train.py": APPLICATION.replace('"config"', '"other"')}, "'other'"),
        ({"config.yaml": ""}, "tasks.t.seed = 'seed': Could not override 'seed'"),
        ({"config.yaml": b"{lr: 0.5, seed: 0} # \xe9\n"}, "config.yaml: is no text in UTF-8"),
        ({"config.yaml": "{lr: 0.5, rate: '${nowhere}', seed: 0}"}, "'nowhere'"),
        ({"ablate.toml": HYDRA.replace("train.py", "gone.py")}, "tasks.t.script = 'gone.py': there is no such file"),
        ({"ablate.toml": HYDRA.replace('script = "train.py"', 'function = "train:x"')}, "train"),
    ],
)
def test_applications_that_are_none(refused, files, says):
    assert says in swept(refused, "hydra", files)


PARTS = '[networks]\nmine = "parts:Mine"\n'


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"parts.py": RAISES}, "mine (ablate.toml:2): parts:Mine: cannot be loaded: Left: not today ("),
        ({"parts.py": "import sys\nsys.exit()\n"}, "parts:Mine: cannot be loaded: SystemExit: "),
        ({"parts.py": ""}, "parts:Mine: cannot be loaded: parts has no 'Mine'"),
        ({"parts.py": "def Mine(): ...\n"}, "must be a subclass of ablate.images.config.model.Network"),
        ({"pyproject.toml": "[tool.ablate.networks]\nmine = 'others:Mine'\n"}, "'mine': two parts have this name"),
        (
            {"ablate.toml": PARTS + 'lenet = "parts:LeNet"\n', "sweeps/s.yaml": PICTURES.replace("mine", "lenet")},
            "ablate.toml:3: network 'lenet': this name is taken by a built-in one; choose another",
        ),
    ],
)
def test_parts_of_the_built_in_task(refused, files, says):
    assert says in refused({"sweeps/s.yaml": PICTURES, "ablate.toml": PARTS, **files}, "sweep", "s")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (RAISES, "mine (ablate.toml:2): parts:MINE: cannot be loaded: Left: not today ("),
        ("MINE = 3\n", "task 'mine' (ablate.toml:2): parts:MINE: is no task: it has no name, metrics, "),
        ("class MINE: ...\n", "task 'mine' (ablate.toml:2): parts:MINE: is a class; declare an object of it"),
    ],
)
def test_tasks_of_somebodys_own(refused, source, says):
    files = {"ablate.toml": '[tasks]\nmine = "parts:MINE"\n', "parts.py": source, "sweeps/s.yaml": STUDY}
    files["sweeps/s.yaml"] = STUDY.replace("task: t", "task: mine")
    assert says in refused(files, "sweep", "s")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (RAISES, "mine (ablate.toml:2): parts:Mine: cannot be loaded: Left: not today ("),
        ("Mine = 3\n", "executor mine (ablate.toml:2): parts:Mine: must be a class that is made with the settings"),
    ],
)
def test_executors_of_somebodys_own(refused, source, says):
    declared = '[executors]\nmine = "parts:Mine"\n' + FUNCTION
    files = {"ablate.toml": declared, "parts.py": source}
    assert says in swept(refused, "function", files, "executor=mine")


ROWS = "lr,seed,acc\n0.1,0,0.5\n0.2,0,0.6\n"
ASKED = ("--factor", "lr", "--seed", "seed", "--metric", "acc:max[0..1]")


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("", "t.csv: is empty"),
        ("lr,seed,acc\n", "t.csv: has no rows"),
        (
            ROWS.replace("seed", "sed"),
            "t.csv: has no column 'seed'; did you mean 'sed'? Columns are 'lr', 'sed', 'acc'",
        ),
        (ROWS + "0.2,0,0.7\n", "t.csv: line 3 and line 4 repeat lr = 0.2 with seed 0; a run has one row"),
        (ROWS.replace("0.6", "good"), "t.csv: metric 'acc', line 3: 'good' is no number"),
        (ROWS.replace("0.6", "1.6"), "t.csv: metric 'acc', line 3: '1.6' lies outside 0..1"),
        (ROWS.replace("0.2", "inf"), "t.csv: factor 'lr', line 3: 'inf' is no level"),
        (ROWS.replace("0.2,0", "0.2,nan"), "t.csv: seed 'seed': has whole numbers and texts: '0' (line 2) and 'nan'"),
        (ROWS.replace("0.2,0", "0.2,"), "t.csv: seed 'seed': is empty in line 3"),
        (ROWS.encode() + b"0.3,0,0.5 \xb1 0.1\n", "t.csv, line 4: is not UTF-8 (byte 0xb1)"),
        (ROWS.encode("utf-16-le"), "t.csv"),
        (ROWS[:-5], "t.csv, line 3: 2 cells, the header has 3"),
    ],
)
def test_tables(refused, table, says):
    assert says in refused({"t.csv": table}, "judge", "t.csv", *ASKED)


def test_a_table_that_is_not_there(refused):
    assert "t.csv: there is no such file" in refused({}, "judge", "t.csv", *ASKED)


def test_plugins_lists_what_is_broken_and_says_so_by_its_exit_code(folder, write):
    write("ablate.toml", '[tasks]\na = "good:TASK"\n[networks]\nb = "bad:Net"\nc = "good:TASK"\n' + FUNCTION)
    write("pyproject.toml", HYDRA.replace("[tasks.t]", "[tool.ablate.tasks.h]"))
    write("train.py", "raise SystemExit(3)\n")
    write("good.py", "from ablate.images.task import IMAGES as TASK\nprint('loaded')\n")
    write("bad.py", RAISES)
    write("trainer.py", "async " + TRAINER)
    done = CliRunner().invoke(main, ["plugins", "--json"])
    assert done.exit_code == 1
    problems = {entry["name"]: entry["problem"] for entry in json.loads(done.stdout)["plugins"]}
    assert problems["images"] is problems["a"] is None
    assert "bad:Net: cannot be loaded: Left: not today" in problems["b"]
    assert "network 'c' (ablate.toml:5): must be a subclass of" in problems["c"]
    assert "tasks.t.function = 'trainer:train': is an async function" in problems["t"]
    assert "train.py: ended by itself (3)" in problems["h"]
    assert "broken: b (ablate.toml:4)" in CliRunner().invoke(main, ["plugins"], env={"COLUMNS": "500"}).stdout
    write("ablate.toml", '[tasks]\na = "good:TASK"\n')
    write("train.py", APPLICATION)
    write("config.yaml", "{lr: 0.5, seed: 0}")
    assert CliRunner().invoke(main, ["plugins"]).exit_code == 0
    write("ablate.toml", "[task]\n")
    done = CliRunner().invoke(main, ["plugins"])
    assert (done.exit_code, "broken: ablate.toml: task: there is no such key" in done.stdout) == (1, True)
