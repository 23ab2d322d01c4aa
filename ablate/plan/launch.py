"""How and where runs are executed: nothing here can change a result, so nothing here is part of a run's identity."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from ablate.task.errors import ConfigError
from ablate.task.fields import Fields, problems_of


class Launch(Fields):
    """Where records and reports lie, and what trains."""

    results: str = "results"
    """Folder for everything that is written."""
    store: str | None = None
    """SQLite file or SQLAlchemy URL; null: ``ablate.db`` in ``results``."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda|cuda:\d+)$")] = "auto"
    workers: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Worker processes; null: one a core, on CUDA one a GPU."""
    cohort_size: Annotated[int, Field(ge=1)] | None = None
    """Most runs trained together; null: bounded by measurement and memory."""

    @property
    def store_location(self) -> str:
        """The store's file or URL."""
        return self.store if self.store is not None else str(Path(self.results) / "ablate.db")


def parse_launch(values: Mapping[str, Any]) -> Launch:
    """Turn composed configuration into its typed form.

    Args:
        values: Plain data, as Hydra composes it.

    Raises:
        ConfigError: Lists every problem.
    """
    try:
        return Launch.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigError(problems_of(error)) from None
