"""Trying out on a sweep's workers how many runs are worth training together."""

from collections.abc import Callable

from ablate.execute.interrupts import Interrupts
from ablate.execute.sizing import PROBE_SECONDS, Probe, Sizing
from ablate.execute.speedometer import Speedometer
from ablate.task.executor import Answer, Died, Executor, MeasureSpeed, SpeedMeasured, Worker

TICK_SECONDS = 0.25
"""The longest time without a look at signals and leases."""


def measure_sizes(
    sizing: Sizing,
    pool: Executor,
    speedometer: Speedometer,
    interrupts: Interrupts,
    hear: Callable[[Worker, Answer | Died], None],
) -> None:
    """Make the measurements that are waiting, and keep what they find.

    Args:
        sizing: What is to be measured; it learns from each.
        pool: Its workers measure.
        speedometer: Keeps speeds.
        interrupts: Whether somebody wants it to stop.
        hear: Takes what workers say besides.

    Raises:
        KeyboardInterrupt: Somebody wants it to stop.
    """
    under_way: dict[Worker, Probe] = {}
    while sizing.waiting or under_way:
        if interrupts.asked:
            raise KeyboardInterrupt
        free = [worker for worker in pool.workers if worker not in under_way]
        for worker in free:
            if worker.is_ready and (probe := sizing.next()) is not None:
                under_way[worker] = probe
                worker.send(MeasureSpeed(probe.members, PROBE_SECONDS))
        if len(free) < len(sizing.waiting) and not pool.is_full:
            pool.start()
        for worker, answer in pool.wait(TICK_SECONDS):
            if isinstance(answer, SpeedMeasured):
                probe = under_way.pop(worker)
                speedometer.keep(probe, answer.samples_per_second)
                sizing.learn(probe, answer.samples_per_second, answer.used)
            elif isinstance(answer, Died) and worker in under_way:
                under_way.pop(worker)  # too large for this machine: what is known of smaller sizes counts
            else:
                hear(worker, answer)
