"""``hydra/sweeper=ablate`` in any Hydra application: its multirun becomes a plan that resumes."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StudySweeperConfig:
    """What can be said as ``hydra.sweeper.KEY=...``."""

    _target_: str = "hydra_plugins.ablate_study.sweeper.StudySweeper"
    study: str | None = None
    """A study file below ``./sweeps``; without one the sweep is a grid."""
    metric: Any = None
    """``NAME:max`` or ``NAME:min`` of what the function returns, or a list of them; null: as the project declares."""
    seed: str = "seed"
    """Field that takes the seed."""
    task: str | None = None
    """The project's declaration of this application, where it has several."""
    results: str = "results"
    """Folder for the store and reports."""
    store: str | None = None
    """SQLite file or SQLAlchemy URL; null: ``ablate.db`` in ``results``."""
    workers: int | None = None
    """Runs at a time; null: one a core, on CUDA one a GPU."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``."""


ConfigStore.instance().store(group="hydra/sweeper", name="ablate", node=StudySweeperConfig, provider="ablate")


class StudySweeper(Sweeper):
    """Sees the multirun's arguments before Hydra splits them into jobs, and needs no launcher."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra."""
        self._config = config

    def sweep(self, arguments: list[str]) -> Any:
        """Plan, run and report all that the arguments name; exit code 1 where a run failed, 2 for bad input."""
        from ablate.hydra_app.multirun import sweep_multirun

        return sweep_multirun(self._config, self._settings, arguments)
