"""Checkpoints: what a cohort that was cut off goes on from.

A checkpoint is a file: a line of JSON that says which runs it is of and how far they are, and behind it whatever the
engine needs, in a form of its own from which nothing is executed. The line has a digest of all of it. It belongs to
exactly these runs in this order, with the rules that they were trained by: a cohort that is formed otherwise begins
anew, so that a run ends bit for bit as if nothing had happened.
"""

import hashlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ablate.task.plain_json import loads
from ablate.task.record import StopRule
from ablate.task.whole_files import write_whole

FOLDER = "checkpoints"
"""Their folder in the folder of results."""
ENDING = ".checkpoint"
STATES = "states"
"""The folder, in the folder of results, of states that runs have at their end."""
STATE_ENDING = ".state"
LONGEST_LINE = 2**22
"""Bytes of a file's first line."""
LOOK_SECONDS = 0.25
"""Between two looks of a worker whether a checkpoint is wanted, or it is to leave off."""
WORTH_SECONDS = 10.0
"""Work that is kept before a worker leaves off; less is soon done again."""


class DamagedError(ValueError):
    """A file is no checkpoint, or a damaged one."""


@dataclass(frozen=True)
class Checkpoint:
    """What the first line of a checkpoint says."""

    file: Path
    runs: tuple[str, ...]
    """Digests of the cohort's runs, in their order."""
    step: int
    """Steps that the longest of them has finished."""
    about: Mapping[str, Any]
    """All of it: ``content``, ``version`` (of the code that wrote it), ``device``, ``host``, ``written`` (UTC)."""


