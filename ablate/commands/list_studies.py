"""``ablate studies``: every study that can be named, with its question, factors, cost and what is there of it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ablate.commands.plan import outlook
from ablate.commands.studies import StudyRequest, named, order
from ablate.plan.compose import AnyComposer
from ablate.plan.sources import study_names, study_path
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.packaged import packaged


def list_studies(overrides: Sequence[str], parse_search: Callable[..., Any]) -> list[dict[str, Any]]:
    """What can be said of every study without training.

    Args:
        overrides: ``results=`` and ``store=`` say where to look; others change the studies.
        parse_search: :func:`ablate.search.settings.parse_search`, which raises ConfigError for what is no search.

    Returns:
        JSON data, by name: ``name``, ``question``, ``design``, ``factors`` (printed name to number of levels),
        ``seeds``, ``runs`` (distinct), ``there`` (of these, those that the store or a report holds, or that can be read
        off others), ``seconds`` (to train the rest), ``search`` (the budget of a search, whose ``there`` are settings)
        and ``packaged`` (whether it comes with the package); for a study that cannot be read ``name``, ``packaged`` and
        ``problem``.
    """
    composers: dict[str, AnyComposer] = {}
    found = [(name, _entry(name, overrides, composers, parse_search)) for name in study_names()]
    return [{**entry, "packaged": is_packaged(name)} for name, entry in found]


def is_packaged(name: str) -> bool:
    """Whether a study comes with the package: the folder that is worked in has none of this name."""
    ours, theirs = packaged() / "sweeps", study_path(name)
    return theirs.is_relative_to(ours) and not ours.is_relative_to(Path.cwd())


def print_studies(entries: Sequence[dict[str, Any]], *, everything: bool = False) -> None:
    """Print studies for people.

    Args:
        entries: As :func:`list_studies` returns them.
        everything: Also those of the package of which nothing is there, where somebody has studies of his own.
    """
    from ablate.execute.summary import clock
    from ablate.report.console import add_column, add_row, listed, output, plain, table

    left_out = [] if everything or all(e["packaged"] for e in entries) else [e for e in entries if _is_idle(e)]
    entries = sorted((e for e in entries if e not in left_out), key=lambda entry: entry["packaged"])
    made = table(box=None, pad_edge=False)
    for heading in ("study", "factors (levels)", "seeds", "there", "to train", "question"):
        add_column(made, heading, left=heading not in ("seeds", "there", "to train"))
    for entry in entries:
        if "problem" in entry:
            add_row(made, entry["name"], "", "", "", "", entry["problem"], style="red")
            continue
        factors = listed([f"{name} ({count})" for name, count in entry["factors"].items()])
        there = f"{entry['there']} of {entry['runs']}" if not entry["search"] else f"{entry['there']} settings"
        cost = entry["search"] or (f"about {clock(entry['seconds'])}" if entry["seconds"] else "nothing")
        add_row(made, entry["name"], factors, entry["seeds"], there, cost, entry["question"])
    output().print(made)
    if left_out:
        names = ", ".join(entry["name"] for entry in left_out)
        output().print(plain(f"with the package come {names}: ablate studies --all"))


def _is_idle(entry: dict[str, Any]) -> bool:
    """Whether a study is not the user's own, and nothing is there of it."""
    return entry["packaged"] and not entry.get("there") and "problem" not in entry


def _entry(
    name: str, overrides: Sequence[str], composers: dict[str, AnyComposer], parse_search: Callable[..., Any]
) -> dict[str, Any]:
    try:
        wanted = order(named([name], overrides), composers)
        return _search(wanted, parse_search) if wanted.is_search else _study(wanted, name)
    except ConfigError as error:
        return {"name": name, "problem": "; ".join(error.problems)}


def _study(wanted: StudyRequest, name: str) -> dict[str, Any]:
    found = outlook(wanted)
    study = next(study for study in reversed(wanted.plan.studies) if study.name == name)
    factors = {
        other.label(path) if path in other.factors else path: len(levels)
        for shown in found["studies"]
        for other in [next(s for s in wanted.plan.studies if s.name == shown["name"])]
        for path, levels in shown["factors"].items()
    }
    return {
        "name": name,
        "question": study.question,
        "design": study.design,
        "factors": factors,
        "seeds": len({point.run.seed for point in wanted.plan.points}),
        "runs": found["runs_distinct"],
        "there": found["in_store"] + found["in_reports"] + found["read_off_records"],
        "seconds": found["seconds"],
        "search": "",
    }


def _search(wanted: StudyRequest, parse_search: Callable[..., Any]) -> dict[str, Any]:
    study = next(study for study in wanted.plan.studies if study.search is not None)
    search = parse_search(study.search or {}, study.seeds, find_task(study.task))
    return {
        "name": study.name,
        "question": study.question,
        "design": "search",
        "factors": {str(path): _size(levels) for path, levels in search.space.items()},
        "seeds": len(study.seeds),
        "runs": 0,
        "there": _trials(wanted.folder(study.name) / "trials.json"),
        "seconds": 0.0,
        "search": f"search: {search.budget}",
    }


def _size(levels: Any) -> str | int:
    """How many values a factor of a search has; a range has no number of them."""
    return len(levels) if isinstance(levels, list) and not any(isinstance(v, dict) for v in levels) else "range"


def _trials(file: Path) -> int:
    try:
        return len(json.loads(file.read_text(encoding="utf-8"))["trials"]) if file.exists() else 0
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{file}: holds no trials of a search: {error}") from None
