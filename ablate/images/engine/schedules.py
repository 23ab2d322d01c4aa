"""Learning-rate schedules as closed forms: the factor at any step, without stepping through those before it.

Equal to ``torch.optim.lr_scheduler``'s StepLR (stepped after each epoch), CosineAnnealingLR, OneCycleLR and LinearLR
(stepped after each batch). A table of factors goes to the device once an epoch, so that no step reads the host.
"""

import math

from ablate.images.config import Constant, Cosine, OneCycle, ScheduleConfig, Step, WarmUp


def factors(schedule: ScheduleConfig, epoch: int, steps: int, epochs: int) -> list[float]:
    """Factors on the learning rate during one epoch.

    Args:
        schedule: The run's schedule.
        epoch: Counted from 0.
        steps: Batches an epoch.
        epochs: The epochs of the whole run.

    Returns:
        A factor for each step of the epoch.
    """
    return [_factor(schedule, epoch, epoch * steps + i, steps, epochs * steps) for i in range(steps)]


def _factor(schedule: ScheduleConfig, epoch: int, step: int, steps: int, total: int) -> float:
    match schedule:
        case Constant():
            return 1.0
        case Step():
            return float(schedule.gamma ** (epoch // schedule.step_size))
        case Cosine():
            return _cosine(1.0, schedule.final_ratio, step / total)
        case WarmUp():
            share = min(1.0, step / (schedule.warmup_epochs * steps))
            return schedule.start_ratio + (1.0 - schedule.start_ratio) * share
        case OneCycle():
            return _one_cycle(schedule, step, total)


def _one_cycle(schedule: OneCycle, step: int, total: int) -> float:
    first = 1.0 / schedule.div_factor
    last = first / schedule.final_div_factor
    top = schedule.pct_start * total - 1.0  # torch's float: the peak may lie between two steps
    if step <= top:
        return _cosine(first, 1.0, step / top) if top > 0.0 else 1.0
    return _cosine(1.0, last, (step - top) / (total - 1.0 - top))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1.0 + math.cos(math.pi * share)) / 2.0
