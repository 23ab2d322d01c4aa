"""``ablate sweep --detach``: the sweep goes on when the terminal is closed."""

import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ablate.commands.studies import StudyRequest
from ablate.commands.study_folders import without_password
from ablate.task.errors import ConfigError
from ablate.task.printable import printable


def detach(wanted: StudyRequest, words: Sequence[str]) -> None:
    """Start the sweep in a session of its own, and say how to watch and how to end it.

    What it says goes into a file beside the store of reports. Any other process, on this machine or another, takes its
    place with the same command: after the sweep has ended at once, beside it with a part of the work.

    Args:
        wanted: What the command line asks for, so that bad input was told before.
        words: The words of the sweep's command line, without ``--detach``.

    Raises:
        ConfigError: The file cannot be written.
    """
    name = "+".join(wanted.asked)
    log = Path(wanted.launch.results) / f"{name}.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a", encoding="utf-8") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "ablate", "sweep", *words],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
    except OSError as error:
        raise ConfigError(f"{log}: cannot be written: {error.strerror or error}") from None
    process.returncode = 0  # It is meant to outlive this process.
    kept = [without_password(word) for word in words if not word.startswith("--")]
    print(printable(f"process {process.pid}; what it says goes into {log}"))
    print(printable(f"watch it: ablate watch {shlex.join(kept)}"))
    print(f"end it, keeping what is finished: kill {process.pid}")
