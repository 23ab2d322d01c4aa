"""Stochastic gradient descent and Adam (Kingma and Ba 2015)."""

from typing import Any

import numpy as np

Weights = dict[str, np.ndarray]


class SGD:
    """With momentum."""

    def __init__(self, options: Any) -> None:
        self._momentum, self._moved = options.momentum, Weights()

    def step(self, weights: Weights, gradients: Weights, lr: float) -> None:
        """Move the weights."""
        for name, gradient in gradients.items():
            self._moved[name] = self._momentum * self._moved.get(name, 0.0) - lr * gradient
            weights[name] += self._moved[name]


class Adam:
    """Without weight decay."""

    def __init__(self, options: Any) -> None:
        self._betas, self._steps = tuple(options.betas), 0
        self._means, self._squares = Weights(), Weights()

    def step(self, weights: Weights, gradients: Weights, lr: float) -> None:
        """Move the weights."""
        self._steps += 1
        first, second = self._betas
        for name, gradient in gradients.items():
            self._means[name] = first * self._means.get(name, 0.0) + (1 - first) * gradient
            self._squares[name] = second * self._squares.get(name, 0.0) + (1 - second) * gradient**2
            mean = self._means[name] / (1 - first**self._steps)
            square = self._squares[name] / (1 - second**self._steps)
            weights[name] -= lr * mean / (np.sqrt(square) + 1e-8)


def make_optimizer(options: Any) -> SGD | Adam:
    """The one that the configuration names."""
    return {"sgd": SGD, "adam": Adam}[options.name](options)
