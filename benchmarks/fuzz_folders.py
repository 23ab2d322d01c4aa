"""Try picture folders of every shape.

    python -m benchmarks.fuzz_folders --out results/benchmarks/folders.md

Says how many folders and files were tried and what became of them; exits with 1 where a folder lacks the property of
:mod:`benchmarks.picture_folders`, and says with which ``--first`` it is made again.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pandas as pd

from benchmarks.markdown import markdown
from benchmarks.options import positive, target
from benchmarks.picture_folders import check, make_folder
from benchmarks.picture_items import ANY, LEFT_OUT, REFUSED, USED

LONGEST = 10.0
"""Seconds for one folder; more is a hang."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and check folders.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(description="Try picture folders of every shape.")
    parser.add_argument("--folders", type=positive, default=1500, help="how many")
    parser.add_argument("--first", type=int, default=0, help="seed of the first folder; each has the next")
    parser.add_argument("--out", type=target, help="Markdown file that the table is written to; default: it is printed")
    options = parser.parse_args(arguments)
    failures, kinds = 0, Counter[tuple[str, str]]()
    for seed in range(options.first, options.first + options.folders):
        start = time.monotonic()
        try:
            kinds += attempt(seed)
        except Exception:
            failures += 1
            print(f"--first {seed}:", file=sys.stderr)
            traceback.print_exc()
        if time.monotonic() - start > LONGEST:
            failures += 1
            print(f"--first {seed}: took {time.monotonic() - start:.1f} s", file=sys.stderr)
    text = page(options.folders, options.first, kinds, failures)
    print(text) if options.out is None else options.out.write_text(text)
    return 1 if failures else 0


def page(folders: int, first: int, kinds: Counter[tuple[str, str]], failures: int) -> str:
    """What was tried and what became of it, as Markdown."""
    outcomes = {USED: "used", LEFT_OUT: "left out and named", REFUSED: "refused and named", ANY: "used or named"}
    counts = Counter[str]()
    for (_, outcome), count in kinds.items():
        counts[outcomes[outcome]] += count
    rows = [
        {"item": kind, "outcome": outcomes[outcome], "count": count} for (kind, outcome), count in sorted(kinds.items())
    ]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return "\n".join(
        [
            "# Picture folders of every shape",
            "",
            f"Written by `python -m benchmarks.fuzz_folders --folders {folders} --first {first} --out FILE`: "
            f"{folders:,} folders with {kinds.total():,} files, links and folders made at random: "
            + ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
            + f". Items that were not used as documented or named, or took more than {LONGEST:.0f} s: **{failures}**. "
            f"At most {memory:.1f} GiB of memory.",
            "",
            "Used: its pixels are those put in. Used or named: it was damaged at random, and may be readable.",
            "",
            markdown(pd.DataFrame(rows)),
            "",
        ]
    )


def attempt(seed: int) -> Counter[tuple[str, str]]:
    """Make and check one folder.

    Returns:
        The number of its items of each kind, with the outcome that was expected.

    Raises:
        AssertionError: See :func:`benchmarks.picture_folders.check`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["XDG_CACHE_HOME"] = f"{temporary}/cache"
        folder = make_folder(Random(seed), Path(temporary) / "root", Path(temporary) / "outside")
        kinds = Counter((item.kind, item.outcome) for item in folder.items)
        check(folder)
        return kinds


if __name__ == "__main__":
    sys.exit(main())
