"""A scheduler test bed without training: the real sweep, planner, leases and store under a simulated clock.

    python -m benchmarks.simulate                   # all of results/benchmarks/simulation.md: minutes of processor
    python -m benchmarks.simulate --parts sweeps    # 2,000 runs on 20 hosts alone, with other settings each
    python -m benchmarks.simulate --costs           # statements and milliseconds of each operation on PostgreSQL

100,000 runs on 100 hosts with 10 workers each, and one store: each host has a sweep of its own
(:class:`ablate.execute.sweep.Sweep`), as ``ablate sweep`` on each of many machines would be. Runs take two minutes in
the median, one in a hundred five times as long; hosts are preempted and come back as other machines, stand still for
longer than their lease, are half as fast; workers die; clocks are off and drift, and the database's steps by up to two
minutes. Time is simulated, and so are workers and hosts; what a sweep does is not (see
:mod:`benchmarks.simulated_cell` for what it is told instead), nor what the store answers: tables in memory under the
real rules, which ``tests/benchmarks/test_simulate.py`` holds against the real store, statement for statement.
``--real-store`` has SQLite execute them all.

What was simulated is kept in ``simulation.csv`` and not simulated again.
"""

import argparse
import os
import shlex
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.report.files import write_bytes, write_text
from ablate.task.record import Measurement, Record, Result
from ablate.task.run import Run
from benchmarks.kept_rows import kept_rows
from benchmarks.markdown import markdown
from benchmarks.options import positive, target
from benchmarks.scale_study import make_studies
from benchmarks.simulated_cell import simulate
from benchmarks.simulated_costs import server_costs
from benchmarks.simulated_hosts import Faults
from benchmarks.soak_table import machine

STATEMENT_MS = 0.5
"""That a statement takes on the server; see ``--costs``."""
BASE = {"lease": 120.0, "renewal": 20.0, "first poll": 2.0, "last poll": 30.0, "look ahead": 100}
"""What a sweep does by default."""
BEFORE = BASE | {"last poll": 2.0, "look ahead": 0}
"""Each assignment asked for, and a look every two seconds: what a sweep did before this was measured."""
LEVELS = {100_000: (10, 10, 10, 10), 2_000: (2, 10, 10), 1_000: (10, 10)}
"""Of the studies' factors, by their runs; 10 seeds each."""
SHOWN = (
    "what",
    "makespan / bound",
    "statements a run",
    "statements/s, mean",
    "statements/s, peak",
    "writer busy, %",
    "longest wait for the writer, s",
    "idle, %",
    "cut off, %",
    "trained twice, %",
    "trained twice",
    "records lost",
    "records doubled",
)
"""Columns of the table."""


def cell(what: str, runs: int, hosts: int, workers: int, changes: Mapping[str, Any], seed: int = 0) -> dict[str, Any]:
    """One simulation."""
    place = {"what": what, "runs": runs, "hosts": hosts, "workers of each": workers, "seed": seed}
    return {**place, **BASE, **changes}


def cells() -> dict[str, list[dict[str, Any]]]:
    """All simulations by part."""
    changes: list[tuple[str, dict[str, Any]]] = [
        ("as it is", {}),
        ("as it was", BEFORE),
        ("each asked for", {"look ahead": 0}),
        *((f"look ahead {n}", {"look ahead": n}) for n in (10, 1000)),
        *((f"lease {n} s", {"lease": float(n), "renewal": n / 6}) for n in (30, 60, 300)),
        *((f"polls every {n:g} s", {"first poll": n, "last poll": n}) for n in (0.5, 2.0, 10.0, 60.0)),
    ]
    return {
        "full": [cell("100,000 runs, 1,000 workers, 100 hosts", 100_000, 100, 10, {})],
        "sweeps": [cell(name, 2_000, 20, 5, change) for name, change in changes],
    }


def measure(**fields: Any) -> dict[str, Any]:
    """The row of a cell, in a process of its own."""
    from ablate.execute.leasing import LOOK_AHEAD, POLL_SECONDS
    from ablate.store.leases import LEASE, RENEWAL

    defaults = {"lease": LEASE, "renewal": RENEWAL, "first poll": POLL_SECONDS[0], "last poll": POLL_SECONDS[1]}
    if defaults | {"look ahead": LOOK_AHEAD} != BASE:
        raise RuntimeError(f"BASE is not what a sweep does: {defaults}, {LOOK_AHEAD}")
    found = simulate(
        _runs(fields["runs"]),
        hosts=fields["hosts"],
        workers=fields["workers of each"],
        lease=fields["lease"],
        renewal=fields["renewal"],
        poll=(fields["first poll"], fields["last poll"]),
        look_ahead=fields["look ahead"],
        statement_ms=STATEMENT_MS,
        real_store=os.environ.get("SIMULATE_REAL_STORE") == "1",
        seed=fields["seed"],
    )
    return found | {"statements a run": found["statements"] / fields["runs"]}


def _runs(count: int) -> Sequence[Run]:
    with tempfile.TemporaryDirectory() as folder:
        before = os.getcwd()
        os.chdir(folder)
        try:
            return make_studies(LEVELS[count], 10, 3, 10).plan.runs
        finally:
            os.chdir(before)


