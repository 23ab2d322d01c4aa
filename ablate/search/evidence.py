"""What a store already knows of a space: runs of any study or search whose setting lies in it."""

import itertools
from collections.abc import Iterator, Mapping
from statistics import fmean
from types import SimpleNamespace
from typing import Any

from ablate.search.request import SearchRequest
from ablate.search.space import Params, key_of
from ablate.store import Store
from ablate.task.errors import ConfigError
from ablate.task.record import Record

MOST = 300
"""Settings of which a search begins with what is known: what a process learns from takes their number cubed."""

Known = tuple[Params, float]
"""A setting of the space and the mean of the metric over its runs."""


def evidence(order: SearchRequest, store: Store) -> list[Known]:
    """Settings of the space that were trained already, whoever asked for them.

    Only complete runs count that are, but for the setting, what a run of the search is, with the same code and the
    same data; and none with a seed of the proof, as what was found with a seed is not proven by it.

    Args:
        order: The search.
        store: Open.

    Returns:
        In the order in which the store got their first runs; of more than :data:`MOST` the best half of so many, and of
        the others the latest.
    """
    values: dict[str, list[float]] = {}
    settings: dict[str, Params] = {}
    for record in store.all(status="complete"):
        value, seed = record.result.last(order.search.metric), record.config.get("seed")
        if value is None or seed in order.study.seeds or (params := _params(order, record)) is None:
            continue
        key = key_of(params)
        settings[key] = params
        values.setdefault(key, []).append(float(value))
    known = [(settings[key], fmean(found)) for key, found in values.items()]
    by_value = sorted(range(len(known)), key=lambda i: known[i][1], reverse=order.search.higher_is_better)
    kept = {*by_value[: MOST // 2], *sorted(by_value[MOST // 2 :])[-MOST // 2 :]}
    return [one for i, one in enumerate(known) if i in kept]


def _params(order: SearchRequest, record: Record) -> Params | None:
    """The parameters of a record's setting; None where it is no run that the search could have made."""
    seed = record.config.get("seed")
    if not isinstance(seed, int):
        return None
    own: Mapping[str, Any] = record.config.get("config", record.config)
    # An identity leaves out what does not count: there the baseline's values hold.
    run = SimpleNamespace(config=_merged(order.build(()).config, own))
    for chosen in _options(order):
        params = order.space.nearest(run, {**order.baseline.chosen, **chosen})
        try:
            if order.build(order.space.changes(params)).with_seed(seed).digest == record.digest:
                return params if _is_whole(order, params) else None
        except ConfigError:
            continue
    return None


def _options(order: SearchRequest) -> Iterator[dict[str, Any]]:
    """Every combination of the options that the space has for configuration groups."""
    groups = [f for f in order.space.factors if f.path in order.baseline.groups]
    for values in itertools.product(*(factor.ends for factor in groups)):
        yield {factor.path: value for factor, value in zip(groups, values, strict=True)}


def _is_whole(order: SearchRequest, params: Params) -> bool:
    """Whether every factor whose condition holds has a value."""
    held: Params = {}
    for factor in order.space.factors:
        if order.space.holds(factor, held):
            if factor.name not in params:
                return False
            held[factor.name] = params[factor.name]
    return True


def _merged(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in own.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            value = _merged(under, value)
        merged[key] = value
    return merged
