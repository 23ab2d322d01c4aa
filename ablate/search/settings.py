"""The ``study.search`` node of a study file in its typed form: space, objective, budget, races and proof."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import AliasChoices, Field, ValidationError, model_validator

from ablate.search.work import Work
from ablate.task.errors import ConfigError
from ablate.task.fields import Fields, problems_of
from ablate.task.metric import Goal
from ablate.task.searching import searching_of
from ablate.task.task import Task

SEEDS_FROM = 1000
"""First seed of a search whose file only says how many: studies count from 0, so that these are others."""

MAX_SEEDS = 1_000
"""Most seeds of a setting."""
MAX_SETTINGS = 100
"""The most settings that are compared, started from or proven."""

SUFFIXES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}

Sampler = Literal["tpe", "random", "grid", "cmaes", "gp"]
BudgetUnit = Literal["samples", "cost", "steps", "runs", "minutes"]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


Amount = Annotated[int, Field(ge=1, le=10**18)]
Few = Annotated[int, Field(ge=1, le=10_000)]


class Budget(Fields):
    """What a search may spend, in one unit."""

    samples: Amount | None = None
    """Training samples (images times epochs), for tasks that count them; over all runs that the search uses, also those
    that the store already held, so that the same budget buys the same settings. So it is for all units but minutes."""
    cost: Amount | None = None
    """Values of the field that a task's declaration calls its ``cost``."""
    steps: Amount | None = None
    """Steps over all runs, for tasks that say how many a run has."""
    runs: Amount | None = None
    """Whole runs; one that is stopped early counts by the share of its steps."""
    minutes: Annotated[float, Field(gt=0.0, le=1e7)] | None = None
    """Wall time of training; what the store already holds costs nothing."""

    @model_validator(mode="after")
    def _one_unit(self) -> "Budget":
        given = [f"{name} = {value:g}" for name, value in self if value is not None]
        if not given:
            raise ValueError(
                f"needs one of {', '.join(Budget.model_fields)}, such as {{runs: 50}} or {{samples: 200M}}"
            )
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}: one of them; set the other to null")
        return self

    @property
    def unit(self) -> BudgetUnit:
        """Which of them it is in."""
        return next(name for name in get_args(BudgetUnit) if getattr(self, name) is not None)

    @property
    def work(self) -> Work | None:
        """What is counted; None: time."""
        unit = self.unit
        return None if unit == "minutes" else Work(unit)

    @property
    def total(self) -> float:
        """How much, minutes in seconds."""
        amount = getattr(self, self.unit)
        return 60.0 * amount if self.unit == "minutes" else float(amount)

    def __str__(self) -> str:
        """The settings in words."""
        return f"{self.minutes:g} minutes" if self.minutes is not None else f"{self.total:,.0f} {self.unit}"


class Racing(Fields):
    """How poor settings lose their claim on the budget (see :mod:`ablate.search.racing`)."""

    steps: Annotated[bool, Field(validation_alias=AliasChoices("steps", "epochs"))] = True
    """Stop runs that lie behind others at the same share of their steps (``epochs`` in files written before there were
    other steps)."""
    seeds: bool = True
    """Give further seeds only to settings that may still be the best."""
    reduction: Annotated[float, Field(gt=1.0, le=1e6)] = 3.0
    """About one setting in so many goes on at each rung; contenders get so many times the seeds."""
    rungs: Annotated[int, Field(ge=1, le=5)] = 2
    """Rungs of a run: at 1/reduction of its steps, at 1/reduction squared, ..."""
    least: Few = 4
    """Settings that must have reached a rung before anyone is stopped there."""
    patience: Annotated[float, Field(ge=0.0, le=1e6)] = 1.0
    """A setting is a contender while it is behind the best by at most so many standard errors."""


class Confirm(Fields):
    """The proof on fresh seeds (those of ``study.seeds``)."""

    top: Annotated[int, Field(ge=1, le=MAX_SETTINGS)] = 3
    """So many of the best settings are confirmed."""
    protocols: tuple[str, ...] = Field(default=(), max_length=MAX_SETTINGS)
    """Protocols of the task, each a study; none named: all of them. For images ``article``: all training images, as the
    article reports it; and ``holdout_test``: as searched, but with the test set read, so that the value found and the
    value confirmed are the same measure. Most tasks have one, ``fresh_seeds``."""
    additive: bool = True
    """Also train each change of the settings under ``compare`` alone: do single-factor winners add up?"""


