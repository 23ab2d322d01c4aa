"""The test set is not read in a search."""

import dataclasses

import pytest
import search_fakes as fakes
import torch

from ablate.images.data import Images, load
from ablate.images.engine import train
from ablate.search.evaluate import Outcome
from ablate.search.start import make_searcher
from ablate.store import Owner

CPU = torch.device("cpu")
SPACE = {"optimizer.lr": {"low": 0.05, "high": 0.2, "log": True}, "model.dropout": {"low": 0.0, "high": 0.3}}


class TestSetRead(Exception):
    __test__ = False


class Guarded(Images):
    """Images whose test part must not be touched."""

    def __getattribute__(self, name):
        if name.startswith("test_"):
            raise TestSetRead(name)
        return super().__getattribute__(name)


def guarded(images):
    return Guarded(**{field.name: getattr(images, field.name) for field in dataclasses.fields(Images)})


@pytest.fixture(scope="module")
def images():
    torch.set_num_threads(1)
    return load(fakes.order(SPACE).build([]).data, CPU)


def test_the_guard_bites(images):
    order = fakes.order(SPACE)
    config = order.build([("train.epochs", 1)])
    open_one = type(config)(**{**dict(config), "data": config.data.model_copy(update={"protocol": "holdout_test"})})
    with pytest.raises(TestSetRead):
        train([open_one], guarded(images), device=CPU)


def test_a_search_on_real_images_reads_no_test_image(images, store, tmp_path):
    order = fakes.order(SPACE, budget={"samples": 12_000}, batch=3, results=tmp_path, fixed={"train.epochs": 2})
    watched, seen = guarded(images), []

    def evaluate(runs, rules):
        runs = list({run.digest: run for run in runs}.values())
        stops = {i: rules[run.digest] for i, run in enumerate(runs) if run.digest in rules}
        results = train(runs, watched, device=CPU, stops=stops)
        seen.extend(zip(runs, results, strict=True))
        return {run.digest: Outcome(result, 0.1) for run, result in zip(runs, results, strict=True)}

    searcher = make_searcher(order, store, Owner.current(), evaluate, lambda line: None)
    searcher.run()
    assert len(seen) >= 4
    for config, result in seen:
        assert config.data.protocol == "holdout"
        assert result.status in ("complete", "stopped")
        for epoch in result.curves:
            assert epoch.values.get("test_loss") is epoch.values.get("test_acc") is None
            assert epoch.values.get("val_acc") is not None
    assert [t for t in searcher.study.trials if t.state.name == "COMPLETE"]


@pytest.mark.parametrize("protocol", ["article", "holdout_test", "holdout"])
def test_whatever_the_study_says_a_search_holds_out_and_does_not_test(protocol):
    order = fakes.order()
    values = {**order.source.baseline, "data": {**order.source.baseline["data"], "protocol": protocol}}
    order = type(order)(dataclasses.replace(order.source, baseline=values), order.search, order.space)
    assert not order.build([]).data.tests
    assert order.build([]).data.validates
