"""Putting a searcher together from what a command line asks for."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ablate.execute.choice import settings_on
from ablate.execute.devices import speed_device
from ablate.execute.estimate import Speeds
from ablate.search.budget import Prices, Purse
from ablate.search.evaluate import Evaluate
from ablate.search.evidence import evidence
from ablate.search.proposer import Proposer
from ablate.search.racing import first_seeds
from ablate.search.request import SearchRequest
from ablate.search.searcher import Searcher, amount
from ablate.search.storage import Direction, open_study
from ablate.store import Owner, Store, open_store
from ablate.store.provenance import host
from ablate.task.errors import ConfigError
from ablate.task.executor import WorkerSettings
from ablate.task.run import Run

if TYPE_CHECKING:
    from optuna import Study


LEAST_SECONDS = 1.0
"""A budget of less time is refused by a mere guess of what a run takes."""


def make_searcher(
    order: SearchRequest, store: Store, owner: Owner, evaluate: Evaluate, say: Callable[[str], None] = print
) -> Searcher:
    """A searcher that is ready to run.

    Args:
        order: What is searched.
        store: Open at the place that ``order`` names.
        owner: This process.
        evaluate: How runs get trained.
        say: Gets a line after each batch.

    Raises:
        ConfigError: Optuna's tables cannot be used, or the budget does not buy a single setting (:func:`check_order`
            says so earlier).
    """
    study = open_study(order.name, order.launch.store_location, store, owner, directions(order))
    purse = make_purse(order, store, study)
    return Searcher(
        study=study,
        search=order.search,
        metric=order.metric,
        space=order.space,
        build=order.build,
        purse=purse,
        prices=prices(order, purse),
        start=order.start,
        store=store,
        owner=owner,
        evaluate=evaluate,
        kind_of=order.kind_of,
        evidence=lambda: evidence(order, store) if order.search.evidence else [],
        proposer=Proposer(order.space, order.ladder, order.search, order.allows) if order.ladder is not None else None,
        say=say,
    )


def check_order(order: SearchRequest) -> None:
    """Refuse a budget that does not buy a single setting, and workers that cannot be had, before anything is written.

    Raises:
        ConfigError: See :func:`prices` and :func:`ablate.execute.choice.settings_on`.
    """
    import optuna

    workers_of(order)
    with open_store(order.launch.store_location, read_only=True) as store:
        prices(order, make_purse(order, store, optuna.create_study(directions=directions(order))))


def make_purse(order: SearchRequest, store: Store, study: "Study") -> Purse:
    """The budget, with estimates of time from what was measured on this host."""
    workers = workers_of(order)
    device = speed_device(workers, order.launch.executor)

    def seconds(run: Run) -> tuple[float, bool]:
        speeds = Speeds(store.speeds(host()), device)
        is_guess = speeds.measured(run, 10, True) is None
        return speeds.seconds(run, run.samples) / len(workers), is_guess

    return Purse(order.search.budget, study, order.work, seconds)


def workers_of(order: SearchRequest) -> list[WorkerSettings]:
    """The workers that train a search's runs, of which there are always enough for them.

    Raises:
        ConfigError: See :func:`ablate.execute.choice.settings_on`.
    """
    return settings_on(order.launch.choice, order.launch.device, order.launch.workers, len(order.examples))


def prices(order: SearchRequest, purse: Purse) -> Prices:
    """What settings of the space cost.

    Raises:
        ConfigError: The budget does not buy the cheapest, at full length beside the starts at the shortest.
    """
    seeds, starts = first_seeds(order.search), max(1, len(order.start))
    costs = [seeds * purse.cost(run) for run in order.corners]
    briefs = [seeds * purse.cost(run) for run in order.brief]
    least = min(costs) + starts * min(briefs, default=0.0)
    # What nobody has measured may be wrong by any factor, and refuses nothing but a budget that is none.
    is_guess = purse.total >= LEAST_SECONDS and any(map(purse.is_guess, order.corners))
    if least > purse.total and not is_guess:
        unit = "seconds (estimated)" if purse.work is None else purse.unit
        what = "run" if seeds == 1 else f"setting with its {seeds} seeds"
        short = f" at full length, beside {starts} at the shortest" if briefs else ""
        raise ConfigError(
            f"study.search.budget = {order.search.budget}: does not buy a single {what}{short}; the cheapest takes "
            f"{amount(least)} {unit}"
        )
    brief = max(briefs, default=0.0)
    return Prices(max(min(costs), min(max(costs), purse.total - starts * brief)), brief)


def directions(order: SearchRequest) -> list[Direction]:
    """Optuna's words for what is good."""
    first: Direction = "maximize" if order.search.higher_is_better else "minimize"
    return [first] if order.search.against is None else [first, "minimize"]
