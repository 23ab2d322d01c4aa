"""Studies as a command line asks for them: their plan, the records there are, and their reports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.commands.answers import print_json, said_aside, study_answers
from ablate.commands.kept_records import records_in
from ablate.commands.look_stages import counted_plan
from ablate.commands.study_folders import Words, changed_studies, folder_names, words_of
from ablate.commands.study_view import checked_plan
from ablate.plan.compose import AnyComposer, sources
from ablate.plan.launch import Launch
from ablate.plan.plan import Plan
from ablate.task.errors import ConfigError

if TYPE_CHECKING:
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
    plan, words = checked_plan(found), words_of(arguments, found)
    folders = folder_names(changed_studies(found, arguments), words)
    asked = tuple(s.study.name for s in found if s.study.name not in included)
    return StudyRequest(plan, found[-1].launch, asked, words, folders)


def named(studies: Sequence[str], overrides: Sequence[str]) -> list[str]:
    """The arguments that ``ablate run`` would get for these studies."""
    return [f"sweeps={','.join(studies)}", *overrides]


def print_studies(wanted: StudyRequest) -> None:
    """Print each study's table in the terminal."""
    from ablate.commands.printed_studies import print_study
    from ablate.commands.study_content import Content

    records = records_of(wanted.plan, wanted.launch)
    content = Content(records)
    for study in wanted.plan.studies:
        if study.factors:
            print_study(study, wanted.plan.of(study), records, wanted.folder(study.name), content)


def report_studies(wanted: StudyRequest, *, as_json: bool = False, with_pdf: bool = False) -> None:
    """Write the reports of studies, and an index over all that lie in the results folder.

    Args:
        wanted: What a command line asks for.
        as_json: Print answers as data as well; see :mod:`ablate.commands.answers`.
        with_pdf: Write figures as PDF, too.
    """
    from ablate.commands.written_reports import write_reports

    records = records_of(wanted.plan, wanted.launch)
    check_records(wanted, records)
    wanted = replace(wanted, plan=counted_plan(wanted.plan, records))
    with said_aside(as_json):
        write_reports(wanted, records, with_pdf=with_pdf)
    if as_json:
        print_json({"studies": study_answers(wanted, records)})


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
    from ablate.commands.nearby_records import nearby

    with store_of(wanted.launch, read_only=True) as store:
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

    with store_of(launch, read_only=True) as store:
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


def store_of(launch: Launch, *, read_only: bool = False) -> "Store":
    """The run store that launch settings name, opened.

    Raises:
        ConfigError: It cannot be opened.
    """
    from ablate.store import open_store

    return open_store(launch.store_location, read_only=read_only, results=Path(launch.results))
