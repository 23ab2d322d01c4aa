"""Studies that add seeds look by look: train, look, add seeds where nothing is settled yet, until everything is.

What to train next follows from the records and the study file alone, so that a sweep that was killed goes on to the
same end. The looks that were made are written down beside the study's report, and other looks at the same levels are
refused: looks that are chosen after a look are none.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.declared import metrics_of
from ablate.plan.plan import Plan, Point
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of
from ablate.task.metric import Metric

if TYPE_CHECKING:
    from ablate.analyse.sequential import Looks
    from ablate.execute import Summary
    from ablate.task.record import Record

FILE = "looks.json"
"""This file in a study's folder says how it is looked at, and what came of each look."""
HEADER = ("settings", "looks", "alpha", "margin", "metric")
"""What of it is fixed before the first look."""


@dataclass(frozen=True)
class Stage:
    """How far a study has got."""

    counted: Plan
    """The part of the plan up to the looks that were made: what is reported."""
    wanted: Plan
    """The part that the next look waits for; all that counts where everything is settled."""
    levels: Mapping[str, tuple[str, int]]
    """How each level stands, and how many seeds count for it."""
    looks: int
    """Looks made."""
    is_settled: bool


def looks_of(study: Study) -> "Looks | None":
    """How a study is looked at, for the analysis."""
    if study.looks is None:
        return None
    from ablate.analyse.sequential import Looks

    return Looks(study.looks.looks, study.looks.alpha, study.looks.margin)


def metric_of(study: Study) -> Metric:
    """The metric by which a study is looked at: the last of those that it shows."""
    return [metric for metric in metrics_of([study.task]) if metric.name in study.metrics][-1]


def stage_of(study: Study, plan: Plan, records: "Mapping[str, Record]") -> Stage:
    """How far a study with looks has got.

    Args:
        study: The study with looks.
        plan: Its part of the plan, up to the cap.
        records: The records by digest.

    Raises:
        ConfigError: It has no baseline.
    """
    from ablate.analyse import AnalysisError
    from ablate.analyse.along_looks import counted_runs
    from ablate.report.joined_runs import frame_of_runs

    looks = looks_of(study)
    assert looks is not None
    try:
        _, path = counted_runs(
            frame_of_runs(plan, records, study.name),
            metric=metric_of(study),
            looks=looks,
            declared=metrics_of([study.task]),
        )
    except AnalysisError as error:
        raise ConfigError(f"study {study.name}: seeds: {error}") from None
    keys = dict.fromkeys(
        (p.setting.factor, p.setting.order, p.setting.label) for p in _ordered(plan) if not p.setting.is_baseline
    )
    is_settled = path.looks == len(looks.at) or "undecided" not in path.settled
    following = looks.at[min(path.looks, len(looks.at) - 1)]
    now, then, levels = {}, {}, {}
    for (factor, order, label), state, count in zip(keys, path.settled, path.counts, strict=True):
        now[factor, order] = count or following
        then[factor, order] = following if state == "undecided" and not is_settled else count
        levels[f"{factor} = {label}"] = (state, count)
    return Stage(_part(study, plan, now), _part(study, plan, then), levels, path.looks, is_settled)


def counted_plan(plan: Plan, records: "Mapping[str, Record]") -> Plan:
    """A plan without runs of studies with looks that no look has counted."""
    parts = {
        study.name: stage_of(study, plan.of(study), records).counted
        for study in plan.studies
        if study.looks is not None
    }
    return _joined(plan, parts)


def train_by_looks(
    plan: Plan,
    train: "Callable[[Plan], Summary]",
    records_of: "Callable[[Plan], Mapping[str, Record]]",
    folder_of: Callable[[str], Path],
    say: Callable[[str], None],
) -> "Summary":
    """Train studies look by look, until everything is settled or no look can be made.

    Args:
        plan: All studies up to their caps.
        train: Trains what a part of the plan lacks.
        records_of: Reads its records.
        folder_of: Gives the folder of a study's report.
        say: Tells what was found.

    Returns:
        Counts over all that was wanted.

    Raises:
        ConfigError: The same levels were looked at otherwise before.
    """
    with_looks = [study for study in plan.studies if study.looks is not None]
    for study in with_looks:
        check_looks(study, plan.of(study), folder_of(study.name))
    told: dict[str, int] = {}
    summaries: list[Summary] = []
    while True:
        records = records_of(plan)
        stages = {study.name: stage_of(study, plan.of(study), records) for study in with_looks}
        for study in with_looks:
            if stages[study.name].looks > told.get(study.name, 0):
                told[study.name] = stages[study.name].looks
                write_looks(study, plan.of(study), stages[study.name], folder_of(study.name))
                say(describe(study, stages[study.name]))
        wanted = _joined(plan, {name: stage.wanted for name, stage in stages.items()})
        lacking = [run for run in wanted.runs if run.digest not in records or not _ended(records[run.digest])]
        before = {run.digest for run in lacking}
        summaries.append(train(wanted))
        if summaries[-1].missing:  # a limit that was asked for is reached
            return _summed(summaries)
        after = records_of(wanted)
        if not before or not any(digest in after and _ended(after[digest]) for digest in before):
            return _summed(summaries)


