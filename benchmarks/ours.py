"""Our own engine, timed by its steps and by its public entry."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor

from ablate.images.config import SGD, FashionMNIST, Train
from ablate.images.data import Images
from ablate.images.engine import train
from ablate.images.engine.cohort import FusedCohort
from ablate.images.run import RunConfig
from benchmarks.clock import Clock
from benchmarks.contenders import OURS_GRAPH, OURS_OWN, OURS_PLAIN, Contender
from benchmarks.loops import Loop, rate
from benchmarks.networks import NETWORKS


def runs(contender: Contender, *, epochs: int = 10, train_size: int | None = None) -> list[RunConfig]:
    """Runs of the article's baseline, or of another network, that are one cohort.

    All have one seed, and so one order of the data, as the levels of a factor do; or each has its own, as the seeds of
    one level do.

    Args:
        contender: Says which.
        epochs: Of each.
        train_size: First training images to use; None: all.
    """
    own, plain = contender.loop == OURS_OWN, contender.loop in (OURS_PLAIN, OURS_GRAPH)
    train = Train(
        batch_size=contender.batch,
        epochs=epochs,
        precision="bf16" if contender.precision == "bf16" else "fp32",
        compile="off" if plain else "auto",
    )
    return [
        RunConfig(
            model=NETWORKS[contender.network],
            optimizer=SGD(lr=rate(contender.network)),
            data=FashionMNIST(train_size=train_size),
            train=train,
            seed=k if own else 0,
        )
        for k in range(contender.models)
    ]


class CohortSteps(Loop):
    """Training alone: the engine's own epoch, left as soon as the clock stops and gone on with at the next call."""

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        members = runs(contender, train_size=len(images.train_labels))
        self.cohort = FusedCohort(members, images, self.device)
        epoch = self.cohort.batches.epoch
        self._batches = (batch for number in itertools.count() for batch in epoch(number))

    def run(self, clock: Clock) -> None:
        """See :class:`Loop`."""

        def epoch(_number: int) -> Iterator[tuple[Tensor, Tensor]]:
            for x, labels in itertools.islice(self._batches, self.cohort.batches.steps):
                yield x, labels
                if not clock.tick(x.shape[1] * len(self.cohort.members)):
                    return

        self.cohort.batches.epoch = epoch  # type: ignore[assignment,method-assign]
        while not clock.done:
            measured = self.cohort.train_epoch()
            if not bool(measured.isfinite().all()):
                raise ArithmeticError("a member diverged while it was timed")

    @property
    def notes(self) -> dict[str, Any]:
        """See :class:`Loop`."""
        return dict(self.cohort.notes)


class TestPasses(Loop):
    """Passes over the test images, as one follows every epoch; test images times models are counted."""

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        self.cohort = FusedCohort(runs(contender, train_size=len(images.train_labels)), images, self.device)

    def steps(self) -> Iterator[float]:
        """See :class:`benchmarks.loops.Loop`."""
        while True:
            self.cohort.test()
            yield len(self.images.test_labels) * self.models


class TrainCalls(Loop):
    """``ablate.images.engine.train``: two epochs, the second timed, as the engine times them.

    On so many images as the time allows, with the full data set's ratio of training to test images; only the training
    samples are counted.
    """

    def __init__(self, contender: Contender, images: Images, seconds: float) -> None:
        super().__init__(contender, images)
        self.result_notes, batch = dict[str, Any](), contender.batch
        self.train_size = min(2 * batch, len(images.train_labels))
        trial = self._train(Clock(0.0, 0.0, 0))
        self.train_size = min(max(2, int(seconds / (trial / 2))) * batch, len(images.train_labels))

    def run(self, clock: Clock) -> None:
        """See :class:`Loop`."""
        elapsed = self._train(clock)
        clock.take(self.models * self.train_size, elapsed)

    def _train(self, clock: Clock) -> float:
        """Seconds of the second epoch."""
        tested = max(1, self.train_size * len(self.images.test_labels) // len(self.images.train_labels))
        images = replace(
            self.images,
            train_images=self.images.train_images[: self.train_size],
            train_labels=self.images.train_labels[: self.train_size],
            test_images=self.images.test_images[:tested],
            test_labels=self.images.test_labels[:tested],
        )
        configs = runs(self.contender, epochs=2, train_size=self.train_size)

        def on_epoch(epoch: int, _members: list[int]) -> None:
            if epoch == 1:
                clock.start()

        results = train(configs, images, device=self.device, on_epoch=on_epoch)
        for result in results:
            if result.status != "complete":
                raise RuntimeError(result.error or result.status)
        self.result_notes = dict(results[0].notes)
        return results[0].curves[-1].seconds * self.models

    @property
    def notes(self) -> dict[str, Any]:
        """See :class:`Loop`."""
        return self.result_notes | {"train_size": self.train_size}
