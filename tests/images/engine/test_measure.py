"""The speed of a cohort from its first steps."""

import pytest
import torch

from ablate.images.config import FashionMNIST, Train
from ablate.images.data import load
from ablate.images.engine.measure import _epoch_seconds, measure
from ablate.images.run import RunConfig


def test_set_up_and_steps_are_told_apart():
    timed = [(n, 0.25 + 0.002 * n) for n in (1, 2, 4, 8, 16, 32)]
    assert _epoch_seconds(timed, 30_000) == pytest.approx(60.25)


def test_an_epoch_that_was_trained_whole_is_taken_as_it_is():
    assert _epoch_seconds([(1, 0.3), (2, 0.4), (3, 0.6)], 3) == 0.6
    assert _epoch_seconds([(1, 5.0)], 4) == 20.0


def test_steps_that_seem_to_cost_nothing_are_noise():
    assert _epoch_seconds([(1, 0.5), (2, 0.4)], 10) == pytest.approx(2.0)


def test_a_real_cohort_is_measured():
    torch.set_num_threads(1)
    data = FashionMNIST(train_size=600)
    images = load(data, torch.device("cpu"))
    configs = [RunConfig(data=data, train=Train(batch_size=16), seed=seed) for seed in range(2)]
    found = measure(configs, images, device=torch.device("cpu"), seconds=0.1)
    assert 10.0 < found.samples_per_second < 1e7