def _summed(summaries: "Sequence[Summary]") -> "Summary":
    """The last counts, with what the earlier parts of the sweep did."""
    sums = {
        name: sum(getattr(summary, name) for summary in summaries)
        for name in ("trained", "read_off", "elsewhere", "deaths", "samples", "lost_seconds", "seconds")
    }
    last = summaries[-1]
    made = int(sums["trained"] + sums["read_off"] + sums["elsewhere"])
    return replace(last, **sums, reused=max(0, last.planned - last.missing - last.failed - made))


def check_looks(study: Study, plan: Plan, folder: Path) -> None:
    """Refuse other looks at levels that were looked at before.

    Raises:
        ConfigError: They were.
    """
    header = _header(study, plan)
    for file, held in _looks_at(plan, folder):
        if header != held:
            stated = ", ".join(f"{key} {held[key]}" for key in ("looks", "alpha", "margin", "metric"))
            raise ConfigError(
                f"study {study.name}: seeds: these levels were looked at already, with {stated} ({file}); looks that "
                "are fixed after a look do not hold their error"
            )


def looked_at(study: Study, plan: Plan, folder: Path) -> tuple[str, ...]:
    """What is to be said of a study with a number of seeds whose levels were looked at before; empty: nothing.

    Raises:
        ConfigError: What was written down of looks is damaged.
    """
    if study.looks is not None:
        return ()
    return tuple(
        f"These levels were looked at as seeds were added, with looks {held['looks']} ({file}): verdicts with a number "
        "of seeds that was chosen after a look are wrong more often than they say."
        for file, held in _looks_at(plan, folder)
    )


def _looks_at(plan: Plan, folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """How each study is looked at, in this or another folder, whose levels are those of the plan."""
    settings = _settings_digest(plan)
    for file in sorted(folder.parent.glob(f"*/{FILE}")):
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            same, header = held["settings"] == settings, {key: held[key] for key in HEADER}
        except (OSError, ValueError, KeyError, TypeError):
            raise ConfigError(f"{file}: is damaged; it holds at which numbers of seeds a study is looked at") from None
        if same:
            yield file, header


def write_looks(study: Study, plan: Plan, stage: Stage, folder: Path) -> None:
    """Write down how a study is looked at, and what came of its looks so far."""
    from ablate.report.files import write_text

    folder.mkdir(parents=True, exist_ok=True)
    levels = {name: {"settled": state, "seeds": count} for name, (state, count) in stage.levels.items()}
    text = json.dumps(_header(study, plan) | {"made": stage.looks, "levels": levels}, indent=1, ensure_ascii=False)
    write_text(folder / FILE, text + "\n")


def describe(study: Study, stage: Stage) -> str:
    """What came of the last look, in a sentence."""
    assert study.looks is not None
    counts = {state: sum(s == state for s, _ in stage.levels.values()) for state in ("told", "within", "undecided")}
    words = {"told": "told from the baseline", "within": "within the margin of it", "undecided": "undecided"}
    found = ", ".join(f"{count} {words[state]}" for state, count in counts.items() if count)
    seeds = study.looks.looks[stage.looks - 1]
    end = "all is settled" if not counts["undecided"] else "no more seeds are added" if stage.is_settled else ""
    return f"study {study.name}: look {stage.looks} at {seeds} seeds: {found}" + (f"; {end}" if end else "")


def _header(study: Study, plan: Plan) -> dict[str, Any]:
    assert study.looks is not None
    return {
        "settings": _settings_digest(plan),
        "looks": list(study.looks.looks),
        "alpha": study.looks.alpha,
        "margin": study.looks.margin,
        "metric": metric_of(study).name,
    }


def _settings_digest(plan: Plan) -> str:
    return digest_of(sorted({point.setting.config.digest for point in plan.points}))


def _ordered(plan: Plan) -> list[Point]:
    """Points as the analysis has them: factors as they appear, levels by their order."""
    factors = {factor: place for place, factor in enumerate(dict.fromkeys(p.setting.factor for p in plan.points))}
    return sorted(plan.points, key=lambda p: (factors[p.setting.factor], p.setting.order))


def _part(study: Study, plan: Plan, counts: Mapping[tuple[str, int], int]) -> Plan:
    """The points of the first seeds of each level, and of the baseline as many as of any."""
    place, most = {seed: index for index, seed in enumerate(study.seeds)}, max(counts.values())
    points = tuple(p for p in plan.points if place[p.run.seed] < counts.get((p.setting.factor, p.setting.order), most))
    return replace(plan, points=points)


def _joined(plan: Plan, parts: Mapping[str, Plan]) -> Plan:
    """A plan with the points of some studies replaced."""
    kept = {name: set(map(id, part.points)) for name, part in parts.items()}
    points = tuple(p for p in plan.points if p.study.name not in kept or id(p) in kept[p.study.name])
    return replace(plan, points=points)


def _ended(record: "Record") -> bool:
    from ablate.store import FINAL

    return record.result.status in FINAL
