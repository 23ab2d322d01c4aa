"""Costs against torch's counters, the gap against a plain evaluation."""

import time

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from ablate.images.config import AlexNet, FashionMNIST, LeNet, Network, ResNet, Train
from ablate.images.data import Images
from ablate.images.engine.cohort import FusedCohort
from ablate.images.engine.engine import train
from ablate.images.engine.own_metrics import OwnMetrics
from ablate.images.metrics import METRICS
from ablate.images.networks import build
from ablate.images.run import RunConfig

CPU = torch.device("cpu")


def run_of(model: Network, *metrics: str, seed: int = 0, **data) -> RunConfig:
    return RunConfig(
        model=model,
        data=FashionMNIST(train_size=1_000, **data),
        train=Train(epochs=1, batch_size=250, metrics=metrics),
        seed=seed,
    )


@pytest.mark.parametrize("model", [LeNet(), ResNet(width=2)], ids=["lenet", "resnet"])
def test_parameters_and_multiply_adds_are_torchs(model, images: Images):
    (result,) = train([run_of(model, "parameters", "multiply_adds")], images, device=CPU)
    network = build(model, 1, (28, 28), 10).eval()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, 28, 28))
    values = result.curves[-1].values
    assert values["parameters"] == sum(p.numel() for p in network.parameters())
    assert values["multiply_adds"] == counter.get_total_flops() / 2


def test_the_gap_is_accuracy_on_unchanged_training_images_less_that_on_others(images: Images):
    runs = [
        run_of(LeNet(dropout=0.4), "gap", seed=seed, flip=True, protocol="holdout_test", val_size=200)
        for seed in (0, 0, 5)
    ]
    results = train(runs, images, device=CPU)
    cohort = FusedCohort(runs, images, CPU)
    cohort.train_epoch()
    for member, (run, result) in enumerate(zip(runs, results, strict=True)):
        network = build(run.model, 1, (28, 28), 10).eval()
        network.load_state_dict(cohort.parameters(member))
        trained_on = cohort.batches.trained[(run.seed, run.seed)]
        chosen = trained_on[[i * 800 // 300 for i in range(300)]]  # as many as there are test images, evenly
        with torch.no_grad():
            guessed = network(images.train_images[chosen] / 255).argmax(1)
        trained = (guessed == images.train_labels[chosen]).double().mean().item()
        values = result.curves[-1].values
        assert values["test_gap"] == pytest.approx(trained - values["test_acc"], abs=2e-3)
        assert values["val_gap"] == pytest.approx(trained - values["val_acc"], abs=2e-3)


def test_a_run_whose_step_is_timed_trains_alone(images: Images):
    runs = [run_of(AlexNet(dropout=0.0), "step_ms", seed=seed) for seed in (0, 1)]
    assert runs[0].cohort_key != runs[1].cohort_key
    results = train([run_of(LeNet(), "step_ms", seed=seed) for seed in (0, 1)], images, device=CPU)
    times = [result.curves[-1].values["step_ms"] for result in results]
    assert times[0] != times[1]
    assert min(times) > 0


def test_they_are_metrics_of_the_task():
    assert METRICS["step_ms"].cost
    assert METRICS["step_ms"].unit == "ms"
    assert not METRICS["test_acc"].cost
    assert (METRICS["test_gap"].goal, METRICS["test_gap"].low) == ("min", -1.0)
    assert set(METRICS) >= {"val_gap", "test_gap", "parameters", "multiply_adds", "step_ms"}


def test_runs_without_them_keep_their_company():
    assert run_of(LeNet(), seed=0).cohort_key == run_of(LeNet(), seed=1).cohort_key


def test_a_step_on_one_thread_is_timed_by_the_processor(images: Images, monkeypatch):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        cohort = FusedCohort([run_of(LeNet(), "step_ms")], images, CPU)
        epoch = cohort.train_epoch
        monkeypatch.setattr(cohort, "train_epoch", lambda *how: (time.sleep(1.0), epoch(*how))[1])
        own = OwnMetrics(cohort)
        before = time.thread_time()
        own.train_epoch()
        spent = 1000.0 * (time.thread_time() - before) / cohort.batches.steps
        assert 0.5 * spent < own.costs["step_ms"] <= spent
    finally:
        torch.set_num_threads(threads)
