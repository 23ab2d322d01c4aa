"""A study whose runs are formulas: known optimum, curves that rise, noise by seed; trains in no time."""

import hashlib
import math

from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.images.searching import SEARCHING
from ablate.images.task import IMAGES as TASK
from ablate.plan.compose import Source
from ablate.plan.launch import Launch
from ablate.plan.study import Study
from ablate.search.evaluate import Outcome
from ablate.search.request import SearchRequest
from ablate.search.settings import parse_search
from ablate.search.space_file import parse_space
from ablate.task.record import Result

SPACE = {
    "optimizer.lr": {"low": 0.01, "high": 1.0, "log": True},
    "train.batch_size": [16, 64],
    "train.label_smoothing": {"low": 0.0, "high": 0.2},
}
IMAGES, EPOCHS = 1000, 9
BEST_LR, BEST_SMOOTHING = 0.1, 0.05


def baseline(**train):
    values = RunConfig().model_dump(mode="python")
    values["data"] |= {"train_size": IMAGES + 500, "val_size": 500}
    values["train"] |= {"epochs": EPOCHS, **train}
    return values


def order(space=SPACE, fresh=(0, 1, 2), results="results", groups=None, **search):
    node = {"space": space, "budget": {"samples": 60 * IMAGES * EPOCHS}, "seeds": 2, "batch": 8, "family": 2, **search}
    study = Study(name="tiny", seeds=fresh, metrics=("test_acc",), search=node)

    def compose_group(group, option):
        return (groups or {})[group, option]

    parsed = parse_search(node, study.seeds, TASK)
    chosen = {"optimizer": "sgd", "schedule": "constant"}
    source = Source(study, baseline(), Launch(results=str(results)), compose_group, chosen=chosen)
    return SearchRequest(source, parsed, parse_space(parsed.space, SEARCHING))


def quality(config):
    """Expected accuracy after the last epoch: 0.9 at the optimum."""
    lr = (math.log10(config.optimizer.lr) - math.log10(BEST_LR)) ** 2
    smoothing = (10 * (config.train.label_smoothing - BEST_SMOOTHING)) ** 2
    return 0.9 - 0.1 * lr - 0.05 * smoothing - (0.02 if config.train.batch_size == 64 else 0.0)


def noise(*parts):
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4]) / 2**32 - 0.5


def curve(config):
    """Accuracies by epoch: they rise to the quality, with noise that differs by seed and setting."""
    top = quality(config) + 0.01 * noise(config.seed) + 0.004 * noise(config.digest)
    for epoch in range(1, config.train.epochs + 1):
        accuracy = top * (1 - math.exp(-3 * epoch / config.train.epochs)) / (1 - math.exp(-3))
        yield measured_epoch(epoch, 1 - accuracy, accuracy, 1 - accuracy, accuracy, seconds=0.01)


def train(configs, on_step=None, stops=None):
    """Stands for the engine, in this process or in a worker."""
    results = []
    for i, config in enumerate(configs):
        assert config.data.protocol != "article" or not stops
        whole = tuple(curve(config))
        if config.data.tests:
            whole = tuple(
                measured_epoch(
                    e.step,
                    e.values["train_loss"],
                    e.values["train_acc"],
                    e.values["val_loss"] if config.data.validates else None,
                    e.values["val_acc"] if config.data.validates else None,
                    e.values["val_loss"],
                    e.values["val_acc"],
                    e.seconds,
                )
                for e in whole
            )
        part = stops[i].part(whole) if stops and i in stops else None
        results.append(Result("complete", whole) if part is None else Result("stopped", part))
        if on_step is not None:
            on_step(1, [i])
    return results


class Engine:
    """See :func:`train`."""

    def __init__(self, device, threads):
        self.hardware = {}

    def load(self, runs):
        pass

    def train(self, runs, on_step, stops):
        return train(runs, on_step, stops)


class Bench:
    """Trains by formula and remembers what it was asked for."""

    def __init__(self):
        self.results, self.trained, self.asked = {}, [], 0

    def __call__(self, runs, rules):
        outcomes = {}
        for run in runs:
            self.asked += 1
            held = self.results.get(run.digest)
            rule = rules.get(run.digest)
            if held is None or (held.status == "stopped" and (rule is None or rule.part(held.curves) is None)):
                self.trained.append(run.digest)
                (held,) = train([run], stops={0: rule} if rule else None)
                self.results[run.digest] = held
            part = rule.part(held.curves) if rule else None
            outcomes[run.digest] = Outcome(held if part is None else Result("stopped", part), 0.5)
        return outcomes
