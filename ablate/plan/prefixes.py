"""Shorter runs that are prefixes of longer ones: trained once, at the longest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ablate.config import RunConfig


@dataclass(frozen=True)
class Prefixes:
    """Which runs are trained, and which are read off those."""

    trained: tuple[RunConfig, ...]
    """The longest run of each trajectory, in order of first appearance."""
    read_off: Mapping[str, tuple[RunConfig, ...]]
    """By the digest of a trained run: its shorter runs, longest first; a run without any has no entry."""


def find_prefixes(runs: Iterable[RunConfig]) -> Prefixes:
    """Group runs by trajectory: where the schedule ignores it, the number of epochs only says where to stop.

    Args:
        runs: Any; of two with the same digest the first counts.

    Returns:
        Every run once: trained, or to be read off one that is.
    """
    groups: dict[str, dict[str, RunConfig]] = {}
    for run in runs:
        groups.setdefault(run.trajectory, {}).setdefault(run.digest, run)
    trained, read_off = [], {}
    for group in groups.values():
        longest, *shorter = sorted(group.values(), key=lambda run: -run.train.epochs)
        trained.append(longest)
        if shorter:
            read_off[longest.digest] = tuple(shorter)
    return Prefixes(tuple(trained), read_off)
