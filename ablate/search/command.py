"""``ablate search``: search, prove what was found, report. The command line only calls this."""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.commands.answers import print_json, said_aside
from ablate.commands.exits import INTERRUPTED
from ablate.plan.plan import Plan
from ablate.search.request import SearchRequest, search_request
from ablate.task.printable import printable

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

    from ablate.analyse import StudyAnalysis
    from ablate.report.search_page import Finding
    from ablate.store import Store


def search_arguments(arguments: Sequence[str], *, quiet: bool = False, as_json: bool = False) -> None:
    """Search until the budget is spent, confirm the best settings, write the report; goes on where it was stopped.

    Args:
        arguments: Overrides, with ``sweeps=STUDY``.
        quiet: Show no progress.
        as_json: Print answers as data; see :func:`ablate.search.answers.search_answers`.

    Raises:
        ConfigError: Lists every problem, before anything is trained.
    """
    from ablate.execute import Interrupted
    from ablate.search.searcher import AllFailedError

    order = search_request(arguments)
    try:
        with said_aside(as_json):
            study = run_search(order, quiet=quiet)
            confirm(order, study, quiet=quiet)
    except (Interrupted, KeyboardInterrupt) as interrupt:
        if isinstance(interrupt, Interrupted):
            print(interrupt.summary, file=sys.stderr)
        print("ablate: interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except AllFailedError as error:
        print(printable(f"ablate: error: study {order.study.name}: {error}"), file=sys.stderr)
        sys.exit(1)
    _report(order, trials_of(order) if study.trials else study, as_json=as_json)


def report_arguments(arguments: Sequence[str], *, as_json: bool = False, with_pdf: bool = False) -> None:
    """Write a search's report and say what it found; trains nothing.

    Args:
        arguments: As for :func:`search_arguments`.
        as_json: As there.
        with_pdf: Write figures as PDF, too.
    """
    order = search_request(arguments)
    _report(order, trials_of(order), as_json=as_json, with_pdf=with_pdf)


def _report(order: SearchRequest, study: "Study", *, as_json: bool, with_pdf: bool = False) -> None:
    from ablate.search.answers import search_answers

    with said_aside(as_json):
        for line in write_search_report(order, study, with_pdf=with_pdf):
            print(printable(line))
    if as_json:
        print_json(search_answers(order, study, _proofs(order, study)))


def run_search(
    order: SearchRequest,
    *,
    quiet: bool = False,
    engine: str | None = None,
) -> "Study":
    """Spend the budget; where the task has a test set, that is not read.

    What an earlier report keeps of the search's runs is put into a store that lacks it.

    Args:
        order: What is searched.
        quiet: Show no progress.
        engine: See :func:`ablate.execute.execute`.

    Returns:
        Optuna's study, its trials in memory.
    """
    from ablate.execute import make_progress
    from ablate.execute.warm import WarmWorkers
    from ablate.search.evaluate import Trainer
    from ablate.search.start import check_order, make_searcher
    from ablate.search.trials import in_memory
    from ablate.store import Owner, open_store

    check_order(order)
    if engine is None:
        order.task.provide([order.build(())])
    with open_store(order.launch.store_location, results=Path(order.launch.results)) as store, WarmWorkers() as warm:
        take_up_trained(order, store, quiet=quiet)
        owner, progress = Owner.current(), make_progress(quiet=quiet)
        renew = partial(store.renew, owner)
        trainer = Trainer(store, order.launch, progress=progress, renew=renew, engine=engine, warm=warm)
        say = (lambda line: None) if quiet else (lambda line: print(printable(line), flush=True))
        searcher = make_searcher(order, store, owner, trainer, say)
        searcher.run()
        return in_memory(searcher.study)


def take_up_trained(order: SearchRequest, store: "Store", *, quiet: bool = False) -> None:
    """Put the runs that the search's report keeps, parts of stopped ones among them, into a store that lacks them.

    Raises:
        ConfigError: The report is damaged, or the store cannot be written.
    """
    from ablate.commands.kept_records import RUNS, digests_of
    from ablate.store.csv_files import read_folder

    folder = Path(order.launch.results) / place_of(order, order.study.name) / "trained"
    if not (folder / RUNS).is_file():
        return
    lacking = digests_of(folder) - store.status_of(digests_of(folder)).keys()
    if lacking:
        count = store.merge([record for record in read_folder(folder) if record.digest in lacking])
        if not quiet:
            print(printable(f"{count} records taken up from {folder / RUNS} into the store"))


def confirm(order: SearchRequest, study: "Study", *, quiet: bool = False) -> None:
    """Train the proof's runs that the store lacks: the best settings on fresh seeds, with those compared, if any."""
    from ablate.commands.studies import StudyRequest
    from ablate.commands.sweep import train
    from ablate.search.proof import best_settings, proof_plan

    if not best_settings(order, study):
        return
    plan = proof_plan(order, study)
    if not quiet:
        print(f"proof: {len(plan.runs)} runs on fresh seeds", flush=True)
    train(StudyRequest(plan, order.launch, (order.study.name,)), quiet=quiet)


def plan_search(arguments: Sequence[str], *, as_json: bool = False) -> None:
    """Print what a search's budget buys; trains nothing.

    Args:
        arguments: As for :func:`search_arguments`.
        as_json: Whether the output is for machines.
    """
    import json

    from ablate.search.forecast import print_search_outlook, search_outlook

    found = search_outlook(search_request(arguments))
    print(json.dumps(found, indent=2)) if as_json else print_search_outlook(found)


def trials_of(order: SearchRequest) -> "Study":
    """The trials of a search: from the store's database, or from an earlier report that has more of them.

    Raises:
        ConfigError: There are none.
    """
    from ablate.task.errors import ConfigError

    found = known_trials(order)
    if found is None:
        raise ConfigError(
            f"study {order.study.name}: there are no trials of this search; start it with: {order.command}"
        )
    return found


def known_trials(order: SearchRequest) -> "Study | None":
    """Trials as of :func:`trials_of`, or None; a report of another question counts where the store has nothing."""
    from ablate.search.storage import load_study
    from ablate.search.trials import in_memory

    study = load_study(order.name, order.launch.store_location)
    reported = reported_trials(order)
    if study is not None and study.trials:
        same = reported is not None and reported.study_name == order.name
        if reported is None or not same or len(reported.trials) <= len(study.trials):
            return in_memory(study)
    return reported


def reported_trials(order: SearchRequest) -> "Study | None":
    """The trials in the search's report, or in that of its file where both ask the same; None: there are none."""
    from ablate.search.trials import read_trials

    results, name = Path(order.launch.results), order.study.name
    stated, own = results / name / "trials.json", results / place_of(order, name) / "trials.json"
    if own.exists():
        return read_trials(own)
    found = read_trials(stated) if stated.exists() else None
    return found if found is not None and found.study_name == order.name else None


def place_of(order: SearchRequest, study: str) -> str:
    """The name of a report's folder, as for any study: one changed on the command line does not take its place."""
    return f"{study}{order.suffix}"


def write_search_report(order: SearchRequest, study: "Study", *, with_pdf: bool = False) -> list[str]:
    """Write the reports of the proof, and the search's own page and records beside them.

    The records are those of the runs that the search has trained, parts of stopped ones among them; ``ablate merge
    results/STUDY/trained`` puts them into a store, where the same search finds them.

    Returns:
        Lines that say what was found and written.
    """
    from urllib.parse import quote

    from ablate.commands.studies import records_of
    from ablate.commands.written_reports import write_study
    from ablate.report import write_index
    from ablate.report.search_page import PAGE, write_search
    from ablate.search.methods import search_sentences
    from ablate.search.page import search_view
    from ablate.search.proof import proof_plan
    from ablate.search.trials import dump_trials, frame_of_trials

    results = Path(order.launch.results)
    plan = proof_plan(order, study)
    records = records_of(plan, order.launch)
    proofs = _proofs(order, study)
    reports: dict[str, str] = {}
    findings: list[Finding] = []
    for protocol, part in zip(order.protocols, plan.studies, strict=True):
        if protocol.name not in proofs:
            continue
        own = plan.of(part)
        write_study(
            *(part, own, records, results / place_of(order, part.name)),
            results=results,
            command=order.command,
            origin=search_sentences(order, study),
            with_pdf=with_pdf,
            search_page=f"../{quote(place_of(order, order.study.name))}/{PAGE}",
        )
        reports[f"{part.name} ({protocol.name})"] = f"../{place_of(order, part.name)}/report.html"
        named = f"Protocol {protocol.name}: " if len(order.protocols) > 1 else ""
        findings += verdicts(own, proofs[protocol.name], named)
    view = search_view(order, study, proofs, findings, reports)
    out = results / place_of(order, order.study.name)
    _keep_other_trials(order, out / "trials.json")
    trials = frame_of_trials(study, order.search, order.work.unit)
    files = write_search(view, study, trials, dump_trials(study), out, with_pdf=with_pdf)
    _write_trained(order, study, out / "trained")
    write_index(results)
    return [*view.answer, *map(str, view.findings), f"{out}: {len(files)} files; read {files[-1]} first"]


def _proofs(order: SearchRequest, study: "Study") -> "dict[str, pd.DataFrame]":
    """The frame of runs of a search's proof for each protocol that has any."""
    from ablate.commands.studies import records_of
    from ablate.report.joined_runs import frame_of_runs
    from ablate.search.proof import proof_plan

    plan = proof_plan(order, study)
    records = records_of(plan, order.launch)
    parts = zip(order.protocols, map(plan.of, plan.studies), strict=True)
    return {
        protocol.name: frame_of_runs(part, records)
        for protocol, part in parts
        if any(run.digest in records for run in part.runs)
    }


def _keep_other_trials(order: SearchRequest, file: Path) -> None:
    """Trials of another question under the same name (the study's file was changed since) are put aside, not lost."""
    from ablate.search.trials import read_trials
    from ablate.task.identity import digest_of

    if file.exists() and (name := read_trials(file).study_name) != order.name:
        file.rename(file.with_name(f"trials@{digest_of(name)[:8]}.json"))


def _write_trained(order: SearchRequest, study: "Study", folder: Path) -> None:
    """The records of a search's own runs; without a store that holds them, what is there already is left."""
    from ablate.commands.kept_records import with_kept
    from ablate.search.budget import runs_of
    from ablate.store import open_store
    from ablate.store.frames import write_folder

    digests = {digest for trial in study.trials for digest in runs_of(trial)}
    with open_store(order.launch.store_location, read_only=True) as store:
        records = store.get(digests)
    if records:
        write_folder(folder, with_kept(folder, [records[digest] for digest in sorted(records)]))


def verdicts(plan: Plan, runs: "pd.DataFrame", named: str) -> "list[Finding]":
    """What the proof says about its claims; each begins with ``named``."""
    from ablate.report.search_page import Finding

    found = _analysis(plan, runs).verdicts
    return [Finding(f"{named}{verdict.claim.text}", verdict.outcome, verdict.evidence) for verdict in found]


def _analysis(plan: Plan, runs: "pd.DataFrame") -> "StudyAnalysis":
    from ablate.commands.study_view import view_of
    from ablate.report.summary import analyse_study

    return analyse_study(view_of(plan.studies[0], plan, command=""), runs)
