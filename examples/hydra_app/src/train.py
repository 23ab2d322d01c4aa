"""Trains a small classifier of flowers: python src/train.py optimizer=adam model=mlp."""

import json
from pathlib import Path

import hydra
from flowers.data import load
from flowers.network import Network
from flowers.optimizers import make_optimizer
from omegaconf import DictConfig


@hydra.main(version_base="1.3", config_path="../configs", config_name="train")
def main(config: DictConfig) -> float:
    """Train, write a line of metrics an epoch, and return the last validation accuracy."""
    train, val = load(Path(config.paths.data), seed=config.seed)
    network = Network(config.model, inputs=4, classes=3, seed=config.seed)
    optimizer = make_optimizer(config.optimizer)
    with (Path(config.paths.output) / "metrics.jsonl").open("w") as log:
        for epoch in range(1, config.epochs + 1):
            part = (epoch - 1) / config.epochs
            lr = config.schedule.start + part * (config.schedule.end - config.schedule.start)
            for inputs, labels in train.batches(config.batch_size, seed=(config.seed, epoch)):
                optimizer.step(network.weights, network.gradients(inputs, labels), lr)
            loss, accuracy = network.measure(val.inputs, val.labels)
            log.write(json.dumps({"epoch": epoch, "val_loss": loss, "val_acc": accuracy}) + "\n")
            log.flush()
    return accuracy


if __name__ == "__main__":
    main()
