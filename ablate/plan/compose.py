"""From a command line to studies with what they depart from: a task's configuration, a study file, overrides."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ablate.plan.application import ApplicationBaseline, ApplicationComposer
from ablate.plan.baseline import Baseline, problems_of_values
from ablate.plan.command_line import TASK, Overrides, parse_command_line, parse_overrides, sort_overrides, values_of
from ablate.plan.configuration import Composer, changed, unknown
from ablate.plan.launch import LAUNCH_KEYS, PREFIX, Launch, split_launch
from ablate.plan.links import has_links, resolve_links
from ablate.plan.named_options import chosen_by_name, option_of_word, options_as_fields
from ablate.plan.study import Study, parse_study
from ablate.plan.study_file import DEFAULT_TASK, StudyFile, read_study_file
from ablate.plan.study_overrides import override_study
from ablate.plan.suggestions import MOST_HINTS, did_you_mean
from ablate.plan.sweeps import with_sweeps
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.identity import flatten
from ablate.task.plain_values import merged
from ablate.task.task import composes_itself

MAX_STUDIES = 200
"""Most studies of a command line, including those that others include."""
MAX_DEPTH = 5
"""Studies that include one another."""

LEVELS = ("factors", "search")
"""Fields of a study that hold values of the configuration."""

AnyComposer = Composer | ApplicationComposer

ComposeGroup = Callable[[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Source:
    """A study with what it departs from."""

    study: Study
    baseline: Mapping[str, Any]
    """Nested values of a run; links (``${optimizer.lr}``) stand in it as text, to be followed once a level is set."""
    launch: Launch
    compose_group: ComposeGroup
    """``(group, option)`` to the option's own values (see :mod:`ablate.plan.baseline`)."""
    task: str = DEFAULT_TASK
    """Name of the task that its runs are of."""
    chosen: Mapping[str, str] = field(default_factory=dict)
    """The option that the baseline has in each configuration group."""
    application: ApplicationBaseline | None = None
    """What every level departs from, where the task composes itself."""
    notes: tuple[str, ...] = ()
    """What was decided about the baseline, in sentences."""

    @property
    def departing(self) -> Baseline | ApplicationBaseline:
        """What every level departs from."""
        if self.application is not None:
            return self.application
        return Baseline(find_task(self.task), self.baseline, self.chosen, self.compose_group)


def sources(arguments: Sequence[str], composers: dict[str, AnyComposer] | None = None) -> list[Source]:
    """The studies that a command line asks for.

    ``sweeps=a,b`` names studies (each with the studies it includes); other sweeps (``optimizer.lr=0.1,0.2``) replace
    the levels of a study's factor of that name, or else become a further factor; ``seed=0,1,2`` replaces the seeds.
    Without a study, the sweeps make a grid of their own, the study ``multirun``, of the task that ``task=NAME`` names.

    Args:
        arguments: Overrides in Hydra's grammar, without flags.
        composers: The composers by task; filled, so that later calls compose nothing twice.

    Returns:
        One source a study, included ones before the union that includes them.

    Raises:
        ConfigError: For anything that a task's configuration, a study file or an override has wrong.
    """
    asked = parse_command_line(arguments)
    composing = _Composing(asked.words, composers)
    if not asked.studies:
        return [composing.source(None)]
    for name in asked.studies:
        composing.add(name, including=())
    return list(composing.found.values())


def launch_of(arguments: Sequence[str]) -> Launch:
    """The launch settings of a command line that asks for nothing else.

    Raises:
        ConfigError: Lists every problem; any other word is one.
    """
    launch, rest = split_launch(arguments, lambda key: False)
    if rest:
        raise ConfigError(
            [
                f"{word}: is no setting that counts here{did_you_mean(word.partition('=')[0], LAUNCH_KEYS)}"
                for word in rest
            ]
        )
    return launch


