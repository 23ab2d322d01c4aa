"""``ablate judge``: a table that somebody else made gets the tables, verdicts, figures and page of a study."""

import json
import math
import os
import shlex
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.judge.cells import number_of, whole_number_of
from ablate.judge.claims import ClaimRequest, StudyText, parse_claims, parse_study_text
from ablate.judge.design import JudgedStudy, Levels, arrange
from ablate.judge.metric_spec import parse_metric, text_of
from ablate.judge.records import frame_of_study, records_of_table
from ablate.judge.request import JudgeRequest
from ablate.judge.runs import JudgedRuns, read_runs
from ablate.judge.table import RawTable, read_table
from ablate.plan.study_yaml import load_study_yaml
from ablate.task.claim import parse_claim
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric
from ablate.task.record import Guess, Record

if TYPE_CHECKING:
    import pandas as pd

    from ablate.report import StudyView

MARK = "judge.json"
"""This file in a report's folder says which table it is of."""


@dataclass(frozen=True)
class JudgeLaunch:
    """Where a judged table's report goes, and what is asked of it beside its columns."""

    results: Path = Path("results")
    """Folder of all reports."""
    name: str | None = None
    """The name of the study, and of its folder; None: the table's, without its ending."""
    claims: tuple[str, ...] = ()
    """Each a mapping in YAML."""
    study: Path | None = None
    """Study file with a question, labels, claims and remarks."""
    guesses: tuple[str, ...] = ()
    """What guessing scores: ``METRIC=VALUE``, or ``METRIC=VALUE:SAMPLES``."""
    with_pdf: bool = False
    """Figures are written as PDF, too."""


def judge_command(table: Path, **options: Any) -> None:
    """Judge a table as a command line asks for it.

    Args:
        table: File.
        options: Fields of :class:`ablate.judge.request.JudgeRequest` (metrics and ``where`` as texts) and of
            :class:`JudgeLaunch`.

    Raises:
        ConfigError: Lists every problem.
    """
    problems: list[str] = []
    metrics: dict[str, Metric] = {}
    for text in options["metrics"]:
        try:
            metric = parse_metric(text)
            if metric.name in metrics:
                problems.append(f"--metric {text}: is declared twice")
            metrics[metric.name] = metric
        except ConfigError as error:
            problems += error.problems
    where = [tuple(text.partition("=")[::2]) for text in options["where"]]
    problems += [f"--where {text}: must be COLUMN=VALUE" for text in options["where"] if "=" not in text]
    twice = [name for name, count in Counter(options["factors"]).items() if count > 1]
    problems += [f"--factor {name}: is named twice" for name in twice]
    if problems:
        raise ConfigError(problems)
    own = {field.name for field in fields(JudgeRequest)} - {"table", "metrics", "where"}
    judge_table(
        JudgeRequest(
            table,
            metrics=tuple(metrics.values()),
            where=tuple((str(column), str(value)) for column, value in where),
            **{name: value for name, value in options.items() if name in own},
        ),
        JudgeLaunch(**{field.name: options[field.name] for field in fields(JudgeLaunch)}),
    )


def judge_table(request: JudgeRequest, launch: JudgeLaunch) -> None:
    """Judge a table: print its verdicts and tables, and write its report.

    Args:
        request: The roles of its columns.
        launch: Where the report goes.

    Raises:
        ConfigError: Lists every problem; nothing is written then.
    """
    from ablate.analyse import AnalysisError

    text = parse_study_text(load_study_yaml(launch.study), launch.study) if launch.study is not None else StudyText()
    table = read_table(request.table)
    found = read_runs(table, request)
    study = arrange(found, request.baseline, request.design, text.labels)
    name = launch.name or request.table.name.partition(".")[0]
    out = folder_of(launch.results, name, request.table)
    given = [*(ClaimRequest(f"--claim {claim}", claim) for claim in launch.claims), *text.claims]
    claims = parse_claims(given, study, request.metrics)
    records = records_of_table(name, table, found, _guesses(launch.guesses, request.metrics))
    if not records:
        raise ConfigError(f"{table.path}: no run has ended")
    notes = (*found.notes, *study.notes, *text.notes)
    try:
        view = _view(name, found, study, request, text, notes, claims)
        runs = frame_of_study(name, found, study, records, request.metrics)
        _write(view, runs, records, request.metrics, table, out, with_pdf=launch.with_pdf)
    except AnalysisError as error:
        raise ConfigError(str(error).splitlines()) from None


