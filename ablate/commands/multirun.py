"""``python -m ablate.commands.multirun``: what ``hydra/sweeper=ablate`` asks for in somebody's application."""

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ablate.commands.exits import INTERRUPTED, user_errors
from ablate.commands.studies import StudyRequest, order, print_studies, report_studies
from ablate.commands.sweep import train
from ablate.hydra_app.task import HydraTask, declared
from ablate.judge.metric_spec import parse_metric
from ablate.plan.launch import PREFIX
from ablate.plan.plan import Plan
from ablate.task.errors import ConfigError
from ablate.task.finding import BUILT_IN, find_parts, offer_task
from ablate.task.plain_run import PlainRun
from ablate.task.project import read_project


def main() -> None:
    """See the module; what is asked for is one line on standard input.

    Raises:
        SystemExit: 1 where a run failed, 2 for bad input, 130 after an interruption.
    """
    from ablate.execute import Interrupted

    request = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_application, args=(sys.stdin.fileno(),), daemon=True).start()
    settings = request["settings"]
    with user_errors():
        task = _task(request)
        offer_task(task)
        study, words = _study(request, settings)
        wanted = _placed(order(_arguments(task, study, words, settings)), task, request)
        try:
            summary = train(wanted)
        except Interrupted as interrupt:
            print(interrupt.summary, file=sys.stderr)
            print("ablate: interrupted; the same command goes on from here", file=sys.stderr)
            sys.exit(INTERRUPTED)
        print_studies(wanted)
        print(summary)
        if study is not None:
            report_studies(wanted)
    if summary.failures:
        sys.exit(1)


def _end_with_application(number: int) -> None:
    """Stop, as after Ctrl-C, when the application's process is gone, which would have closed its end at ours."""
    os.read(number, 1)
    os.kill(os.getpid(), signal.SIGTERM)


def _task(request: Mapping[str, Any]) -> HydraTask:
    """The project's declaration of the application, or one that is made of the sweeper's settings.

    Raises:
        ConfigError: It is not known which metric counts, or which declaration is meant.
    """
    settings = request["settings"]
    found = [
        task
        for part in find_parts("tasks", Path(request["project"]))
        if part.kind == "hydra" and part.problem is None and settings["task"] in (None, part.name)
        if isinstance(task := part.load(), HydraTask) and _is_of(task, request)
    ]
    metrics = settings["metric"]
    if len(found) > 1:
        names = " or ".join(task.name for task in found)
        raise ConfigError(f"{_app(request)}: is declared as {names}; say which with hydra.sweeper.task=NAME")
    if found and metrics is not None:
        raise ConfigError(f"hydra.sweeper.metric: the metrics of {_app(request)} are declared by task {found[0].name}")
    if found:
        return found[0]
    if settings["task"] is not None:
        raise ConfigError(
            f"hydra.sweeper.task={settings['task']}: the project declares no such task of {_app(request)}"
        )
    if metrics is None:
        raise ConfigError(
            f"hydra/sweeper=ablate: say what {_app(request)} returns and whether high or low is good, such as "
            "hydra.sweeper.metric=val_acc:max, or declare it in pyproject.toml as [tool.ablate.tasks.NAME]"
        )
    parsed = [
        parse_metric(str(text), "hydra.sweeper.metric=")
        for text in (metrics if isinstance(metrics, list) else [metrics])
    ]
    table: dict[str, Any] = {
        "kind": "hydra",
        "metrics": {m.name: {"goal": m.goal, "unit": m.unit, "low": m.low, "high": m.high} for m in parsed},
        "seed": settings["seed"],
        "config_name": request["config_name"],
    }
    if request["config_path"] is not None:
        table["config_path"] = request["config_path"]
    if request["module"] is not None:
        table["module"] = request["module"]
    else:
        table["script"] = os.path.relpath(request["script"], request["project"])
    name = request["name"] if request["name"] not in BUILT_IN["tasks"] else f"{request['name']} (application)"
    return declared(name, table, read_project(Path(request["project"])))


def _is_of(task: HydraTask, request: Mapping[str, Any]) -> bool:
    application = task.application
    if request["module"] is not None:
        return application.module == request["module"] and application.function is None
    return application.script is not None and application.script.resolve() == Path(request["script"]).resolve()


def _app(request: Mapping[str, Any]) -> str:
    return str(request["module"] or Path(request["script"]).name)


def _study(request: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """The study that is named by the sweeper's setting or by ``+study=NAME``, and all other words."""
    words = list(request["arguments"])
    named = [word for word in words if word.startswith("+study=")]
    study = named[-1].partition("=")[2].strip("'\"") if named else settings["study"]
    return study, [word for word in words if word not in named]


def _arguments(task: HydraTask, study: str | None, words: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """The words of a command line of ours."""
    seed = task.app.seed.lstrip("+")
    renamed = [f"seed={w.partition('=')[2]}" if w.partition("=")[0].lstrip("+") == seed else w for w in words]
    if study is None and not any(word.startswith("seed=") for word in renamed):
        renamed.append(f"seed={task.own_seed}")
    launch = [
        f"{PREFIX}{key}={settings[key]}"
        for key in ("results", "store", "workers", "device")
        if settings[key] is not None
    ]
    return [*([f"sweeps={study}"] if study is not None else []), f"task={task.name}", *launch, *renamed]


def _placed(wanted: StudyRequest, task: HydraTask, request: Mapping[str, Any]) -> StudyRequest:
    """What is wanted, every run with its folder of the sweep's own: ``hydra.sweep.dir`` and ``hydra.sweep.subdir``."""
    placed: dict[str, PlainRun] = {}
    for number, run in enumerate(wanted.plan.runs):
        assert isinstance(run, PlainRun)
        folder = Path(request["sweep_dir"]) / task.subfolder(run, number, request["subdir"], request["hydra_words"])
        words = [*request["hydra_words"], f"hydra.job.num={number}", f"hydra.job.id='{number}'"]
        placed[run.digest] = task.placed(run, folder, words)
    points = tuple(replace(point, run=placed[point.run.digest]) for point in wanted.plan.points)
    plan: Plan = replace(wanted.plan, points=points)
    return replace(wanted, plan=plan)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        print("ablate: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
