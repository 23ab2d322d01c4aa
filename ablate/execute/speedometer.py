"""How fast cohorts train on this host: what a sweep measures and learns, kept in the store."""

from collections.abc import Sequence

from ablate.execute.estimate import Speeds
from ablate.execute.ledger import Flight, samples_of
from ablate.execute.sizing import Probe
from ablate.plan.cohorts import Cohort
from ablate.store import Speed, Store
from ablate.store.provenance import host, now
from ablate.task.record import Record
from ablate.task.run import Run


class Speedometer:
    """Speeds on this host that a sweep knows, measures and learns.

    Args:
        store: Where they are kept for later sweeps.
        device: The device of the sweep's workers, as :func:`ablate.execute.devices.speed_device` names it.
    """

    def __init__(self, store: Store, device: str) -> None:
        self._store, self._device, self._host = store, device, host()
        self.known = Speeds(store.speeds(self._host), device)

    def seconds(self, cohort: Cohort) -> float | None:
        """How long a cohort will take; None: nothing like it was measured here."""
        speed = self.known.measured(cohort.runs[0], len(cohort.runs), cohort.shared)
        return cohort.samples_left / speed if speed else None

    def keep(self, probe: Probe, samples_per_second: float) -> None:
        """Remember what a measurement found; 0: it found nothing."""
        if samples_per_second > 0.0:
            self._add(probe.runs[0], probe.size, probe.shared, samples_per_second)

    def learn(self, flight: Flight, trained: Sequence[Record], seconds: float) -> None:
        """Remember how fast a cohort was trained whole; nothing is learned from one with a run that failed."""
        cohort = flight.assignment.cohort
        if any("resumed" in record.result.notes for record in trained):
            return
        samples = sum(samples_of(run, record) for record, run in zip(trained, cohort.runs, strict=True))
        if samples and seconds > 0.0 and not any(record.result.status == "failed" for record in trained):
            self._add(cohort.runs[0], len(cohort.runs), cohort.shared, samples / seconds)

    def _add(self, run: Run, members: int, shared: bool, samples_per_second: float) -> None:
        shape, time = (members, shared, samples_per_second), now()
        speeds = [Speed(self._host, self._device, key, *shape, time) for key in run.speed_keys]
        for speed in speeds:
            self.known.add(speed)
        self._store.add_speeds(speeds)