def content_of(digests: Sequence[str], stops: Mapping[int, StopRule], *, keeps: Iterable[str] = ()) -> str:
    """A digest of a cohort: of its runs in their order, and of what decides when a run leaves it and what it leaves.

    Args:
        digests: Of the runs.
        stops: What runs must reach to go on, by position.
        keeps: What complete runs leave beside their records; see :class:`ablate.plan.launch.Launch`.
    """
    rules = {str(position): asdict(rule) for position, rule in sorted(stops.items())}
    text = json.dumps([list(digests), rules, ",".join(sorted(keeps)) or "records"], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def file_in(folder: Path, content: str) -> Path:
    """Where the checkpoint of a cohort lies.

    Args:
        folder: The folder of checkpoints.
        content: As :func:`content_of` gives it.
    """
    return folder / f"{content}{ENDING}"


def state_file(folder: Path, trajectory: str, step: int) -> Path:
    """Where the state lies that a run has at its end.

    Args:
        folder: The folder of states.
        trajectory: The run's; see :class:`ablate.task.run.Run`.
        step: Its last one.
    """
    return folder / f"{trajectory}.{step}{STATE_ENDING}"


def latest_state(folder: Path, trajectory: str, below: int) -> tuple[int, Path] | None:
    """The last step before ``below`` at which a state of a trajectory was kept, and its file; None: there is none."""
    step = max((step for step in steps_of_states(folder, trajectory).get(trajectory, ()) if step < below), default=None)
    return None if step is None else (step, state_file(folder, trajectory, step))


def steps_of_states(folder: Path, trajectory: str = "*") -> dict[str, list[int]]:
    """The steps at which states were kept, by trajectory.

    Args:
        folder: The folder of states, which need not be there.
        trajectory: Only those of this one.
    """
    found: dict[str, list[int]] = {}
    for file in folder.glob(f"{trajectory}.*{STATE_ENDING}"):
        name, _, step = file.name.removesuffix(STATE_ENDING).rpartition(".")
        if step.isascii() and step.isdigit() and int(step) > 0:
            found.setdefault(name, []).append(int(step))
    return found


def write_checkpoint(file: Path, about: Mapping[str, Any], payload: bytes) -> None:
    """Write a checkpoint whole or not at all, in place of the one before.

    Args:
        file: Where it lies.
        about: For the first line; ``runs`` and ``step`` at least.
        payload: The engine's.

    Raises:
        OSError: It cannot be written.
    """
    about = {**about, "host": socket.gethostname(), "written": datetime.now(UTC).isoformat(), "bytes": len(payload)}
    line = json.dumps({"sha256": _digest(about, payload), **about}).encode()
    file.parent.mkdir(exist_ok=True)
    write_whole(file, line + b"\n", payload)


def read_line(file: Path) -> Checkpoint:
    """What a checkpoint says of itself; nothing is checked but that it says it.

    Raises:
        OSError: It cannot be read.
        DamagedError: It is none.
    """
    with file.open("rb") as opened:
        return _parsed(file, opened.readline(LONGEST_LINE))


def read_checkpoint(file: Path) -> tuple[Checkpoint, bytes]:
    """A checkpoint with what lies behind its first line.

    Raises:
        OSError: It cannot be read.
        DamagedError: It is none, or its digest is another one.
    """
    with file.open("rb") as opened:
        found = _parsed(file, opened.readline(LONGEST_LINE))
        payload = opened.read()
    about = dict(found.about)
    if about.pop("sha256", None) != _digest(about, payload):
        raise DamagedError("its digest is not that of its content")
    return found, payload


def checkpoints_in(folder: Path) -> Iterator[Checkpoint]:
    """All that can be read, in the order of their names."""
    for file in sorted(folder.glob(f"*{ENDING}")):
        try:
            yield read_line(file)
        except (OSError, DamagedError):
            continue


class Checkpoints:
    """A worker's checkpoints: where they belong, and when the next one is due.

    Args:
        folder: The folder of checkpoints; where there is none that it could be in, as on a machine that does not share
            it, none is written.
        seconds: Between two checkpoints of a cohort.
        is_told_to_leave: Whether the worker is to leave off; this is asked a few times a second at most.
        tell: This is called with the step of each checkpoint and what is wrong with it (empty: nothing), for people. It
            may raise to leave off.
        keeps_states: Whether runs that are complete leave the state that longer ones can go on from, in :attr:`states`.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float,
        is_told_to_leave: Callable[[], bool] = lambda: False,
        tell: Callable[[int, str], None] = lambda step, trouble: None,
        *,
        keeps_states: bool = False,
    ) -> None:
        self.folder, self.seconds = folder, seconds
        self._is_told_to_leave, self.tell = is_told_to_leave, tell
        self.states, self.keeps_states = folder.parent / STATES, keeps_states
        self.is_asked = False
        """Whether somebody wants one at once, as the process may be ended soon."""
        self.is_in_use = False
        """Whether a cohort is in training that can go on from one."""
        self._since = self._next_look = 0.0

    def begin(self) -> None:
        """A cohort begins to train, anew or from a checkpoint."""
        self.is_in_use = self.folder.parent.is_dir()
        self._since = time.monotonic()
        self._next_look = 0.0

    def end(self) -> None:
        """It has ended."""
        self.is_in_use = False

    def is_due(self) -> bool:
        """Whether one is to be written now; cheap enough to be asked after every step."""
        now = time.monotonic()
        if not self.is_in_use or now < self._next_look:
            return False
        self._next_look = now + min(LOOK_SECONDS, self.seconds)
        if now - self._since >= self.seconds:
            return True
        return self.is_worth_one and (self.is_asked or self._is_told_to_leave())

    @property
    def is_worth_one(self) -> bool:
        """Whether so much was trained since the last one that who leaves off goes on until one is written."""
        return self.is_in_use and time.monotonic() - self._since >= WORTH_SECONDS

    def write(self, content: str, about: Mapping[str, Any], payload: Callable[[], bytes]) -> None:
        """Write one; what cannot be written is told, and training goes on without it.

        Args:
            content: As :func:`content_of` gives it.
            about: As for :func:`write_checkpoint`.
            payload: Makes it.
        """
        trouble = ""
        try:
            write_checkpoint(file_in(self.folder, content), about, payload())
        except OSError as error:
            trouble = f"a checkpoint cannot be written in {self.folder}: {error.strerror or error}"
        self.is_asked = False
        self._since = time.monotonic()
        self.tell(about["step"], trouble)

    def read(self, content: str, version: str, device: str) -> tuple[Checkpoint, bytes] | None:
        """The checkpoint of a cohort; one that cannot be used is told and removed.

        Args:
            content: As :func:`content_of` gives it.
            version: Of the code that trains now.
            device: ``cpu`` or ``cuda``: each draws other random numbers.
        """
        file = file_in(self.folder, content)
        if not self.is_in_use:
            return None
        try:
            found, payload = read_checkpoint(file)
            for name, mine in (("content", content), ("version", version), ("device", device)):
                if found.about.get(name) != mine:
                    what = "of another version of the code" if name == "version" else f"of another {name}"
                    raise DamagedError(f"it is {what}")
        except FileNotFoundError:
            return None
        except (OSError, DamagedError) as error:
            self.refuse(file, error)
            return None
        return found, payload

    def folder_of(self, digest: str) -> Path | None:
        """The folder of a run that keeps checkpoints of its own, made where needed; None: it cannot be had.

        Args:
            digest: Of the run; the folder is removed with everything in it when the run is recorded.
        """
        folder = self.folder / digest
        if not self.folder.parent.is_dir():
            return None
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.tell(0, f"no checkpoints are kept, as {folder} cannot be made: {error.strerror or error}")
            return None
        return folder

    def refuse(self, file: Path, error: Exception) -> None:
        """Tell that a checkpoint cannot be used, and remove it."""
        self.tell(0, f"{file}: is not used, and its runs begin anew: {error}")
        try:
            file.unlink(missing_ok=True)
        except OSError:
            """The next one that is written takes its place."""


def _parsed(file: Path, line: bytes) -> Checkpoint:
    try:
        about = loads(line)
        runs, step = tuple(about["runs"]), about["step"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedError("it is no checkpoint") from None
    if not runs or not all(isinstance(run, str) and re.fullmatch("[0-9a-f]{64}", run) for run in runs):
        raise DamagedError("it says not which runs it is of")
    if not isinstance(step, int) or step < 0:
        raise DamagedError(f"step = {step!r}: is no number of steps")
    return Checkpoint(file, runs, step, about)


def _digest(about: Mapping[str, Any], payload: bytes) -> str:
    made = hashlib.sha256(json.dumps(about, sort_keys=True).encode() + b"\n")
    made.update(payload)
    return made.hexdigest()
