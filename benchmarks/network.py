"""A network of somebody's own: cohorts beside its own eager loop, in one run.

    python -m benchmarks.network --out results/benchmarks/network.md

The residual network and the colour pictures of ``examples/network`` (or of a copy: ``--project``), with the settings of
its study. The eager loop is what everybody writes: the same module, torch.optim.SGD, the pictures as floats in memory,
batches by a shuffle of each epoch. Ours is the engine's own epoch, orders and pixels to floats included. All loops are
measured in turn, by the time that the processor spends on them, so that other programs on the machine disturb little.
"""

import argparse
import itertools
import os
import shlex
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from ablate.images.data import Images, load
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.kernels import keep_freed_memory
from ablate.images.run import RunConfig, parse_run
from ablate.report.files import write_text
from benchmarks.machine import described, machine
from benchmarks.markdown import markdown

CPU = torch.device("cpu")
EAGER = "its own eager loop"
LR = 0.1

Steps = Callable[[int], int]
"""Train so many steps; returns training samples times models."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and, where asked, write.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    options = _options(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.network", *given])
    facts, out = machine(), options.out.resolve() if options.out is not None else None
    os.chdir(options.project)  # its pyproject.toml declares the parts
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    images = load(_run(options.batches[0], options.channels[0]).data, CPU)
    found, notes = [], list[dict[str, Any]]()
    for channels, batch in itertools.product(options.channels, options.batches):
        loops, cohorts = _loops(batch, channels, options.members, images)
        rates = _measured(loops, options.repeats, options.seconds)
        found += [_row(batch, channels, name, rates) for name in loops]
        notes += [cohort.notes for cohort in cohorts]
    text = _page(pd.DataFrame(found), facts, command, options, len(images.train_labels), notes)
    print(text)
    if out is not None:
        write_text(out, text)
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", type=Path, default=Path("examples/network"), help="folder (default: %(default)s)")
    parser.add_argument("--channels", type=int, nargs="+", default=[8, 16], help="of the first stage (default: 8 16)")
    parser.add_argument("--batches", type=int, nargs="+", default=[64], help="images a step (default: 64)")
    parser.add_argument("--members", type=int, default=8, help="of a cohort (default: 8)")
    parser.add_argument("--threads", type=int, default=1, help="of the process (default: 1)")
    parser.add_argument("--repeats", type=int, default=7, help="of every measurement (default: 7)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of every measurement, at least (default: 3)")
    parser.add_argument("--out", type=Path, help="Markdown file for the table")
    options = parser.parse_args(arguments)
    counts = (options.members, options.threads, options.repeats, *options.channels, *options.batches)
    if min(counts) < 1 or options.seconds <= 0.0:
        parser.error("counts and seconds must be above 0")
    return options


def _run(batch: int, channels: int, seed: int = 0, lr: float = LR) -> RunConfig:
    """The baseline of the example's study."""
    return parse_run(
        {
            "model": {"name": "small_resnet", "channels": channels},
            "data": {"name": "photo_tiles"},
            "train": {"epochs": 3, "batch_size": batch, "init": "kaiming_uniform"},
            "optimizer": {"name": "sgd", "lr": lr},
        }
    ).with_seed(seed)


def _loops(batch: int, channels: int, members: int, images: Images) -> tuple[dict[str, Steps], list[FusedCohort]]:
    rates = [LR * (1 + k / members) for k in range(members)]
    runs = {
        "ablate, 1 alone": [_run(batch, channels)],
        f"ablate, {members} levels of one seed": [_run(batch, channels, 0, lr) for lr in rates],
        f"ablate, {members} seeds of one level": [_run(batch, channels, seed) for seed in range(members)],
    }
    cohorts = {name: FusedCohort(some, images, CPU) for name, some in runs.items()}
    ours = {name: _cohort_steps(cohort) for name, cohort in cohorts.items()}
    return {EAGER: _eager_steps(_run(batch, channels), images), **ours}, list(cohorts.values())


def _cohort_steps(cohort: FusedCohort) -> Steps:
    """Epochs of the engine, and the beginning of one."""

    def steps(count: int) -> int:
        taken = 0
        for first in range(0, count, cohort.batches.steps):
            some = min(count - first, cohort.batches.steps)
            if not bool(cohort.train_epoch(some).isfinite().all()):
                raise ArithmeticError("a member diverged while it was timed")
            taken += min(some * cohort.batches.batch_size, cohort.batches.samples)
        return taken * len(cohort.members)

    return steps


def _eager_steps(run: RunConfig, images: Images) -> Steps:
    torch.manual_seed(run.seed)
    network = run.model.build(images.train_images.shape[1], run.data.input_size, len(images.classes)).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=run.optimizer.lr)
    pixels, labels, batch = images.train_images / 255.0, images.train_labels, run.train.batch_size
    order = (index for _ in itertools.count() for index in torch.randperm(len(labels)).split(batch))

    def steps(count: int) -> int:
        taken = 0
        for index in itertools.islice(order, count):
            loss = torch.nn.functional.cross_entropy(network(pixels[index]), labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            taken += len(index)
        return taken

    return steps


def _measured(loops: dict[str, Steps], repeats: int, seconds: float) -> dict[str, list[float]]:
    """Samples a second of every repeat, all loops in turn, each for so many steps that they take as long."""
    counts = dict[str, int]()
    for name, steps in loops.items():
        steps(2)
        _, spent = _timed(steps, 3)
        counts[name] = max(1, round(3 * seconds / spent))
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(repeats):
        for name, steps in loops.items():
            samples, spent = _timed(steps, counts[name])
            rates[name].append(samples / spent)
    return rates


def _timed(steps: Steps, count: int) -> tuple[int, float]:
    begun = time.process_time()
    return steps(count), time.process_time() - begun


def _row(batch: int, channels: int, name: str, rates: dict[str, list[float]]) -> dict[str, Any]:
    own = rates[name]
    ratios = [a / b for a, b in zip(own, rates[EAGER], strict=True)]
    return {
        "channels": channels,
        "batch": batch,
        "loop": name,
        "samples/s": f"{statistics.median(own):,.0f}",
        "min - max": f"{min(own):,.0f} - {max(own):,.0f}",
        "x eager": f"{statistics.median(ratios):.2f}",
        "min - max of that": f"{min(ratios):.2f} - {max(ratios):.2f}",
    }


def _page(
    table: pd.DataFrame,
    facts: dict[str, Any],
    command: str,
    options: Any,
    pictures: int,
    notes: Sequence[dict[str, Any]],
) -> str:
    how = dict[str, None]()
    for note in notes:
        stacked = "stacked" if note["stacked"] else f"not stacked ({note['stacked_reason']})"
        fused = "fused blocks" if note["fused"] else "no fused blocks"
        how[f"{stacked}, {fused}" + (f" ({note['fused_reason']})" if note["fused_reason"] else "")] = None
    return "\n".join(
        [
            "# A network of somebody's own",
            "",
            described(facts),
            f"Made by `{command}`: {options.repeats} repeats of {options.seconds:g} s each, all loops in turn, "
            f"{options.threads} thread{'s' if options.threads > 1 else ''}.",
            "",
            "The residual network with batch norm of `examples/network` on its "
            f"{pictures:,} colour tiles of 32x32 pixels, plain SGD, fp32. samples/s: training samples times models a "
            "second of processor time, median over the repeats. x eager: to its own eager loop in the same repeat, "
            "median over the repeats.",
            "",
            markdown(table),
            "",
            f"How the engine trained it: {'; '.join(how)}.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
