"""Flowers, told apart."""
