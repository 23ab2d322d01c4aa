"""Softmax regression, or with one hidden layer of tanh."""

from typing import Any

import numpy as np


class Network:
    """Weights by name; ``model.hidden`` 0 means no hidden layer."""

    def __init__(self, model: Any, inputs: int, classes: int, seed: int) -> None:
        draw = np.random.default_rng((seed, 2))
        self.weights = {}
        if model.hidden:
            self.weights["first"] = model.scale * draw.standard_normal((inputs + 1, model.hidden))
            inputs = model.hidden
        self.weights["last"] = np.zeros((inputs + 1, classes))

    def gradients(self, inputs: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
        """Of the mean cross-entropy."""
        hidden, shares = self._forward(inputs)
        shares[np.arange(len(labels)), labels] -= 1
        error = shares / len(labels)
        found = {"last": _with_one(hidden).T @ error}
        if "first" in self.weights:
            back = (error @ self.weights["last"][:-1].T) * (1 - hidden**2)
            found["first"] = _with_one(inputs).T @ back
        return found

    def measure(self, inputs: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
        """Mean cross-entropy and accuracy."""
        _, shares = self._forward(inputs)
        loss = -np.log(np.maximum(shares[np.arange(len(labels)), labels], 1e-12)).mean()
        return float(loss), float((shares.argmax(axis=1) == labels).mean())

    def _forward(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        hidden = np.tanh(_with_one(inputs) @ self.weights["first"]) if "first" in self.weights else inputs
        scores = _with_one(hidden) @ self.weights["last"]
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        return hidden, shares / shares.sum(axis=1, keepdims=True)


def _with_one(values: np.ndarray) -> np.ndarray:
    return np.hstack([values, np.ones((len(values), 1))])
