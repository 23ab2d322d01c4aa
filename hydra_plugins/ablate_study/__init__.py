"""Thin adapters between Hydra and ablate."""
