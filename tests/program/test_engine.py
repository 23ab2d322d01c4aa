"""The program engine: every way in which a program can end is one result, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ablate.program import process
from ablate.program.engine import ProgramEngine
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.output import HEAD, TAIL
from ablate.task.record import StopRule

DECLARED = """
[tool.ablate.tasks.t]
kind = "program"
command = ["python", "program.py", "{how}", "--seed", "{seed}", "{folder}"]
defaults = {how = "well"}
read = {kind = "jsonl", file = "log"}
metrics.loss = {goal = "min"}
metrics.acc = {goal = "max"}
"""
PROGRAM = """
import json, os, subprocess, sys, time
how, seed, folder = sys.argv[1], int(sys.argv[3]), sys.argv[4]
log = open(os.path.join(folder, "log"), "a")
def write(step, **more):
    log.write(json.dumps({"step": step, "loss": 1 / step, "acc": step / 10, **more}) + "\\n")
    log.flush()
def wait():
    while True: time.sleep(60)
print("seed", seed, "in", os.getcwd(), "OMP", os.environ["OMP_NUM_THREADS"], sys.stdin.read() == "")
if how == "nothing": sys.exit()
if how == "no loss":
    log.write('{"step": 1, "acc": 0.5}\\n')
    sys.exit()
write(1)
if how == "raises": raise RuntimeError("broken \\x1b[31mred\\x1b[0m")
if how == "exits": sys.exit(3)
if how == "segfaults": os.kill(os.getpid(), 11)
if how == "hangs": wait()
if how == "floods":
    line = b"x" * 1023 + b"\\n"
    for _ in range(30_000): os.write(1, line)
if how == "busy":
    while True: os.write(2, b"y" * 65536)
if how == "half":
    log.write('{"step": 2, "lo')
    sys.exit()
if how == "orphans":
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], start_new_session=True)
    print("child", child.pid, flush=True)
if how == "stubborn":
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("pid", os.getpid(), flush=True)
    wait()
if how == "nan":
    write(2, loss=float("nan"))
    wait()
if how == "races":
    write(2)
    print("waits", flush=True)
    wait()
if how == "retries":
    count = os.path.join(os.getcwd(), "count")
    number = int(open(count).read()) if os.path.exists(count) else 0
    open(count, "w").write(str(number + 1))
    if number < 2: sys.exit(75)
write(2)
"""


@pytest.fixture
def declare(write):
    def declare(more="", program=PROGRAM, declared=DECLARED):
        write("pyproject.toml", declared + more)
        write("program.py", program)
        return find_task("t")

    return declare


@pytest.fixture
def train(declare, monkeypatch):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    engine = ProgramEngine("cpu", 2)

    def train(*hows, more="", rule=None, on_step=lambda step, members: None):
        task = declare(more)
        runs = [task.parse({"how": how, "seed": 5}) for how in hows]
        task.provide(runs)
        return engine.train(runs, on_step, {0: rule} if rule else {})

    return train


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_that_goes_well(train, folder):
    heard = []
    (result,) = train("well", on_step=lambda *what: heard.append(what))
    assert result.status == "complete", result.error
    assert [(m.step, m.values) for m in result.curves] == [(1, {"loss": 1, "acc": 0.1}), (2, {"loss": 0.5, "acc": 0.2})]
    assert heard == [(1, (0,)), (2, (0,))]
    assert result.notes["output"] == f"seed 5 in {folder} OMP 2 True"
    assert result.notes["exit"] == 0
    assert "errors" not in result.notes
    assert set(result.notes["code"]["files"]) == {"program.py"}
    assert not Path(result.notes["command"][-1]).exists()  # its folder is gone
    assert result.notes["command"][0] == sys.executable


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raises", "exit code 1\n"),
        ("exits", "exit code 3"),
        ("segfaults", "was ended by SIGSEGV"),
        (
            "nothing",
            "metric 'loss' was never found in log, though the program ended well; its folder holds log",
        ),
        ("half", 'log:2: is no JSON, or is cut off: \'{"step": 2, "lo\''),
    ],
)
def test_faults_are_records_that_say_so_and_the_others_go_on(train, how, reason):
    failed, well = train(how, "well")
    assert failed.status == "failed"
    assert failed.error.startswith(reason)
    assert [m.step for m in failed.curves] == ([] if how == "nothing" else [1])
    assert well.status == "complete"


def test_the_reason_holds_the_end_of_what_it_said_without_escape_sequences(train):
    (result,) = train("raises")
    assert result.error.endswith("RuntimeError: broken red")
    assert "Traceback" in result.notes["errors"]


PRINTED = """
import sys, time
for step in (1, 2):
    print("step", step, "loss", 1 / step, flush=True)
    print("step", step, "acc", sys.argv[1] if step == 2 else 0.5, file=sys.stderr)
