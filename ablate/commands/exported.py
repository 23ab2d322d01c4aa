"""A run as it is exported: a record in its place in a study."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ablate.task.record import Record


@dataclass(frozen=True)
class Exported:
    """A record at a level of a factor."""

    study: str
    factor: str
    level: str
    is_baseline: bool
    record: Record

    @property
    def group(self) -> str:
        """What is averaged over."""
        return f"{self.factor}={self.level}"

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.record.config["seed"])

    @property
    def config(self) -> Mapping[str, Any]:
        """The setting, without the seed."""
        return {name: value for name, value in self.record.config.items() if name not in ("seed", "engine")}

    @property
    def labels(self) -> dict[str, Any]:
        """What tells it apart from other runs."""
        own = {"study": self.study, "factor": self.factor, "level": self.level, "is_baseline": self.is_baseline}
        return own | {"group": self.group, "seed": self.seed, "digest": self.record.digest}

    @property
    def folder(self) -> str:
        """A relative path of its own: the group, and the seed in it."""
        name = re.sub(r"[^\w.=+-]", "_", self.group).lstrip(".")
        return f"{name}/seed={self.seed}"
