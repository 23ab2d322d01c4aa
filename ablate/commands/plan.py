"""``ablate plan``: what would be trained, what the store already holds, and what it would cost; trains nothing."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from ablate.commands.changed_code import changed_under_their_version, trained_before
from ablate.commands.declared import step_of
from ablate.commands.kept_records import final_in
from ablate.commands.memory_outlook import memory_lines, memory_outlook
from ablate.commands.prospects import prospects, prospects_line, unread_line
from ablate.commands.studies import StudyRequest
from ablate.execute.checkpoints import KeptCheckpoints
from ablate.execute.choice import settings_on
from ablate.execute.devices import speed_device
from ablate.execute.estimate import Speeds, estimate
from ablate.execute.fitting import Effort, Members, fit, room_of
from ablate.execute.ledger import cost_in_seconds
from ablate.execute.sizing import members_by
from ablate.plan.cohorts import Cohort, cohort_of, default_members, form_cohorts
from ablate.plan.keeping import check_keeps
from ablate.plan.plan import Plan
from ablate.plan.prefixes import find_prefixes, read_off
from ablate.store import FINAL, open_store, shown
from ablate.store.provenance import host
from ablate.task.memory import in_words
from ablate.task.run import Run
from ablate.task.searching import unit_of_work


def outlook(wanted: StudyRequest, *, memory: Effort = "nothing") -> dict[str, Any]:
    """Everything that can be said before training.

    Args:
        wanted: What a command line asks for.
        memory: What is worked out of the memory of cohorts; see :func:`ablate.execute.fitting.fit`.

    Returns:
        JSON data: the studies with their factors, levels, seeds, runs and notes on them; how many runs there are
        before and after sharing and prefixes; how many the store and the reports hold, come from longer runs (of these,
        how many off records that are there) or trained;
        the cohorts; samples, seconds; ``memory``, in bytes: the most that a worker takes and that all take together,
        what is at hand for them, and by cohort key how many members cohorts have instead of more for want of it. None
        is what is not known.

    Raises:
        ConfigError: The store cannot be read, or runs cannot leave what is to be kept.
    """
    plan, launch = wanted.plan, wanted.launch
    with open_store(launch.store_location, read_only=True) as store:
        held = {
            digest for digest, status in store.status_of(run.digest for run in plan.runs).items() if status in FINAL
        }
        reported = final_in(Path(launch.results), {run.digest for run in plan.runs} - held)
        lacking = [run for run in plan.runs if run.digest not in held | reported]
        readable = read_off(lacking, store.along(run.trajectory for run in lacking))
        known = store.speeds(host())
        shown_by = {study.name: prospects(plan, study.name, store) for study in plan.studies if study.factors}
        outdated = trained_before([run for run in lacking if run.digest not in readable], store)
        doubtful = changed_under_their_version([run for run in plan.runs if run.digest in held], store)
    check_keeps(lacking, launch.keep)
    prefixes = find_prefixes(run for run in lacking if run.digest not in readable)
    orders = settings_on(launch.choice, launch.device, launch.workers, len(plan.runs))
    workers, speeds = len(orders), Speeds(known, speed_device(orders, launch.executor))
    kept, room = KeptCheckpoints.of(launch), room_of(orders, launch.choice)

    def form(members: Members) -> list[Cohort]:
        cost = partial(cost_in_seconds, speeds)
        made = partial(form_cohorts, workers=workers, members=members, cost=cost)
        return made(prefixes.trained) if kept is None else kept.cohorts(prefixes.trained, {}, made)

    wanted_members = members_by(speeds, default_members, launch.cohort_size)
    fitted = fit(form, wanted_members, room.worker, orders[0].device, effort=memory)
    cohorts = fitted.cohorts
    cost = estimate(cohorts, speeds, workers)
    cut_off = [kept is not None and bool(cohort.done) and kept.file_of(cohort, {}).exists() for cohort in cohorts]
    return {
        "studies": [_study(plan, study.name) | shown_by[study.name] for study in plan.studies if study.factors],
        "runs_asked": len(plan.points),
        "runs_distinct": len(plan.runs),
        "in_store": len(held),
        "in_reports": len(reported),
        "read_off": len(readable) + sum(map(len, prefixes.read_off.values())),
        "read_off_records": len(readable),
        "to_train": len(prefixes.trained),
        "extended": sum(len(c.runs) for c, was_cut in zip(cohorts, cut_off, strict=True) if c.done and not was_cut),
        "not_extendable": sum(_shapes_all(run) for run in prefixes.trained) if "state" in launch.keep else 0,
        "code_changed": [asdict(change) for change in outdated],
        "changed_under_their_version": [asdict(change) for change in doubtful],
        "workers": workers,
        "step": step_of(run.task for run in plan.runs),
        "cohorts": [
            _cohort(c, speeds) | {"cut_off": was_cut, "memory": size}
            for c, was_cut, size in zip(cohorts, cut_off, fitted.sizes, strict=True)
        ],
        "memory": memory_outlook(fitted, room),
        "samples_without_sharing": sum(point.run.samples for point in plan.points),
        "samples": cost.samples,
        "unit": unit_of_work(plan.runs),
        "seconds": round(cost.seconds, 1),
        "measured": round(cost.measured, 3),
        "store": shown(launch.store_location),
        "results": launch.results,
        "folders": {study.name: str(wanted.folder(study.name)) for study in plan.studies},
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
            trained,
            store,
            workers=wanted.launch.workers,
            device=wanted.launch.device,
            executor=wanted.launch.choice,
            progress=make_progress(),
        )


def print_outlook(found: dict[str, Any]) -> None:
    """Print an outlook for people.

    Args:
        found: As :func:`outlook` returns it.
    """
    from ablate.execute.summary import clock
    from ablate.report.console import add_column, add_row, listed, output, plain, table

    console = output()
    studies = table("Studies")
    for heading in ("study", "factor", "levels", "seeds", "runs"):
        add_column(studies, heading, left=heading not in ("seeds", "runs"))
    for study in found["studies"]:
        for factor, levels in study["factors"].items():
            runs = str(len(levels) * study["seeds"])
            add_row(studies, study["name"], factor, listed(levels), study["seeds"], runs)
    console.print(studies)
    for study in found["studies"]:
        if line := prospects_line(study["name"], study):
            console.print(plain(line, "yellow" if study["seeds"] < study["seeds_needed"] else ""))
        if line := unread_line(study["name"], study):
            console.print(plain(line, "yellow"))
        for note in study["notes"]:
            console.print(plain(f"study {study['name']}: {note}"))
    if found["cohorts"]:
        cohorts = table(f"Cohorts on {found['workers']} workers, in this order")
        unit = found["unit"].removeprefix("training ")
        headings = ("members", "seeds", f"{found['step']}s", "batch", unit, f"{unit}/s", "time", "batches", "memory")
        rows = _merged(found["cohorts"])
        # Where work is counted in steps, a column of steps would say it twice.
        shown = [
            i for i in range(len(headings)) if any(row[i] for row in rows) and headings[i] not in headings[i + 1 :]
        ]
        for i in shown:
            add_column(cohorts, headings[i])
        for row in rows:
            add_row(cohorts, *(row[i] for i in shown))
        console.print(cohorts)
    for cohort in found["cohorts"]:
        if cohort["cut_off"]:
            line = f"{cohort_of(cohort['members'])} that was cut off goes on after {found['step']} {cohort['done']}"
            console.print(plain(f"{line} of {cohort['length']}"))
    if found["extended"]:
        console.print(plain(f"{found['extended']} runs go on from where shorter ones ended (keep=state)"))
    if found["not_extendable"]:
        line = f"{found['not_extendable']} runs cannot be gone on with later: their schedules depend on their length"
        console.print(plain(line, "yellow"))
    reports = f"{found['in_reports']} in reports below {found['results']}, " if found["in_reports"] else ""
    text = (
        f"{found['runs_asked']} runs asked for, {found['runs_distinct']} distinct: {found['in_store']} in the store "
        f"({found['store']}), {reports}{found['read_off']} taken from longer runs, {found['to_train']} to train"
    )
    console.print(plain(text))
    for change in found["code_changed"]:
        console.print(plain(f"{change['runs']} of these were trained with other code: {change['why']}", "yellow"))
    for change in found["changed_under_their_version"]:
        line = (
            f"{change['runs']} in the store were trained with other code under the same version: {change['why']}; "
            "if that can change results, set another version"
        )
        console.print(plain(line, "yellow"))
    for study in found["studies"]:
        if Path(found["folders"][study["name"]]).name != Path(study["name"]).name:
            line = f"study {study['name']} is changed by the command line: its report goes to "
            console.print(plain(line + found["folders"][study["name"]]))
    if not found["to_train"]:
        console.print("nothing to train")
        return
    measurable = "; --measure finds out" if found["unit"] == "training samples" else ""
    guess = f"a guess: nothing like it was measured on this machine yet{measurable}"
    basis = {1.0: "speeds measured on this machine", 0.0: guess}
    share = f"{found['measured']:.0%} of it by speeds measured on this machine, the rest a guess"
    cost = (
        f"{found['samples']:,} {found['unit']} ({found['samples_without_sharing']:,} without sharing), "
        f"about {clock(found['seconds'])} ({basis.get(found['measured'], share)})"
    )
    console.print(plain(cost))
    for line, style in memory_lines(found):
        console.print(plain(line, style))


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
        "factors": {factor: list(labels) for factor, labels in factors.items()},
        "notes": list(plan.notes.get(name, ())),
    }


def _shapes_all(run: Run) -> bool:
    """Whether no longer run begins like this one."""
    return run.trajectory == run.digest


def _cohort(cohort: Cohort, speeds: Speeds) -> dict[str, Any]:
    first = cohort.runs[0]
    return {
        "members": len(cohort.runs),
        "seeds": len({run.seed for run in cohort.runs}),
        "length": cohort.length,
        "done": cohort.done,
        "batch_size": _batch_size(first),
        "samples": cohort.samples_left,
        "samples_per_second": round(speeds.of(cohort), 2),
        "seconds": round(cohort.samples_left / speeds.of(cohort), 1),
        "shared_batches": cohort.shared,
        "key": cohort.key,
    }


def _batch_size(run: Run) -> Any:
    """The batch size of tasks that have one where image classification does; a program's ``train`` may be anything."""
    train = run.config.get("train")
    return train.get("batch_size") if isinstance(train, Mapping) else None


def _merged(cohorts: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of the table of cohorts; like ones counted in one row."""
    from ablate.execute.summary import clock, rate

    rows: dict[tuple[Any, ...], int] = {}
    for cohort in cohorts:
        seen = tuple(value for name, value in cohort.items() if name not in ("key", "cut_off"))
        rows[seen] = rows.get(seen, 0) + 1
    return [
        [
            f"{count} x {members}" if count > 1 else str(members),
            str(seeds),
            "" if length is None else f"{done} to {length}" if done else str(length),
            "" if batch is None else str(batch),
            f"{samples:,}",
            rate(speed),
            clock(seconds),
            "" if members == 1 else "shared" if shared else "own",
            "" if memory is None else in_words(memory),
        ]
        for (members, seeds, length, done, batch, samples, speed, seconds, shared, memory), count in rows.items()
    ]
