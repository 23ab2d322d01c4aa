"""A small space of which every setting is trained, with every seed: searches are then replayed from the run store.

A tabular benchmark (NAS-Bench-101, Ying et al. 2019; HPOBench, Eggensperger et al. 2021): a search that runs on the
table costs no training, yet its budget is counted in training samples as if it had trained, so that it can be repeated
and compared with the best setting there is.

Each seed has its own held-out split, initial weights and order of the data. The truth of a setting is its mean over
all seeds of the table, of which a search knows at most two: with six seeds two thirds of the truth's noise are none of
the search's, and what luck with its own seeds a search mistook for quality counts for a third (two seeds) or a sixth
(one). More seeds would cost a table each; how much that luck is worth is seen in the regret on the unseen seeds alone.

The learning rate's levels are evenly spaced on a logarithmic scale, and each stands for the part of the range that is
nearest to it. A search is given the range, as ``sweeps/search.yaml`` gives it one, and what it proposes is trained at
the nearest level: so the samplers know that the levels have an order, and a random one meets each equally often.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any, Literal

from ablate.execute import Progress, Summary, execute
from ablate.images.run import RunConfig, parse_run
from ablate.images.task import IMAGES
from ablate.plan.compose import Source
from ablate.plan.launch import Launch
from ablate.plan.study import Study
from ablate.search.request import Change, SearchRequest
from ablate.search.settings import Search
from ablate.search.space import Params
from ablate.search.space_file import parse_space
from ablate.search.trial import value_of
from ablate.store import FINAL, Store
from ablate.task.errors import ConfigError

METRIC: Literal["val_acc"] = "val_acc"
LR = "optimizer.lr"
RATIO = 2.5
"""Of a learning rate to the next."""
FIRST_SEED = 1000
"""As a search's own."""

LEVELS: dict[str, tuple[Any, ...]] = {
    LR: tuple(round(0.002 * RATIO**k, 6) for k in range(8)),  # from one that hardly learns to one that diverges
    "optimizer.momentum": (0.0, 0.5, 0.9),
    "model.pooling": ("avg", "max"),
    "train.batch_size": (16, 64),
}
QUICK_LEVELS: dict[str, tuple[Any, ...]] = {
    LR: LEVELS[LR][2:7:2],
    "optimizer.momentum": (0.0, 0.9),
    "model.pooling": ("avg", "max"),
    "train.batch_size": (64,),
}
ACTIVATIONS = {name: "relu" for name in ("activation", "activation_c5", "activation_f6")}


@dataclass(frozen=True)
class Grid:
    """The space, and how its settings are trained."""

    levels: Mapping[str, tuple[Any, ...]]
    """By path; those of the learning rate in a geometric sequence."""
    train_size: int
    """Images in use, the held-out ones among them."""
    val_size: int
    epochs: int
    seeds: int

    @property
    def all_seeds(self) -> tuple[int, ...]:
        """The seeds of the table."""
        return tuple(range(FIRST_SEED, FIRST_SEED + self.seeds))

    @property
    def space(self) -> dict[str, Any]:
        """As a study file has it, the learning rate's range reaching half a level beyond its levels."""
        rates = self.levels[LR]
        half = math.sqrt(rates[1] / rates[0])
        ends = {"low": rates[0] / half, "high": rates[-1] * half, "log": True}
        return {path: ends if path == LR else list(levels) for path, levels in self.levels.items()}

    @cached_property
    def baseline(self) -> RunConfig:
        """The article's LeNet with rectifiers, on few images; the test set is not read."""
        values = RunConfig().model_dump(mode="python")
        values["model"] |= ACTIVATIONS
        values["data"] |= {"protocol": "holdout", "train_size": self.train_size, "val_size": self.val_size}
        values["train"] |= {"epochs": self.epochs}
        return parse_run(values)

    @property
    def full_run(self) -> int:
        """Training samples of a run, whatever its setting."""
        return self.baseline.samples

    @cached_property
    def settings(self) -> tuple[RunConfig, ...]:
        """Every setting, with seed 0."""
        order = self.order(
            Search.model_validate({"space": self.space, "metric": METRIC, "budget": {"samples": 1}}), Launch()
        )
        combinations = itertools.product(*self.levels.values())
        return tuple(order.build(list(zip(self.levels, values, strict=True))) for values in combinations)

    @property
    def runs(self) -> list[RunConfig]:
        """Every setting with every seed."""
        return [setting.with_seed(seed) for seed in self.all_seeds for setting in self.settings]

    def nearest(self, path: str, value: Any) -> Any:
        """The level that a proposed value is trained at."""
        return min(self.levels[LR], key=lambda rate: abs(math.log(value / rate))) if path == LR else value

    def order(self, search: Search, launch: Launch) -> "GridOrder":
        """A search of the grid."""
        study = Study(name="regret", metrics=(METRIC,), search=search.model_dump(mode="json"))
        source = Source(study, self.baseline.model_dump(mode="python"), launch, _no_groups)
        return GridOrder(source, search, parse_space(search.space, IMAGES.searching), grid=self)

    def describe(self, setting: RunConfig) -> str:
        """A setting for people."""
        return ", ".join(f"{path.rpartition('.')[2]} {value}" for path, value in self.values_of(setting).items())

    def values_of(self, setting: RunConfig) -> dict[str, Any]:
        """The levels of a setting, by path."""
        return {path: _field(setting, path) for path in self.levels}