class Search(Fields):
    """What a search varies, what it maximises, and at which cost."""

    space: dict[str, Any]
    """Factor to its range or choices; see :mod:`ablate.search.space`."""
    fixed: dict[str, Any] = Field(default_factory=dict, max_length=MAX_SETTINGS)
    """Changes to the baseline that every searched setting has: dotted path, or configuration group, to value."""
    compare: dict[str, dict[str, Any]] = Field(default_factory=dict, max_length=MAX_SETTINGS)
    """Further settings to hold the best against: name to changes to the baseline. Those that lie in the space are also
    where the search starts."""
    start: tuple[dict[str, Any], ...] = Field(default=(), max_length=MAX_SETTINGS)
    """Further settings to start from, as changes to the baseline; what they leave open the sampler chooses, where the
    baseline does not lie in the space."""
    budget: Budget
    sampler: Sampler = "tpe"
    fidelity: str | None = None
    """A factor of the space, such as ``train.epochs``: settings are tried at its low values first, and the most
    promising at higher ones; see :mod:`ablate.search.fidelity`. Needs ``sampler: gp``."""
    evidence: bool = False
    """Whether runs of the store that no trial of the search made tell it something, too: those of other studies and
    searches whose setting lies in the space. What they say is settled when the search begins. Needs a ``fidelity``;
    another store then means another search."""
    metric: str
    """Any that the task declares, but for those of the test set; its last value, mean over seeds. None named: the
    task's main one (images: ``val_acc``)."""
    goal: Goal = "max"
    """The goal that the metric declares; it is no key of a file."""
    against: Literal["samples", "cost", "steps", "seconds"] | None = None
    """A second objective, to be small: what a run costs in this unit; the result is a Pareto front, not raced."""
    seeds: tuple[Seed, ...] = Field(default=(SEEDS_FROM,), max_length=MAX_SEEDS)
    """A setting's value is the mean over these; a count stands for 1000, 1001, ..."""
    seed: Seed = 0
    """The seed of the sampler."""
    batch: Few = 16
    """Settings that are proposed and trained at a time. The first time it is at most twice ``racing.least``: those run
    to their end, as there is nobody yet to race against."""
    family: Few = 4
    """So many settings in a row of a batch share what shapes a training step, so that they make one cohort; 1: each
    is proposed freely."""
    racing: Racing = Racing()
    confirm: Confirm = Confirm()

    @model_validator(mode="after")
    def _makes_sense(self) -> "Search":
        if not self.space:
            raise ValueError("space: needs at least one factor")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds = {list(self.seeds)}: needs at least one seed, each listed once")
        if "baseline" in self.compare:
            raise ValueError("compare.baseline: the baseline is compared in any case")
        if self.sampler in ("cmaes",) and self.against is not None:
            raise ValueError("against: sampler cmaes has one objective only; use tpe, gp, random or grid")
        if self.fidelity is not None and self.sampler != "gp":
            raise ValueError(
                f"fidelity: needs sampler gp, which learns what lengths have in common; it is {self.sampler}"
            )
        if self.evidence and self.fidelity is None:
            raise ValueError("evidence: needs a fidelity")
        if self.fidelity is not None and self.against is not None:
            raise ValueError("fidelity: a search with two objectives (against) has none")
        return self

    @property
    def higher_is_better(self) -> bool:
        """Direction of the metric."""
        return self.goal == "max"

    @property
    def races(self) -> Racing:
        """The races, of which two objectives have none: a setting that is behind in one may be ahead in the other.

        Along the steps there are none either where settings go on from short runs to long ones.
        """
        if self.against is not None:
            return Racing(steps=False, seeds=False)
        return self.racing.model_copy(update={"steps": False}) if self.fidelity is not None else self.racing


