"""Hands a whole multirun to ablate's executor: one plan, shared runs, resume, cohorts. The logic is in ``ablate``."""

from dataclasses import dataclass
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StudySweeperConfig:
    """The sweeper has no parameters of its own: studies and launch settings are ablate's."""

    _target_: str = "hydra_plugins.ablate_study.sweeper.StudySweeper"


ConfigStore.instance().store(group="hydra/sweeper", name="ablate", node=StudySweeperConfig, provider="ablate")


class StudySweeper(Sweeper):
    """Sees the multirun's arguments before Hydra splits them into jobs, and needs no launcher."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """See Hydra."""
        self._task_function = task_function

    def sweep(self, arguments: list[str]) -> Any:
        """Plan and train everything that the arguments name; exit code 1 where a run failed, 2 for bad input."""
        from ablate.commands.run import sweep_function

        return sweep_function(self._task_function, arguments)