def folder_of(results: Path, name: str, table: Path) -> Path:
    """The folder of a judged table's report, in which there is none of anything else.

    Raises:
        ConfigError: The name is none for a folder, is a study's, or the folder holds something else.
    """
    from ablate.plan.sources import study_names

    if not name or name in (".", "..") or "/" in name or "\0" in name or name.startswith("."):
        raise ConfigError(f"--name {name!r}: is no name of a folder")
    out = results / name
    if name in study_names():
        raise ConfigError(f"{name}: is the name of a study, whose report lies in {out}; choose another with --name")
    if not out.exists() or not any(out.iterdir()):
        return out
    try:
        held = json.loads((out / MARK).read_text(encoding="utf-8"))["table"]
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{out}: holds something else than a judged table; choose another with --name") from None
    if held != _relative(table, out):
        raise ConfigError(f"{out}: holds the report of another table, {held}; choose another with --name")
    return out


def is_judged(folder: Path) -> bool:
    """Whether a folder holds the report of a judged table."""
    return (folder / MARK).is_file()


def metrics_judged(folder: Path) -> tuple[Metric, ...]:
    """The metrics as they were declared when a table was judged.

    Args:
        folder: The folder of its report.

    Raises:
        ConfigError: Its file says nothing of metrics.
    """
    try:
        texts = json.loads((folder / MARK).read_text(encoding="utf-8"))["metrics"]
        return tuple(parse_metric(text, f"{folder / MARK}: metrics: ") for text in texts)
    except (OSError, ValueError, KeyError, TypeError):
        raise ConfigError(f"{folder / MARK}: does not say what its metrics are; judge the table again") from None


def _write(
    view: "StudyView",
    runs: "pd.DataFrame",
    records: Mapping[tuple[Levels, int], Record],
    metrics: Sequence[Metric],
    table: RawTable,
    out: Path,
    *,
    with_pdf: bool,
) -> None:
    from ablate.report import analyse_study, print_report, write_index, write_report
    from ablate.report.files import write_text
    from ablate.report.joined_runs import by_step
    from ablate.store.frames import to_frames, write_folder

    analysis = analyse_study(view, runs)
    for notice in view.notices:
        print(f"{table.path}: {notice}", file=sys.stderr)
    print_report(view, runs, analysis=analysis)
    held = list(records.values())
    frames = to_frames(held)
    files = write_report(
        view,
        runs,
        by_step(frames[1]),
        out,
        records=frames,
        save_records=lambda folder: write_folder(folder, held),
        analysis=analysis,
        with_pdf=with_pdf,
    )
    origin = {
        "table": _relative(table.path, out),
        "sha256": held[0].provenance["sha256"],
        "command": view.command,
        "metrics": [text_of(metric) for metric in metrics],
    }
    files.append(write_text(out / MARK, json.dumps(origin, indent=1, ensure_ascii=False) + "\n"))
    print(f"{out}: {len(files)} files; read {out / 'report.html'} first")
    print(f"{write_index(out.parent)}: all studies")


def _view(
    name: str,
    found: JudgedRuns,
    study: JudgedStudy,
    request: JudgeRequest,
    text: StudyText,
    notes: tuple[str, ...],
    claims: Sequence[Mapping[str, Any]],
) -> "StudyView":
    """The judged table as a report shows it."""
    from ablate.report import FactorView, LevelView, StudyView

    factors = []
    for path in dict.fromkeys(setting.factor for setting in study.settings):
        levels = [setting for setting in study.settings if setting.factor == path]
        numeric = all(isinstance(s.level, int | float) and not isinstance(s.level, bool) for s in levels)
        factors.append(
            FactorView(
                path=path,
                levels=tuple(LevelView(setting.level, setting.label) for setting in levels),
                label=text.labels.get(path, path if " x " in path else ""),
                family=name,
                ordered=numeric,
            )
        )
    return StudyView(
        name=name,
        factors=tuple(factors),
        metrics=request.metrics,
        step="step",
        question=text.question,
        design=study.design,
        baseline=dict(zip(found.factors, study.baseline, strict=True)) if study.baseline else {},
        claims=tuple(parse_claim(claim) for claim in claims),
        remarks=text.remarks,
        notices=notes,
        command=shlex.join(["ablate", *sys.argv[1:]]),
    )


def _guesses(given: Sequence[str], metrics: Sequence[Metric]) -> dict[str, Guess]:
    """What guessing scores, by metric.

    Raises:
        ConfigError: Lists every problem.
    """
    guesses, problems = {}, []
    for text in given:
        name, _, value = text.rpartition("=")
        score, _, samples = value.partition(":")
        number, count = number_of(score), whole_number_of(samples)
        if name not in [metric.name for metric in metrics]:
            problems.append(f"--guess {text}: must be METRIC=VALUE of one of {', '.join(m.name for m in metrics)}")
        elif number is None or not math.isfinite(number) or (samples and (count is None or count < 1)):
            problems.append(f"--guess {text}: must be METRIC=VALUE or METRIC=VALUE:SAMPLES, such as acc=0.1:10000")
        else:
            guesses[name] = Guess(number, count)
    if problems:
        raise ConfigError(problems)
    return guesses


def _relative(table: Path, out: Path) -> str:
    return Path(os.path.relpath(table.resolve(), out.resolve())).as_posix()
