"""Levels whose runs have the same values on every seed: perhaps the hyperparameter is never read."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np

from ablate.analyse.panel import Panel
from ablate.analyse.results import Identical

ROUNDING = 1e-6
"""How far, of their size, values of a further metric may differ that counts as the same: runs trained in one step round
otherwise than runs trained alone."""


def identical_levels(panels: Mapping[str, Sequence[Panel]]) -> tuple[Identical, ...]:
    """The groups of levels that cannot be told apart because their values are the same.

    Nothing is said of levels that are no evidence anyway (:meth:`ablate.analyse.panel.Panel.no_evidence`): every run is
    at chance, or every seed gave the same value. Nor of what follows from the setting and not from the seed.

    Args:
        panels: By metric, of every factor.
    """
    found = []
    for name, of_metric in panels.items():
        for place, panel in enumerate(of_metric):
            if panel.metric.exact:
                continue
            others = [panels[other][place] for other in panels if other != name]
            for group in _groups(panel):
                seeds = int(panel.alike(group[0], group[1:]).min())
                in_all = all(_same(other, group) for other in others if other.metric.exact or not other.metric.cost)
                labels = tuple(panel.levels[row].label for row in group)
                found.append(Identical(panel.factor, name, labels, seeds, in_all))
    return tuple(found)


def _groups(panel: Panel) -> list[list[int]]:
    """Rows of two or more levels that are alike, the baseline's first."""
    left = sorted(range(len(panel.levels)), key=lambda row: not panel.levels[row].is_baseline)
    groups = []
    while len(left) > 1:
        first, *rest = left
        alike = panel.alike(first, rest) > 0
        group = [first, *itertools.compress(rest, alike)]
        left = list(itertools.compress(rest, ~alike))
        if len(group) > 1:
            groups.append(sorted(group))
    return groups


def _same(panel: Panel, rows: Sequence[int]) -> bool:
    """Whether these levels have the same values up to rounding wherever two of them have any."""
    first, *others = panel.values[list(rows)]
    known = np.isfinite(first)
    return all(
        np.allclose(first[known & np.isfinite(other)], other[known & np.isfinite(other)], rtol=ROUNDING, atol=0)
        for other in others
    )
