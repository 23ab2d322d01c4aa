"""The engine of program tasks: starts the program, reads what it writes while it runs, and tells how it ended."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from ablate.program.curves import Curves
from ablate.program.lines import Lines
from ablate.program.process import Ended, Program
from ablate.program.reading import ReadTable, Source, open_source
from ablate.program.task import interpreter
from ablate.program.template import Template
from ablate.task.plain_engine import PlainEngine
from ablate.task.plain_run import PlainRun
from ablate.task.record import LACKS, Result, Status, StopRule

POLL_SECONDS = 0.2
"""Seconds between two looks at what a program has written."""

SHOWN_LINES = 20
"""Last lines of a program's errors in the reason why it failed."""


class ProgramEngine(PlainEngine):
    """Runs programs, one at a time; see :class:`ablate.task.engine.Engine`."""

    def train_one(self, run: PlainRun, on_step: Callable[[int], None], rule: StopRule | None) -> Result:
        """See :class:`ablate.task.plain_engine.PlainEngine`; exit codes that are no fault are tried again."""
        retries = run.details["retries"] or {"codes": [], "times": 0}
        tries = 0
        while True:
            with _folder(run) as folder:
                environment = self.variables | {"PYTHONUNBUFFERED": "1"}
                attempt = _Attempt(run, folder, environment, on_step, partial(self.tell_values, run), rule)
                ended = attempt.follow()
                if ended.code in retries["codes"] and tries < retries["times"] and attempt.left is None:
                    tries += 1
                    continue
                return self._result(attempt, ended, tries)

    def _result(self, attempt: "_Attempt", ended: Ended, tries: int) -> Result:
        run, problems = attempt.run, attempt.finish()
        notes = attempt.notes(ended) | ({"retries": tries} if tries else {})
        curves = attempt.curves.measurements(attempt.upto)
        if attempt.left in ("diverged", "stopped"):
            status: Status = "diverged" if attempt.left == "diverged" else "stopped"
            return Result(status, curves, None, notes)
        fault = attempt.left or ended.fault
        if fault is not None:
            shown = attempt.program.errors.last_lines(SHOWN_LINES) or attempt.program.output.last_lines(SHOWN_LINES)
            again = f" (after {tries} retries)" if tries else ""
            if ended.never_started:
                notes[LACKS] = list(run.details["metrics"])
            return Result("failed", curves, f"{fault}{again}\n{shown}".rstrip(), notes)
        if problems:
            return Result("failed", curves, "\n".join(problems[:SHOWN_LINES]), notes)
        if attempt.curves.has_diverged:
            return Result("diverged", curves, None, notes)
        return self.complete(run, curves, notes, attempt.not_found)


class _Attempt:
    """One try of one run."""

    def __init__(
        self,
        run: PlainRun,
        folder: Path,
        environment: Mapping[str, str],
        on_step: Callable[[int], None],
        on_values: Callable[[Mapping[str, float]], None],
        rule: StopRule | None,
    ) -> None:
        details = run.details
        self.run, self.folder = run, folder
        self.on_step, self.on_values, self.rule = on_step, on_values, rule
        self.curves = Curves(tuple(details["metrics"]))
        self.tables = [ReadTable.model_validate(table) for table in details["read"]]
        self.sources: list[Source] = [
            open_source(table, folder, details["metrics"], self.curves) for table in self.tables
        ]
        self.left: str | None = None
        """Why it was ended by us: ``diverged``, ``stopped``, or a fault."""
        self.upto: int | None = None
        """The step with which it was left."""
        self._told: set[int] = set()
        template = Template(details["command"], details["flags"], details["switches"], details["environment"])
        reserved = {"seed": str(run.seed), "folder": str(folder), "project": details["project"]}
        self.command = interpreter(template.words(run.config, reserved))
        cwd = folder if details["cwd"] == "{folder}" else Path(details["project"]) / details["cwd"]
        self.readers = [
            source
            for source, table in zip(self.sources, self.tables, strict=True)
            if isinstance(source, Lines) and table.file is None
        ]

        def take(line: bytes) -> None:
            for reader in self.readers:
                reader.take(line)

        self.program = Program(
            self.command,
            cwd,
            {**environment, **template.variables(run.config, reserved)},
            on_line=take if self.readers else None,
            scratch=folder if details["keep"] is None and not details.get("folder") else None,
        )

    def follow(self) -> Ended:
        """Look at what the program writes until it has ended, or is ended."""
        limit = self.run.details["timeout"]
        try:
            while (ended := self.program.wait(POLL_SECONDS)) is None:
                for source in self.sources:
                    source.poll()
                self._hear()
                if self.left is None:
                    self.left = next((reader.problems[0] for reader in self.readers if reader.problems), None)
                if self.left is None and limit is not None and time.monotonic() - self.program.started > limit:
                    self.left = f"took longer than its limit of {limit:g} s"
                if self.left is not None:
                    return self.program.terminate()
            return ended
        except BaseException:
            self.program.kill()
            raise

    def finish(self) -> list[str]:
        """Read the rest; returns what cannot be read."""
        problems = [problem for source in self.sources for problem in source.finish()]
        if self.left is None:
            self._hear(is_over=True)
        return problems

    def notes(self, ended: Ended) -> dict[str, Any]:
        """What the record keeps of how it went."""
        notes: dict[str, Any] = {"code": self.run.details["code"], "command": self.command, "exit": ended.code}
        if self.program.output.size:
            notes["output"] = self.program.output.text
        if self.program.errors.size:
            notes["errors"] = self.program.errors.text
        if ended.left_behind:
            notes["left_behind"] = list(ended.left_behind)
        if self.run.details["keep"] is not None or self.run.details.get("folder"):
            notes["folder"] = str(self.folder)
        return notes

    def not_found(self, missing: Sequence[str]) -> list[str]:
        """One line for each metric that was looked for in vain."""
        places = " or ".join(dict.fromkeys(table.place for table in self.tables))
        files = sorted(str(file.relative_to(self.folder)) for file in self.folder.rglob("*") if file.is_file())
        there = f"its folder holds {', '.join(files[:8])}" if files else "its folder is empty"
        return [
            f"metric {name!r} was never found in {places}, though the program ended well; {there}" for name in missing
        ]

    def _hear(self, *, is_over: bool = False) -> None:
        """Tell of new steps, and leave where the run has diverged or lost its race."""
        before = -1
        for step in self.curves.steps:
            if step not in self._told:
                self._told.add(step)
                self.on_step(step)
                self.on_values(self.curves.at(step).values)
            if is_over or self.rule is None:
                continue
            measured = self.curves.at(step)
            if self.rule.stops(measured, before):
                self.left, self.upto = "stopped", step
                return
            before = step if self.rule.metric in measured.values else before
        if not is_over and self.curves.has_diverged:
            self.left = "diverged"


@contextmanager
def _folder(run: PlainRun) -> Iterator[Path]:
    """An empty folder for one try; deleted afterwards unless the task keeps it, or the run has one of its own."""
    if own := run.details.get("folder"):
        folder = Path(own)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    keep = run.details["keep"]
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="ablate-", ignore_cleanup_errors=True) as name:
            yield Path(os.path.realpath(name))
        return
    folder = Path(run.details["project"]) / keep / run.task / run.digest[:16]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    yield folder
