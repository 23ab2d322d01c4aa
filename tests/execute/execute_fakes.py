"""Stand-ins for the engine, which workers import by name. What happens to a run is written in its learning rate.

Everything that happens is also written to standard output, one line a time, for tests that watch a sweep from outside.
"""

import math
import os
import signal
import time
import traceback
import uuid
from dataclasses import replace
from pathlib import Path

from ablate.images.config import SGD, FashionMNIST, Train
from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.task.checkpoint import content_of
from ablate.task.engine import Speed
from ablate.task.record import Result

DIVERGES, FAILS, RAISES, KILLS, KILLS_IN_COMPANY, BLOCKS, WAITS = 101.0, 102.0, 103.0, 104.0, 105.0, 106.0, 107.0
KILLS_ONCE, KILLS_CROWDS, MEMORY_OF_CROWDS = 108.0, 109.0, 110.0
IMAGES = 100


def run(lr=0.5, seed=0, epochs=4, root=None, **train):
    return RunConfig(
        optimizer=SGD(lr=lr),
        seed=seed,
        train=Train(epochs=epochs, **train),
        data=FashionMNIST(train_size=IMAGES, root=root),
    )


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


class Engine:
    """Trains by formula."""

    def __init__(self, device, threads):
        assert device == "cpu"
        self.hardware = {"gpu": None}

    def load(self, runs):
        pass

    def train(self, runs, on_step, stops):
        for config in runs:
            say("start", config.digest)
            if config.data.root is not None:
                (Path(config.data.root) / f"start {config.seed} {uuid.uuid4().hex}").touch()
        for number in range(1, max(config.train.epochs for config in runs) + 1):
            for config in runs:
                misbehave(config, len(runs), number)
            on_step(number, [i for i, config in enumerate(runs) if number <= config.train.epochs])
            say("epoch", number)
        return [failed(config) if config.optimizer.lr == FAILS else expected(config) for config in runs]

    def probe(self, runs, seconds):
        return None


def failed(config):
    try:
        raise ArithmeticError("an injected fault")
    except ArithmeticError:
        return Result("failed", (epoch(config, 1),), traceback.format_exc())


def misbehave(config, members, number):
    lr = config.optimizer.lr
    if lr == WAITS and number > 2:
        time.sleep(0.002)
    if lr == WAITS and number == 2:  # until the test lets it go on
        while not (Path(config.data.root) / f"go {config.seed}").exists():
            time.sleep(0.02)
    if lr == RAISES:
        raise ArithmeticError("the cohort raises")
    if lr == KILLS or (lr == KILLS_IN_COMPANY and members > 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if lr == KILLS_CROWDS and members > 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if lr == MEMORY_OF_CROWDS and members > 2:
        raise MemoryError
    if lr == KILLS_ONCE and number == 3 and not (killed := Path(config.data.root) / "killed").exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if lr == BLOCKS:
        say("blocked", os.getpid())
        read, _ = os.pipe()
        os.read(read, 1)


class Resuming(Engine):
    """Leaves a checkpoint after every step that one is due, and says from which step it begins."""

    def keep_checkpoints(self, checkpoints):
        self._checkpoints = checkpoints

    def train(self, runs, on_step, stops):
        digests = [config.digest for config in runs]
        content = content_of(digests, stops)
        self._checkpoints.begin()
        found = self._checkpoints.read(content, "version", "cpu")
        done = 0 if found is None else found[0].step
        (Path(runs[0].data.root) / f"begins {len(runs)} at {done} {uuid.uuid4().hex}").touch()
        for number in range(done + 1, max(config.train.epochs for config in runs) + 1):
            for config in runs:
                misbehave(config, len(runs), number)
            if self._checkpoints.is_due():
                about = {"runs": digests, "step": number, "content": content, "version": "version", "device": "cpu"}
                self._checkpoints.write(content, about, lambda: b"state")
            on_step(number, [i for i, config in enumerate(runs) if number <= config.train.epochs])
        return [expected(config) for config in runs]


class Measurable(Engine):
    """Two members together are as fast as one alone each; more are not to be had."""

    def probe(self, runs, seconds):
        return Speed(1000.0 * len(runs), 2**20 * len(runs)) if len(runs) <= 2 else None


class ImportsNothing(Engine):
    def train(self, runs, on_step, stops):
        import sys

        loaded = [name for name in ("torch", "pandas") if name in sys.modules]
        return [Result("complete", expected(config).curves, None, {"loaded": loaded}) for config in runs]


class TooFew(Engine):
    def train(self, runs, on_step, stops):
        return []


class Apart(Engine):
    """Says of every run why it was not trained in company."""

    def train(self, runs, on_step, stops):
        found = super().train(runs, on_step, stops)
        return [replace(result, notes={"apart": "its layers do not stack"}) for result in found]


class Missing(Engine):
    def load(self, runs):
        from ablate.task.errors import ConfigError

        raise ConfigError("data.root: no such folder")


class Unreadable(Engine):
    def load(self, runs):
        raise OSError("the disk is on fire")


class Broken(Engine):
    def __init__(self, device, threads):
        raise RuntimeError("this engine does not start")


def marked(folder: Path) -> Path:
    return folder / "store.db"
