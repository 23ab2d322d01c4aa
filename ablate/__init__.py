"""Hyperparameter ablation studies of neural networks, done right and done fast."""

__version__ = "0.1.0"
