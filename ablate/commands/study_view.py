"""What a report has to know of a study, made from its file and its plan."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ablate.commands.declared import default_identity, metrics_of, step_of
from ablate.commands.published_tables import PublishedTable, published_table, read_table
from ablate.plan.compose import Source
from ablate.plan.design import Levels, is_same, label_of
from ablate.plan.plan import Plan, make_plan
from ablate.plan.study import Published, Study
from ablate.task.claim import JOINED, Claim, parse_claim
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten
from ablate.task.metric import Metric
from ablate.task.run import Run

if TYPE_CHECKING:
    from ablate.analyse.sequential import Looks
    from ablate.report.view import FactorView, StudyView


UNITS: Mapping[str, Mapping[str, str]] = {
    "images": {
        "train.batch_size": "images",
        "model.kernel_size": "pixels",
        "model.kernel_size_2": "pixels",
        "model.pool_size": "pixels",
        "data.image_size": "pixels",
        "data.train_size": "images",
    }
}
"""Units of factors whose levels lie on an axis, by task."""

LIBRARIES: Mapping[str, tuple[str, ...]] = {"images": ("torch", "torchvision")}
"""The packages that carry out a task's runs and whose versions records keep."""

LEVELS_ONLY = ("better", "equivalent", "monotone")
"""Kinds of claims about the levels that they name and no others."""


def view_of(study: Study, plan: Plan, *, command: str, estimate: float | None = None) -> "StudyView":
    """A study as a report shows it.

    Args:
        study: A study, or a union of studies.
        plan: Its part of the plan, included studies too.
        command: What rebuilds the report.
        estimate: Planned seconds of all workers together; None: not known.

    Raises:
        ConfigError: A published table is missing or malformed, or a claim is.
    """
    from ablate.report.view import StudyView

    parts = [s for s in plan.studies if s.factors]
    published = {
        (s.name, p.factor): published_table(s, p, plan)
        for s in parts
        for p in s.published
        if not s.changed and _has_levels(s, p, plan)
    }
    tasks = [point.run.task for point in plan.points]
    shown = [metric for metric in metrics_of(tasks) if any(metric.name in part.metrics for part in parts)]
    primary = {metric_of(part) for part in parts}
    shared = [point.setting.config for point in plan.points if point.setting.is_baseline]
    return StudyView(
        name=study.name,
        question=study.question,
        design=" + ".join(dict.fromkeys(s.design for s in parts)),
        factors=tuple(view for part in parts for view in _factors(part, plan, published)),
        baseline=differences(shared[0]) if shared else {},
        metrics=tuple(sorted(shown, key=lambda metric: primary == {metric})),  # the primary one is the last
        declared=metrics_of(tasks),
        step=step_of(tasks),
        claims=claims_of(plan),
        looks=looks_of(study),
        correction=parts[0].correction if len({s.correction for s in parts}) == 1 else "max-t",
        remarks=tuple(remark for part in parts for remark in part.remarks),
        notices=(
            *(notice for part in parts for notice in _protocol_notices(part, plan)),
            *(f"{table.left_out}." for table in published.values() if table.left_out),
        ),
        libraries=tuple(dict.fromkeys(name for task in tasks for name in LIBRARIES.get(task, ()))),
        command=command,
        estimate=estimate,
    )


def looks_of(study: Study) -> "Looks | None":
    """How a study is looked at, for the analysis."""
    if study.looks is None:
        return None
    from ablate.analyse.sequential import Looks

    return Looks(study.looks.looks, study.looks.alpha, study.looks.margin)


def metric_of(study: Study) -> Metric:
    """The metric of a study's answer, and by which it is looked at: the last that its file names."""
    return next(metric for metric in metrics_of([study.task]) if metric.name == study.metrics[-1])


def checked_plan(sources: Sequence[Source]) -> Plan:
    """The plan of studies, with claims and published tables that a report can use.

    Raises:
        ConfigError: Lists every problem of all studies, with their settings, claims and tables.
    """
    studies, problems = [source.study for source in sources], list[str]()
    try:
        plan = make_plan(sources)
    except ConfigError as error:  # What needs no plan is looked at all the same.
        problems += error.problems
        for study in studies:
            problems += _parsed_claims(study)[1]
            problems += _table_problems(study, None)
        raise ConfigError(list(dict.fromkeys(problems))) from None
    try:
        claims_of(plan)
    except ConfigError as error:
        problems += error.problems
    for study in studies:
        problems += _table_problems(study, plan)
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return plan


def _table_problems(study: Study, plan: Plan | None) -> list[str]:
    """What is wrong with published tables; without a plan, with their files alone."""
    problems = []
    for published in study.published:
        try:
            if plan is None:
                read_table(study, published.table)
            elif _has_levels(study, published, plan):
                published_table(study, published, plan)
        except ConfigError as error:
            problems += [f"study {study.name}: published: {problem}" for problem in error.problems]
    return problems


