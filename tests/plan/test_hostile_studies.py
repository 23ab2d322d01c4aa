"""A corpus of hostile study files under every command that meets them: no code, nothing written outside the results,
nothing read out of the environment, and nothing that takes long."""

import os
import resource
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import matplotlib.font_manager  # noqa: F401 (it lists the system's fonts, once a process)
import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from ablate.cli import main
from ablate.commands.studies import order
from ablate.plan.sources import is_study_name
from ablate.plan.study_file import STUDY_KEYS
from ablate.store import open_store
from ablate.task.record import Measurement, Record, Result
from tests.plan.hostile_studies import CASES, GOOD, HARMLESS, KINDS, SECRET, Case

ROOT = Path(__file__).parents[2]
SECONDS = 5.0
"""Of processor time that a command may take."""
MEMORY = 3 * 2**30
"""Bytes that a command may take in addition."""

PROJECT = {
    "ablate.toml": """
[tasks.toy]
kind = "function"
function = "toy:train"
defaults = {lr = 0.1, width = [1, 2], name = "x", sub = {a = 1}}
metrics.acc = {goal = "max", low = 0, high = 1}
""",
    "toy.py": "def train(config, seed, report):\n    return {'acc': 0.5}\n",
    "canary.py": "from pathlib import Path\n\n(Path(__file__).parent / 'CANARY').touch()\nrun = SGD = print\n",
    "evil/sitecustomize.py": "from pathlib import Path\n\n(Path(__file__).parent / 'CANARY').touch()\n",
    "sweeps/t.csv": "label,acc\n0.1,0.5\n${oc.env:SECRET},0.4\n",
    "home/.keep": "",
}

OTHERWISE = {"search": "needs exactly one study with a search", "sweep": "is a search; run it with: ablate search"}
"""By command, what is said of a file that may be bad elsewhere."""

DOES = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "socket.", "webbrowser.")
"""Beginnings of the events by which Python says that something is started, or spoken to."""
SEEN: list[str] = []
"""What happened of these; and files opened for writing."""
WATCHED: list[Path] = []
"""The results of the project that is watched now, and the user's cache."""


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    if not WATCHED:
        return
    if event.startswith(DOES) and event != "socket.gethostname" and not _is_git(event, arguments):
        SEEN.append(f"{event} {arguments}")
    elif event == "open" and isinstance(arguments[0], str | bytes) and isinstance(arguments[2], int):
        path = Path(os.fsdecode(arguments[0])).absolute()
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and not any(map(path.is_relative_to, WATCHED)):
            if path != Path(os.devnull):
                SEEN.append(f"open {path}")
    elif event == "import" and arguments[0] in ("canary", "sitecustomize"):
        SEEN.append(f"import {arguments[0]}")


def _is_git(event: str, arguments: tuple[object, ...]) -> bool:
    """Records say of which commit program and project are; of the latter by what runs nothing that its git names."""
    if event != "subprocess.Popen" or arguments[0] != "git":
        return False
    return arguments[1][2] == str(ROOT / "ablate") or arguments[1][5] in ("rev-parse", "ls-files")


sys.addaudithook(_watch)


class Hang(BaseException):
    """A command takes too long."""


def _stop(*_: object) -> None:
    raise Hang


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The user's cache, with what earlier tests left there."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def project(tmp_path, cache, monkeypatch):
    """A folder with a project in it, whose studies are the only ones."""
    folder = tmp_path / "project"
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.chdir(folder)
    monkeypatch.setattr("ablate.plan.sources.packaged", lambda: tmp_path / "nothing")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    own = {"HOME": str(folder / "home"), "XDG_CACHE_HOME": str(cache)}
    for name, value in {"SECRET": SECRET, "COLUMNS": "200", **own}.items():
        monkeypatch.setenv(name, value)
    return folder


def put(folder: Path, case: Case) -> None:
    path = folder / "sweeps" / f"{case.name}.yaml"
    if callable(case.content):
        case.content(path)
    else:
        path.write_bytes(case.content if isinstance(case.content, bytes) else case.content.encode())


def listing(folder: Path) -> dict[str, object]:
    """Everything below a folder but what lies in its results."""
    found: dict[str, object] = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name.partition("/")[0] != "results":
            found[name] = path.read_bytes() if path.is_file() and not path.is_symlink() else path.lstat().st_mode
    return found


