"""Asks the composing process (see :mod:`ablate.hydra_app.composing_process`): what settings of an application are."""

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import IO, Any

from ablate.hydra_app.application import Application
from ablate.task.errors import ConfigError
from ablate.task.output import clean
from ablate.task.task import Composed

START_SECONDS = 600.0
"""How long an application may take from its start to the call of its function: it may import much."""
ANSWER_SECONDS = 60.0
"""How long one composition may take; it takes some 50 ms."""


class Composing:
    """One application's composing process, started with the first question and ended with this process."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._process: subprocess.Popen[str] | None = None
        self._answers: int = -1
        self._rest = b""
        self._said: dict[str, Any] = {}
        self._known: dict[tuple[str, ...], Composed] = {}
        self._printed: IO[bytes] | None = None

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Every configuration group but Hydra's own, with its options."""
        self._start()
        return {str(group): tuple(options) for group, options in self._said["groups"]}

    @property
    def config_name(self) -> str | None:
        """Name of the primary configuration."""
        self._start()
        name: str | None = self._said["config_name"]
        return name

    def compose(self, overrides: Sequence[str]) -> Composed:
        """What the application makes of some overrides.

        Args:
            overrides: The overrides in Hydra's grammar, without sweeps.

        Raises:
            ConfigError: Hydra refuses them, a mandatory value is missing, or the application cannot be composed.
        """
        key = tuple(overrides)
        if key not in self._known:
            self._start()
            answer = self._ask({"overrides": list(key), "project": str(self._application.project)})
            if "error" in answer:
                raise ConfigError(str(answer["error"]))
            self._known[key] = Composed(answer["values"], answer["choices"])
        return self._known[key]

    def select(self, overrides: Sequence[str], path: str) -> str:
        """A value of Hydra's own node under some overrides, as text.

        Args:
            overrides: As for :meth:`compose`.
            path: Such as ``hydra.sweep.subdir``.

        Raises:
            ConfigError: As :meth:`compose`.
        """
        self._start()
        answer = self._ask({"overrides": list(overrides), "select": path})
        if "error" in answer:
            raise ConfigError(str(answer["error"]))
        return str(answer["selected"])

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdin is not None
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                pass
            os.close(self._answers)
            self._process = None
        if self._printed is not None:
            self._printed.close()
            self._printed = None

    def _start(self) -> None:
        if self._process is not None:
            return
        application = self._application
        self._answers, answers = os.pipe()
        self._printed = tempfile.TemporaryFile()
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ablate.hydra_app.composing_process"],
                cwd=application.project,
                env=os.environ | self._environment(),
                stdin=subprocess.PIPE,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=[answers],
                text=True,
                start_new_session=True,
            )
        finally:
            os.close(answers)
        atexit.register(self.close)
        start = {
            "answers": answers,
            "script": str(application.script) if application.script is not None else None,
            "module": application.module,
            "function": application.function,
            "config_path": application.config_path,
            "config_name": application.config_name,
        }
        said = self._ask(start, START_SECONDS)
        if "error" in said:
            self._fail(str(said["error"]))
        self._said = said

    def _environment(self) -> dict[str, str]:
        """Like a run's, with this package found whatever the application does to its path."""
        own = str(Path(__file__).resolve().parents[2])
        places = self._application.environment.get("PYTHONPATH", os.environ.get("PYTHONPATH", ""))
        return self._application.environment | {"PYTHONPATH": os.pathsep.join(filter(None, [places, own]))}

    def _ask(self, question: Mapping[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said before is read below
        while b"\n" not in self._rest:
            with DefaultSelector() as selector:
                selector.register(self._answers, EVENT_READ)
                if not selector.select(seconds):
                    self._fail(f"did not answer within {seconds:g} s")
            chunk = os.read(self._answers, 1 << 16)
            if not chunk:
                self._fail("ended while it was composed")
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _fail(self, why: str) -> None:
        """End with an error that shows what the application printed last."""
        printed = ""
        if self._printed is not None:
            self._printed.seek(max(0, self._printed.seek(0, os.SEEK_END) - 4000))
            printed = clean(self._printed.read())
        self.close()
        lines = [line for line in printed.splitlines() if line.strip()][-3:]
        more = f"; it printed: {' / '.join(lines)}" if lines else ""
        raise ConfigError(f"{self._application.name}: {why}{more}")
