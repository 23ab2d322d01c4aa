"""Searches from scratch: the package's own search beside TPE and random search at the same budget, all trained.

    python -m benchmarks.searches --out results/benchmarks
    python -m benchmarks.searches --only ours --repeats 3

Each repeat has a sampler's seed, seeds of the runs (so splits and data orders) and a store of its own, and nothing to
start from but the baseline and the article's setting, as far as they lie in the space. The rivals search the same space
with everything trained at full length, as Optuna is mostly used: 19 settings with one seed each. Searches of one repeat
share the seed of their runs, and so the images held out. What ours finds is confirmed on ten fresh seeds, beside the
baseline alone. Training may be interrupted and started again; what is there already is only read.
"""

import argparse
import csv
import shlex
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import pandas as pd

from ablate.execute import Interrupted
from ablate.report.files import write_bytes, write_csv, write_text
from ablate.search.budget import SPENT
from ablate.search.command import confirm, run_search, trials_of, write_search_report
from ablate.search.request import SearchRequest, search_request
from ablate.task.errors import ConfigError
from benchmarks.machine import described, machine
from benchmarks.markdown import markdown
from benchmarks.options import positive, target

if TYPE_CHECKING:
    from optuna import Study

STUDY, FULL = "search_from_scratch", 50
ASKED = 0.920
"""Test accuracy on ten fresh seeds that each search is to reach."""
WHOLE = (
    "study.search.fidelity=null",
    "~study.search.space.train.epochs",
    f"study.search.fixed={{train.epochs: {FULL}}}",
    "study.search.racing.steps=false",
    "study.search.batch=4",
)
"""What makes a search train every setting at full length."""


ALONE = "~study.search.compare"
"""What leaves the article's setting, the same in every repeat, out of a proof."""


@dataclass(frozen=True)
class Method:
    """A way to search."""

    name: str
    title: str
    overrides: tuple[str, ...] = ()

    def arguments(self, repeat: int, folder: Path) -> list[str]:
        """The command line of one of its searches.

        Args:
            repeat: From 0; its seeds are those of no other.
            folder: Where its store and its results lie.
        """
        own = (
            []
            if repeat == 0 and not self.overrides
            else [f"study.search.seed={repeat}", f"study.search.seeds=[{1000 + repeat}]"]
        )
        return [f"sweeps={STUDY}", f"results={folder / f'{self.name}{repeat}'}", *own, *self.overrides]


METHODS = (
    Method("ours", "short lengths first, one Gaussian process (ablate search)"),
    Method("tpe", "TPE, every setting at full length", ("study.search.sampler=tpe", *WHOLE)),
    Method("random", "random search, every setting at full length", ("study.search.sampler=random", *WHOLE)),
)


@dataclass(frozen=True)
class Search:
    """A search that has ended, or as far as it came."""

    method: Method
    repeat: int
    proof: SearchRequest
    """What confirms it."""
    study: "Study"

    @property
    def curve(self) -> list[tuple[float, float]]:
        """What was spent, in training samples, and the best value seen by then, after each setting."""
        found, spent, best = [], 0.0, float("-inf")
        for trial in self.study.trials:
            if trial.state.is_finished() and trial.user_attrs.get(SPENT) is not None:
                spent += float(trial.user_attrs[SPENT])
                if trial.state.name == "COMPLETE":
                    best = max(best, float(trial.values[0]))
                found.append((spent, best))
        return found

    @property
    def settings(self) -> int:
        """Different settings that were trained, at whatever length."""
        keys = {str(sorted((n, v) for n, v in t.params.items() if n != "train.epochs")) for t in self._trained}
        return len(keys)

    @property
    def _trained(self) -> list[Any]:
        return [t for t in self.study.trials if t.user_attrs.get(SPENT)]

    def confirmed(self) -> str:
        """Test accuracy of the best setting on the fresh seeds; nothing where that was not trained."""
        file = Path(self.proof.launch.results) / f"{STUDY}{self.proof.suffix}" / "table.csv"
        if not file.is_file():
            return ""
        with file.open(encoding="utf-8", newline="") as lines:
            (row,) = (row for row in csv.DictReader(lines) if row["label"] == "best 1")
        n, mean, sd = (float(row[f"test_acc_{name}"]) for name in ("n", "mean", "sd"))
        return f"{mean:.4f} ± {sd:.4f} ({n:.0f})"


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, confirm, print and write; exit code 1 where a search was interrupted.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    options = _options(arguments)
    wanted = [(m, repeat) for m in METHODS if m.name in options.only for repeat in range(options.repeats)]
    if 0 < options.one <= len(wanted):
        method, repeat = wanted[options.one - 1]
        return _searched(method.arguments(repeat, options.folder), proof=method is METHODS[0])
    if not options.read and not _all_searched(len(wanted), options, sys.argv[1:] if arguments is None else arguments):
        return 1
    found = []
    for method, repeat in wanted:
        order = search_request(method.arguments(repeat, options.folder))
        if Path(order.launch.store_location).is_file():
            proof = search_request([*method.arguments(repeat, options.folder), ALONE])
            found.append(Search(method, repeat, proof, trials_of(order)))
    if not found:
        print(f"--folder {options.folder}: there is none of these searches", file=sys.stderr)
        return 1
    words = ["python", "-m", "benchmarks.searches", *(sys.argv[1:] if arguments is None else arguments)]
    text = _text(found, shlex.join(words))
    print(text)
    if options.out is not None:
        write_text(options.out / "searches.md", text)
        write_csv(options.out / "searches.csv", _frame(found))
        write_bytes(options.out / "searches.png", _figure(found))
    return 0


