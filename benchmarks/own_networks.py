"""Networks of everybody's own: cohorts beside their own eager loops, all processes busy, in one run.

    python -m benchmarks.own_networks           # as make bench writes to results/benchmarks

The networks train on Fashion-MNIST with plain SGD, fp32. The eager loop is what everybody writes: the same module,
``torch.optim.SGD``, the pictures as floats in memory. Ours is the engine's own epoch, orders and pixels to floats
included, in cohorts of levels (one seed, and so one order of the data) and of seeds (each with its own).
"""

import argparse
import shlex
import sys
from collections.abc import Sequence

import pandas as pd

from benchmarks.contenders import EAGER, OURS, OURS_OWN, PEAK, Contender
from benchmarks.machine import described, flop_per_sample, machine
from benchmarks.markdown import markdown
from benchmarks.options import amount, positive, target
from benchmarks.rows import Row, rows
from benchmarks.workers import measure

CELLS = {
    "two blocks": (64, 256),
    "residual, 8 channels": (64,),
    "residual, 16 channels": (64,),
    "mlp": (64,),
    "alexnet, small": (128,),
    "lenet": (256,),
}
"""By network, the batch sizes that are measured."""

ASKED = {
    "two blocks": 3.0,
    "residual, 8 channels": 2.0,
    "residual, 16 channels": 1.5,
    "mlp": 2.0,
    "alexnet, small": 1.3,
}
"""How many times as fast as its own eager loop a network shall be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and write; exit code 1 where something could not be measured.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    options = _options(arguments)
    given = sys.argv[1:] if arguments is None else arguments
    facts, table, how = machine(), list[dict[str, str]](), dict[str, str]()
    cells = [(network, batch) for network in options.networks for batch in options.batches or CELLS[network]]
    peak = Contender(PEAK, 1, processes=options.workers)
    of_networks = [
        Contender(loop, batch, 1 if loop == EAGER else options.models, processes=options.workers, network=network)
        for network, batch in cells
        for loop in (EAGER, OURS, OURS_OWN)
    ]
    measured = measure(
        [peak, *of_networks],
        repeats=options.repeats,
        seconds=options.seconds,
        train_size=options.train_size,
        say=lambda text: print(text, file=sys.stderr),
    )
    for network, batch in cells:
        own = [m for m in measured if (m.contender.network, m.contender.batch) == (network, batch)]
        table += [_cells(network, row) for row in rows([*own, measured[0]], flop_per_sample(network))[:-1]]
        notes = own[1].notes
        how[f"{network}, batch {batch}"] = notes.get("fused_reason") or ("fused" if notes.get("fused") else "stacked")
    command = shlex.join(["python", "-m", "benchmarks.own_networks", *given])
    text = f"""# Networks of everybody's own

{described(facts)}

Made by `{command}`: {options.repeats} repeats of {options.seconds:g} s in turn, {options.workers} processes of one
thread at the same time, {options.models} members each. samples/s: training samples times models a second, all processes
together, median of the repeats. x eager: to the network's own eager loop in as many processes, median of the repeats'
own ratios; asked: what that shall be. Peak: of the fp32 matrix product on as many cores. Shared order: levels of one
seed; own orders: seeds of one level.

{markdown(pd.DataFrame(table))}

How cohorts trained: {"; ".join(f"{cell}: {what}" for cell, what in how.items())}.
"""
    print(text)
    if options.out is not None:
        options.out.write_text(text, encoding="utf-8")
    return int(any(m.failure for m in measured))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", nargs="+", choices=list(CELLS), default=list(CELLS), help="default: all")
    parser.add_argument("--batches", type=positive, nargs="+", help="images a step (default: each network's own)")
    parser.add_argument("--models", type=positive, default=8, help="of a cohort (default: 8)")
    parser.add_argument("--workers", type=positive, default=2, help="processes at the same time (default: 2)")
    parser.add_argument("--repeats", type=positive, default=5, help="of every measurement (default: 5)")
    parser.add_argument("--seconds", type=amount, default=2.0, help="of every measurement (default: 2)")
    parser.add_argument("--train-size", type=positive, default=None, metavar="N", help="training images (default: all)")
    parser.add_argument("--out", type=target, help="Markdown file for the table")
    options = parser.parse_args(arguments)
    if min(options.models, options.workers, options.repeats, *(options.batches or [1])) < 1 or options.seconds <= 0.0:
        parser.error("counts and seconds must be above 0")
    return options


def _cells(network: str, row: Row) -> dict[str, str]:
    asked = ASKED.get(network)
    return {
        "network": network,
        "batch": str(row.batch),
        "loop": row.loop,
        "samples/s": f"{row.median:,.0f}",
        "min - max": f"{row.low:,.0f} - {row.high:,.0f}",
        "x eager": "-" if row.to_eager is None else f"{row.to_eager:.2f}",
        "asked": "-" if asked is None or not row.models > 1 else f"{asked:g}",
        "peak": "-" if row.peak_share is None else f"{row.peak_share:.0%}",
        "failed": row.failure or "",
    }


if __name__ == "__main__":
    sys.exit(main())
