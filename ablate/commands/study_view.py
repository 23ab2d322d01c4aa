"""What a report has to know of a study, made from its file and its plan."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ablate.commands.declared import default_identity, metrics_of, step_of
from ablate.plan.plan import Plan
from ablate.plan.sources import sweep_file
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.identity import flatten
from ablate.task.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from ablate.analyse import Claim
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
"""By task, of factors whose levels lie on an axis."""

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
    tasks = [point.run.task for point in plan.points]
    shared = [point.setting.config for point in plan.points if point.setting.is_baseline]
    return StudyView(
        name=study.name,
        question=study.question,
        design=" + ".join(dict.fromkeys(s.design for s in parts)),
        factors=tuple(view for part in parts for view in _factors(part, plan)),
        baseline=differences(shared[0]) if shared else {},
        metrics=tuple(m for m in metrics_of(tasks) if any(m.name in s.metrics for s in parts)),
        declared=metrics_of(tasks),
        step=step_of(tasks),
        claims=claims_of(plan),
        remarks=tuple(remark for part in parts for remark in part.remarks),
        command=command,
        estimate=estimate,
    )


def claims_of(plan: Plan) -> "tuple[Claim, ...]":
    """The claims of all studies of a plan, but for those about levels that the command line has replaced.

    Raises:
        ConfigError: Lists every problem.
    """
    from ablate.analyse import AnalysisError, parse_claim

    claims, problems = [], []
    for study in plan.studies:
        for index, mapping in enumerate(study.claims):
            try:
                claim = parse_claim({"id": f"{study.name}-{index + 1}", **mapping})
            except AnalysisError as error:
                problems += [f"study {study.name}: claims.{index}: {line}" for line in str(error).splitlines()]
                continue
            known = _levels(plan, study, claim.factor)
            unknown = [level for level in (*claim.levels, *claim.among) if level not in known]
            replaced = claim.factor in study.replaced
            if unknown and not replaced:
                place = f"study {study.name}: claims.{index}: {claim.factor}"
                allowed = ", ".join(str(level) for level in known) or "none: it is no factor of this study"
                problems.append(f"{place} has no level {unknown[0]!r}; levels are {allowed}")
            elif not replaced or (not unknown and claim.kind in LEVELS_ONLY):
                claims.append(claim)
    if problems:
        raise ConfigError(problems)
    return tuple(claims)


def _levels(plan: Plan, study: Study, factor: str) -> list[Any]:
    """Native values and labels of a factor's levels."""
    settings = [p.setting for p in plan.points if p.study.name == study.name and p.setting.factor == factor]
    return list(dict.fromkeys([*(s.level for s in settings), *(s.label for s in settings)]))


def differences(config: Run) -> dict[str, Any]:
    """A setting's fields that are not the default configuration's, by dotted path."""
    default = default_identity(config.task)
    return {
        path: value for path, value in flatten(config.identity).items() if path != "seed" and default.get(path) != value
    }


def _factors(study: Study, plan: Plan) -> "list[FactorView]":
    from ablate.report.view import FactorView, LevelView

    views = []
    own = [point for point in plan.points if point.study.name == study.name]
    metrics = [metric.name for metric in metrics_of(point.run.task for point in own)]
    for path in dict.fromkeys(point.setting.factor for point in own):
        settings = {p.setting.order: p.setting for p in own if p.setting.factor == path}
        levels = [settings[order] for order in sorted(settings)]
        published = [p for p in study.published if p.factor == path]
        views.append(
            FactorView(
                path=path,
                levels=tuple(LevelView(s.level, s.label) for s in levels),
                label=study.label(path) if path in study.factors else path,
                family=study.name,
                unit=UNITS.get(own[0].run.task, {}).get(path, ""),
                ordered=all(isinstance(s.level, int | float) and not isinstance(s.level, bool) for s in levels),
                published=published_table(published[0].table, metrics) if published else None,
                source=published[0].source if published else "",
                repeats=published[0].repeats if published else None,
            )
        )
    return views


def published_table(name: str, metrics: Sequence[str]) -> "pd.DataFrame":
    """A published table: ``label`` and metrics, NaN where nothing was printed.

    Args:
        name: CSV file below a folder of study files; its first column holds the labels of levels.
        metrics: Names that its other columns may have.

    Raises:
        ConfigError: The file is missing or is no such table.
    """
    import pandas as pd

    file = sweep_file(name)
    try:
        table = pd.read_csv(file, dtype={0: str})
        table = table.rename(columns={table.columns[0]: "label"}).astype({"label": str})
        unknown = [c for c in table.columns[1:] if c not in metrics]
        if unknown or table.shape[1] < 2:
            raise ValueError(
                f"columns {', '.join(unknown) or '(none)'} are no metrics; allowed are {', '.join(metrics)}"
            )
        return table.astype(dict.fromkeys(table.columns[1:], float))
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: is no published table: {error}") from None