def _searched(arguments: Sequence[str], *, proof: bool) -> int:
    try:
        order = search_request([*arguments, "workers=1"])
        study = run_search(order, quiet=False)
        if proof:
            alone = search_request([*arguments, "workers=1", ALONE])
            confirm(alone, study, quiet=False)
            write_search_report(alone, trials_of(order))
    except ConfigError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 2
    except (Interrupted, KeyboardInterrupt):
        return 1
    return 0


def _all_searched(count: int, options: argparse.Namespace, arguments: Sequence[str]) -> bool:
    """Every search in a process of its own, ``--jobs`` at a time."""
    waiting, at_work, ended = list(range(1, count + 1)), list[subprocess.Popen[bytes]](), True
    while waiting or at_work:
        while waiting and len(at_work) < options.jobs:
            words = [sys.executable, "-m", "benchmarks.searches", *arguments, "--one", str(waiting.pop(0))]
            at_work.append(subprocess.Popen(words))
        ended = at_work.pop(0).wait() == 0 and ended
    return ended


def _text(found: Sequence[Search], command: str) -> str:
    best, rows = _bests(found), []
    for search in found:
        spent, value = search.curve[-1] if search.curve else (0.0, float("nan"))
        row = {
            "search": search.method.title,
            "repeat": search.repeat,
            "settings": search.settings,
            "spent": f"{spent / 1e6:.1f}M",
            "best on held-out images": f"{value:.4f}",
            "regret": f"{100 * (best[search.repeat] - value):.2f}",
            "test accuracy on fresh seeds": search.confirmed(),
        }
        rows.append(row)
    regrets = {m.title: [best[s.repeat] - s.curve[-1][1] for s in found if s.method is m and s.curve] for m in METHODS}
    medians = ", ".join(f"{title}: {100 * median(values):.2f}" for title, values in regrets.items() if values)
    budget = found[0].proof.search.budget
    return "\n".join(
        [
            "# Searches from scratch",
            "",
            f"`{command}`: each within {budget}, without a setting to start from. "
            "Regret: how far the best value on held-out images is below the best of the repeat's searches, in "
            "percentage points: they hold out the same images. Test accuracy: mean ± standard deviation of the best "
            f"setting, trained with all training images and seeds that no search has seen ({ASKED} was asked for).",
            "",
            markdown(pd.DataFrame(rows)),
            "",
            f"Median regret: {medians}. What was spent until each value: `searches.csv`, drawn in `searches.png`.",
            "",
            described(machine()),
            "",
        ]
    )


def _bests(found: Sequence[Search]) -> dict[int, float]:
    """The best value that any search of a repeat has seen."""
    repeats = {search.repeat for search in found}
    return {r: max((s.curve[-1][1] for s in found if s.repeat == r and s.curve), default=float("nan")) for r in repeats}


def _frame(found: Sequence[Search]) -> pd.DataFrame:
    """A row a setting: search, repeat, training samples spent until then, best value until then."""
    rows = [
        {"search": search.method.name, "repeat": search.repeat, "spent": round(spent), "best": round(best, 6)}
        for search in found
        for spent, best in search.curve
    ]
    return pd.DataFrame(rows, columns=["search", "repeat", "spent", "best"])


def _figure(found: Sequence[Search]) -> bytes:
    """Regret against training samples, a line a search."""
    import io

    from matplotlib.figure import Figure

    best = _bests(found)
    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    axes = figure.subplots()
    for place, method in enumerate(METHODS):
        searches = [search for search in found if search.method is method]
        for number, search in enumerate(searches):
            spent, values = zip(*search.curve, strict=True)
            regret = [max(100 * (best[search.repeat] - value), 0.01) for value in values]
            label = method.title if number == 0 else None
            axes.step(
                [s / 1e6 for s in spent],
                regret,
                where="post",
                color=f"C{place}",
                ls=("-", "--", "-.")[place],
                label=label,
            )
    axes.set(xlabel="training samples spent (millions)", ylabel="regret on held-out images (points)", yscale="log")
    figure.legend(loc="outside upper left", frameon=False)
    axes.grid(alpha=0.3)
    target = io.BytesIO()
    figure.savefig(target, format="png", dpi=150)
    return target.getvalue()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.searches", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [method.name for method in METHODS]
    parser.add_argument("--folder", type=target, default=Path("outputs/searches"), help="of all stores and results")
    parser.add_argument("--only", nargs="+", choices=names, default=names, help="these methods alone")
    parser.add_argument("--repeats", type=positive, default=3, help="of every method (default: 3)")
    parser.add_argument("--jobs", type=positive, default=2, help="searches at a time, one worker each (default: 2)")
    parser.add_argument("--read", action="store_true", help="train nothing, report what is there")
    parser.add_argument("--out", type=target, help="write searches.md, .csv and .png into this folder")
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
