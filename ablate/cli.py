"""The command line: parses and calls."""

import gc
import inspect
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ablate import __version__
from ablate.commands.command_help import Group
from ablate.commands.exits import BROKEN, CHANGED, user_errors
from ablate.commands.shell_completion import (
    complete_kind,
    complete_override,
    complete_study,
    complete_study_or_override,
)

# The analysis multiplies small matrices, which several threads only slow down; read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# Plans and records are many small objects that live to the end: looking for garbage among them takes time for nothing.
gc.set_threshold(100_000, 20, 50)

OVERRIDES = """OVERRIDES are Hydra's: optimizer.lr=0.5, train.epochs=3, optimizer=adam; several values
sweep (optimizer.lr=0.5,0.9 or 'seed=range(0,3)'). Where things go and what trains: results=DIR,
store=FILE_OR_URL, device=auto, workers=2, cohort_size=20, keep=weights,correctness,
checkpoint_minutes=10."""


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ablate")
def main() -> None:
    """Hyperparameter ablation studies of neural networks.

    A study file (sweeps/NAME.yaml) states a baseline, factors with their levels, and seeds. `ablate sweep NAME` trains
    what the run store lacks of it, `ablate report NAME` writes tables, figures and a page into results/NAME/.
    """


def _study_command(**settings: Any) -> Callable[[Callable[..., None]], click.Command]:
    """A command that takes STUDY... and overrides."""

    def decorate(function: Callable[..., None]) -> click.Command:
        argument = click.argument(
            "words", nargs=-1, required=True, metavar="STUDY... [OVERRIDES]", shell_complete=complete_study_or_override
        )
        function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\n{OVERRIDES}"
        return main.command(**settings)(argument(function))

    return decorate


_as_data = click.option(
    "--json", "as_json", is_flag=True, help="Answers as data on standard output, all else on standard error."
)

_with_pdf = click.option(
    "--pdf", "with_pdf", is_flag=True, help="Figures as PDF, too; those that are there are kept up to date anyway."
)


def _split(words: Sequence[str]) -> list[str]:
    """Studies and overrides as the arguments of ``ablate run``."""
    from ablate.commands.named_study import no_study
    from ablate.commands.studies import named

    studies = [word for word in words if "=" not in word and not word.startswith("~")]
    if not studies:
        raise no_study(words)
    return named(studies, [word for word in words if word not in studies])