@contextmanager
def harmless(folder: Path):
    """What is done inside takes little time and memory, starts nothing, writes nothing outside of the results."""
    before, environment, path = listing(folder), dict(os.environ), list(sys.path)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    handler = signal.signal(signal.SIGPROF, _stop)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    SEEN.clear()
    WATCHED.extend([folder / "results", Path(os.environ["XDG_CACHE_HOME"])])
    places = list(WATCHED)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        WATCHED.clear()
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, handler)
        sys.path[:] = path
    assert not SEEN
    assert dict(os.environ) == environment
    assert listing(folder) == before
    for file in (file for place in places for file in place.rglob("*")):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """A command's exit code and all that it says."""
    with harmless(folder):
        done = CliRunner().invoke(main, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
    said = done.stdout + done.stderr
    assert SECRET not in said
    assert "Traceback" not in said
    assert not {"\x1b", "\x07", "\x00", "\u202e"} & set(said)
    return done.exit_code, said


def complete(folder: Path, monkeypatch, *words: str) -> list[str]:
    monkeypatch.setenv("COMP_WORDS", " ".join(["ablate", *words]))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    with harmless(folder):
        said = BashComplete(main, {}, "ablate", "_ABLATE_COMPLETE").complete()
    return [line.partition(",")[2] for line in said.split("\n")]


def test_the_corpus_is_large():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


@pytest.mark.parametrize("case", [case for case in CASES if case.says], ids=lambda case: repr(case.name))
def test_what_is_no_study_file_is_refused(case, project):
    put(project, case)
    for command in (["plan"], ["plan", "--json"], ["report"], ["search"], ["sweep", "--max-hours=1e-9"]):
        code, said = run(project, *command, "--", case.name)
        assert code == 2, said
        assert said.startswith("ablate: error: "), said
        assert case.says in said or OTHERWISE.get(command[0], "nothing") in said
    for flags in (["-m"], [], ["--cfg", "job"], ["--help"]):
        code, said = run(project, "run", *flags, f"sweeps={case.name}")
        assert code == 2 or flags in (["--cfg", "job"], ["--help"]), said
    code, said = run(project, "studies", "--json")
    assert code == 0
    assert not (project / "results").exists()


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_only_odd_is_planned(name, project):
    (case,) = [case for case in CASES if case.name == f"harmless-{name}"]
    put(project, case)
    for command, expected in ((["plan"], 0), (["report"], 2), (["search"], 2), (["sweep", "--max-hours=1e-9"], 4)):
        code, said = run(project, *command, case.name)
        assert code == expected, said
    assert run(project, "run", "--cfg", "job", f"sweeps={case.name}")[0] == 0
    assert run(project, "studies")[0] == 0


@pytest.mark.parametrize("key", STUDY_KEYS)
def test_a_value_of_the_wrong_kind_is_refused_and_no_surprise(key, project):
    at = {
        "factors": ("", ".lr", ".sub"),
        "seeds": ("", ".looks"),
        "claims": ("", ".factor", ".levels", ".margin"),
        "search": ("", ".space", ".seeds", ".budget", ".start", ".compare", ".confirm", ".racing"),
    }
    whole = {
        "claims": {"id": "a", "text": "b", "kind": "better", "factor": "lr", "metric": "acc", "levels": "[0.1, 0.2]"},
        "search": {"space": "{lr: [0.1, 0.2]}", "budget": "{runs: 5}"},
    }
    for field in at.get(key, ("",)):
        for value in KINDS:
            if field:
                inner = whole.get(key, {}) | {field[1:]: value}
                text = "{" + ", ".join(f"{name}: {given}" for name, given in inner.items()) + "}"
                text = f"[{text}]" if key == "claims" else text
            else:
                text = value
            fields = {"task": "toy", "seeds": "2", "factors": "{lr: [0.1, 0.2]}"} | {key: text}
            (project / "sweeps" / "x.yaml").write_text(
                "study: {" + ", ".join(f"{name}: {given}" for name, given in fields.items()) + "}\n"
            )
            code, said = run(project, "plan", "x")
            assert code in (0, 2), (fields, said)


def test_a_report_of_odd_names_holds_nothing_of_the_environment(project):
    table = "published: {table: t.csv, factor: lr, source: '{oc.env:SECRET}', repeats: 1}"
    text = HARMLESS["markup"].replace("factors: {", f"{table}, factors: {{")
    (project / "sweeps" / "odd.yaml").write_text(text)
    wanted = order(["sweeps=odd"])
    (project / "results").mkdir()
    with open_store(str(project / "results" / "ablate.db")) as store:
        for run_ in wanted.plan.runs:
            curves = (Measurement(1, {"acc": 0.5}),)
            store.add(Record(run_.digest, run_.identity, Result("complete", curves=curves)))
    code, said = run(project, "report", "odd")
    assert code == 0, said
    page = (project / "results" / "odd" / "report.html").read_text()
    assert "{oc.env:SECRET}" in page
    left = {path.name for path in (project / "results").iterdir() if not path.name.startswith("ablate.db")}
    assert left == {"odd", ".odd.report.json", "index.html"}


def test_bad_files_beside_a_good_one_disturb_no_command_that_does_not_name_them(project, monkeypatch):
    for case in CASES:
        put(project, case)
    (project / "sweeps" / "good.yaml").write_text(GOOD)
    assert run(project, "plan", "good")[0] == 0
    assert run(project, "run", "--cfg", "job", "sweeps=good")[0] == 0
    for words in (("plan", ""), ("report", "harm"), ("run", "sweeps=g"), ("runs", "--study", ""), ("search", "x;")):
        found = complete(project, monkeypatch, *words)
        assert all(is_study_name(name) or "=" in name for name in found if name)
    assert "good" in complete(project, monkeypatch, "plan", "goo")


COMMANDS = """
import sys
from ablate.cli import main
for name in sys.argv[1:]:
    for command in ("plan", "sweep"):
        try:
            main([command, name])
        except SystemExit as ended:
            assert ended.code == 2
"""


def test_a_process_of_its_own_runs_nothing_either(project):
    """As a shell starts it, where nothing of the tests can hide what it does."""
    cases = [case for case in CASES if case.name in ("hydra-env-path", "hydra-env-browser", "tag-0", "code-field")]
    for case in cases:
        put(project, case)
    before = listing(project)
    environment = {"PATH": os.environ["PATH"], "HOME": str(project / "home"), "SECRET": SECRET, "PYTHONPATH": str(ROOT)}
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, *(case.name for case in cases)],
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert done.stderr.count("ablate: error: ") >= 2 * len(cases)
    assert listing(project) == before
