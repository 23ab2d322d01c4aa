"""Shorter runs that are prefixes of longer ones: trained once, at the longest."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ablate.images.run import RunConfig
from ablate.task.record import Record


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
    trained, shorter_of = [], {}
    for group in groups.values():
        longest, *shorter = sorted(group.values(), key=lambda run: -run.train.epochs)
        trained.append(longest)
        if shorter:
            shorter_of[longest.digest] = tuple(shorter)
    return Prefixes(tuple(trained), shorter_of)


def read_off(runs: Iterable[RunConfig], along: Mapping[str, Record]) -> dict[str, Record]:
    """The records of those of ``runs`` that another run of the same trajectory settles.

    A record settles every run up to its last epoch, and where it diverged, every longer one, too.

    Args:
        runs: Any.
        along: By trajectory, a record of one of its runs.

    Returns:
        By digest: the curve up to the run's own number of epochs, with the status that it has there, the time that it
        took to there, and ``prefix_of`` in its provenance.
    """
    found = {}
    for run in runs:
        source = along.get(run.trajectory)
        record = _prefix(run, source) if source is not None else None
        if record is not None:
            found[run.digest] = record
    return found


def _prefix(run: RunConfig, source: Record) -> Record | None:
    result, epochs = source.result, run.train.epochs
    finite = len(result.curves) - (result.status == "diverged")
    if finite >= epochs:
        result = replace(result, status="complete", curves=result.curves[:epochs], error=None)
    elif result.status != "diverged":
        return None
    origin = source.provenance.get("prefix_of", source.digest)
    return Record(run.digest, run.identity, result, {**source.provenance, "prefix_of": origin})
