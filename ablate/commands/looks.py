"""Studies that add seeds look by look: train, look, add seeds where nothing is settled yet, until everything is.

What to train next follows from the records and the study file alone, so that a sweep that was killed goes on to the
same end. The looks that were made are written down beside the study's report, and other looks at the same levels are
refused: looks that are chosen after a look are none. A claim that is stated after a look, or changed, is judged, and
said to have been stated then: its error holds only where nobody chose it by what was seen.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.look_stages import Stage, joined, stage_of
from ablate.commands.study_view import claims_of, metric_of
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of

if TYPE_CHECKING:
    from ablate.execute import Summary
    from ablate.report.view import StudyView
    from ablate.task.claim import Claim
    from ablate.task.record import Record

FILE = "looks.json"
"""This file in a study's folder says how it is looked at, and what came of each look."""
HEADER = ("settings", "looks", "alpha", "margin", "metric")
"""What of it is fixed before the first look."""


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
        part, folder = plan.of(study), folder_of(study.name)
        check_looks(study, part, folder)
        for name, look in stated_after(study, part, folder).items():
            say(f"study {study.name}: claim {name} was stated or changed after look {look}, and is marked so")
    told: dict[str, str] = {}
    summaries: list[Summary] = []
    while True:
        records = records_of(plan)
        stages = {study.name: stage_of(study, plan.of(study), records) for study in with_looks}
        for study in with_looks:
            stage = stages[study.name]
            if stage.looks and describe(study, stage) != told.get(study.name):
                told[study.name] = describe(study, stage)
                write_looks(study, plan.of(study), stage, folder_of(study.name))
                say(told[study.name])
        wanted = joined(plan, {name: stage.wanted for name, stage in stages.items()})
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
        if header != {key: held[key] for key in HEADER}:
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


def stated_after(study: Study, plan: Plan, folder: Path) -> dict[str, int]:
    """By the id of each claim that was stated, or changed, after looks were made: how many were.

    Raises:
        ConfigError: What was written down of looks is damaged.
    """
    if study.looks is None:
        return {}
    files = [held for _, held in _looks_at(plan, folder, own=True)]
    found = {claim.id: min((_after(claim, held) for held in files), default=0) for claim in claims_of(plan)}
    return {name: look for name, look in found.items() if look}


def with_stated(view: "StudyView", study: Study, plan: Plan, folder: Path) -> "StudyView":
    """A study's view with what :func:`stated_after` says."""
    return replace(view, stated_after=stated_after(study, plan, folder))


def _after(claim: "Claim", held: Mapping[str, Any]) -> int:
    """After how many looks a claim was stated, by what was written down; files of old do not say so."""
    known, digest = held.get("claims"), _claim_digest(claim)
    if known is None or not held["made"]:
        return 0
    if "claim" not in known.get(claim.id, {"claim": ""}):
        return 0
    after = [entry["after"] for entry in known.values() if entry.get("claim") == digest]
    return int(min(after, default=held["made"]))


def _claim_digest(claim: "Claim") -> str:
    return digest_of({key: value for key, value in asdict(claim).items() if key not in ("id", "text")})


def _looks_at(plan: Plan, folder: Path, own: bool = False) -> Iterator[tuple[Path, dict[str, Any]]]:
    """What is written down, in this or another folder, of each study whose levels are those of the plan.

    With ``own``, what is in this folder counts in any case: who adds a level has seen the others.
    """
    settings = _settings_digest(plan)
    for file in sorted(folder.parent.glob(f"*/{FILE}")):
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            same = held["settings"] == settings
            entries = list((held.get("claims") or {}).values())
            if {*HEADER, "made"} - set(held) or not all(isinstance(entry, dict) for entry in entries):
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise ConfigError(f"{file}: is damaged; it holds at which numbers of seeds a study is looked at") from None
        if same or (own and file.parent == folder):
            yield file, held


def write_looks(study: Study, plan: Plan, stage: Stage, folder: Path) -> None:
    """Write down how a study is looked at, and what came of its looks so far."""
    from ablate.report.files import write_text

    late, stated = stated_after(study, plan, folder), {claim.id: _claim_digest(claim) for claim in claims_of(plan)}
    folder.mkdir(parents=True, exist_ok=True)
    levels = {name: {"settled": state, "seeds": count} for name, (state, count) in stage.levels.items()}
    claims = {
        name: {"outcome": outcome, "seeds": count, "claim": stated[name], "after": late.get(name, 0)}
        for name, (outcome, count, _) in stage.claims.items()
    }
    held = _header(study, plan) | {"made": stage.looks, "levels": levels, "claims": claims}
    text = json.dumps(held, indent=1, ensure_ascii=False)
    write_text(folder / FILE, text + "\n")


def describe(study: Study, stage: Stage) -> str:
    """What came of the last look, in a sentence."""
    assert study.looks is not None
    words = {"told": "told from the baseline", "within": "within the margin of it", "undecided": "undecided"}
    found = _counted([state for state, _ in stage.levels.values()], words)
    seeds = study.looks.looks[stage.looks - 1]
    text = f"study {study.name}: look {stage.looks} at {seeds} seeds: {found}"
    if stage.claims:
        states = [
            "given up" if is_settled and outcome == "undecided" else outcome
            for outcome, _, is_settled in stage.claims.values()
        ]
        text += f"; claims: {_counted(states, {s: s for s in ('supported', 'refuted', 'given up', 'undecided')})}"
    is_all = all(state != "undecided" for state, _ in stage.levels.values())
    is_all = is_all and all(outcome != "undecided" for outcome, _, _ in stage.claims.values())
    return text + ("; all is settled" if is_all else "; no more seeds are added" if stage.is_settled else "")


def _counted(states: Sequence[str], words: Mapping[str, str]) -> str:
    return ", ".join(f"{states.count(state)} {word}" for state, word in words.items() if state in states)


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


def _ended(record: "Record") -> bool:
    from ablate.store import FINAL

    return record.result.status in FINAL
