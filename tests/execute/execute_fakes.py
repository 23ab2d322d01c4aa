"""Stand-ins for the engine, which workers import by name. What happens to a run is written in its learning rate.

Everything that happens is also written to standard output, one line a time, for tests that watch a sweep from outside.
"""

import math
import os
import signal
import traceback
from pathlib import Path

from ablate.images.config import SGD, FashionMNIST, Train
from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.task.record import Result

DIVERGES, FAILS, RAISES, KILLS, KILLS_IN_COMPANY, BLOCKS = 101.0, 102.0, 103.0, 104.0, 105.0, 106.0
IMAGES = 100


def run(lr=0.5, seed=0, epochs=4, **train):
    return RunConfig(
        optimizer=SGD(lr=lr), seed=seed, train=Train(epochs=epochs, **train), data=FashionMNIST(train_size=IMAGES)
    )


def no_images(data, device):
    return data.train_size


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def expected(config):
    """The result that a run must have, whatever happened around it."""
    lr = config.optimizer.lr
    diverges = lr == DIVERGES and config.train.epochs >= 3
    curves = tuple(epoch(config, number) for number in range(1, (3 if diverges else config.train.epochs) + 1))
    return Result("diverged" if diverges else "complete", curves)


def epoch(config, number):
    loss = math.sin(config.seed + 10 * config.optimizer.lr + number)
    if config.optimizer.lr == DIVERGES and number == 3:
        loss = math.nan
    return measured_epoch(number, loss, loss / 3, None, None, loss / 7, loss / 9, 0.125)


def train(configs, images, *, device, on_epoch):
    assert images == IMAGES
    assert device == "cpu"
    for config in configs:
        say("start", config.digest)
    for number in range(1, max(config.train.epochs for config in configs) + 1):
        for config in configs:
            misbehave(config, len(configs))
        on_epoch(number, [i for i, config in enumerate(configs) if number <= config.train.epochs])
        say("epoch", number)
    return [failed(config) if config.optimizer.lr == FAILS else expected(config) for config in configs]


def failed(config):
    try:
        raise ArithmeticError("an injected fault")
    except ArithmeticError:
        return Result("failed", (epoch(config, 1),), traceback.format_exc())


def misbehave(config, members):
    lr = config.optimizer.lr
    if lr == RAISES:
        raise ArithmeticError("the cohort raises")
    if lr == KILLS or (lr == KILLS_IN_COMPANY and members > 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if lr == BLOCKS:
        say("blocked", os.getpid())
        read, _ = os.pipe()
        os.read(read, 1)


def imports_nothing(configs, images, *, device, on_epoch):
    import sys

    loaded = [name for name in ("torch", "pandas") if name in sys.modules]
    return [Result("complete", expected(config).curves, None, {"loaded": loaded}) for config in configs]


def too_few(configs, images, *, device, on_epoch):
    return []


def missing(data, device):
    from ablate.task.errors import ConfigError

    raise ConfigError("data.root: no such folder")


def unreadable(data, device):
    raise OSError("the disk is on fire")


def marked(folder: Path) -> Path:
    return folder / "store.db"
