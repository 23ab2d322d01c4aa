"""Train a cohort of runs: configurations and images in, results out; pure."""

from ablate.images.engine.engine import train

__all__ = ["train"]