def option_names(arguments: Sequence[str]) -> tuple[dict[str, tuple[str, ...]], dict[str, Any]]:
    """The configuration groups of a command line's task with their options, and its values.

    Raises:
        ConfigError: As :func:`sources`.
    """
    asked = parse_command_line(arguments)
    composing = _Composing(asked.words)
    (first, *_) = [composing.source(composing.read(name)) for name in asked.studies] or [composing.source(None)]
    configuration = find_task(first.task).configuration
    return {group: composing.composer(first.task).options(group) for group in configuration.groups}, dict(
        first.baseline
    )


class _Composing:
    """Everything that one command line asks for; tasks are composed and study files are read once."""

    def __init__(self, words: Sequence[str], composers: dict[str, AnyComposer] | None = None) -> None:
        self._words = words
        self._composers = {} if composers is None else composers
        self._files: dict[str, StudyFile] = {}
        self.found: dict[str, Source] = {}

    def add(self, name: str, including: tuple[str, ...]) -> None:
        """A study, after those that it includes."""
        if name in including:
            raise ConfigError(f"study {name}: includes itself by way of {' > '.join(including)}")
        _check_depth(name, including)
        if name in self.found:
            return
        if len(self.found) >= MAX_STUDIES:
            raise ConfigError(f"study {name}: is one of more than {MAX_STUDIES} studies; name fewer at a time")
        file = self.read(name)
        source = self.source(file)
        for included in source.study.includes:
            self.add(included, (*including, name))
        self.found[name] = source

    def source(self, file: StudyFile | None) -> Source:
        """A study, or without a file the grid of the command line's sweeps."""
        task, composer, words = self._task(file)
        launch, words = split_launch(words, composer.owns)
        if file is not None:
            with _in_study(file):
                file = chosen_by_name(file, composer)
        if isinstance(composer, ApplicationComposer):
            return _of_application(task, composer, file, launch, words)
        overrides = sort_overrides(parse_overrides(words), lambda key: bool(composer.options(key)))
        with _in_study(file):
            choices = _choices(file, overrides, composer)
            stated, notes = _stated(file, overrides, composer, choices)
            values = changed(stated, overrides.fields)

        @cache
        def own_values(group: str, option: str) -> Mapping[str, Any]:
            _check_option(group, option, composer)
            others = [choice for choice in choices if choice.partition("=")[0].lstrip("+~") != group]
            found: Any = composer.compose([*others, f"{group}={option}"])
            if file is None:
                # Without a study, what the command line says it says of every run.
                found = changed(found, [o for o in overrides.fields if _is_of(group, o.key_or_group)])
            for part in group.split("/"):
                found = found[part]
            return dict(found)

        with _in_study(file):
            try:
                study = _parsed(file, task, overrides, values, composer)
            except ConfigError as error:
                departing = Baseline(find_task(task), values, composer.chosen(choices), own_values)
                raise ConfigError([*error.problems, *problems_of_values(departing)]) from None
        source = Source(study, values, launch, own_values, task, composer.chosen(choices), notes=notes)
        if file is None or not (overrides.fields or overrides.choices):
            return source
        as_stated = _stated(
            file, sort_overrides([], bool), composer, _choices(file, sort_overrides([], bool), composer)
        )
        return replace(source, study=study.model_copy(update={"changed": _changed(source, as_stated[0])}))

    def _task(self, file: StudyFile | None) -> tuple[str, AnyComposer, list[str]]:
        """The task's name, its composer, and the command line without the words that name it."""
        asked = {word.partition("=")[2] for word in self._words if word.partition("=")[0] == TASK}
        if file is None:
            if len(asked) > 1:
                raise ConfigError(f"task={','.join(sorted(asked))}: one task at a time")
            name = next(iter(asked), DEFAULT_TASK)
        else:
            name = self._task_of(file, ())
        with _in_study(file):
            composer = self.composer(name)
        if file is not None and composer.owns(TASK):
            return name, composer, list(self._words)
        if asked - {name}:
            raise ConfigError(f"task={', '.join(asked - {name})}: study {file.name if file else ''} is of task {name}")
        return name, composer, [word for word in self._words if word.partition("=")[0] != TASK]

    def _task_of(self, file: StudyFile, including: tuple[str, ...]) -> str:
        """The task that the file names; a mere union of studies is of the task of its first one."""
        includes = file.node.get("includes")
        if file.task is not None or file.node.get("factors") or not isinstance(includes, list) or not includes:
            return file.task or DEFAULT_TASK
        first = str(includes[0])
        _check_depth(first, including)
        return DEFAULT_TASK if first in including else self._task_of(self.read(first), (*including, file.name))

    def composer(self, name: str) -> AnyComposer:
        if name not in self._composers:
            task = find_task(name)
            self._composers[name] = ApplicationComposer(task) if composes_itself(task) else Composer(task.configuration)
        return self._composers[name]

    def read(self, name: str) -> StudyFile:
        if name not in self._files:
            self._files[name] = read_study_file(name)
        return self._files[name]


