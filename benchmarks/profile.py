"""Where the time of a training step goes: the operations of a cohort by torch's profiler, on one thread.

python -m benchmarks.profile
python -m benchmarks.profile --batches 16 --models 10 --own-orders --steps 100
"""

import argparse
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.clock import Clock
from benchmarks.options import positive

OPERATION, SHAPES = 40, 60
"""Characters printed of an operation's name and of its shapes."""
NAMES = {"_Function": "fused block, forward", "_FunctionBackward": "fused block, backward"}
"""What the profiler calls after its class."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Profile and print a table for each batch size.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batches", type=positive, nargs="+", default=[256, 16, 2], metavar="B", help="images a step")
    parser.add_argument("--models", type=positive, default=9, help="members of the cohort (default: 9)")
    parser.add_argument("--own-orders", action="store_true", help="a seed for each member instead of one for all")
    parser.add_argument(
        "--steps", type=positive, default=None, help="to profile (default: 10 to 500, about 40,000 samples)"
    )
    parser.add_argument("--top", type=positive, default=15, help="operations to print (default: 15)")
    parser.add_argument("--train-size", type=positive, default=None, metavar="N", help="training images (default: all)")
    options = parser.parse_args(arguments)

    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # read when torch is imported
    import torch

    from ablate.images.config import FashionMNIST
    from ablate.images.data import load
    from ablate.images.engine.kernels import keep_freed_memory
    from benchmarks.tables import terminal

    keep_freed_memory()
    torch.set_num_threads(1)
    images = load(FashionMNIST(train_size=options.train_size), torch.device("cpu"))
    for batch in options.batches:
        steps = options.steps or max(10, min(500, 40_000 // (batch * options.models)))
        terminal().print(_table(images, batch, options.models, steps, options.top, shared=not options.own_orders))
    return 0


def _table(images: Any, batch: int, models: int, steps: int, top: int, *, shared: bool) -> Any:
    from rich.table import Table
    from torch.profiler import ProfilerActivity, profile

    from benchmarks.contenders import OURS, OURS_OWN, Contender
    from benchmarks.ours import CohortSteps

    loop = CohortSteps(Contender(OURS if shared else OURS_OWN, batch, models), images)
    plain = _Steps(steps)
    loop.run(plain)
    profiled = profile(activities=[ProfilerActivity.CPU], record_shapes=True)
    watched = _Steps(steps, profiled.start)
    loop.run(watched)
    profiled.stop()

    operations = sorted(
        profiled.key_averages(group_by_input_shape=True), key=lambda o: o.self_cpu_time_total, reverse=True
    )
    total = sum(o.self_cpu_time_total for o in operations)
    kind = "shared order" if shared else "own orders"
    table = Table(
        title=f"batch {batch}, {models} models, {kind}: {1e3 * plain.elapsed / steps:.2f} ms a step, "
        f"{plain.samples / plain.elapsed:,.0f} samples/s ({watched.samples / watched.elapsed:,.0f} under the profiler)",
        title_justify="left",
    )
    for name in ("operation", "shapes", "calls a step", "ms a step", "share"):
        table.add_column(name, justify="left" if name in ("operation", "shapes") else "right", no_wrap=True)
    for o in operations[:top]:
        shapes = " ".join("x".join(map(str, shape)) for shape in o.input_shapes if shape)
        table.add_row(
            NAMES.get(o.key, o.key)[:OPERATION],
            shapes[:SHAPES],
            f"{o.count / steps:.1f}",
            f"{1e-3 * o.self_cpu_time_total / steps:.3f}",
            f"{o.self_cpu_time_total / total:.1%}",
        )
    rest = sum(o.self_cpu_time_total for o in operations[top:])
    table.add_row("everything else", "", "", f"{1e-3 * rest / steps:.3f}", f"{rest / total:.1%}")
    return table


class _Steps(Clock):
    """A clock that counts steps instead of seconds, after a lead-in of five."""

    def __init__(self, steps: int, ready: Callable[[], object] = lambda: None) -> None:
        super().__init__(math.inf, 0.0, 5, ready)
        self.left = steps

    def tick(self, samples: float) -> bool:
        counts = self._start is not None
        super().tick(samples)
        self.left -= counts
        self.done = self.left <= 0
        return not self.done


if __name__ == "__main__":
    sys.exit(main())
