"""Is the search worth its races? Regret at the same budget, beside random search and TPE that trains everything.

Every setting of a small space is trained on Fashion-MNIST with several seeds (``benchmarks/regret_table.py``); then
searches are replayed from that table, each for several budgets in training samples and repeated with other seeds
(``benchmarks/regret_search.py``). Regret: how far the setting that a search returns is, by its mean validation accuracy
over all seeds of the table, below the best setting of the table.

    python -m benchmarks.regret --out results/benchmarks
    python -m benchmarks.regret --seeds 4 --train-size 3000 --budgets 20 40

Training may be interrupted and started again; once the table is there, only searches are replayed.
"""

import argparse
import shlex
import sys
from collections.abc import Sequence

from rich.console import Console

from ablate.execute import Interrupted, make_progress
from ablate.images.task import IMAGES
from ablate.store import open_store
from ablate.task.errors import ConfigError
from benchmarks.machine import machine
from benchmarks.options import positive, target
from benchmarks.regret_report import print_regret, write_regret
from benchmarks.regret_search import METHODS, SEEDS, Found, replay
from benchmarks.regret_table import LEVELS, QUICK_LEVELS, Grid, read_table, train_table
from benchmarks.tables import terminal


def main(arguments: Sequence[str] | None = None) -> int:
    """Train the table, replay the searches, print and write; exit code 1 where the table could not be trained.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    options = _options(arguments)
    note = Console(stderr=True, highlight=False, soft_wrap=True)
    words = ["python", "-m", "benchmarks.regret", *(sys.argv[1:] if arguments is None else arguments)]
    facts = machine() | {"command": shlex.join(words)}
    levels = QUICK_LEVELS if options.quick else LEVELS
    try:
        grid = Grid(levels, options.train_size, options.val_size, options.epochs, options.seeds)
        total = len(grid.runs) * grid.full_run
        note.print(
            f"table: {len(grid.settings)} settings x {grid.seeds} seeds x {grid.epochs} epochs: {len(grid.runs)} runs, "
            f"{total:,} training samples"
        )
        IMAGES.provide([grid.baseline])
        with open_store(options.store) as store:
            progress = make_progress(quiet=options.quick)
            train_table(grid, store, workers=options.workers, cohort=options.cohort, progress=progress)
            table = read_table(grid, store)
            found: list[Found] = []
            for budget in options.budgets:
                for method in METHODS:
                    note.print(f"budget of {budget} full runs: {method.name}")
                    samples = budget * grid.full_run
                    found += [replay(method, grid, table, store, samples, repeat) for repeat in range(options.repeats)]
    except (ConfigError, Interrupted) as error:
        note.print(str(error))
        return 1
    print_regret(terminal(), found, grid, table)
    for path in write_regret(options.out, found, grid, table, facts) if options.out is not None else ():
        note.print(f"wrote {path}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.regret", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--store", default="results/regret.db", help="of the table (default: %(default)s)")
    parser.add_argument(
        "--budgets", type=positive, nargs="+", default=[10, 20, 40, 80], metavar="N", help="in full runs"
    )
    parser.add_argument("--repeats", type=positive, default=5, help="of every search (default: 5)")
    parser.add_argument("--train-size", type=positive, default=6000, metavar="N", help="images (default: 6000)")
    parser.add_argument("--val-size", type=positive, default=1000, metavar="N", help="held out of them (default: 1000)")
    parser.add_argument("--epochs", type=positive, default=9, help="of a full run (default: 9)")
    parser.add_argument("--seeds", type=positive, default=6, help="of the table, at least 3 (default: 6)")
    parser.add_argument("--workers", type=positive, default=None, help="processes that train (default: one a core)")
    parser.add_argument(
        "--cohort", type=positive, default=None, metavar="K", help="most runs together (default: measured)"
    )
    parser.add_argument("--out", type=target, default=None, help="folder to write to (default: only print)")
    parser.add_argument("--quick", action="store_true", help="only try whether it works: figures mean nothing")
    options = parser.parse_args(arguments)
    if options.quick:
        quick = {"budgets": [4, 8], "repeats": 1, "train_size": 600, "val_size": 200, "epochs": 3, "seeds": 3}
        vars(options).update(quick | {"workers": 1, "cohort": 12})
    if options.seeds <= SEEDS:
        parser.error(f"seeds must be above the {SEEDS} of a search, so that some of the table's are unseen")
    if min(options.budgets) < SEEDS:
        parser.error(f"budgets must buy a setting with {SEEDS} seeds")
    if min(options.repeats, options.epochs, options.val_size, options.workers or 1, options.cohort or 1) < 1:
        parser.error("repeats, epochs, val-size, workers and cohort must be above 0")
    return options


if __name__ == "__main__":
    sys.exit(main())
