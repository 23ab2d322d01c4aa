"""Records as tools that track experiments have them: TensorBoard, MLflow, Weights & Biases."""

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from ablate.commands.exported import Exported
from ablate.store.columns import cell, flat

BATCH = 1000
"""Values that MLflow takes at once."""

TEXT = 6000
"""Characters that MLflow takes of a parameter."""


def to_tensorboard(found: Sequence[Exported], folder: Path) -> None:
    """A folder of event files for each run, ``GROUP/seed=N``: a regular expression in TensorBoard chooses a group."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for one in found:
        began, passed = _moment(one, "started"), 0.0
        writer = EventFileWriter(str(folder / one.folder))
        for point in one.record.result.curves:
            passed += point.seconds
            values = [Summary.Value(tag=name, simple_value=value) for name, value in point.values.items()]
            writer.add_event(Event(wall_time=began + passed, step=point.step, summary=Summary(value=values)))
        writer.close()


def to_mlflow(found: Sequence[Exported], folder: Path) -> None:
    """A tracking folder (``mlflow ui --backend-store-uri FOLDER``); tags ``group``, ``level``, ``seed`` group runs."""
    os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=folder.absolute().as_uri())
    experiments: dict[str, str] = {}
    for one in found:
        if one.study not in experiments:
            experiments[one.study] = client.create_experiment(one.study)
        began, ended = round(1000 * _moment(one, "started")), round(1000 * _moment(one, "ended"))
        run = client.create_run(experiments[one.study], began, run_name=f"{one.group} seed={one.seed}").info.run_id
        tags = [RunTag(name, cell(name, value)) for name, value in one.labels.items()]
        tags.append(RunTag("status", one.record.result.status))
        parameters = [Param(path, cell(path, value)[:TEXT]) for path, value in flat({**one.config, "seed": one.seed})]
        client.log_batch(run, params=parameters[:100], tags=tags)
        for first in range(100, len(parameters), 100):
            client.log_batch(run, params=parameters[first : first + 100])
        passed, values = 0.0, []
        for point in one.record.result.curves:
            passed += point.seconds
            at = began + round(1000 * passed)
            values += [Metric(name, value, at, point.step) for name, value in point.values.items()]
        for first in range(0, len(values), BATCH):
            client.log_batch(run, metrics=values[first : first + BATCH])
        client.set_terminated(run, "FAILED" if one.record.result.status == "failed" else "FINISHED", ended)


def to_wandb(found: Sequence[Exported], folder: Path) -> None:
    """Offline runs (``wandb sync FOLDER/wandb/offline-run-*``): the project is the study, the group is the level."""
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    settings = wandb.Settings(silent=True, console="off", disable_git=True, save_code=False, x_disable_stats=True)
    for one in found:
        run = wandb.init(
            mode="offline",
            dir=folder,
            project=one.study,
            group=one.group,
            job_type=one.factor,
            name=f"{one.group} seed={one.seed}",
            config={**one.config, **one.labels},
            settings=settings,
        )
        for point in one.record.result.curves:
            run.log(dict(point.values), step=point.step)
        run.summary["status"] = one.record.result.status
        run.finish(exit_code=int(one.record.result.status == "failed"))
    wandb.teardown()  # its process writes files, and may still do so when a run has finished


def _moment(one: Exported, name: str) -> float:
    """Seconds since 1970; 0 where the record does not say."""
    said = one.record.provenance.get(name)
    return datetime.fromisoformat(str(said)).timestamp() if said else 0.0
