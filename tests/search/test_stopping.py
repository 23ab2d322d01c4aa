"""Stop rules in the engine, in worker processes and in the store, on real images."""

import pytest
import search_fakes as fakes
import torch

from ablate.execute import execute
from ablate.images.config import FashionMNIST, LeNet, Train
from ablate.images.data import load
from ablate.images.engine import train
from ablate.images.run import RunConfig
from ablate.plan.plan import Plan
from ablate.report.joined_runs import frame_of_runs
from ablate.store import FINAL
from ablate.task.record import StopRule

CPU = torch.device("cpu")
RELU = LeNet(activation="relu", activation_c5="relu", activation_f6="relu")
DATA = FashionMNIST(protocol="holdout", train_size=300, val_size=100)
NEVER, ALWAYS = StopRule("val_acc", "max", ((1, -1.0), (2, -1.0))), StopRule("val_acc", "max", ((2, 2.0),))


def run(lr, epochs=3, seed=0):
    config = RunConfig(model=RELU, data=DATA, train=Train(epochs=epochs, batch_size=32), seed=seed)
    return RunConfig(**{**dict(config), "optimizer": config.optimizer.model_copy(update={"lr": lr})})


@pytest.fixture(scope="module")
def images():
    torch.set_num_threads(1)
    return load(DATA, CPU)


def metrics(result):
    return [[e.values[name] for name in ("train_loss", "val_loss", "val_acc")] for e in result.curves]


def test_a_stopped_run_is_the_beginning_of_the_whole_one_and_leaves_the_others_alone(images):
    configs = [run(0.1), run(0.05), run(0.02)]
    whole = train(configs, images, device=CPU)
    raced = train(configs, images, device=CPU, stops={0: ALWAYS, 1: NEVER})
    assert [r.status for r in whole] == ["complete"] * 3
    assert [r.status for r in raced] == ["stopped", "complete", "complete"]
    assert [len(r.curves) for r in raced] == [2, 3, 3]
    for a, b in zip(whole, raced, strict=True):
        for x, y in zip(metrics(a), metrics(b), strict=False):
            assert x == pytest.approx(y, abs=1e-3)


def test_a_rule_at_the_last_epoch_does_not_undo_a_complete_run(images):
    (result,) = train([run(0.1, epochs=2)], images, device=CPU, stops={0: ALWAYS})
    assert result.status == "complete"


def test_what_a_race_leaves_is_never_taken_for_a_run(store):
    """The store keeps the part; whoever wants the run gets all of it trained."""
    order = fakes.order()
    config = order.build([]).with_seed(7)
    rule = StopRule("val_acc", "max", ((3, 2.0),))
    options = {"workers": 1, "device": "cpu", "engine": "search_fakes:Engine"}
    summary = execute([config], store, stops={config.digest: rule}, **options)
    assert (summary.stopped, summary.complete, summary.missing) == (1, 0, 0)
    assert "1 stopped early" in str(summary)
    (record,) = store.get([config.digest]).values()
    assert (record.result.status, len(record.result.curves)) == ("stopped", 3)
    assert "stopped" not in FINAL
    assert store.along([config.trajectory]) == {}
    plan = Plan((), ())
    assert frame_of_runs(plan, {config.digest: record}).empty
    summary = execute([config], store, **options)
    assert (summary.trained, summary.complete) == (1, 1)
    assert len(store.get([config.digest])[config.digest].result.curves) == fakes.EPOCHS
