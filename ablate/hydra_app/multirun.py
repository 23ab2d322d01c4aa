"""What ``hydra/sweeper=ablate`` does in somebody's application: it says what is asked for to a process of ours.

The application's own process has imported its modules, has its own state of Hydra, and its ``__main__``, which worker
processes would import again. So planning and running are done by ``python -m ablate.commands.multirun``, which is told
everything in one line of JSON on standard input.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from omegaconf import DictConfig, OmegaConf

OURS = ("hydra/sweeper", "hydra.sweeper", "hydra/launcher", "hydra.launcher", "hydra.mode", "hydra.run", "hydra.sweep")
"""Hydra's own settings on the command line that are not passed on to runs, as they are about the sweep."""


def sweep_multirun(config: DictConfig, settings: Mapping[str, Any], arguments: Sequence[str]) -> None:
    """Have a multirun planned, run and reported.

    Args:
        config: The multirun's configuration, with Hydra's node.
        settings: The sweeper's settings.
        arguments: Overrides, sweeps among them.

    Raises:
        SystemExit: 1 where a run failed, 2 for bad input, 130 after an interruption.
    """
    main = sys.modules["__main__"]
    spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
    hydra = config.hydra
    request = {
        "arguments": list(arguments),
        "settings": {key: _plain(value) for key, value in settings.items()},
        "project": str(hydra.runtime.cwd),
        "module": spec.name.removesuffix(".__main__") if spec is not None else None,
        "script": os.path.abspath(file) if spec is None and file is not None else None,
        "name": str(hydra.job.name),
        "config_name": hydra.job.config_name,
        "config_path": next((s.path for s in hydra.runtime.config_sources if s.provider == "main"), None),
        "sweep_dir": os.path.abspath(Path(hydra.runtime.cwd) / str(hydra.sweep.dir)),
        "subdir": _plain(hydra.sweep)["subdir"],
        "hydra_words": [word for word in _plain(hydra.overrides.hydra) if not word.lstrip("+~").startswith(OURS)],
    }
    code = _run(request)
    if code:
        sys.exit(code)


def _run(request: Mapping[str, Any]) -> int:
    """Exit code of our own process, which hears of Ctrl-C and of other signals from here, each once.

    It is in a group of its own: whether a signal is sent to this process or to its group, as a terminal does it, makes
    no difference. Its standard input stays open, so that it ends when this process is killed.
    """
    own = str(Path(__file__).resolve().parents[2])
    places = [place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place]
    if own not in places and "site-packages" not in own:
        places.append(own)
    with (
        subprocess.Popen(
            [sys.executable, "-m", "ablate.commands.multirun"],
            cwd=request["project"],
            env=os.environ | ({"PYTHONPATH": os.pathsep.join(places)} if places else {}),
            stdin=subprocess.PIPE,
            text=True,
            process_group=0,
        ) as process,
        _passed_on(process),
    ):
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it has ended by itself, and says why
        code = process.wait()
    return code if code >= 0 else 128 - code


@contextmanager
def _passed_on(process: "subprocess.Popen[str]") -> Iterator[None]:
    """While active, signals that would end or suspend this process go to another one."""

    def suspend(number: int, frame: FrameType | None) -> None:
        os.killpg(process.pid, signal.SIGSTOP)
        os.kill(os.getpid(), signal.SIGSTOP)
        os.killpg(process.pid, signal.SIGCONT)

    handlers: dict[int, Any] = dict.fromkeys(
        (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), lambda number, frame: process.send_signal(number)
    )
    before = {number: signal.signal(number, what) for number, what in {**handlers, signal.SIGTSTP: suspend}.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
