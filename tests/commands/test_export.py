"""``ablate export``: what each tool's own reader finds is what the records have, with group, level and seed."""

import csv
import json
import sys
from pathlib import Path

import pyarrow.parquet
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ablate.commands.export import _cell
from ablate.commands.studies import named, order, records_of

STUDY = "pooling"


@pytest.fixture
def expected(results):
    """By group and seed: digest, and by metric the values by step."""
    results(STUDY)
    wanted = order(named([STUDY], []))
    records = records_of(wanted.plan, wanted.launch)
    return {
        (f"{point.setting.factor}={point.setting.label}", point.run.seed): records[point.run.digest]
        for point in wanted.plan.points
    }


def curves(record):
    found = {}
    for point in record.result.curves:
        for name, value in point.values.items():
            found.setdefault(name, {})[point.step] = value
    return found


def test_csv_and_parquet_are_tables_with_a_row_a_run_and_a_row_a_step(expected, ablate):
    said = ablate("export", STUDY, "--to", "csv", "--out", "out")
    assert said == "out/pooling: 20 runs of 2 levels\n"
    with open("out/pooling/by_run.csv") as file:
        rows = list(csv.DictReader(file))
    assert {(row["group"], int(row["seed"])) for row in rows} == set(expected)
    for row in rows:
        record = expected[row["group"], int(row["seed"])]
        assert (row["study"], row["factor"], row["digest"]) == (STUDY, "model.pooling", record.digest)
        assert float(row["test_acc"]) == record.result.last("test_acc")
        assert row["config.model.pooling"] == row["level"]
    assert [_cell("level", text) for text in ("0.03", "-1", "avg", "=1+1")] == ["0.03", "-1", "avg", '"=1+1"']
    ablate("export", STUDY, "--to", "parquet")
    table = pyarrow.parquet.read_table(f"results/{STUDY}/export/parquet/by_step.parquet").to_pylist()
    assert len(table) == sum(len(record.result.curves) for record in expected.values())
    for row in table:
        assert row["test_acc"] == curves(expected[row["group"], row["seed"]])["test_acc"].get(row["step"])


def test_tensorboard_reads_a_folder_for_each_group_and_seed(expected, ablate):
    ablate("export", STUDY, "--to", "tensorboard", "--out", "out")
    for (group, seed), record in list(expected.items())[::7]:
        read = EventAccumulator(f"out/{STUDY}/{group}/seed={seed}")
        read.Reload()
        for name, values in curves(record).items():
            assert {e.step: e.value for e in read.Scalars(name)} == pytest.approx(values, rel=1e-6)


def test_mlflow_finds_runs_by_group_and_seed(expected, ablate):
    from mlflow.tracking import MlflowClient

    ablate("export", STUDY, "study.seeds=2", "--to", "mlflow", "--out", "out")
    client = MlflowClient(tracking_uri=Path(f"out/{STUDY}").absolute().as_uri())
    (experiment,) = [e for e in client.search_experiments() if e.name == STUDY]
    runs = client.search_runs([experiment.experiment_id], "tags.group = 'model.pooling=max'")
    assert sorted(run.data.tags["seed"] for run in runs) == ["0", "1"]
    for run in runs:
        record = expected["model.pooling=max", int(run.data.tags["seed"])]
        assert run.data.params["model.pooling"] == "max"
        assert run.info.status == "FINISHED"
        history = client.get_metric_history(run.info.run_id, "test_acc")
        assert {point.step: point.value for point in history} == curves(record)["test_acc"]


def logged(file):
    """The records of a file of W&B's: LevelDB's log format, in blocks of 32 KiB behind a header of 7 bytes."""
    content, at, whole = file.read_bytes(), 7, b""
    assert content[:4] == b":W&B"
    while at + 7 <= len(content):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = int.from_bytes(content[at + 4 : at + 6], "little"), content[at + 6]
        whole += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # complete, or its last part
            yield whole
            whole = b""


def test_wandb_has_offline_runs_with_their_group(expected, ablate, monkeypatch):
    from wandb.proto import wandb_internal_pb2

    ablate("export", STUDY, "study.seeds=1", "--to", "wandb-offline", "--out", "out")
    files = list(Path(f"out/{STUDY}").glob("wandb/offline-run-*/*.wandb"))
    assert len(files) == 2
    groups = {}
    for file in files:
        for data in logged(file):
            said = wandb_internal_pb2.Record()
            said.ParseFromString(data)
            if said.WhichOneof("record_type") == "run":
                group = groups.setdefault(said.run.run_group, {})
                assert said.run.project == STUDY
            elif said.WhichOneof("record_type") == "history":
                items = {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in said.history.item}
                group[items["_step"]] = items["test_acc"]
    assert groups == {group: curves(record)["test_acc"] for (group, seed), record in expected.items() if seed == 0}


def test_what_cannot_be_written_is_one_message_and_nothing_is_left(expected, ablate, monkeypatch):
    ablate("export", STUDY, "--to", "csv", "--out", "out")
    assert "is not empty; remove it, or name another place with --out" in ablate(
        "export", STUDY, "--to", "csv", "--out", "out", code=2
    )
    command = ["export", STUDY, "study.seeds=[77]", "--to", "csv", "--out", "other"]
    assert "there is no record of it" in ablate(*command, code=2)
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "pip install 'ablate[wandb]'" in ablate("export", STUDY, "--to", "wandb-offline", "--out", "other", code=2)
    assert not Path("other").exists() or not list(Path("other").iterdir())