def claims_of(plan: Plan) -> "tuple[Claim, ...]":
    """The claims of all studies of a plan.

    Left out are those about levels that the command line has replaced, and those of a study whose protocol it has
    changed.

    Raises:
        ConfigError: Lists every problem.
    """
    stated = [study for study in plan.studies if study.claims]
    if not stated:
        return ()
    claims, problems = [], []
    for study in stated:
        parsed, found = _parsed_claims(study)
        problems += found
        for index, claim in parsed.items():
            levels = levels_of_grid(plan, study, claim) if claim.over else plan.levels(study, claim.factor)
            if isinstance(levels, str):
                problems.append(f"study {study.name}: claims.{index}: {levels}")
                continue
            unknown = [level for level in (*claim.levels, *claim.among) if levels.meant(level) is None]
            replaced = claim.factor in study.replaced
            if unknown and not replaced:
                place = f"study {study.name}: claims.{index}: {claim.factor}"
                allowed = ", ".join(s.label for s in levels.settings) or "none: it is no factor of this study"
                problems.append(f"{place} has no level {unknown[0]!r}; levels are {allowed}")
            elif (
                not study.changed
                and not set(claim.over) & set(study.replaced)
                and (not replaced or (not unknown and claim.kind in LEVELS_ONLY))
            ):
                named, among = (tuple(_own_name(levels, name) for name in n) for n in (claim.levels, claim.among))
                claims.append(replace(claim, levels=named, among=among))
    if problems:
        raise ConfigError(problems)
    return tuple(claims)


def levels_of_grid(plan: Plan, study: Study, claim: Claim) -> Levels | str:
    """The levels of a claim's own factor where it is over the other factors of a grid; a text: what is wrong."""
    names, wanted = list(study.factors), [claim.factor, *claim.over]
    if study.looks is not None:
        return f"over = {list(claim.over)}: seeds that are added look by look are judged by claims without over"
    if study.design != "grid" or sorted(names) != sorted(wanted):
        there = ", ".join(names) or "no factors of its own"
        return (
            f"over = {list(claim.over)}: needs a study of design grid with factors {', '.join(wanted)}; this one is of "
            f"design {study.design} with {there}"
        )
    at = names.index(claim.factor)
    grid = plan.levels(study, JOINED.join(names)).settings
    named = {label_of(setting.level[at]): setting for setting in grid}
    return Levels(tuple(replace(one, level=one.level[at], label=label) for label, one in named.items()))


def _parsed_claims(study: Study) -> "tuple[dict[int, Claim], list[str]]":
    """The claims of a study by their place in its file, and what is wrong with the others."""
    metrics, parsed, problems = metrics_of([study.task]), {}, list[str]()
    for index, mapping in enumerate(study.claims):
        try:
            parsed[index] = parse_claim({"id": f"{study.name}-{index + 1}", **mapping}, metrics)
        except ConfigError as error:
            problems += [f"study {study.name}: claims.{index}: {problem}" for problem in error.problems]
    return parsed, problems


def _protocol_notices(study: Study, plan: Plan) -> list[str]:
    """What a changed baseline or design means for claims and published numbers."""
    if study.changed and (study.published or study.claims):
        fields = ", ".join(study.changed)
        return [
            f"The command line has changed {fields}: these runs follow another protocol than study {study.name} "
            "states, so that they are not held against published numbers and its claims are not judged."
        ]
    return [
        f"The command line has changed the design: no level of study {study.name} is one of {published.factor} alone, "
        f"so that nothing is held against {published.table} (published)."
        for published in study.published
        if not _has_levels(study, published, plan)
    ]


def _has_levels(study: Study, published: Published, plan: Plan) -> bool:
    """Whether the table's factor is one of the design; False only after the command line has changed the design."""
    return published.factor not in study.replaced or bool(plan.levels(study, published.factor).settings)


def _own_name(levels: Levels, name: Any) -> Any:
    """A name by which the analysis finds the level: as given, or the label of the level that it also means."""
    meant = levels.meant(name)
    return name if meant is None or is_same(meant.level, name) else meant.label


def differences(config: Run) -> dict[str, Any]:
    """A setting's fields that are not the default configuration's, by dotted path."""
    default = default_identity(config.task)
    return {
        path: value for path, value in flatten(config.identity).items() if path != "seed" and default.get(path) != value
    }


def _factors(study: Study, plan: Plan, published: Mapping[tuple[str, str], PublishedTable]) -> "list[FactorView]":
    from ablate.report.view import FactorView, LevelView

    views = []
    own = [point for point in plan.points if point.study.name == study.name]
    for path in dict.fromkeys(point.setting.factor for point in own):
        levels = plan.levels(study, path).settings
        table = published.get((study.name, path))
        views.append(
            FactorView(
                path=path,
                levels=tuple(LevelView(s.level, s.label) for s in levels),
                label=study.label(path),
                family=study.name,
                unit=UNITS.get(own[0].run.task, {}).get(path, ""),
                ordered=all(isinstance(s.level, int | float) and not isinstance(s.level, bool) for s in levels),
                published=table.means if table is not None else None,
                source=table.stated.source if table is not None else "",
                repeats=table.stated.repeats if table is not None else None,
            )
        )
    return views
