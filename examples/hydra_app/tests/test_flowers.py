from pathlib import Path

import numpy as np
from flowers.data import load
from flowers.network import Network
from flowers.optimizers import make_optimizer
from omegaconf import OmegaConf

IRIS = Path(__file__).parents[1] / "data" / "iris.csv"


def test_two_thirds_are_for_training():
    train, val = load(IRIS, seed=0)
    assert (len(train.labels), len(val.labels)) == (100, 50)


def test_both_networks_learn_with_both_optimizers():
    train, _ = load(IRIS, seed=0)
    for model in ({"hidden": 0}, {"hidden": 16, "scale": 0.5}):
        for options in ({"name": "sgd", "momentum": 0.9}, {"name": "adam", "betas": [0.9, 0.999]}):
            network = Network(OmegaConf.create(model), inputs=4, classes=3, seed=0)
            optimizer = make_optimizer(OmegaConf.create(options))
            before, _ = network.measure(train.inputs, train.labels)
            for inputs, labels in train.batches(16, seed=0):
                optimizer.step(network.weights, network.gradients(inputs, labels), 0.05)
            after, _ = network.measure(train.inputs, train.labels)
            assert after < before
            assert np.isfinite(after)
