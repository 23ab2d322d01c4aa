"""One study on each executor: whether records are the same bit by bit, and tables the same.

    python -m benchmarks.executors pooling --out results/benchmarks/executors.md      # the article's study, 20 runs

Each executor has a store of its own. Slurm is a cluster of one node that is made for it (as root), Ray one of two
nodes. Exits with 1 where something differs. Words after the study are given to ``ablate sweep`` and ``ablate report``;
what has been trained in ``--folder`` is not trained again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ablate.store import open_store
from ablate.task.record import Record
from benchmarks import ray_cluster, slurm_cluster
from benchmarks.machine import described, machine
from benchmarks.markdown import markdown
from benchmarks.options import target

ROOT = Path(__file__).resolve().parents[1]
PLACES = ("local", "slurm", "ray")
COMPANY = ("cohort", "batches")
"""Notes on how many runs were trained together, which each executor decides."""


def what_counts(record: Record) -> str:
    """All of a record but how long it took, where, and in which company."""
    result = record.result
    curves = [(point.step, sorted(point.values.items())) for point in result.curves]
    notes = {name: note for name, note in result.notes.items() if name not in COMPANY and not name.endswith("seconds")}
    return repr((record.config, result.status, curves, result.guesses, notes))


def main() -> int:
    """Train, compare and write; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study")
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("--folder", type=target, help="where to train, and go on (default: a temporary one)")
    parser.add_argument("--out", type=target, required=True, help="the table, in Markdown")
    given = parser.parse_intermixed_args()
    rows = []
    with tempfile.TemporaryDirectory(prefix="ablate-executors-") as made:
        folder = given.folder or made
        first: tuple[dict[str, str], Any] = ({}, None)
        for place in PLACES:
            with _cluster(place, Path(made)) as (words, environment):
                records, answer = _trained(given.study, [*given.overrides, *words], Path(folder) / place, environment)
            first = first if first[0] else (records, answer)
            same = sum(first[0].get(digest) == counts for digest, counts in records.items())
            rows.append(
                {
                    "executor": place,
                    "records": len(records),
                    "the same as local's, bit by bit": same,
                    "lacking": len(first[0].keys() - records.keys()),
                    "the same table": "yes" if answer == first[1] else "no",
                }
            )
            print(rows[-1], flush=True)
    command = " ".join(["python -m benchmarks.executors", *sys.argv[1:]])
    text = f"""# Executors

Made by `{command}`, on {described(machine())}

The same study, each time with a store of its own. Records are compared by configuration, status, every point of every
curve, guesses and notes; what is left out are times, places and how many runs were trained together. Tables are
compared as data (`ablate report --json`).

{markdown(pd.DataFrame(rows))}
"""
    given.out.write_text(text, encoding="utf-8")
    same = {"the same as local's, bit by bit": len(first[0]), "lacking": 0, "the same table": "yes"}
    return int(any(row | same != row for row in rows))


@contextmanager
def _cluster(place: str, folder: Path) -> Iterator[tuple[list[str], dict[str, str]]]:
    """Words that name an executor, and the environment in which it is found."""
    if place == "slurm":
        with slurm_cluster.cluster(folder / "cluster") as environment:
            yield ["executor=slurm"], environment
    elif place == "ray":
        with ray_cluster.cluster(ROOT) as nodes:
            yield ["executor=ray", f"executor.address={nodes.address}"], ray_cluster.OPEN
    else:
        yield [], {}


def _trained(study: str, words: Sequence[str], folder: Path, environment: dict[str, str]) -> tuple[dict[str, str], Any]:
    """Records by digest, and the answer as data."""
    folder.mkdir(parents=True, exist_ok=True)
    for command in ("sweep", "report"):
        done = subprocess.run(
            [sys.executable, "-m", "ablate", command, "--json", study, *words, "workers=2", "device=cpu"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    with open_store(str(folder / "results" / "ablate.db"), read_only=True) as store:
        return {record.digest: what_counts(record) for record in store.all()}, json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