@main.command(
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    short_help="Train one run, or with -m a sweep; a Hydra application.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, shell_complete=complete_override)
def run(arguments: tuple[str, ...]) -> None:
    """Train one run, a multirun (-m) or a study (sweeps=NAME); Hydra's flags work (--help, --cfg job, --info)."""
    from ablate.commands.run import run_arguments

    run_arguments(arguments)


@main.command(short_help="Write a small project of your own to begin with; it runs at once.")
@click.argument("kind", required=False, metavar="[network|function|hydra|program]", shell_complete=complete_kind)
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
def init(kind: str | None, folder: Path) -> None:
    """Write a small complete project into FOLDER (default: here) that runs at once: code, a study, a test.

    Without a kind, says which there are. Nothing is downloaded, and no file is overwritten.
    """
    from ablate.commands.init import init_command

    with user_errors():
        init_command(kind, folder)


@_study_command(short_help="Train what the run store lacks of studies; resumes by itself.")
@_as_data
@click.option("--fail-fast", is_flag=True, help="Leave off at the first run that fails.")
@click.option(
    "--max-hours", type=click.FloatRange(min=0, min_open=True), help="Begin nothing more after so long; exit code 4."
)
@click.option("--detach", "is_detached", is_flag=True, help="Go on when this terminal is closed; see ablate watch.")
def sweep(words: tuple[str, ...], as_json: bool, fail_fast: bool, max_hours: float | None, is_detached: bool) -> None:
    """Train what the run store lacks of studies (resumes by itself), then print their tables."""
    from ablate.commands.studies import order
    from ablate.commands.sweep import train_arguments
    from ablate.execute.limits import Limits

    with user_errors():
        if is_detached:
            from ablate.commands.detach import detach

            flags = ["--json"] * as_json + ["--fail-fast"] * fail_fast
            flags += [] if max_hours is None else [f"--max-hours={max_hours}"]
            detach(order(_split(words)), [*words, *flags])
            return
        train_arguments(_split(words), as_json=as_json, limits=Limits(fail_fast, max_hours))


@_study_command(short_help="Show what would be trained and what it would cost.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option(
    "--measure",
    is_flag=True,
    help="First measure, for a minute or two, how fast this machine trains it and what memory that takes.",
)
def plan(words: tuple[str, ...], as_json: bool, measure: bool) -> None:
    """Show what would be trained, what the store already holds, and the estimated cost; trains nothing."""
    from ablate.commands.plan import measure as measure_speeds
    from ablate.commands.plan import outlook, print_outlook
    from ablate.commands.studies import order

    with user_errors():
        wanted = order(_split(words))
        if wanted.is_search:
            from ablate.search.command import plan_search

            plan_search(_split(words), as_json=as_json)
            return
        if measure:
            measure_speeds(wanted)
        found = outlook(wanted, memory="all" if measure else "nothing")
        print(json.dumps(found, indent=2)) if as_json else print_outlook(found)


@main.command(short_help="List every study with what is there of it.")
@click.argument("overrides", nargs=-1, shell_complete=complete_override)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
@click.option("--all", "everything", is_flag=True, help="Also those of the package of which nothing is there.")
def studies(overrides: tuple[str, ...], as_json: bool, everything: bool) -> None:
    """List every study: its question and factors, what is there of it, and what the rest would cost."""
    from ablate.commands.list_studies import list_studies, print_studies
    from ablate.search.settings import parse_search

    with user_errors():
        found = list_studies(overrides, parse_search)
        print(json.dumps(found, indent=2)) if as_json else print_studies(found, everything=everything)


@_study_command(short_help="Write tables, figures and a page of studies from records.")
@_as_data
@_with_pdf
def report(words: tuple[str, ...], as_json: bool, with_pdf: bool) -> None:
    """Write tables, figures and a page of studies into results/STUDY/, from records alone."""
    from ablate.commands.studies import order, report_studies

    with user_errors():
        wanted = order(_split(words))
        if wanted.is_search:
            from ablate.search.command import report_arguments

            report_arguments(_split(words), as_json=as_json, with_pdf=with_pdf)
            return
        report_studies(wanted, as_json=as_json, with_pdf=with_pdf)


@_study_command(short_help="Search for the best setting; prove it on fresh seeds.")
@_as_data
def search(words: tuple[str, ...], as_json: bool) -> None:
    """Search a study's space for the best setting (resumes by itself), prove it on fresh seeds, write the report."""
    from ablate.search.command import search_arguments

    with user_errors():
        search_arguments(_split(words), as_json=as_json)


@_study_command(short_help="Show how far studies are, wherever they are trained.")
@click.option("--json", "as_json", is_flag=True, help="One look, machine-readable.")
@click.option(
    "--serve",
    "port",
    type=click.IntRange(0, 65535),
    is_flag=False,
    flag_value=8000,
    help="As a page on 127.0.0.1:PORT.",
)
def watch(words: tuple[str, ...], as_json: bool, port: int | None) -> None:
    """Show how far studies are, wherever they are trained: runs by state and host, time left, standings."""
    from ablate.commands.studies import order
    from ablate.commands.watch import watch_studies

    with user_errors():
        watch_studies(order(_split(words)), as_json=as_json, port=port)


@_study_command(short_help="Write the records of studies for another tool.")
@click.option(
    "--to", "form", required=True, type=click.Choice(["csv", "parquet", "tensorboard", "mlflow", "wandb-offline"])
)
@click.option("--out", type=click.Path(path_type=Path), help="Folder; default: export/FORM in the study's results.")
def export(words: tuple[str, ...], form: str, out: Path | None) -> None:
    """Write the records of studies for another tool, each run with its group, level and seed."""
    from ablate.commands.export import export as export_studies
    from ablate.commands.studies import order

    with user_errors():
        export_studies(order(_split(words)), form, out)


@main.command(short_help="Compare two studies, stores or runs.csv files.")
@click.argument("a")
@click.argument("b")
@click.option("--markdown", "form", flag_value="markdown", help="As Markdown.")
@click.option("--json", "form", flag_value="json", help="Machine-readable.")
def compare(a: str, b: str, form: str | None) -> None:
    """Compare two studies, stores or runs.csv files, paired by seed (did an upgrade change my results?).

    Exit code 3: they differ beyond chance, or runs ended otherwise; 0: no change is to be seen.
    """
    from ablate.commands.compare import compare as compare_runs

    with user_errors():
        changed = compare_runs(a, b, form=form)
    if changed:
        sys.exit(CHANGED)


@main.command(short_help="Judge a table of results that somebody else made.")
@click.argument("table", type=click.Path(path_type=Path))
@click.option("--factor", "-f", "factors", multiple=True, required=True, help="Column of levels; NAME:text for texts.")
@click.option("--seed", "-s", required=True, help="Column of seeds.")
@click.option("--metric", "-m", "metrics", multiple=True, required=True, help="NAME:max or :min, [LOW..HIGH], :UNIT.")
@click.option("--baseline", "-b", multiple=True, help="Level that others are compared with; FACTOR=LEVEL for several.")
@click.option("--design", type=click.Choice(["one-at-a-time", "grid"]), help="Default: found.")
@click.option("--where", multiple=True, help="COLUMN=VALUE of the rows that count.")
@click.option("--step", help="Column of steps, where a run has a row for each. Default: found.")
@click.option("--long", nargs=2, help="Columns with a metric's name and value. Default: found.")
@click.option("--status", help="Column that says how a run ended. Default: State or status.")
@click.option("--guess", "guesses", multiple=True, help="METRIC=VALUE[:SAMPLES] that guessing scores.")
@click.option("--claim", "claims", multiple=True, help="Such as '{kind: better, levels: [0.1, 0.5]}'.")
@click.option("--study", type=click.Path(path_type=Path), help="Study file with question, labels, claims, remarks.")
@click.option("--name", help="Name of the report's folder. Default: the table's.")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), help="Folder of all reports.")
@_with_pdf
def judge(table: Path, **options: Any) -> None:
    """Judge a table of results that somebody else made: intervals, verdicts, figures and a page.

    TABLE is a CSV file (a row a run, or a run and step, or a run and metric), JSON lines, Parquet, or what MLflow and
    W&B export.
    """
    from ablate.commands.judge import judge_command

    with user_errors():
        judge_command(table, **options)


