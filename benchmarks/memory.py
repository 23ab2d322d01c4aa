"""What ``ablate plan`` says of a cohort's memory beside what a worker took: each cohort in a worker process of its own.

    python -m benchmarks.memory --out results/benchmarks/memory.md

One epoch on part of Fashion-MNIST, with its evaluation. Predicted is what ``ablate plan`` says of the same cohort;
taken, on the CPU, the most memory that the worker ever had resident (``VmHWM``); on CUDA the most that PyTorch had
allocated there (``torch.cuda.max_memory_allocated``).
"""

import argparse
import multiprocessing
import re
import shlex
import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Any

from ablate.execute.devices import worker_settings
from ablate.images.config import SGD, AdamW, AlexNet, FashionMNIST, LeNet, Network, OptimizerConfig, Train
from ablate.images.config.nin import Nin
from ablate.images.config.resnet import ResNet
from ablate.images.config.vgg import Vgg
from ablate.images.memory import memory_of
from ablate.images.run import RunConfig
from ablate.task.errors import ConfigError
from ablate.task.finding import load_object
from ablate.task.memory import peak_resident
from benchmarks.networks import NETWORKS
from benchmarks.options import positive, target

TOLERANCE = 0.10
"""How far a prediction may be off."""


PLAIN, MOMENTUM = SGD(), SGD(momentum=0.9)


@dataclass(frozen=True)
class Case:
    """A cohort that is measured."""

    title: str
    model: Network
    members: int
    batch: int
    optimizer: OptimizerConfig = PLAIN
    shared: bool = True
    """Whether its members see the same batches."""
    images: int = 384
    """That each member trains on."""

    @property
    def runs(self) -> tuple[RunConfig, ...]:
        """Its members."""
        return tuple(
            RunConfig(
                model=self.model,
                data=FashionMNIST(train_size=self.images, test_size=300),
                optimizer=self.optimizer.model_copy(update={"lr": 0.01 + 0.001 * k}),
                train=Train(epochs=1, batch_size=self.batch),
                seed=0 if self.shared else k,
            )
            for k in range(self.members)
        )


CASES = [
    *(Case("LeNet", LeNet(), k, b, images=3_000) for b in (16, 256) for k in (1, 20)),
    *(Case("LeNet", LeNet(), 10, b, images=60_000) for b in (16, 256)),
    Case("LeNet", LeNet(), 20, 256, shared=False, images=3_000),
    Case("LeNet, dropout, AdamW", LeNet(dropout=0.2), 20, 256, AdamW(), images=3_000),
    Case("AlexNet, small", AlexNet(form="small"), 1, 128),
    Case("AlexNet, small", AlexNet(form="small"), 4, 128),
    Case("AlexNet, small, momentum", AlexNet(form="small"), 4, 256, MOMENTUM),
    Case("VGG-11, small", Vgg(), 2, 64),
    Case("NiN", Nin(), 2, 64),
    Case("ResNet-18, small", ResNet(), 1, 64, MOMENTUM, images=256),
    Case("residual, 16 channels", NETWORKS["residual, 16 channels"], 8, 64),
    Case("residual, 16 channels", NETWORKS["residual, 16 channels"], 20, 256, MOMENTUM, images=1_024),
    Case("two blocks", NETWORKS["two blocks"], 8, 256, images=2_048),
    Case("MLP", NETWORKS["mlp"], 20, 64, AdamW(), images=3_000),
]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; exit code 1 where a prediction is off by more than a tenth, or is missing.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    import pandas as pd  # not at the top: the measured processes, which import this module, shall be as workers are

    from benchmarks.machine import described, machine
    from benchmarks.markdown import markdown

    parser = _parser()
    options = parser.parse_args(arguments)
    cases = [case for case in CASES if options.only in case.title]
    if not cases:
        titles = ", ".join(dict.fromkeys(case.title for case in CASES))
        parser.error(f"--only {options.only}: no case has this in its name; there are {titles}")
    if not re.fullmatch(r"cpu|cuda:\d+", options.device):
        parser.error(f"--device {options.device}: must be cpu or cuda:N")
    try:
        worker_settings(options.device, 1, 1)
    except ConfigError as error:
        parser.error("; ".join(error.problems))
    facts, rows = machine(), list[dict[str, Any]]()
    predictions = memory_of([case.runs for case in cases], options.device)
    for case, predicted in zip(cases, predictions, strict=True):
        measured = sorted(taken_by(case.runs, options.device) for _ in range(options.repeats))
        taken = statistics.median(measured)
        rows.append(
            {
                "network": case.title,
                "members": case.members,
                "batch": case.batch,
                "batches": "shared" if case.shared and case.members > 1 else "own",
                "optimizer": case.optimizer.name,
                "predicted, MiB": float("nan") if predicted is None else predicted / 2**20,
                "taken, MiB": taken / 2**20,
                "from": measured[0] / 2**20,
                "to": measured[-1] / 2**20,
                "off, %": float("nan") if predicted is None else 100 * (predicted / taken - 1),
            }
        )
        print(*rows[-1].values(), file=sys.stderr)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.memory", *given])
    worst = max(abs(row["off, %"]) for row in rows)
    what = "memory allocated on the device" if options.device.startswith("cuda") else "resident memory of a worker"
    text = f"""# Memory of cohorts

{described(facts)}

Made by `{command}`: the most {what} in one epoch with its evaluation, each time in a process of its own: the median of
{options.repeats} times, the least and the most, beside what `ablate plan` says of it. Farthest off the median:
{worst:.1f} %.

{markdown(pd.DataFrame(rows), 1)}
"""
    if options.out is None:
        print(text)
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0 if worst <= 100 * TOLERANCE else 1


def taken_by(runs: tuple[RunConfig, ...], device: str) -> int:
    """Train a cohort in a fresh process; the most bytes that it took.

    Args:
        runs: The members.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        RuntimeError: It could not be trained.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_train, runs, device).result()


def _train(runs: tuple[RunConfig, ...], device: str) -> int:
    """What a worker does with a cohort."""
    import torch

    engine = load_object(runs[0].engine)(device, 1)
    engine.load(runs)
    failed = [result for result in engine.train(runs, lambda *_: None, {}) if result.status == "failed"]
    if failed:
        raise RuntimeError(failed[0].error)
    return peak_resident() if device == "cpu" else torch.cuda.max_memory_allocated()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.memory",
        description="Compare the memory that is predicted for cohorts with what they take",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda:N")
    parser.add_argument("--repeats", type=positive, default=3, metavar="N", help="times each is trained (default: 3)")
    parser.add_argument("--only", default="", help="cases whose network has this in its name")
    parser.add_argument("--out", type=target, help="Markdown file; default: standard output")
    return parser


if __name__ == "__main__":
    sys.exit(main())
