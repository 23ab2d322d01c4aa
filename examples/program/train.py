"""A small network on scikit-learn's handwritten digits, written in NumPy; knows nothing of ablate."""

import argparse
from itertools import pairwise

import numpy as np
from sklearn.datasets import load_digits
from tensorboard.summary import Writer

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--lr", type=float, default=0.1)
parser.add_argument("--momentum", type=float, default=0.0)
parser.add_argument("--hidden-units", type=int, default=32)
parser.add_argument("--nesterov", action="store_true")
parser.add_argument("--steps", type=int, default=200)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--log-dir", required=True)
arguments = parser.parse_args()

images, digits = load_digits(return_X_y=True)
images = (images / 16).astype(np.float32)
split_of, weights_of, order_of = (np.random.default_rng([arguments.seed, stream]) for stream in range(3))
held_out = np.zeros(len(images), dtype=bool)
held_out[split_of.choice(len(images), len(images) // 4, replace=False)] = True

sizes = [64, arguments.hidden_units, 10]
weights = [(weights_of.standard_normal((i, o)) * (2 / i) ** 0.5).astype(np.float32) for i, o in pairwise(sizes)]
weights += [np.zeros(width, dtype=np.float32) for width in sizes[1:]]
velocity = [np.zeros_like(weight) for weight in weights]


def forward(x):
    """Activations of the hidden layer, and probabilities of the ten digits."""
    hidden = np.maximum(x @ weights[0] + weights[2], 0)
    logits = hidden @ weights[1] + weights[3]
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return hidden, exponentials / exponentials.sum(axis=1, keepdims=True)


def gradients(x, y):
    """Of the mean cross-entropy, in the order of the weights."""
    hidden, probabilities = forward(x)
    error = (probabilities - np.eye(10, dtype=np.float32)[y]) / len(x)
    below = (error @ weights[1].T) * (hidden > 0)
    return [x.T @ below, hidden.T @ error, below.sum(axis=0), error.sum(axis=0)]


writer = Writer(arguments.log_dir)
train_images, train_digits = images[~held_out], digits[~held_out]
for step in range(1, arguments.steps + 1):
    batch = order_of.choice(len(train_images), 64, replace=False)
    for weight, moved, gradient in zip(
        weights, velocity, gradients(train_images[batch], train_digits[batch]), strict=True
    ):
        moved *= arguments.momentum
        moved -= arguments.lr * gradient
        weight += arguments.momentum * moved - arguments.lr * gradient if arguments.nesterov else moved
    if step % 50 == 0 or step == arguments.steps:
        probabilities = forward(images[held_out])[1]
        of_truth = probabilities[np.arange(len(probabilities)), digits[held_out]]
        writer.add_scalar("val/loss", float(-np.log(np.maximum(of_truth, 1e-12)).mean()), step)
        writer.add_scalar("val/accuracy", float((probabilities.argmax(axis=1) == digits[held_out]).mean()), step)
        writer.flush()
writer.close()
