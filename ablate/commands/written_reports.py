"""Reports of studies, several at a time on several cores; one of which nothing has changed is left as it is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.kept_records import with_correctness, with_kept
from ablate.commands.kept_reports import KeptReport
from ablate.commands.looks import looked_at, with_stated
from ablate.commands.study_content import Content
from ablate.commands.study_view import view_of
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.task.errors import ConfigError
from ablate.task.printable import printable

if TYPE_CHECKING:
    from ablate.commands.studies import StudyRequest
    from ablate.report.diagnosis import Found
    from ablate.report.write import Begun
    from ablate.task.record import Record


def write_reports(wanted: "StudyRequest", records: "dict[str, Record]", *, with_pdf: bool) -> None:
    """Write the reports of studies, and an index over all that lie in the results folder.

    Of unions all but figures and page is written beside their parts, whose figures they then take over.

    Args:
        wanted: What a command line asks for.
        records: The records by digest.
        with_pdf: Write figures as PDF, too.

    Raises:
        ConfigError: What lies in a folder is damaged.
    """
    from ablate.report import write_index

    content = Content(records)
    reports = [_Report(wanted, study, content, records, with_pdf) for study in wanted.plan.studies]
    unchanged = {report.study.name: report.kept.files() for report in reports}
    changed = [report for report in reports if unchanged[report.study.name] is None]
    changed.sort(key=lambda report: -len(report.part.points))  # the longest first: all processes end together
    files = unchanged | (_written(changed) if changed else {})
    for report in sorted(reports, key=_is_union):
        if report.study.name in wanted.folders:
            told = f"study {report.study.name} is changed by the command line: it goes to {report.out}, "
            print(printable(told + "not to its own folder"))
        count = len(files[report.study.name] or ())
        print(printable(f"{report.out}: {count} files; read {report.out / 'report.html'} first"))
    print(f"{write_index(Path(wanted.launch.results))}: all studies")


def _written(reports: "Sequence[_Report]") -> dict[str, list[Path]]:
    """Write reports; the files of each by the name of the study."""
    from ablate.report.processes import in_processes
    from ablate.report.write import ready_to_write

    with ready_to_write():
        done = in_processes([report.begin_union if _is_union(report) else report.whole for report in reports])
        made: dict[str, Any] = {report.study.name: one for report, one in zip(reports, done, strict=True)}
        for report in filter(_is_union, reports):
            made[report.study.name] = report.finish(made[report.study.name])
    return made


def _is_union(report: "_Report") -> bool:
    return bool(report.study.includes)


@dataclass(frozen=True, eq=False)
class _Report:
    """The report of a study that is asked for."""

    wanted: "StudyRequest"
    study: Study
    content: Content
    records: "dict[str, Record]"
    with_pdf: bool

    @cached_property
    def part(self) -> Plan:
        """The study's part of the plan."""
        return self.wanted.plan.of(self.study)

    @property
    def out(self) -> Path:
        """The folder of the report."""
        return self.wanted.folder(self.study.name)

    @cached_property
    def notices(self) -> tuple[str, ...]:
        """What a reader has to know before all numbers."""
        notices = looked_at(self.study, self.part, self.out)
        if self.study.name in self.wanted.folders:
            notices += (f"It is study {self.study.name} with {' '.join(self.wanted.words.changes)}.",)
        return notices

    @property
    def command(self) -> str:
        """What trains the study and rebuilds the report."""
        return self.wanted.command(self.study.name, "sweep", "report")

    @cached_property
    def kept(self) -> KeptReport:
        """What is written down of the report that is there."""
        words, results = [self.command, self.notices, self.with_pdf], Path(self.wanted.launch.results)
        return KeptReport(self.study, self.part, self.content, self.out, results, words)

    def whole(self) -> list[Path]:
        """Write it; its files."""
        return self.finish(self.begin())

    def begin(self) -> "tuple[Begun, list[Found]]":
        """Write all but figures, page and summary."""
        results = Path(self.wanted.launch.results)
        places = (self.study, self.part, self.records, self.out)
        return begin_study(*places, results=results, command=self.command, notices=self.notices)

    def begin_union(self) -> "tuple[Begun, list[Found]]":
        """Write all that needs none of the parts' figures."""
        from ablate.report.write import draw_own

        begun, diagnoses = self.begin()
        return draw_own(begun, with_pdf=self.with_pdf), diagnoses

    def finish(self, begun: "tuple[Begun, list[Found]]") -> list[Path]:
        """Write the rest; all files."""
        from ablate.report.write import finish_report

        beside = [self.wanted.folder(name) for name in self.study.includes]
        files = finish_report(begun[0], beside=beside, with_pdf=self.with_pdf, diagnoses=begun[1])
        self.kept.keep(files)
        return files


def write_study(
    study: Study, plan: Plan, records: "dict[str, Record]", out: Path, *, with_pdf: bool = False, **more: Any
) -> list[Path]:
    """Write the report of one study; arguments and errors: see :func:`begin_study`.

    Returns:
        The files.
    """
    from ablate.report.write import finish_report

    begun, diagnoses = begin_study(study, plan, records, out, **more)
    return finish_report(begun, with_pdf=with_pdf, diagnoses=diagnoses)


def begin_study(
    study: Study,
    plan: Plan,
    records: "dict[str, Record]",
    out: Path,
    *,
    results: Path,
    command: str,
    notices: Sequence[str] = (),
    **found_by: Any,
) -> "tuple[Begun, list[Found]]":
    """Write the report of one study but for figures, page and summary.

    Records that lie in its folder already are kept, whatever the study asks for now.

    Args:
        study: A study, or a union of studies.
        plan: Its part of a plan.
        records: The records by digest.
        out: The report's folder.
        results: Folder of all results, where diagnoses of single runs lie, too.
        command: What trains the study and rebuilds the report.
        notices: What a reader has to know before all numbers.
        found_by: ``origin`` and ``search_page`` of :class:`ablate.report.StudyView`, for the proof of a search.

    Returns:
        What :func:`ablate.report.write.finish_report` goes on from, and the diagnoses of its runs.

    Raises:
        ConfigError: There is no record of the study, or what lies in the folder is damaged.
    """
    from ablate.report.diagnosis import found_diagnoses
    from ablate.report.joined_runs import by_step, frame_of_runs
    from ablate.report.write import begin_report
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
    view = with_stated(view, study, plan, out)
    view = with_correctness(view, results, {record.digest: record for record in own})
    diagnoses = found_diagnoses(results, out, [run.digest for run in plan.runs])
    begun = begin_report(
        replace(view, notices=(*notices, *view.notices), **found_by),
        frame_of_runs(plan, records, study.name),
        by_step(frames[1]),
        out,
        records=frames,
        save_records=lambda folder: write_folder(folder, kept),
    )
    return begun, diagnoses
