"""Try picture folders of every shape for some minutes: ``python -m benchmarks.fuzz_folders --minutes 5``.

Prints how many folders and files were tried and what became of them; exits with 1 where a folder lacks the property of
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

from benchmarks.picture_folders import check, make_folder

LONGEST = 10.0
"""Seconds for one folder; more is a hang."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Make and check folders until the time is over.

    Args:
        arguments: Of the command line; None: the process's own.
    """
    parser = argparse.ArgumentParser(description="Try picture folders of every shape.")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--first", type=int, default=0, help="seed of the first folder; each has the next")
    options = parser.parse_args(arguments)
    end = time.monotonic() + 60 * options.minutes
    seed, failures = options.first, 0
    kinds: Counter[str] = Counter()
    while time.monotonic() < end:
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
        seed += 1
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seed - options.first:,} folders with {sum(kinds.values()):,} files and links; {failures} failures")
    print(f"at most {memory:,.0f} MiB of memory")
    for kind, count in kinds.most_common():
        print(f"{count:9,} {kind}")
    return 1 if failures else 0


def attempt(seed: int) -> Counter[str]:
    """Make and check one folder.

    Returns:
        The number of its items of each kind, with the outcome that was expected.

    Raises:
        AssertionError: See :func:`benchmarks.picture_folders.check`.
    """
    with tempfile.TemporaryDirectory() as temporary:
        os.environ["XDG_CACHE_HOME"] = f"{temporary}/cache"
        folder = make_folder(Random(seed), Path(temporary) / "root", Path(temporary) / "outside")
        kinds = Counter(f"{item.kind}, {item.outcome}" for item in folder.items)
        check(folder)
        return kinds


if __name__ == "__main__":
    sys.exit(main())
