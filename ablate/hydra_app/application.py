"""How somebody's Hydra application is started."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Application:
    """How somebody's application is started, and where its configuration is, if it does not say so itself."""

    project: Path
    """Folder in which it is run."""
    script: Path | None = None
    """Executed as ``python SCRIPT``; None: :attr:`module`."""
    module: str | None = None
    """Executed as ``python -m MODULE``, or only imported where :attr:`function` is to be called."""
    function: str | None = None
    """Name of the function in :attr:`module`, without arguments: what ``@hydra.main`` made."""
    config_path: str | None = None
    """Absolute folder, or ``pkg://...``; None: as ``@hydra.main`` says."""
    config_name: str | None = None
    """None: as ``@hydra.main`` says."""
    roots: tuple[Path, ...] = ()
    """Folders of modules."""

    @property
    def words(self) -> list[str]:
        """The command line before the overrides."""
        if self.script is not None:
            start = [str(self.script)]
        elif self.function is None:
            start = ["-m", str(self.module)]
        else:
            start = ["-c", f"from {self.module} import {self.function}; {self.function}()"]
        path = ["--config-path", self.config_path] if self.config_path is not None else []
        name = ["--config-name", self.config_name] if self.config_name is not None else []
        return ["python", *start, *path, *name]

    @property
    def environment(self) -> dict[str, str]:
        """Over that of this process."""
        places = [str(root) for root in self.roots] + [place for place in [os.environ.get("PYTHONPATH")] if place]
        found = {"PYTHONPATH": os.pathsep.join(places)} if places else {}
        return {"PWD": str(self.project), **found}

    @property
    def name(self) -> str:
        """The application's name for people."""
        return str(self.script.name if self.script is not None else f"{self.module}:{self.function or '__main__'}")
