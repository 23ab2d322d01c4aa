"""The way of the data in one place: plan, train what the store lacks, report. The command line only calls this."""

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.answers import print_json, said_aside, study_answers, sweep_answers
from ablate.commands.exits import BAD_INPUT, INTERRUPTED, UNFINISHED, user_errors
from ablate.commands.kept_records import final_in, records_in, take_up, with_kept
from ablate.commands.looks import counted_plan, looked_at, train_by_looks
from ablate.commands.study_folders import Words, changed_studies, folder_names, words_of
from ablate.commands.study_view import check_studies
from ablate.plan.compose import AnyComposer, sources
from ablate.plan.launch import Launch
from ablate.plan.plan import Plan, make_plan
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.finding import find_task
from ablate.task.printable import printable

if TYPE_CHECKING:
    from ablate.execute import Limits, Summary
    from ablate.report.page import Picture
    from ablate.store import Store
    from ablate.task.record import Record


@dataclass(frozen=True)
class StudyRequest:
    """What a command line asks for."""

    plan: Plan
    launch: Launch
    asked: tuple[str, ...]
    """Names of the studies that were named."""
    words: Words = field(default_factory=Words)
    """What the command line says beside names of studies."""
    folders: Mapping[str, str] = field(default_factory=dict)
    """The name in the results of the folder of each study that is not what its file states."""

    def folder(self, study: str) -> Path:
        """Where a study's report belongs."""
        return Path(self.launch.results) / self.folders.get(study, study)

    def command(self, study: str, *verbs: str) -> str:
        """What does something with a study just as it is here, as a shell takes it."""
        return " && ".join(self.words.command(verb, study, changed=study in self.folders) for verb in verbs)

    @property
    def is_search(self) -> bool:
        """Whether a study with a search was named: it has no levels to plan, but a space and a budget."""
        return any(study.search is not None for study in self.plan.studies)


def order(arguments: Sequence[str], composers: dict[str, AnyComposer] | None = None) -> StudyRequest:
    """Plan what a command line asks for; trains nothing.

    Args:
        arguments: Overrides, ``sweeps=STUDY`` among them.
        composers: As for :func:`ablate.plan.compose.sources`.

    Raises:
        ConfigError: Lists every problem.
    """
    found = sources(arguments, composers)
    included = {name for source in found for name in source.study.includes}
    plan, words = make_plan(found), words_of(arguments, found)
    check_studies(plan)
    folders = folder_names(changed_studies(found, arguments), words)
    asked = tuple(s.study.name for s in found if s.study.name not in included)
    return StudyRequest(plan, found[-1].launch, asked, words, folders)


