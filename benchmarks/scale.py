"""How long planning, the check for a resume and the tables take with 100,000 runs in the store.

    python -m benchmarks.scale                              # three epochs of the built-in task
    python -m benchmarks.scale --metrics 20 --steps 100     # a function of one's own that reports much: 2 GB,
                                                            # what results/benchmarks/scale.md holds
    python -m benchmarks.scale --levels 4 4 4               # 64 settings x 10 seeds: a try

Makes a grid study of four factors with 10 levels each and 10 seeds, and a store with a made-up record of every run in a
temporary folder. Then, for a study of the same factors one at a time, whose 370 runs are among those in the store, runs
``ablate plan``, ``ablate sweep`` (which finds nothing to train and prints the table) and ``ablate report``, and does
what they do stage by stage in this process, with everything imported: plan and outlook, reading the store, the frame
of runs, the analysis, ``table.csv``, ``.md`` and ``.tex``; that for the whole grid, too, where the task is the built-in
one, without figures and page: nobody reads a page of 10,000 levels.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ablate.cli  # noqa: F401 (its settings of the interpreter)
from ablate.commands.plan import outlook
from ablate.commands.studies import named, order, records_of
from ablate.commands.study_view import view_of
from ablate.report import analyse_study, summarise
from ablate.report.files import write_csv, write_text
from ablate.report.joined_runs import frame_of_runs
from ablate.report.latex import latex_tables
from ablate.report.tables import markdown as study_markdown
from ablate.report.tables import sheets, wide
from benchmarks.markdown import markdown
from benchmarks.options import positive, target
from benchmarks.scale_study import FACTORS, GRID, PART, make_store, make_studies
from benchmarks.soak_table import machine

APART = """
import json, os, subprocess, sys, time
begun = time.perf_counter()
with open("log", "w") as log:
    process = subprocess.Popen([sys.executable, "-m", "ablate", *sys.argv[1:]], stdout=log, stderr=log)
    _, status, used = os.wait4(process.pid, 0)
process.returncode = os.waitstatus_to_exitcode(status)
passed = time.perf_counter() - begun
print(json.dumps([process.returncode, passed, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""Starts a command: a process counts the memory of the one that starts it as its own, and this one is small."""


def measure(study: str, folder: Path) -> tuple[int, dict[str, float]]:
    """Plan and tabulate a study of the working folder.

    Args:
        study: Its name.
        folder: Where the tables are written.

    Returns:
        Its runs, and seconds of processor time by stage.
    """
    seconds: dict[str, float] = {}

    @contextmanager
    def stage(name: str) -> Iterator[None]:
        start = time.process_time()
        yield
        seconds[name] = time.process_time() - start

    with stage("plan: runs"):
        wanted = order(named([study], []))
    with stage("plan: outlook against the store"):
        found = outlook(wanted)
    if found["in_store"] != len(wanted.plan.runs):
        raise RuntimeError(f"{found['in_store']} of {len(wanted.plan.runs)} runs are in the store")
    with stage("tables: records from the store"):
        records = records_of(wanted.plan, wanted.launch)
    with stage("tables: frame of runs"):
        view, runs = view_of(wanted.plan.studies[0], wanted.plan, command=""), frame_of_runs(wanted.plan, records)
    with stage("tables: analysis"):
        analysis = analyse_study(view, runs)
        levels = summarise(view, runs, analysis)
    with stage("tables: csv, md, tex"):
        printed = sheets(view, levels)
        write_csv(folder / "table.csv", wide(view, levels))
        write_text(folder / "table.md", study_markdown(view, levels, analysis, printed))
        for name, text in latex_tables(view, levels).items():
            write_text(folder / f"{name}.tex", text)
    return len(wanted.plan.runs), seconds


def command(words: Sequence[str], repeats: int) -> dict[str, Any]:
    """Run a command of ours in processes of its own.

    Args:
        words: Behind ``ablate``.
        repeats: How often.

    Returns:
        A row of the table: medians of the seconds of processor time and of those that passed, start of the interpreter
        and imports included, and the largest resident memory.

    Raises:
        RuntimeError: It has failed.
    """
    found = []
    for _ in range(repeats):
        told = subprocess.run([sys.executable, "-c", APART, *words], stdout=subprocess.PIPE, text=True, check=True)
        code, *numbers = json.loads(told.stdout)
        if code:
            raise RuntimeError(f"ablate {' '.join(words)}: {Path('log').read_text()}")
        found.append(numbers)
    seconds, cpu, memory = zip(*found, strict=True)
    return {
        "what": f"`ablate {' '.join(words)}`, start and imports included",
        "processor, s": statistics.median(cpu),
        "passed, s": statistics.median(seconds),
        "memory, MiB": f"{max(memory):,.0f}",
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Make, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--levels", type=positive, nargs="+", default=[10, 10, 10, 10], help="of each factor, at most four"
    )
    parser.add_argument("--seeds", type=positive, default=10)
    parser.add_argument("--metrics", type=int, default=0, help="of a function of one's own; 0: the built-in task")
    parser.add_argument("--steps", type=positive, default=100, help="measured of each metric of such a function")
    parser.add_argument("--repeats", type=positive, default=5, help="of each command")
    parser.add_argument("--folder", type=target, help="where all is made, and kept; with a store: made already")
    parser.add_argument("--out", type=target, help="Markdown file for the table")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(arguments)
    if len(given.levels) > len(FACTORS) or min(given.levels) < 2 or min(given.seeds, given.repeats, given.steps) < 1:
        parser.error("up to four factors of at least two levels, and at least one seed, step and repeat")
    place, rows = machine(), list[dict[str, Any]]()
    out = given.out.absolute() if given.out is not None else None
    written_by = shlex.join(["python", "-m", "benchmarks.scale", *arguments])
    print(place, flush=True)
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        wanted = make_studies(given.levels, given.seeds, given.metrics, given.steps)
        if not Path("results/ablate.db").exists():
            make_store(wanted, given.metrics, given.steps)
        size, count = Path("results/ablate.db").stat().st_size / 1e6, len(wanted.plan.runs)
        del wanted  # No command has all of it in memory, for each collection of garbage to go through.
        print(f"a store of {count:,} records, {size:,.0f} MB", flush=True)
        for words in (("plan", PART), ("sweep", PART), ("report", PART)):
            rows.append(command(words, given.repeats))
            print(rows[-1], flush=True)
        for study, repeats in ((PART, given.repeats), (GRID, 1))[: 1 if given.metrics else 2]:
            # What is imported at the first time is counted with the commands.
            runs, each = measure(study, folder / study)[0], [measure(study, folder / study)[1] for _ in range(repeats)]
            stages = {name: statistics.median(one[name] for one in each) for name in each[0]}
            for name, value in (stages | {"**together**": sum(stages.values())}).items():
                rows.append({"what": f"{runs:,} runs: {name}", "processor, s": value})
                print(rows[-1], flush=True)
        os.chdir("/")
    if out is not None:
        import pandas as pd  # Only behind the settings of the interpreter, which are for NumPy's threads, too.

        head = f"# {count:,} runs in one store\n\nWritten by `{written_by}`: {size:,.0f} MB; {place}."
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(f"{head}\n\n{markdown(pd.DataFrame(rows), 2)}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
