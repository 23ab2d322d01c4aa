"""How a user's error leaves the program: one clear message on stderr and exit code 2, no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ablate.task.errors import ConfigError
from ablate.task.printable import printable

BROKEN = 1
"""Exit code of a list that was made, on which something cannot be used."""
BAD_INPUT = 2
"""Exit code for input that cannot be used."""
CHANGED = 3
"""Exit code where the results compared are not the same."""
UNFINISHED = 4
"""Exit code where a limit that was asked for left runs untrained."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


MOST_PROBLEMS = 100
"""The most problems that are printed."""


@contextmanager
def user_errors() -> Iterator[None]:
    """Print a :class:`ConfigError`, one line a problem, and exit."""
    try:
        yield
    except ConfigError as error:
        for problem in error.problems[:MOST_PROBLEMS]:
            print(f"ablate: error: {printable(problem)}", file=sys.stderr)
        if len(error.problems) > MOST_PROBLEMS:
            print(f"ablate: error: and {len(error.problems) - MOST_PROBLEMS:,} more problems", file=sys.stderr)
        sys.exit(BAD_INPUT)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