@main.command(short_help="Train all studies of the article and write all reports.")
@click.argument("overrides", nargs=-1, shell_complete=complete_override)
def reproduce(overrides: tuple[str, ...]) -> None:
    """Train all studies of the article and write all reports; resumes by itself."""
    from ablate.commands.sweep import reproduce as reproduce_article

    with user_errors():
        reproduce_article(overrides)


@main.command(short_help="List the records of the run store.")
@click.argument("overrides", nargs=-1, shell_complete=complete_override)
@click.option("--study", "-s", shell_complete=complete_study, help="Only the runs of this study.")
@click.option("--status", type=click.Choice(["complete", "diverged", "failed"]), help="Only runs that ended so.")
@click.option("--csv", "form", flag_value="csv", help="As CSV.")
@click.option("--json", "form", flag_value="json", help="As JSON lines.")
def runs(overrides: tuple[str, ...], study: str | None, status: str | None, form: str | None) -> None:
    """List the records of the run store (store=FILE_OR_URL or results=DIR for another one)."""
    from ablate.commands.runs import list_runs

    with user_errors():
        list_runs(overrides, study, status, form)


@main.command(short_help="Read records back from reports into the run store.")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--store", help="SQLite file or URL; default: ABLATE_STORE, else results/ablate.db.")
def merge(folders: tuple[Path, ...], store: str | None) -> None:
    """Read records back from reports (FOLDER/runs.csv and curves.csv) into the run store."""
    from ablate.commands.merge import merge_folders

    with user_errors():
        merge_folders(folders, store)


