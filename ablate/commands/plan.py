"""``ablate plan``: what would be trained, what the store already holds, and what it would cost; trains nothing."""

from functools import partial
from typing import Any

from ablate.commands.studies import StudyRequest
from ablate.execute.devices import speed_device, worker_settings
from ablate.execute.estimate import Speeds, estimate
from ablate.execute.ledger import cost_in_seconds
from ablate.execute.sizing import members_by
from ablate.plan.cohorts import Cohort, default_members, form_cohorts
from ablate.plan.plan import Plan
from ablate.plan.prefixes import find_prefixes, read_off
from ablate.store import FINAL, open_store
from ablate.store.provenance import collect


def outlook(wanted: StudyRequest) -> dict[str, Any]:
    """Everything that can be said before training.

    Args:
        wanted: What a command line asks for.

    Returns:
        JSON data: the studies with their factors, levels, seeds and runs; how many runs there are before and after
        sharing and prefixes; how many the store holds, would be read off or trained; the cohorts; samples, seconds.

    Raises:
        ConfigError: The store cannot be read.
    """
    plan, launch = wanted.plan, wanted.launch
    with open_store(launch.store_location, read_only=True) as store:
        held = {
            digest for digest, status in store.status_of(run.digest for run in plan.runs).items() if status in FINAL
        }
        lacking = [run for run in plan.runs if run.digest not in held]
        readable = read_off(lacking, store.along(run.trajectory for run in lacking))
        known = store.speeds(collect()["host"])
    prefixes = find_prefixes(run for run in lacking if run.digest not in readable)
    orders = worker_settings(launch.device, launch.workers, len(plan.runs))
    workers, speeds = len(orders), Speeds(known, speed_device(orders))
    cohorts = form_cohorts(
        prefixes.trained,
        workers=workers,
        max_members=launch.cohort_size,
        members=members_by(speeds, default_members),
        cost=partial(cost_in_seconds, speeds),
    )
    cost = estimate(cohorts, speeds, workers)
    return {
        "studies": [_study(plan, study.name) for study in plan.studies if study.factors],
        "runs_asked": len(plan.points),
        "runs_distinct": len(plan.runs),
        "in_store": len(held),
        "read_off": len(readable) + sum(map(len, prefixes.read_off.values())),
        "to_train": len(prefixes.trained),
        "workers": workers,
        "cohorts": [_cohort(cohort, speeds) for cohort in cohorts],
        "samples_without_sharing": sum(point.run.samples for point in plan.points),
        "samples": cost.samples,
        "seconds": round(cost.seconds, 1),
        "measured": round(cost.measured, 3),
        "store": launch.store_location,
    }


def measure(wanted: StudyRequest) -> None:
    """Measure how fast the studies' cohorts train on this machine; the store keeps the speeds for estimates.

    Args:
        wanted: What a command line asks for.

    Raises:
        ConfigError: The store cannot be written, or data is missing or damaged.
    """
    from ablate.execute import make_progress, measure_speeds

    trained = find_prefixes(wanted.plan.runs).trained
    with open_store(wanted.launch.store_location) as store:
        measure_speeds(
            trained, store, workers=wanted.launch.workers, device=wanted.launch.device, progress=make_progress()
        )


def print_outlook(found: dict[str, Any]) -> None:
    """Print an outlook for people.

    Args:
        found: As :func:`outlook` returns it.
    """
    from rich.console import Console
    from rich.table import Table

    from ablate.execute.summary import clock

    console = Console()
    studies = Table("study", "factor", "levels", "seeds", "runs", title="Studies", title_justify="left")
    for study in found["studies"]:
        for factor, levels in study["factors"].items():
            runs = str(len(levels) * study["seeds"])
            studies.add_row(study["name"], factor, ", ".join(levels), str(study["seeds"]), runs)
    console.print(studies)
    if found["cohorts"]:
        cohorts = Table("members", "seeds", "epochs", "batch", "samples", "samples/s", "time", "batches")
        cohorts.title, cohorts.title_justify = f"Cohorts on {found['workers']} workers, in this order", "left"
        for cohort in _merged(found["cohorts"]):
            cohorts.add_row(*cohort)
        console.print(cohorts)
    console.print(
        f"{found['runs_asked']} runs asked for, {found['runs_distinct']} distinct: {found['in_store']} in the store "
        f"({found['store']}), {found['read_off']} read off longer runs, {found['to_train']} to train"
    )
    if not found["to_train"]:
        console.print("nothing to train")
        return
    basis = {1.0: "speeds measured on this machine", 0.0: "a guess: nothing like it was measured on this machine yet"}
    share = f"{found['measured']:.0%} of it by speeds measured on this machine, the rest a guess"
    console.print(
        f"{found['samples']:,} training samples ({found['samples_without_sharing']:,} without sharing), "
        f"about {clock(found['seconds'])} ({basis.get(found['measured'], share)})"
    )


def _study(plan: Plan, name: str) -> dict[str, Any]:
    points = [point for point in plan.points if point.study.name == name]
    factors: dict[str, dict[str, None]] = {}
    for point in points:
        factors.setdefault(point.setting.factor, {})[point.setting.label] = None
    study = points[0].study
    return {
        "name": name,
        "question": study.question,
        "design": study.design,
        "seeds": len(study.seeds),
        "factors": {factor: list(labels) for factor, labels in factors.items()},
    }


def _cohort(cohort: Cohort, speeds: Speeds) -> dict[str, Any]:
    first = cohort.runs[0]
    return {
        "members": len(cohort.runs),
        "seeds": len({run.seed for run in cohort.runs}),
        "epochs": cohort.length,
        "batch_size": first.config.get("train", {}).get("batch_size"),
        "samples": cohort.samples,
        "samples_per_second": round(speeds.of(cohort)),
        "seconds": round(cohort.samples / speeds.of(cohort), 1),
        "shared_batches": cohort.shared,
        "key": cohort.key,
    }


def _merged(cohorts: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of the table of cohorts; like ones counted in one row."""
    from ablate.execute.summary import clock

    rows: dict[tuple[Any, ...], int] = {}
    for cohort in cohorts:
        rows[tuple(cohort.values())] = rows.get(tuple(cohort.values()), 0) + 1
    return [
        [
            f"{count} x {members}" if count > 1 else str(members),
            str(seeds),
            str(epochs),
            str(batch),
            f"{samples:,}",
            f"{speed:,}",
            clock(seconds),
            "shared" if shared else "own",
        ]
        for (members, seeds, epochs, batch, samples, speed, seconds, shared, _), count in rows.items()
    ]
