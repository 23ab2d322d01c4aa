"""Parts are found where they are declared; what is broken is told once and disturbs nothing else."""

import subprocess
import sys

import pytest

from ablate.commands.plugins import plugins, print_plugins
from ablate.task.errors import ConfigError
from ablate.task.finding import find_part, find_parts, find_task
from ablate.task.project import read_project

TASK = """
[tool.ablate.tasks.digits]
kind = "function"
function = "train:train"
metrics.acc = {goal = "max"}
"""


def test_a_part_of_the_project(write):
    write("pyproject.toml", '[tool.ablate]\npath = ["src"]\n\n[tool.ablate.networks]\nmine = "nets:MINE"\n')
    write("src/nets.py", "MINE = 'a network'\n")
    found = find_part("networks", "mine")
    assert (found.kind, found.origin, found.place) == ("declared", "pyproject.toml:5", "nets:MINE")
    assert "nets" not in sys.modules
    assert found.load() == "a network"


def test_a_file_of_its_own(write):
    write("ablate.toml", '[networks]\nmine = "nets:MINE"\n')
    assert find_part("networks", "mine").origin == "ablate.toml:2"


def test_a_task_of_a_table(write):
    write("pyproject.toml", TASK)
    write("train.py", "def train(config, seed, report): ...\n")
    task = find_task("digits")
    assert task.name == "digits"
    assert task is find_task("digits")
    assert find_part("tasks", "digits").kind == "function"


def test_a_task_that_does_not_exist(write):
    write("pyproject.toml", TASK)
    with pytest.raises(ConfigError, match="task = 'digit': there is no such task; tasks are images, digits"):
        find_task("digit")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.ablate]\nnetwork = {}\n", r"pyproject.toml: tool.ablate.network: there is no such key; allowed are"),
        ("[tool.ablate]\nnetworks = 3\n", r"tool.ablate.networks = 3: must be a table"),
        ("[tool.ablate]\npath = 'src'\n", r"tool.ablate.path = 'src': must be a list of folders"),
        ("[tool.ablate]\npath = ['nowhere']\n", r"tool.ablate.path: nowhere: there is no such folder"),
        ("[tool]\nablate = 1\n", r"pyproject.toml: tool.ablate: must be a table"),
        ("[tool.ablate\n", r"pyproject.toml: cannot be read"),
    ],
)
def test_a_file_that_is_wrong_breaks_only_what_needs_it(write, text, message):
    write("pyproject.toml", text)
    assert find_part("tasks", "images").origin == "built in"
    with pytest.raises(ConfigError, match=message):
        find_task("digits")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 3", r"pyproject.toml:2: networks.x = 3: must be 'module:object'"),
        ("x = 'no place'", r"networks.x = 'no place': must be 'module:object'"),
        ("x = 'nowhere:X'", r"x \(pyproject.toml:2\): nowhere:X: cannot be loaded: ModuleNotFoundError"),
        ("x = 'nets:Y'", r"nets:Y: cannot be loaded: nets has no 'Y'"),
        ("x = 'raises:X'", r"raises:X: cannot be loaded: ZeroDivisionError: division by zero \(.*raises.py:2\)"),
        ("x = 'exits:X'", r"exits:X: cannot be loaded: SystemExit: 3"),
    ],
)
def test_a_part_that_cannot_be_loaded(write, text, message):
    write("pyproject.toml", f"[tool.ablate.networks]\n{text}\n")
    write("nets.py", "X = 1\n")
    write("raises.py", "\n1 / 0\n")
    write("exits.py", "import sys\nsys.exit(3)\n")
    with pytest.raises(ConfigError, match=message) as caught:
        find_part("networks", "x").load()
    assert len(caught.value.problems) == 1


def test_two_parts_of_one_name(write):
    write("pyproject.toml", "[tool.ablate.networks]\nx = 'a:X'\n")
    write("ablate.toml", "[networks]\nx = 'b:X'\n")
    message = "network 'x': two parts have this name: pyproject.toml:2 and ablate.toml:2; rename one of them"
    with pytest.raises(ConfigError, match=message):
        find_part("networks", "x").load()


def test_a_built_in_name_is_taken(write):
    write("pyproject.toml", "[tool.ablate.tasks]\nimages = 'a:X'\n")
    assert find_part("tasks", "images").problem is None
    (other,) = [found for found in find_parts("tasks") if found.problem]
    assert "this name is taken by a built-in one" in other.problem


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind = 'nothing'", "tasks.x.kind = 'nothing': must be one of function, program, hydra"),
        ("kind = 'function'", "tasks.x.function: is missing"),
        ("kind = 'function'\nfunction = 'no place'", "tasks.x.function = 'no place'"),
        ("kind = 'function'\nfunctions = 'a:b'", "tasks.x.functions: there is no such field; keys are kind, metrics"),
        ("kind = 'function'\nfunction = 'a:b'\nmetrics.acc = {}", "tasks.x.metrics.acc.goal: is missing"),
        ("kind = 'function'\nfunction = 'a:b'\nmetrics.a = {goal = 'up'}", "tasks.x.metrics.a.goal = 'up'"),
        ("kind = 'function'\nfunction = 'a:b'\nfiles = 'x'", "tasks.x.files = 'x'"),
    ],
)
def test_tables_of_tasks_that_are_wrong(write, text, message):
    write("pyproject.toml", f"[tool.ablate.tasks.x]\n{text}\n")
    with pytest.raises(ConfigError) as caught:
        find_task("x")
    assert any(message in problem for problem in caught.value.problems)


def test_entry_points_of_installed_packages(write, folder):
    """A distribution is what has metadata on the path; nothing else of installing matters here."""
    write("lib/theirs.py", "NET = 'theirs'\nprint('loaded')\n")
    write("lib/theirs-1.2.dist-info/METADATA", "Metadata-Version: 2.1\nName: theirs\nVersion: 1.2\n")
    write("lib/theirs-1.2.dist-info/entry_points.txt", "[ablate.networks]\nnet = theirs:NET\n")
    write("pyproject.toml", "")
    code = (
        "from ablate.task.finding import find_part; found = find_part('networks', 'net');"
        "print(found.origin, found.kind, sep='|'); print(found.load())"
    )
    from pathlib import Path

    import ablate

    path = f"{folder / 'lib'}:{Path(ablate.__file__).parents[1]}"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["theirs 1.2 (entry point ablate.networks)|entry point", "loaded", "theirs"]


def test_plugins_lists_what_is_broken_beside_the_rest(write, capsys):
    write("pyproject.toml", TASK + "[tool.ablate.networks]\nx = 'raises:X'\ny = 'nets:Y'\n")
    write("train.py", "def train(config, seed, report): ...\n")
    write("nets.py", "from ablate.images.config.model import LeNet\n\nclass Y(LeNet):\n    name: str = 'y'\n")
    write("raises.py", "1 / 0\n")
    found = {plugin.name: plugin for plugin in plugins()}
    assert found["images"].problem is None
    assert found["digits"].problem is None
    assert found["y"].problem is None
    assert "ZeroDivisionError" in found["x"].problem
    assert print_plugins() is False
    assert "ZeroDivisionError" in " ".join(capsys.readouterr().out.replace("│", " ").split())
    print_plugins(as_json=True)
    assert '"origin": "pyproject.toml:2"' in capsys.readouterr().out


def test_built_in_studies_read_no_project_and_import_nothing_of_it(write):
    write("pyproject.toml", TASK)
    write("train.py", "raise RuntimeError\n")
    assert find_part("tasks", "images").place
    assert read_project().parts["tasks"][0].name == "digits"
    assert "train" not in sys.modules