def write(folder: Path, frame: pd.DataFrame, written_by: str) -> None:
    """``simulation.md`` and ``simulation.png``."""
    faults = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in asdict(Faults()).items())
    full, sweeps = frame[frame["runs"] == 100_000], frame[frame["runs"] == 2_000]
    lines = [
        "# Scheduling, simulated",
        "",
        f"Written by `{written_by}` ({machine()}); its first lines say what is simulated and what is real. A statement",
        f"takes {STATEMENT_MS:g} ms. Faults (rates are per hour and host, or worker): {faults}.",
        "",
        "The bound has every worker busy from the first second to the last but where its host was away, and knows how",
        "long each run will take. Percentages are of all worker time up to the last record; *cut off* is in trainings",
        "that ended with their worker or host, *trained twice* in those whose record another had stored before.",
        "",
    ]
    if len(full):
        turned = full[[name for name in full.columns if name not in ("seed",)]].T.reset_index()
        turned.columns = ["quantity", "value"]
        turned["value"] = [
            f"{v:,.3g}" if isinstance(v, float) else f"{v:,}" if isinstance(v, int) else v for v in turned["value"]
        ]
        lines += ["## 100,000 runs on 1,000 workers", "", markdown(turned), ""]
    if len(sweeps):
        lines += ["## 2,000 runs on 20 hosts with 5 workers each", "", markdown(sweeps[list(SHOWN)], 2), ""]
        lines += ["![Statements a second and lost time](simulation.png)", ""]
        write_bytes(folder / "simulation.png", draw(sweeps))
    write_text(folder / "simulation.md", "\n".join(lines))


def draw(sweeps: pd.DataFrame) -> bytes:
    """What each of the three settings costs the database, and the workers."""
    from matplotlib import pyplot

    from ablate.report.figure_style import BLUE, INK, VERMILION, WIDTH, png, settle, styled

    base = sweeps[sweeps["what"] == "as it is"]
    panels = (
        (
            "look ahead",
            "looked at together (0: none)",
            sweeps["what"].str.contains("look ahead|each"),
        ),
        ("lease", "lease, s", sweeps["what"].str.contains("lease")),
        ("last poll", "between polls, s", sweeps["what"].str.contains("polls")),
    )
    with styled():
        figure, axes = pyplot.subplots(2, 3, figsize=(1.7 * WIDTH, 1.1 * WIDTH), layout="constrained", sharey="row")
        for column, (name, label, chosen) in enumerate(panels):
            rows = sweeps[chosen] if name == "last poll" else pd.concat([sweeps[chosen], base])
            rows = rows.sort_values(name)
            x = rows[name].replace(0, 1) if name == "look ahead" else rows[name]
            top, low = axes[0][column], axes[1][column]
            top.plot(x, rows["statements a run"], color=BLUE, marker="o")
            for quantity, color, marker in (("idle, %", INK, "s"), ("cut off, %", VERMILION, "^")):
                low.plot(x, rows[quantity], color=color, marker=marker, label=quantity.removesuffix(", %"))
            if name == "last poll":
                for axis, quantity in ((top, "statements a run"), (low, "idle, %")):
                    axis.axhline(float(base[quantity].iloc[0]), color=INK, linewidth=0.7, linestyle=":")
            top.set_yscale("log")
            top.set_yticks((50, 100, 200, 400), ("50", "100", "200", "400"))
            for axis in (top, low):
                axis.set_xscale("log")
                axis.set_xticks(list(x), [f"{value:g}" for value in rows[name]])
                axis.minorticks_off()
            low.set_ylim(0, 30)
            low.set_xlabel(label)
        axes[0][0].set_ylabel("statements a run")
        axes[1][0].set_ylabel("% of the workers' time")
        axes[1][2].legend(loc="center right")
        axes[0][2].set_title("dotted: 2 to 30 s")
        settle(figure)
        pixels = png(figure)
        pyplot.close(figure)
    return pixels


def costs(folder: Path) -> None:
    """Measure what the operations cost on a server, and keep it."""

    result = Result("complete", (Measurement(1, {"m00": 0.5}, 1.0),))
    found = server_costs(_runs(1_000)[:300], lambda run: Record(run.digest, run.identity, result, {"commit": ""}))
    rows = [{"operation": name, "statements": count, "ms of each": ms} for name, (count, ms) in found.items()]
    head = (
        f"# Operations of the store on PostgreSQL\n\nWritten by `python -m benchmarks.simulate --costs`: {machine()}."
    )
    write_text(folder / "simulation_costs.md", f"{head}\n\n{markdown(pd.DataFrame(rows), 2)}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """Simulate what is lacking, and write the table and the figure."""
    known = cells()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="+", choices=list(known), default=list(known))
    parser.add_argument("--processes", type=positive, default=1)
    parser.add_argument("--costs", action="store_true", help="measure operations on a server, and nothing else")
    parser.add_argument("--real-store", action="store_true", help="execute every statement (hours)")
    parser.add_argument("--out", type=target, default=Path("results/benchmarks"), help="folder (default: %(default)s)")
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    given = parser.parse_args(arguments)
    given.out.mkdir(parents=True, exist_ok=True)
    if given.costs:
        costs(given.out)
        return
    os.environ["SIMULATE_REAL_STORE"] = "1" if given.real_store else "0"
    wanted = [one for part in given.parts for one in known[part]]
    path = given.out / "simulation.csv"
    kept_rows(path, wanted, measure, given.processes)
    write(given.out, pd.read_csv(path), shlex.join(["python", "-m", "benchmarks.simulate", *arguments]))


if __name__ == "__main__":
    main()
