"""``ablate sweep``, and all else that trains what the store lacks of studies."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.commands.answers import print_json, said_aside, study_answers, sweep_answers
from ablate.commands.exits import BAD_INPUT, INTERRUPTED, UNFINISHED, user_errors
from ablate.commands.kept_records import final_in, take_up
from ablate.commands.look_stages import counted_plan
from ablate.commands.looks import train_by_looks
from ablate.commands.studies import (
    StudyRequest,
    named,
    order,
    print_studies,
    records_of,
    report_studies,
    store_of,
)
from ablate.plan.keeping import check_keeps
from ablate.plan.plan import Plan
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.printable import printable

if TYPE_CHECKING:
    from ablate.execute import Limits, Summary


def train(wanted: StudyRequest, *, quiet: bool = False, limits: "Limits | None" = None) -> "Summary":
    """Train what the store lacks.

    Returns:
        Counts of what was trained, reused and failed.

    Raises:
        ConfigError: See :func:`ablate.execute.execute`.
    """
    from ablate.execute import KeptCheckpoints, Limits, execute, make_progress
    from ablate.execute.choice import settings_on

    limits, begun, launch = limits or Limits(), time.monotonic(), wanted.launch
    # Both refuse before a store is made.
    settings_on(launch.choice, launch.device, launch.workers, len(wanted.plan.runs))
    _provide(wanted)
    with store_of(wanted.launch) as store:
        digests = [run.digest for run in wanted.plan.runs]
        for file, count in take_up(store, Path(wanted.launch.results), digests).items():
            print(f"{count} records taken up from {file} into the store; elsewhere (results=DIR) all are trained anew")

        def train_part(plan: Plan) -> "Summary":
            return execute(
                plan.runs,
                store,
                workers=wanted.launch.workers,
                device=wanted.launch.device,
                executor=wanted.launch.choice,
                max_members=wanted.launch.cohort_size,
                kept=wanted.launch.kept,
                checkpoints=KeptCheckpoints.of(launch),
                interim=launch.interim_folder,
                limits=limits.after(time.monotonic() - begun),
                progress=make_progress(quiet=quiet),
            )

        if all(study.looks is None for study in wanted.plan.studies):
            return train_part(wanted.plan)
        return train_by_looks(
            wanted.plan,
            train_part,
            lambda plan: records_of(plan, wanted.launch),
            wanted.folder,
            lambda text: print(printable(text)),
        )


def _provide(wanted: StudyRequest) -> None:
    """Have tasks get and check what those runs need that are still to be trained.

    Raises:
        ConfigError: Something cannot be had, used or kept; lists the problems of every task.
    """
    from ablate.store import FINAL

    runs, results = wanted.plan.runs, Path(wanted.launch.results)
    with store_of(wanted.launch, read_only=True) as store:
        statuses = store.status_of(run.digest for run in runs)
    lacking = [run for run in runs if statuses.get(run.digest) not in FINAL]
    kept = final_in(results, {run.digest for run in lacking})
    lacking = [run for run in lacking if run.digest not in kept]
    check_keeps(lacking, wanted.launch.keep)
    problems = list[str]()
    for name in dict.fromkeys(run.task for run in lacking):
        try:
            find_task(name).provide([run for run in lacking if run.task == name])
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)


def train_arguments(arguments: Sequence[str], *, as_json: bool = False, limits: "Limits | None" = None) -> None:
    """Train what a command line asks for, print tables, and end with exit code 1 where a run failed.

    Args:
        arguments: As for :func:`order`.
        as_json: Print answers as data instead; see :mod:`ablate.commands.answers`.
        limits: What ends it early, with exit code 4 where runs are left.
    """
    from ablate.execute import Interrupted

    with user_errors():
        wanted = order(arguments)
        if wanted.is_search:
            name = wanted.asked[0] if wanted.asked else "STUDY"
            raise ConfigError(f"study {name}: is a search; run it with: ablate search {name}")
        try:
            with said_aside(as_json):
                _print_prospects(wanted)
                summary = train(wanted, limits=limits)
        except Interrupted as interrupt:
            print(printable(str(interrupt.summary)), file=sys.stderr)
            print("ablate: interrupted; the same command goes on from here", file=sys.stderr)
            sys.exit(INTERRUPTED)
        if any(study.looks is not None for study in wanted.plan.studies):
            wanted = replace(wanted, plan=counted_plan(wanted.plan, records_of(wanted.plan, wanted.launch)))
        if as_json:
            found = study_answers(wanted, records_of(wanted.plan, wanted.launch))
            print_json({"sweep": sweep_answers(summary), "studies": found})
        else:
            print(printable(str(summary)))
            print_studies(wanted)
            for study in wanted.asked:
                if study in wanted.folders:
                    print(printable(f"tables, figures and page: {wanted.command(study, 'report')}"))
    if summary.failures:
        sys.exit(1)
    if summary.missing:
        print("ablate: runs are left; the same command goes on from here", file=sys.stderr)
        sys.exit(UNFINISHED)


def _print_prospects(wanted: StudyRequest) -> None:
    """Say in a line for each study what its seeds can show, before they are paid for."""
    from ablate.commands.prospects import prospects, prospects_line

    with store_of(wanted.launch, read_only=True) as store:
        for study in wanted.plan.studies:
            if study.factors and (line := prospects_line(study.name, prospects(wanted.plan, study.name, store))):
                print(printable(line))


def reproduce(overrides: Sequence[str]) -> None:
    """Train every study of the article and write all reports; goes on where it stopped.

    Args:
        overrides: As for every command.
    """
    arguments = named(["lenet_article"], overrides)
    try:
        train_arguments(arguments)
    except SystemExit as ended:
        if ended.code != BAD_INPUT:
            report_studies(order(arguments))
        raise
    report_studies(order(arguments))
