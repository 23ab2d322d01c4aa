"""A sweep's throughput at batch 256 beside the textbook loop's, measured in turn in one run.

Prints both, their ratio and the share of the machine's matrix-product peak; exit code 1 below a ratio of 3.

    python benchmarks/throughput.py
    python -m benchmarks.throughput --repeats 9 --seconds 2
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __package__ in (None, "") and str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))
# Run as a script, this folder comes first, and profile.py would hide the standard library's module of that name.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT / "benchmarks"]

from rich.console import Console  # noqa: E402 - the path comes first

from benchmarks.contenders import OURS, OURS_TRAIN, PEAK, TEXTBOOK, TEXTBOOK_WORKERS, throughput_contenders  # noqa: E402
from benchmarks.machine import flop_per_sample, machine  # noqa: E402
from benchmarks.options import amount, positive  # noqa: E402
from benchmarks.rows import rows  # noqa: E402
from benchmarks.study import planned  # noqa: E402
from benchmarks.tables import print_rows, terminal  # noqa: E402
from benchmarks.workers import measure  # noqa: E402

ASKED = 3.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=positive, default=5, help="of every measurement (default: 5)")
    parser.add_argument("--seconds", type=amount, default=1.5, help="of every measurement (default: 1.5)")
    parser.add_argument("--batch", type=positive, default=256, help="images a step (default: 256)")
    parser.add_argument("--workers", type=positive, default=2, help="processes at the same time (default: 2)")
    parser.add_argument("--cohort", type=positive, default=None, help="members (default: as the lr study is planned)")
    parser.add_argument("--train-size", type=positive, default=None, metavar="N", help="training images (default: all)")
    options = parser.parse_args(arguments)
    console, note = terminal(), Console(stderr=True, highlight=False, soft_wrap=True)

    facts = machine()
    console.print(
        f"{facts['cpu']}, {facts['cores']} cores, {facts['cpu_capability']}, load {facts['load_before']}; "
        + ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
        highlight=False,
    )
    cohort = options.cohort or max(c["members"] for c in planned(workers=options.workers)[0]["cohorts"])
    contenders = throughput_contenders(options.batch, workers=options.workers, cohort=cohort)
    found = rows(
        measure(
            contenders,
            repeats=options.repeats,
            seconds=options.seconds,
            train_size=options.train_size,
            say=note.print,
        ),
        flop_per_sample(),
    )
    print_rows(console, found)
    if any(row.failure for row in found):
        return 1
    textbook = max(row.median for row in found if row.loop in (TEXTBOOK, TEXTBOOK_WORKERS))
    peak = max(row.median for row in found if row.loop == PEAK)
    console.print(
        f"textbook loop: {textbook:,.0f} samples/s; matrix-product peak: {peak / 1e9:,.0f} GFLOP/s", highlight=False
    )
    ratios = []
    for row in (row for row in found if row.loop in (OURS, OURS_TRAIN)):
        assert row.to_textbook is not None
        assert row.peak_share is not None
        ratios.append(row.to_textbook)
        console.print(
            f"{row.loop}: {row.median:,.0f} samples/s, {row.to_textbook:.2f} times the textbook loop, "
            f"{row.peak_share:.0%} of the peak",
            highlight=False,
        )
    return int(min(ratios) < ASKED)


if __name__ == "__main__":
    sys.exit(main())