if sys.argv[1] == "high": time.sleep(1000)
"""
READ_PRINTED = """
[tool.ablate.tasks.t]
kind = "program"
command = ["python", "program.py", "{how}"]
takes_seed = false
defaults = {how = "0.75"}
read = [
    {kind = "pattern", pattern = 'step (?P<step>[0-9]+) loss (?P<loss>[^ ]+)'},
    {kind = "pattern", pattern = 'step (?P<step>[0-9]+) acc (?P<acc>[^ ]+)'},
]
metrics.loss = {goal = "min"}
metrics.acc = {goal = "max"}
"""


def test_metrics_are_found_on_both_streams_and_what_is_no_number_ends_the_run(declare):
    task = declare(program=PRINTED, declared=READ_PRINTED)
    runs = [task.parse({"how": how}) for how in ("0.75", "high")]
    well, failed = ProgramEngine("cpu", 1).train(runs, lambda step, members: None, {})
    assert [m.values for m in well.curves] == [{"loss": 1.0, "acc": 0.5}, {"loss": 0.5, "acc": 0.75}]
    assert (failed.status, failed.error.splitlines()[0]) == ("failed", "its output: acc = 'high': is no number")


def test_a_time_limit(train):
    (result,) = train("hangs", more="timeout = 0.5\n")
    assert result.status == "failed"
    assert result.error.startswith("took longer than its limit of 0.5 s")
    assert [m.step for m in result.curves] == [1]


def test_a_flood_of_output_is_bounded_and_does_not_stall(train):
    (result,) = train("floods")
    assert result.status == "complete"
    assert len(result.notes["output"]) <= HEAD + TAIL + 200
    assert "bytes are left out" in result.notes["output"]


def test_a_flood_without_end_is_ended_by_the_time_limit(train):
    (result,) = train("busy", more="timeout = 1\n")
    assert result.error.startswith("took longer")
    assert len(result.notes["errors"]) <= HEAD + TAIL + 200


def test_a_child_left_behind_is_ended_and_told(train, monkeypatch):
    (result,) = train("orphans")
    assert result.status == "complete"
    assert result.notes["left_behind"] == [Path(sys.executable).name[:15]]
    pid = int(result.notes["output"].rsplit(" ", 1)[1])
    assert not is_alive(pid)


def test_not_a_number_ends_the_run_as_diverged(train):
    (result,) = train("nan")
    assert result.status == "diverged"
    assert [m.step for m in result.curves] == [1, 2]


def test_a_race_that_is_lost_ends_it_while_it_runs(train):
    (result,) = train("races", rule=StopRule("acc", "max", ((2, 0.5),)))
    assert result.status == "stopped"
    assert [m.step for m in result.curves] == [1, 2]


def test_exit_codes_that_are_no_fault_are_tried_again(train, folder):
    (result,) = train("retries", more="retries = {codes = [75], times = 2}\n")
    assert result.status == "complete"
    assert result.notes["retries"] == 2
    assert [m.step for m in result.curves] == [1, 2]
    (folder / "count").unlink()
    (result,) = train("retries", more="retries = {codes = [75], times = 1}\n")
    assert result.error.startswith("exit code 75 (after 1 retries)")


def test_metrics_that_are_never_written_are_named(train):
    one, none = train("no loss", "nothing")
    assert one.status == none.status == "failed"
    assert one.error == "metric 'loss' was never found in log, though the program ended well; its folder holds log"
    assert (one.notes["lacks"], none.notes["lacks"]) == (["loss"], ["loss", "acc"])


def test_a_folder_is_kept_on_request_and_emptied_before(train, folder):
    (result,) = train("well", more='keep = "kept"\n')
    kept = Path(result.notes["folder"])
    assert kept.parent == folder / "kept" / "t"
    assert len((kept / "log").read_text().splitlines()) == 2
    train("well", more='keep = "kept"\n')
    assert len((kept / "log").read_text().splitlines()) == 2


def test_leaving_off_ends_the_program(train):
    class Stopped(BaseException):
        pass

    def stop(step, members):
        raise Stopped

    start = time.monotonic()
    with pytest.raises(Stopped):
        train("hangs", on_step=stop)
    assert time.monotonic() - start < 30


def test_nothing_survives_a_worker_that_is_killed(declare, folder):
    declare()
    code = """
        from ablate.task.finding import find_task
        from ablate.program.engine import ProgramEngine
        run = find_task('t').parse({'how': 'stubborn'})
        ProgramEngine('cpu', 1).train([run], lambda step, members: print('step', flush=True), {})
    """
    environment = os.environ | {"TMPDIR": str(folder)}
    worker = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert worker.stdout.readline() == "step\n"
    programs = [
        pid
        for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
        if is_alive(pid) and str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    assert len(programs) == 2  # the guard and the program
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    until = time.monotonic() + 30
    while any(map(is_alive, programs)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(is_alive, programs))
    assert not list(folder.glob("ablate-*"))  # nor its folder


def test_a_guard_that_is_killed_takes_the_program_with_it(declare, folder, write):
    write("program.py", "import time\ntime.sleep(1000)\n")
    program = process.Program([sys.executable, "program.py"], folder, {})
    while program.wait(0.05) is None and b"pid" not in program._told:
        pass
    pid = int(program._told.decode().partition(": ")[2].rstrip("}\n"))
    program._guard.kill()
    assert program.wait(20).error == "could not be followed to its end: its guard was killed"
    until = time.monotonic() + 30
    while is_alive(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(pid)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ('["nosuchprogram", "{how}", "{seed}"]', "tasks.t.command: nosuchprogram: there is no such program on PATH"),
        ('["./nosuch", "{how}", "{seed}"]', "tasks.t.command: ./nosuch: there is no such program"),
        ('["./pyproject.toml", "{how}", "{seed}"]', "tasks.t.command: ./pyproject.toml: is not executable"),
        ('["python", "nosuch.py", "{how}", "{seed}"]', "nosuch.py: there is no such file"),
        ('["python", "-m", "nosuch", "{how}", "{seed}"]', "tasks.t.command: -m nosuch: there is no such module"),
    ],
)
def test_a_program_that_is_not_there(declare, command, message):
    declared = DECLARED.replace('["python", "program.py", "{how}", "--seed", "{seed}", "{folder}"]', command)
    task = declare('version = "1"\n', declared=declared)
    with pytest.raises(ConfigError) as caught:
        task.provide([])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            '"{how}"',
            '"{hwo}"',
            "tasks.t.command: '{hwo}': there is no field 'hwo'; fields are seed, folder, project, how",
        ),
        ('"{how}", ', "", "tasks.t.how: reaches the program nowhere; name {how} in command, or set flags"),
        ('"--seed", "{seed}", ', "", "tasks.t.command: {seed} is named nowhere, so that all seeds would be the same"),
        ('file = "log"', 'file = "log", names = {los = "x"}', "tasks.t.read.names.los: is no metric of this task"),
        ('kind = "jsonl", file = "log"', 'kind = "xml"', "tasks.t.read"),
        ("defaults", "default", "tasks.t.default: there is no such field; keys are"),
    ],
)
def test_declarations_that_are_wrong_are_told_when_planning(declare, before, after, message):
    with pytest.raises(ConfigError) as caught:
        declare(declared=DECLARED.replace(before, after))
    assert message in str(caught.value)


def test_the_command_and_the_script_are_part_of_the_identity(declare, write):
    before = declare().parse({})
    write("unrelated.py", "")
    assert declare("\n").parse({}).digest == before.digest
    assert declare("timeout = 3\n").parse({}).digest == before.digest
    assert declare('environment = {X = "1"}\n').parse({}).digest != before.digest
    changed = declare(program=PROGRAM + "\nprint(1)\n").parse({})
    assert changed.digest != before.digest
    write("helper.py", "")
    imports = declare("\n\n", program=PROGRAM + "import helper\n").parse({})
    write("helper.py", "x = 1\n")
    assert declare("\n\n\n", program=PROGRAM + "import helper\n").parse({}).digest != imports.digest


def test_a_program_that_is_no_file_of_the_project_needs_a_version(declare):
    declared = DECLARED.replace('"python", "program.py"', '"sh"').replace('["sh"', '["env"')
    with pytest.raises(ConfigError, match="nothing tells when env changes; list what it is made of"):
        declare(declared=declared).parse({})
    assert declare('version = "1"\n', declared=declared).parse({}).code["version"] == "1"
