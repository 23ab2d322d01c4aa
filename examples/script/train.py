"""Logistic regression of scikit-learn's breast cancer table, by minibatches; knows nothing of ablate."""

import argparse

import numpy as np
from sklearn.datasets import load_breast_cancer


def split(seed):
    """Standardised columns and answers of two thirds of the table, and of the rest."""
    columns, answers = load_breast_cancer(return_X_y=True)
    columns = (columns - columns.mean(axis=0)) / columns.std(axis=0)
    order = np.random.default_rng([seed, 0]).permutation(len(answers))
    train, val = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    return columns[train], answers[train], columns[val], answers[val]


def chance(columns, weights):
    """Of a benign tumour, for each row."""
    return 1 / (1 + np.exp(-np.clip(columns @ weights[:-1] + weights[-1], -30, 30)))


def train(lr, batch_size, epochs, seed):
    """Weights and, after each epoch, the loss and the accuracy on rows that were not trained on."""
    columns, answers, val_columns, val_answers = split(seed)
    order_of = np.random.default_rng([seed, 1])
    weights = np.zeros(columns.shape[1] + 1)
    for epoch in range(1, epochs + 1):
        order = order_of.permutation(len(answers))
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            error = chance(columns[rows], weights) - answers[rows]
            weights -= lr * np.append(columns[rows].T @ error, error.sum()) / len(rows)
        predicted = chance(val_columns, weights)
        likelihood = np.where(val_answers == 1, predicted, 1 - predicted)
        yield epoch, -np.log(likelihood).mean(), ((predicted > 0.5) == val_answers).mean()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lr", type=float, default=0.1)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    for epoch, loss, accuracy in train(**vars(arguments)):
        print(f"epoch {epoch}: val_loss {loss:.4f}, val_acc {accuracy:.4f}", flush=True)