def named(studies: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The arguments that ``ablate run`` would get for these studies."""
    return [f"sweeps={','.join(studies)}", *overrides]


def train(wanted: StudyRequest, *, quiet: bool = False, limits: "Limits | None" = None) -> "Summary":
    """Train what the store lacks.

    Returns:
        Counts of what was trained, reused and failed.

    Raises:
        ConfigError: See :func:`ablate.execute.execute`.
    """
    from ablate.execute import Limits, execute, make_progress
    from ablate.execute.choice import settings_on

    limits, begun, launch = limits or Limits(), time.monotonic(), wanted.launch
    # Both refuse before a store is made.
    settings_on(launch.choice, launch.device, launch.workers, len(wanted.plan.runs))
    _provide(wanted)
    with _store(wanted.launch) as store:
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
                weights=wanted.launch.weights_folder,
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
        ConfigError: Something cannot be had, or cannot be used; lists the problems of every task.
    """
    from ablate.store import FINAL

    runs, results = wanted.plan.runs, Path(wanted.launch.results)
    with _store(wanted.launch, read_only=True) as store:
        statuses = store.status_of(run.digest for run in runs)
    lacking = [run for run in runs if statuses.get(run.digest) not in FINAL]
    kept = final_in(results, {run.digest for run in lacking})
    problems = list[str]()
    for name in dict.fromkeys(run.task for run in lacking if run.digest not in kept):
        try:
            find_task(name).provide([run for run in lacking if run.task == name and run.digest not in kept])
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

    with _store(wanted.launch, read_only=True) as store:
        for study in wanted.plan.studies:
            if study.factors and (line := prospects_line(study.name, prospects(wanted.plan, study.name, store))):
                print(printable(line))


def print_studies(wanted: StudyRequest) -> None:
    """Print each study's table in the terminal."""
    from ablate.commands.study_view import view_of
    from ablate.report import print_report
    from ablate.report.joined_runs import frame_of_runs

    records = records_of(wanted.plan, wanted.launch)
    for study in wanted.plan.studies:
        if study.factors:
            part = wanted.plan.of(study)
            print_report(view_of(study, part, command=""), frame_of_runs(part, records))


def report_studies(wanted: StudyRequest, *, as_json: bool = False) -> None:
    """Write the reports of studies, and an index over all that lie in the results folder.

    Args:
        wanted: What a command line asks for.
        as_json: Print answers as data as well; see :mod:`ablate.commands.answers`.
    """
    records = records_of(wanted.plan, wanted.launch)
    check_records(wanted, records)
    wanted = replace(wanted, plan=counted_plan(wanted.plan, records))
    with said_aside(as_json):
        _write_reports(wanted, records)
    if as_json:
        print_json({"studies": study_answers(wanted, records)})


def _write_reports(wanted: StudyRequest, records: "dict[str, Record]") -> None:
    from ablate.report import write_index

    drawn = dict[str, "list[Picture]"]()
    for study in wanted.plan.studies:
        out, command = wanted.folder(study.name), wanted.command(study.name, "sweep", "report")
        notices = looked_at(study, wanted.plan.of(study), out)
        if study.name in wanted.folders:
            notices += (f"It is study {study.name} with {' '.join(wanted.words.changes)}.",)
            print(
                printable(f"study {study.name} is changed by the command line: it goes to {out}, not to its own folder")
            )
        files = write_study(
            study,
            wanted.plan.of(study),
            records,
            out,
            drawn,
            results=Path(wanted.launch.results),
            command=command,
            notices=notices,
        )
        print(printable(f"{out}: {len(files)} files; read {out / 'report.html'} first"))
    print(f"{write_index(Path(wanted.launch.results))}: all studies")


def check_records(wanted: StudyRequest, records: "Mapping[str, Record]") -> None:
    """Refuse to report a study of which there is no record, and say what there is instead.

    Raises:
        ConfigError: Lists every such study.
    """
    problems = []
    for study in wanted.plan.studies:
        part = wanted.plan.of(study)
        if part.runs and not any(run.digest in records for run in part.runs):
            stated = "" if study.name in wanted.folders else " as its file states it"
            text = f"study {study.name}: there is no record of it{stated}; train it with: "
            problems += [text + wanted.command(study.name, "sweep"), *other_records(wanted, part, study.name)]
    if problems:
        raise ConfigError(problems)


def other_records(wanted: StudyRequest, plan: Plan, study: str) -> list[str]:
    """What the store and the reports hold of a study with other values, and how to reach it, a line each.

    Args:
        wanted: What was asked for.
        plan: The study's part of the plan.
        study: Its name.
    """
    from ablate.commands.kept_records import all_in
    from ablate.commands.nearby import nearby

    with _store(wanted.launch, read_only=True) as store:
        held = store.all(curves=False)
    there = {record.digest: record for record in [*all_in(Path(wanted.launch.results)), *held]}
    lines = []
    for found in nearby(plan, there.values()):
        there_are = f"study {study}: there are {found.records} runs of it"
        if found.words:
            there_are += f" with {' '.join(found.words)}"
        if found.of_other_code:
            told = wanted.words.command("plan", study, changed=True)
            lines.append(f"{there_are}, trained with other code: {told} says what changed")
            continue
        words = Words((*wanted.words.changes, *found.words), wanted.words.places)
        lines.append(f"{there_are}: {words.command('report', study, changed=True)}")
    return lines


def records_of(plan: Plan, launch: Launch) -> "dict[str, Record]":
    """The records of a plan's runs: from the store, and from reports in the results folder where the store has none.

    Args:
        plan: What is wanted.
        launch: Where the store and the reports lie.
    """
    from ablate.plan.prefixes import read_off

    with _store(launch, read_only=True) as store:
        records = store.get(run.digest for run in plan.runs)
        lacking = [run for run in plan.runs if run.digest not in records]
        records |= read_off(lacking, store.along(run.trajectory for run in lacking))
    lacking_final = [run.digest for run in plan.runs if not _is_final(records.get(run.digest))]
    if not lacking_final:
        return records
    found = records_in(Path(launch.results), lacking_final)
    return records | {d: record for d, record in found.items() if d not in records or _is_final(record)}


def _is_final(record: "Record | None") -> bool:
    from ablate.store import FINAL

    return record is not None and record.result.status in FINAL


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


def write_study(
    study: Study,
    plan: Plan,
    records: "dict[str, Record]",
    out: Path,
    drawn: "dict[str, list[Picture]] | None" = None,
    *,
    results: Path,
    command: str,
    notices: Sequence[str] = (),
    **found_by: Any,
) -> list[Path]:
    """Write the report of one study; records that lie in its folder already are kept, whatever the study asks for now.

    Args:
        study: A study, or a union of studies.
        plan: Its part of a plan.
        records: The records by digest.
        out: The report's folder.
        drawn: Figures that studies of one command share; see :func:`ablate.report.write_report`.
        results: Folder of all results, where diagnoses of single runs lie, too.
        command: What trains the study and rebuilds the report.
        notices: What a reader has to know before all numbers.
        found_by: ``origin`` and ``search_page`` of :class:`ablate.report.StudyView`, for the proof of a search.

    Raises:
        ConfigError: There is no record of the study, or what lies in the folder is damaged.
    """
    from ablate.commands.study_view import view_of
    from ablate.report import write_report
    from ablate.report.diagnosis import found_diagnoses
    from ablate.report.joined_runs import by_step, frame_of_runs
    from ablate.store.frames import to_frames, write_folder

    own = [records[run.digest] for run in plan.runs if run.digest in records]
    if not own:
        raise ConfigError(f"study {study.name}: there is no record of it; train it with: {command.partition(' &&')[0]}")
    kept = with_kept(out, own)
    frames = to_frames(own)
    trained = [record.result.notes for record in own if "prefix_of" not in record.provenance]
    estimates = [float(notes["estimated_seconds"]) for notes in trained if "estimated_seconds" in notes]
    view = view_of(
        study,
        plan,
        command=command,
        estimate=sum(estimates) if trained and len(estimates) == len(trained) else None,
    )
    return write_report(
        replace(view, notices=(*notices, *view.notices), **found_by),
        frame_of_runs(plan, records, study.name),
        by_step(frames[1]),
        out,
        records=frames,
        save_records=lambda folder: write_folder(folder, kept),
        drawn=drawn,
        diagnoses=found_diagnoses(results, out, [run.digest for run in plan.runs]),
    )


def _store(launch: Launch, *, read_only: bool = False) -> "Store":
    from ablate.store import open_store

    return open_store(launch.store_location, read_only=read_only, results=Path(launch.results))
