"""From a study file to what a search works with: the typed node, the space, and how a setting becomes a run."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ablate.commands.study_folders import Words, changed_studies, words_of
from ablate.plan.baseline import Change, with_value
from ablate.plan.compose import Source, sources
from ablate.plan.design import AnyBaseline, label_of
from ablate.plan.keeping import check_keeps
from ablate.plan.launch import Launch
from ablate.plan.study import Study
from ablate.search.fidelity import Ladder, ladder_of
from ablate.search.settings import Racing, Search, parse_search
from ablate.search.space import Factor, Params, Space
from ablate.search.space_file import parse_space
from ablate.search.work import Work, own_unit
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.identity import lookup
from ablate.task.metric import Metric
from ablate.task.run import Run
from ablate.task.searching import ProofProtocol, Searching, searching_of
from ablate.task.task import Task

TRIES = 64
"""Random settings with which a space is tried out; a value that none of so many accept is no valid one."""


@dataclass(frozen=True)
class SearchRequest:
    """A search that a command line asks for."""

    source: Source
    search: Search
    space: Space
    words: Words = field(default_factory=Words)
    """What the command line says beside the study's name."""
    is_changed: bool = False
    """Whether it changes what the study's file states."""

    @property
    def suffix(self) -> str:
        """What is put behind the name of a folder: nothing for the study of the file."""
        return f"@{self.words.digest}" if self.is_changed else ""

    @property
    def command(self) -> str:
        """What searches, proves and reports just this."""
        return self.words.command("search", self.study.name, changed=self.is_changed)

    @property
    def study(self) -> Study:
        """The study that the search belongs to; its seeds are those of the proof."""
        return self.source.study

    @property
    def launch(self) -> Launch:
        """Where the store lies, and what trains."""
        return self.source.launch

    @cached_property
    def task(self) -> Task:
        """What its runs do."""
        return find_task(self.source.task)

    @property
    def searching(self) -> Searching:
        """What the task says of searches."""
        return searching_of(self.task)

    @property
    def metric(self) -> Metric:
        """The metric that is optimised."""
        return self.task.metrics[self.search.metric]

    @property
    def protocols(self) -> list[ProofProtocol]:
        """Those of the proof, in the order of the study file."""
        known = {protocol.name: protocol for protocol in self.searching.protocols}
        return [known[name] for name in self.search.confirm.protocols or known]

    @cached_property
    def work(self) -> Work:
        """The unit in which the task counts work."""
        return own_unit(self.searching, self.build(()))

    def kind_of(self, run: Run) -> str:
        """Values along the steps are compared between runs of one kind."""
        path = self.searching.alike
        return "" if path is None else str(lookup(run.config, path))

    @cached_property
    def baseline(self) -> AnyBaseline:
        """The baseline as it is in a search: where the task has a test set, that is not read."""
        return under(self.source, self.searching.changes).departing

    @cached_property
    def name(self) -> str:
        """Name of Optuna's study: the same for one question only, so that another space begins a search of its own."""
        import hashlib
        import json

        question = {
            "space": [
                [f.name, repr(f.distribution), repr(f.composite), repr(dict(f.when))] for f in self.space.factors
            ],
            "baseline": self.build(()).digest,
            **self.search.model_dump(
                mode="json", include={"metric", "against", "seeds", "seed", "sampler", "compare", "start"}
            ),
            **self._fidelity,
            **({"evidence": True} if self.search.evidence else {}),
        }
        return f"{self.study.name}-{hashlib.sha256(json.dumps(question, sort_keys=True).encode()).hexdigest()[:8]}"

    @property
    def _fidelity(self) -> dict[str, Any]:
        """What lengths a search has; of the reduction that sets them only one that is not the usual."""
        fidelity, reduction = self.search.fidelity, self.search.racing.reduction
        if fidelity is None:
            return {}
        return {"fidelity": fidelity, **({"reduction": reduction} if reduction != Racing().reduction else {})}

    def build(self, changes: Sequence[Change]) -> Run:
        """A setting of the space as a run with seed 0.

        Raises:
            ConfigError: It is no valid configuration.
        """
        return self._configured([*self.search.fixed.items(), *changes])

    def allows(self, params: Params) -> bool:
        """Whether a setting of the space is a valid configuration."""
        try:
            self.build(self.space.changes(params))
        except ConfigError:
            return False
        return True

    @cached_property
    def compared(self) -> dict[str, list[Change]]:
        """The settings to hold the best against, as changes to the baseline (without the search's fixed ones)."""
        return {"baseline": [], **{name: _changes(values) for name, values in self.search.compare.items()}}

    @cached_property
    def start(self) -> list[Params]:
        """Where the search starts: as its file says, then the settings compared, as far as they lie in the space."""
        return list(self.starts.values())

    @cached_property
    def starts(self) -> dict[str, Params]:
        """The same by name: ``start 1``, ``start 2``, ..., and those compared by their own."""
        given = {f"start {number}": _changes(values) for number, values in enumerate(self.search.start, start=1)}
        taken = {name: f"{name} (compared)" if name in given else name for name in self.compared}
        settings = given | {taken[name]: changes for name, changes in self.compared.items()}
        return {name: params for name, changes in settings.items() if (params := self._nearest(changes))}

    @cached_property
    def outside(self) -> str:
        """What of the baseline, with which the proof compares, no setting of the space has; empty: nothing.

        A fidelity counts as outside where the baseline's value is not the full length.
        """
        run, inside = self._configured(()), self._nearest(())
        if self.ladder is not None and inside.get(self.ladder.factor.name) != self.ladder.full:
            inside.pop(self.ladder.factor.name, None)
        values = dict[str, Any]()
        for factor in self.space.factors:
            if not factor.when and factor.name not in inside and factor.path not in self.baseline.groups:
                with suppress(KeyError):  # a name for several fields
                    values[factor.path] = lookup(run.config, factor.path)
        said = ", ".join(f"{path} = {label_of(value)}" for path, value in values.items())
        return f"the proof compares with the baseline, whose {said} the search does not try" if said else ""

    @cached_property
    def ladder(self) -> Ladder | None:
        """The lengths at which settings are trained, where the search has a fidelity.

        Raises:
            ConfigError: It is none.
        """
        return ladder_of(self.search, self.space)

    @cached_property
    def random(self) -> list[Params]:
        """Random settings at full length, valid or not; always the same."""
        import optuna

        from ablate.search.storage import quiet

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        with quiet():
            study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
            whole = {self.ladder.factor.name: self.ladder.full} if self.ladder is not None else {}
            return [{**self.space.suggest(study.ask()), **whole} for _ in range(TRIES)]

    @cached_property
    def examples(self) -> list[Run]:
        """Random settings of the space that are valid, with seed 0; always the same.

        Raises:
            ConfigError: A value of a factor is valid in none, or no setting is.
        """
        found, problems = [], list[str]()
        for params in self.random:
            try:
                found.append(self.build(self.space.changes(params)))
            except ConfigError as error:
                problems.append(error.problems[0])
        if not found:
            raise ConfigError(
                f"study.search.space: none of {TRIES} random settings is a valid one, so that no cohort can be formed; "
                f"the first: {problems[0]}"
            )
        return found

    @cached_property
    def corners(self) -> list[Run]:
        """Settings at full length: the examples, and with them every value at an end of a factor.

        Among them are the cheapest and the dearest.
        """
        fidelity = self.ladder.factor if self.ladder is not None else None
        varied = [
            {**params, factor.name: value}
            for params in self.random[: TRIES // 4]
            for factor in self.space.factors
            if factor.name in params and factor is not fidelity
            for value in factor.ends
        ]
        return [*self.examples, *self._valid(varied)]

    @cached_property
    def brief(self) -> list[Run]:
        """The examples at the shortest length; none where there is but one length."""
        if self.ladder is None or len(self.ladder.rungs) == 1:
            return []
        return self._valid([{**params, self.ladder.factor.name: self.ladder.rungs[0]} for params in self.random])

    def _valid(self, settings: Sequence[Params]) -> list[Run]:
        return [self.build(self.space.changes(params)) for params in settings if self.allows(params)]

    def check(self) -> None:
        """Try out every factor's values, the space, whether the budget buys anything, and runs leave what is kept.

        Raises:
            ConfigError: Lists every problem.
        """
        found = [problem for factor in self.space.factors if (problem := self._problem(factor)) is not None]
        # A factor that is never valid spoils the settings of all others: it alone is to blame.
        problems = [problem for problem, is_own in found if is_own] or [problem for problem, _ in found]
        for name, changes in self.compared.items():
            try:
                self._configured(changes)
            except ConfigError as error:
                problems += [f"study.search.compare.{name}: {problem}" for problem in error.problems]
        for number, values in enumerate(self.search.start):
            problems += [f"study.search.start[{number}]: {problem}" for problem in self._start_problems(values)]
        if problems:
            raise ConfigError(list(dict.fromkeys(problems)))
        examples = self.examples
        check_keeps(examples, self.launch.keep)
        if self.search.budget.unit == "steps" and any(run.length is None for run in examples):
            raise ConfigError(
                f"study.search.budget = {self.search.budget}: task {self.task.name} does not say how many steps a run "
                "has (steps in its declaration); the budget may be in runs or minutes"
            )
        if self.search.budget.unit == "runs" and self.ladder is not None:
            raise ConfigError(
                f"study.search.budget = {self.search.budget}: with a fidelity a short run would count as much as a "
                "long one; the budget may be in samples, steps, cost or minutes"
            )
        if self.search.sampler == "grid":
            self.space.grid()

    def _configured(self, changes: Sequence[Change]) -> Run:
        """The run with what only the disk knows: the content of folders, the version of code."""
        (run,) = self.task.prepare([self.baseline.configure(changes)])
        return run

    def _nearest(self, changes: Sequence[Change]) -> Params:
        options = {path: option for path, option in changes if path in self.baseline.groups}
        return self.space.nearest(self._configured(changes), {**self.baseline.chosen, **options})

    def _start_problems(self, values: Mapping[str, Any]) -> list[str]:
        """What of a setting to start from is invalid, or lies outside the space."""
        try:
            params = self._nearest(_changes(values))
        except ConfigError as error:
            return error.problems
        held = dict(self.space.changes(params))
        return [
            f"{path} = {label_of(value)} lies outside the space" for path, value in _changes(values) if path not in held
        ]

    def _problem(self, factor: Factor) -> tuple[str, bool] | None:
        """Why a value at an end of a factor (or a choice) is valid in no setting, and whether by itself neither.

        Returns:
            None: All are valid.
        """
        contexts = [params for params in self.random if factor.name in params]
        if not contexts:
            return f"study.search.space.{factor.name}: its condition holds in none of {TRIES} random settings", True
        for value in factor.ends:
            why = ""
            for params in contexts:
                try:
                    self.build(self.space.changes({**params, factor.name: value}))
                    break
                except ConfigError as error:
                    why = next((p for p in error.problems if p.startswith(factor.path)), error.problems[0])
            else:
                problem = f"study.search.space.{factor.name} = {value!r}: "
                try:
                    self.build(factor.changes(value))
                except ConfigError as error:
                    return problem + error.problems[0], True
                return problem + why, False
        return None


def search_request(arguments: Sequence[str]) -> SearchRequest:
    """The search that a command line asks for.

    Args:
        arguments: Overrides, with ``sweeps=STUDY`` for one study that has a search.

    Raises:
        ConfigError: Lists every problem.
    """
    found = sources(arguments)
    with_search = [source for source in found if source.study.search is not None]
    if len(with_search) != 1:
        names = ", ".join(source.study.name for source in found)
        raise ConfigError(f"study {names}: needs exactly one study with a search (study.search)")
    source = with_search[0]
    task = find_task(source.task)
    search = parse_search(source.study.search or {}, source.study.seeds, task)
    words, changed = words_of(arguments, found), source.study.name in changed_studies(found, arguments)
    order = SearchRequest(source, search, parse_space(search.space, searching_of(task)), words, changed)
    _ = order.ladder
    _check_clashes(order)
    order.check()
    return order


def under(source: Source, changes: Sequence[Change]) -> Source:
    """A study whose baseline has further changes, such as another protocol.

    Raises:
        ConfigError: The baseline has no such place.
    """
    if source.application is not None:
        own = source.application.changes
        return replace(source, application=replace(source.application, changes=(*own, *changes)))
    values = source.baseline
    for path, value in changes:
        values = with_value(values, path, value)
    return replace(source, baseline=values)


def _check_clashes(order: SearchRequest) -> None:
    problems = [
        f"study.search.fixed.{path}: is also a factor of the space"
        for path in order.search.fixed
        if path in {factor.path for factor in order.space.factors}
    ]
    for path in order.search.fixed:
        if order.searching.refused(path) is not None:
            problems.append(f"study.search.fixed.{path}: set it for the whole study, not for the search alone")
    if problems:
        raise ConfigError(problems)


def _changes(values: Mapping[str, Any]) -> list[Change]:
    return [(str(path), tuple(value) if isinstance(value, list) else value) for path, value in values.items()]
