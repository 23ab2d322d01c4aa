"""Searches replayed on a table: the project's own searcher and trainer, the table's store instead of training.

Repeat r of a method has sampler seed r and, of the n seeds of the table, those at places r, r + 1, ... (mod n): had all
repeats the same seeds, they would share one draw of the noise by which settings are judged. All methods of a repeat
have the same seeds.
"""

import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ablate.images.run import RunConfig
from ablate.plan.launch import Launch
from ablate.search.evaluate import Outcome, Trainer
from ablate.search.settings import Budget, Racing, Sampler, Search
from ablate.search.start import make_searcher
from ablate.search.trials import best_trials, in_memory
from ablate.store import Owner, Store, open_store
from ablate.task.record import StopRule
from benchmarks.regret_table import METRIC, Grid, Table

SEEDS = 2
"""As in ``sweeps/search.yaml``; of a setting that is not raced, unless it has one."""


@dataclass(frozen=True)
class Method:
    """A way to search; the sampler, batch and family are those of ``ablate search`` unless told otherwise."""

    name: str
    sampler: Sampler = "tpe"
    races: bool = False
    """Along epochs and seeds."""
    seeds: int = SEEDS
    batch: int = Search.model_fields["batch"].default
    family: int = Search.model_fields["family"].default

    def search(self, grid: Grid, budget: int, repeat: int) -> Search:
        """What it searches.

        Args:
            grid: The space, and the seeds.
            budget: In training samples.
            repeat: From 0.
        """
        seeds = grid.all_seeds
        return Search(
            space=grid.space,
            budget=Budget(samples=budget),
            sampler=self.sampler,
            metric=METRIC,
            seeds=tuple(seeds[(repeat + k) % len(seeds)] for k in range(self.seeds)),
            seed=repeat,
            racing=Racing() if self.races else Racing(steps=False, seeds=False),
            batch=self.batch,
            family=self.family,
        )


OURS, TPE, RANDOM = "TPE, racing (ablate search)", "TPE, 2 seeds", "random, 2 seeds"
METHODS = (
    Method(OURS, races=True),
    Method(TPE),
    Method(RANDOM, "random", family=1),
    Method("TPE, 2 seeds, batches of 4", batch=4, family=1),
    Method("TPE, 1 seed", seeds=1),
    Method("random, 1 seed", "random", seeds=1, family=1),
)
"""Ours; the two that it is asked to beat, which differ in the races, and in races and sampler; and three more: TPE that
hears of results more often than ours, and both with twice the settings at half the seeds."""


@dataclass(frozen=True)
class Found:
    """What a search returned, and what that is worth."""

    method: str
    budget: int
    """In training samples."""
    repeat: int
    seeds: tuple[int, ...]
    setting: RunConfig
    """The best by the search's own account, with seed 0."""
    value: float
    """Of it, by that account."""
    truth: float
    regret: float
    unseen_regret: float
    """With the truth taken from those seeds of the table that the search did not have."""
    samples: int
    """Spent."""
    settings: int
    """Different ones that were tried."""


def replay(method: Method, grid: Grid, table: Table, records: Store, budget: int, repeat: int) -> Found:
    """Run a search on the table.

    Args:
        method: How to search.
        grid: The space.
        table: Its truth.
        records: The store with all of the grid's runs; nothing is added.
        budget: In training samples.
        repeat: From 0.

    Raises:
        RuntimeError: The search asked for a run that the table lacks, or spent more than its budget.
    """
    search = method.search(grid, budget, repeat)
    with tempfile.TemporaryDirectory(prefix="ablate-regret-") as folder:
        order = grid.order(search, Launch(results=folder, workers=1))
        with open_store(order.launch.store_location) as own:
            served = Served(records, order.launch)
            searcher = make_searcher(order, own, Owner.current(), served, lambda line: None)
            searcher.study = in_memory(searcher.study)  # nobody goes on with it
            searcher.purse = replace(searcher.purse, study=searcher.study)
            searcher.run()
            spent = int(searcher.purse.spent())
            (best,) = best_trials(searcher.study, search, 1)
    if spent != served.samples or spent > budget:
        raise RuntimeError(f"{method.name}: says {spent}, had {served.samples} training samples of {budget}")
    setting = order.build(order.space.changes(best.params))
    return Found(
        method=method.name,
        budget=budget,
        repeat=repeat,
        seeds=search.seeds,
        setting=setting,
        value=float(best.values[0]),
        truth=table.truth(setting.digest),
        regret=table.regret(setting.digest),
        unseen_regret=table.regret(setting.digest, search.seeds),
        samples=spent,
        settings=served.settings,
    )


class Served:
    """An ``Evaluate`` that takes everything from a store by way of the project's trainer, and keeps its own account."""

    def __init__(self, records: Store, launch: Launch) -> None:
        self._records = records
        self._trainer = Trainer(records, launch)
        self._samples: dict[str, int] = {}
        self._settings: set[str] = set()

    def __call__(self, runs: Iterable[RunConfig], rules: Mapping[str, StopRule]) -> dict[str, Outcome]:
        """See :class:`ablate.search.evaluate.Evaluate`."""
        wanted = {run.digest: run for run in runs}
        if lacking := wanted.keys() - self._records.status_of(wanted).keys():
            raise RuntimeError(f"the search asks for {len(lacking)} runs that are not in the table")
        outcomes = self._trainer(wanted.values(), rules)
        for digest, run in wanted.items():
            samples = run.training_images * len(outcomes[digest].result.curves)
            self._samples[digest] = max(samples, self._samples.get(digest, 0))
            self._settings.add(run.with_seed(0).digest)
        return outcomes

    @property
    def samples(self) -> int:
        """Training samples that it would have taken to train what was asked for, each run once."""
        return sum(self._samples.values())

    @property
    def settings(self) -> int:
        """Different settings that were asked for."""
        return len(self._settings)