@dataclass(frozen=True)
class GridOrder(SearchRequest):
    """A search whose proposals are trained at the levels of a grid."""

    grid: Grid = field(kw_only=True)

    def build(self, changes: Sequence[Change]) -> RunConfig:
        """See :meth:`SearchRequest.build`."""
        return super().build([(path, self.grid.nearest(path, value)) for path, value in changes])

    @cached_property
    def start(self) -> list[Params]:
        """Nowhere: where to begin is told to no method, so that random search is nothing but random."""
        return []


@dataclass(frozen=True)
class Table:
    """What was trained: accuracies of all settings and seeds."""

    values: Mapping[str, Mapping[int, float]]
    """By the digest of a setting with seed 0, then by seed: the metric after the last epoch."""
    diverged: int = 0
    """Runs that did; their value is that of guessing."""

    def truth(self, setting: str, but: Sequence[int] = ()) -> float:
        """Mean over the seeds.

        Args:
            setting: Digest.
            but: Seeds to leave out.
        """
        return fmean(value for seed, value in self.values[setting].items() if seed not in but)

    def regret(self, setting: str, but: Sequence[int] = ()) -> float:
        """How far the truth of a setting is below that of the best one; 0 for the best. Arguments as for the truth."""
        return max(self.truth(other, but) for other in self.values) - self.truth(setting, but)

    def ranked(self) -> list[str]:
        """Digests of the settings, the best first."""
        return sorted(self.values, key=lambda setting: -self.truth(setting))


def train_table(
    grid: Grid, store: Store, *, workers: int | None, cohort: int | None, progress: Progress | None = None
) -> Summary:
    """Train what the store lacks of the table; may be interrupted and started again."""
    return execute(grid.runs, store, workers=workers, max_members=cohort, progress=progress)


def read_table(grid: Grid, store: Store) -> Table:
    """The table, all of which must have been trained.

    Raises:
        ConfigError: Runs are missing or failed.
    """
    records = store.get(run.digest for run in grid.runs)
    lacking = [run for run in grid.runs if run.digest not in records or records[run.digest].result.status not in FINAL]
    if lacking:
        raise ConfigError(f"the table lacks {len(lacking)} of {len(grid.runs)} runs: they failed or were not trained")
    values: dict[str, dict[int, float]] = {}
    for setting in grid.settings:
        results = {seed: records[setting.with_seed(seed).digest].result for seed in grid.all_seeds}
        values[setting.digest] = {seed: value_of(result, IMAGES.metrics[METRIC]) for seed, result in results.items()}
    return Table(values, sum(record.result.status == "diverged" for record in records.values()))


def _field(setting: RunConfig, path: str) -> Any:
    node: Any = setting
    for part in path.split("."):
        node = getattr(node, part)
    return node


def _no_groups(group: str, option: str) -> Mapping[str, Any]:
    raise ConfigError(f"{group} = {option}: this space has no configuration groups")