def parse_search(values: Mapping[str, Any], proof_seeds: tuple[int, ...], task: Task) -> Search:
    """Turn the ``study.search`` node into its typed form.

    Args:
        values: Plain data; ``seeds`` a count or a list, amounts of the budget also as ``200M``, ``1.5G`` or ``80k``.
        proof_seeds: Fresh seeds of the proof, which must be others than those of the search.
        task: What is searched.

    Raises:
        ConfigError: Lists every problem.
    """
    data = dict(values)
    seeds = data.get("seeds")
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if not 1 <= seeds <= MAX_SEEDS:
            raise ConfigError(
                f"study.search.seeds = {seeds}: must be a count of at least 1 and at most {MAX_SEEDS:,}, or a list of "
                "seeds"
            )
        data["seeds"] = tuple(range(SEEDS_FROM, SEEDS_FROM + seeds))
    elif isinstance(seeds, list):
        data["seeds"] = tuple(seeds)
    if data.get("budget") is not None:
        data["budget"] = _budget(data["budget"])
    if isinstance(data.get("start"), list):
        data["start"] = tuple(data["start"])
    confirm = data.get("confirm")
    if isinstance(confirm, Mapping) and isinstance(confirm.get("protocols"), list):
        data["confirm"] = {**confirm, "protocols": tuple(confirm["protocols"])}
    data.setdefault("metric", None)
    if data["metric"] is None:
        data["metric"] = searching_of(task).metric or task.default_metrics[-1]
    problems = ["study.search.goal: there is no such field; a metric's direction is declared with it"] * (
        "goal" in data
    )
    metric = task.metrics.get(data["metric"]) if isinstance(data["metric"], str) else None
    data["goal"] = metric.goal if metric is not None else "max"
    try:
        search = Search.model_validate({key: value for key, value in data.items() if value is not None})
    except ValidationError as error:
        problems += [p.replace("study.search.: ", "study.search.") for p in problems_of(error, "study.search.")]
        raise ConfigError(problems) from None
    problems += _problems_of_task(search, task)
    if problems:
        raise ConfigError(problems)
    shared = sorted(set(search.seeds) & set(proof_seeds))
    if shared:
        raise ConfigError(
            f"study.search.seeds = {list(search.seeds)}: {shared[0]} is also a seed of the proof (study.seeds); "
            "what was found with a seed is not proven by it"
        )
    return search


def _problems_of_task(search: Search, task: Task) -> list[str]:
    """What the task of a search does not have."""
    problems, searching = [], searching_of(task)
    open_ones = [name for name, metric in task.metrics.items() if metric.split != "test"]
    if search.metric not in task.metrics:
        problems.append(f"study.search.metric = {search.metric!r}: is no metric of task {task.name}; allowed are ")
        problems[-1] += ", ".join(open_ones)
    elif search.metric not in open_ones:
        problems.append(
            f"study.search.metric = {search.metric!r}: is measured on the test set, which no choice may see; allowed "
            f"are {', '.join(open_ones) or '(none: declare one of another split)'}"
        )
    units = [searching.cost] * bool(searching.cost) + ["steps", "runs", "minutes"]
    if search.budget.unit not in units:
        problems.append(
            f"study.search.budget = {search.budget}: task {task.name} counts no {search.budget.unit}; it may be in "
            f"{', '.join(units)}"
        )
    if search.against in ("samples", "cost") and search.against != searching.cost:
        problems.append(f"study.search.against = {search.against!r}: task {task.name} counts no {search.against}")
    known = [protocol.name for protocol in searching.protocols]
    for name in search.confirm.protocols:
        if name not in known:
            problems.append(f"study.search.confirm.protocols = {name!r}: is none; allowed are {', '.join(known)}")
    return problems


def _budget(values: Any) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise ConfigError(
            f"study.search.budget = {values!r}: must be an amount of one unit, such as {{runs: 50}}, {{samples: 200M}} "
            "or {minutes: 60}"
        )
    budget: dict[str, Any] = {key: value for key, value in values.items() if value is not None}
    for key in budget.keys() & {"samples", "cost", "steps", "runs"}:
        budget[key] = _count(key, budget[key])
    if isinstance(budget.get("minutes"), int) and not isinstance(budget["minutes"], bool):
        budget["minutes"] = float(budget["minutes"])
    return budget


def _count(unit: str, value: Any) -> Any:
    """A count; other kinds of values are left for the validation to refuse.

    Raises:
        ConfigError: It is a text that says no number.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    match = (
        re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([kmg]?)", value.strip().lower()) if isinstance(value, str) else None
    )
    if isinstance(value, str) and match is None:
        raise ConfigError(
            f"study.search.budget.{unit} = {value!r}: must be a number above 0, such as 80k, 200M or 1.5G"
        )
    return round(float(match[1]) * SUFFIXES[match[2]]) if match else value