def _check_depth(name: str, including: tuple[str, ...]) -> None:
    if len(including) > MAX_DEPTH:
        raise ConfigError(f"study {name}: is included by way of more than {MAX_DEPTH} others")


def _stated(
    file: StudyFile | None, overrides: Overrides, composer: Composer, choices: Sequence[str]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """A task's values with what a study file says of them, and what it said that does not count here.

    What a file changes in a group belongs to the option that it has there: where the command line chooses another
    option, that one brings its own values.
    """
    values = composer.compose(choices)
    if file is None:
        return values, ()
    own, notes = _own_values(file, composer, values), list[str]()
    has = composer.chosen(_choices(file, sort_overrides([], bool), composer))
    for override in overrides.choices:
        group = override.key_or_group
        now = composer.chosen(choices).get(group)
        if isinstance(own.get(group), Mapping) and has.get(group) != now:
            left = ", ".join(f"{path} {value}" for path, value in flatten(own.pop(group)).items())
            notes.append(
                f"{override.input_line}: {now} has its own values; the study's {left} is for {has.get(group)}."
            )
    return merged(values, own), tuple(notes)


def _changed(source: Source, stated: Mapping[str, Any]) -> tuple[str, ...]:
    """Paths of what the command line changes in a run of the baseline; what cannot change its result does not count."""
    try:
        before = flatten(Baseline(find_task(source.task), stated).run.identity)
        after = flatten(source.departing.run.identity)
    except ConfigError:
        # Either is no run by itself: what a file leaves open is not its protocol, and what is wrong is told elsewhere.
        return ()
    return tuple(path for path in {**before, **after} if before.get(path) != after.get(path))


def _is_of(group: str, path: str) -> bool:
    return path.startswith(f"{group.replace('/', '.')}.")


def _of_application(
    task: str, composer: ApplicationComposer, file: StudyFile | None, launch: Launch, words: Sequence[str]
) -> Source:
    """A study of a task that composes itself: what it says of the baseline are overrides, as its levels are."""
    overrides = sort_overrides(parse_overrides(words), lambda key: bool(composer.options(key)))
    application = find_task(task)
    assert composes_itself(application)
    with _in_study(file):
        own: dict[str, Any] = {}
        changes: list[tuple[str, Any]] = []
        if file is not None:
            own = _own_values(file, composer, composer.compose())
            chosen = {key: value for key, value in file.values.items() if key not in own}
            changes += [*file.choices.items(), *chosen.items(), *flatten(own).items()]
        plainly = [o for o in (*overrides.choices, *overrides.fields) if not (o.is_delete() or o.package)]
        changes += [(o.key_or_group, values_of(o)[0]) for o in plainly if not (o.is_add() or o.is_force_add())]
        others = tuple(
            str(o.input_line)
            for o in (*overrides.choices, *overrides.fields)
            if o.is_delete() or o.package or o.is_add() or o.is_force_add()
        )
        baseline = ApplicationBaseline(application, tuple(changes), others)
        values = baseline.values
        study = _parsed(file, task, overrides, values, composer)
    return Source(study, values, launch, baseline.option, task, {}, baseline)


def _parsed(
    file: StudyFile | None, task: str, overrides: Overrides, values: Mapping[str, Any], composer: AnyComposer
) -> Study:
    """The study that a file, or without one a command line, states."""
    node = override_study(file.node if file is not None else None, overrides.study)
    _check_sweeps(node, overrides, values, composer)
    found = with_sweeps(_linked(node, values), overrides, file) | {"task": task}
    return parse_study(file.name if file is not None else "multirun", found)


def _choices(file: StudyFile | None, overrides: Overrides, composer: AnyComposer) -> list[str]:
    """What chooses options, as Hydra takes it: of the study file, then of the command line."""
    chosen = dict(file.choices) if file is not None else {}
    if file is not None:
        chosen |= {key: value for key, value in file.values.items() if isinstance(value, str) and composer.options(key)}
    for group, option in chosen.items():
        _check_option(group, option, composer)
    for override in overrides.choices:
        if not override.is_delete() and override.value() is not None:
            option = option_of_word(override.key_or_group, values_of(override)[0], str(override.input_line))
            _check_option(override.key_or_group, option, composer)
    return [f"{group}={option}" for group, option in chosen.items()] + [str(o.input_line) for o in overrides.choices]


def _check_option(group: str, option: str, composer: AnyComposer) -> None:
    options = composer.options(group)
    if not options:
        raise ConfigError(f"{group} = {option!r}: {group} is no configuration group")
    if option not in options:
        raise ConfigError(
            f"{group} = {option!r}: there is no such option{did_you_mean(option, options)}; options are "
            f"{', '.join(options)}"
        )


def _own_values(file: StudyFile, composer: AnyComposer, values: Mapping[str, Any]) -> dict[str, Any]:
    """What a study file sets of the configuration, and of nothing else.

    Raises:
        ConfigError: Lists every key that is not the configuration's.
    """
    own = {key: value for key, value in file.values.items() if not (isinstance(value, str) and composer.options(key))}
    problems = []
    for key in own:
        if key in values:
            problems += options_as_fields(key, own[key], values[key], composer)
            continue
        if key in LAUNCH_KEYS or key == PREFIX.rstrip("."):
            problems.append(f"{key}: where things go and what trains is said on the command line, not by a study file")
        elif "." in key and key.partition(".")[0] in values:
            problems.append(
                f"{key}: is written as nested keys in a study file, {{{key.replace('.', ': {', 1)}: ...}}}}"
            )
        else:
            hint = did_you_mean(key, [*values, "study"]) if len(problems) < MOST_HINTS else ""
            problems.append(f"{key}: there is no such field{hint}")
    if problems:
        raise ConfigError(problems)
    return own


def _linked(node: Mapping[str, Any] | None, values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A study node with links followed, but for those of levels, which are followed with each level set."""
    if node is None:
        return None
    words = {key: value for key, value in node.items() if key not in LEVELS}
    if not has_links(words):
        return node
    return {**node, **resolve_links({**values, "study": words})["study"]}


def _check_sweeps(
    node: Mapping[str, Any] | None,
    overrides: Overrides,
    values: Mapping[str, Any],
    composer: AnyComposer,
) -> None:
    """Refuse sweeps over what neither the study nor the configuration has.

    Raises:
        ConfigError: Lists every one.
    """
    factors = node.get("factors") if node is not None else None
    problems = []
    for override in overrides.sweeps:
        key = override.key_or_group
        known = isinstance(factors, Mapping) and key in factors
        if not known and not composer.options(key) and ("." not in key or key.partition(".")[0] not in values):
            problems.append(f"{override.input_line}: {unknown(key, values)}")
        for option in values_of(override) if composer.options(key) and not known else ():
            try:
                _check_option(key, option_of_word(key, option, str(override.input_line)), composer)
            except ConfigError as error:
                problems += error.problems
    if problems:
        raise ConfigError(problems)


@contextmanager
def _in_study(file: StudyFile | None) -> Iterator[None]:
    """Problems name the study whose they are."""
    try:
        yield
    except ConfigError as error:
        if file is None:
            raise
        raise ConfigError([f"study {file.name}: {problem}" for problem in error.problems]) from None