@main.command(short_help="Fetch or verify a data set and say where it lies.")
@click.argument("name", required=False, type=click.Choice(["fashion_mnist", "mnist", "cifar10", "image_folder"]))
@click.argument("fields", nargs=-1)
@click.option("--root", help="Folder that holds the files.")
def data(name: str | None, fields: tuple[str, ...], root: str | None) -> None:
    """Fetch or verify a data set (default: fashion_mnist) and say where it lies.

    Of an image_folder everything is looked at and every finding is listed: image_folder root=FOLDER test_fraction=0.3.
    """
    from ablate.commands.data import print_data

    with user_errors():
        print_data(name or "fashion_mnist", root, fields)


@main.command(short_help="Print the layers of a network, shapes and parameter counts.")
@click.argument("overrides", nargs=-1, shell_complete=complete_override)
def model(overrides: tuple[str, ...]) -> None:
    """Print the layers of a network with shapes and parameter counts (model=alexnet, model.channels=[8,16])."""
    from ablate.commands.model import print_model

    with user_errors():
        print_model(overrides)


@main.command(short_help="Print what a run's network sees in pictures.")
@click.argument("run")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), help="Folder of results.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def predict(run: str, files: tuple[Path, ...], results: Path, as_json: bool) -> None:
    """Print what a run's network sees in pictures: classes with probabilities.

    RUN is the beginning of a digest (ablate runs); its weights are kept where it is trained with keep=weights.
    """
    from ablate.commands.predict import predict as predict_pictures

    with user_errors():
        predict_pictures(run, files, results, as_json=as_json)


@main.command(short_help="Show why a run's network errs.")
@click.argument("run")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--against", help="A run of another level: both look at the same pictures, at all seeds that are kept.")
@click.option("--method", "methods", multiple=True, type=click.Choice(["saliency", "cam", "grad_cam", "occlusion"]))
@click.option("--layer", help="Layer for grad_cam; default: the last with maps.")
@click.option("--pictures", type=click.IntRange(1, 40), default=6, help="Errors that are shown.")
@click.option("--root", help="Where its data lies now.")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), help="Folder of results.")
@_as_data
def diagnose(run: str, files: tuple[Path, ...], results: Path, as_json: bool, **wanted: Any) -> None:
    """Show why a run's network errs: what it confuses, how sure it is, where it looks.

    RUN is the beginning of a digest (ablate runs); its weights are kept where it is trained with keep=weights. FILES
    are pictures to look at in place of the worst errors. Writes a page; the page of a study shows it, too.
    """
    from ablate.commands.diagnose import Wanted, diagnose_command

    with user_errors():
        diagnose_command(run, Wanted(files=files, **wanted), results, as_json=as_json)


@main.command(short_help="List the tasks and parts there are, and whether they load.")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable.")
def plugins(as_json: bool) -> None:
    """List the tasks and parts there are: built in, of installed packages, and of this folder's pyproject.toml.

    Exit code 1: one of them, which the list names, cannot be loaded.
    """
    from ablate.commands.plugins import print_plugins

    with user_errors():
        is_whole = print_plugins(as_json)
    if not is_whole:
        sys.exit(BROKEN)


if __name__ == "__main__":
    sys.exit(main())
