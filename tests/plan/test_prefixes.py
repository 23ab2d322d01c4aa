import math

from ablate.images.config import SGD, Cosine, Train
from ablate.images.metrics import measured_epoch
from ablate.images.run import RunConfig
from ablate.plan.prefixes import find_prefixes, read_off
from ablate.task.record import Record, Result


def run(epochs, lr=0.5, **fields):
    return RunConfig(optimizer=SGD(lr=lr), train=Train(epochs=epochs), **fields)


def record(of, status, length, **fields):
    curves = tuple(measured_epoch(n, 1.0 / n, 0.5, seconds=0.1) for n in range(1, length + 1))
    if status == "diverged":
        curves = (*curves[:-1], measured_epoch(length, math.nan, 0.1, seconds=0.1))
    error = "ValueError: no" if status == "failed" else None
    return Record(of.digest, of.identity, Result(status, curves, error, {"cohort": 4}), {"host": "here", **fields})


def read(wanted, source):
    return read_off([wanted], {wanted.trajectory: source}).get(wanted.digest)


def test_the_longest_of_each_trajectory_is_trained():
    runs = [run(10), run(100), run(50), run(10, lr=0.1), run(10)]
    found = find_prefixes(runs)
    assert found.trained == (runs[1], runs[3])
    assert found.read_off == {runs[1].digest: (runs[2], runs[0])}


def test_where_the_schedule_depends_on_the_length_all_are_trained():
    runs = [run(10, schedule=Cosine()), run(100, schedule=Cosine())]
    found = find_prefixes(runs)
    assert found.trained == tuple(runs)
    assert found.read_off == {}


def test_every_run_is_planned_once():
    runs = [run(epochs, lr=lr, seed=seed) for epochs in (1, 5, 3) for lr in (0.1, 0.2) for seed in range(4)]
    found = find_prefixes([*runs, *reversed(runs)])
    planned = [r.digest for r in found.trained] + [r.digest for rs in found.read_off.values() for r in rs]
    assert sorted(planned) == sorted(r.digest for r in runs)
    assert {r.train.epochs for r in found.trained} == {5}


def test_a_shorter_run_is_the_beginning_of_a_longer_one():
    short = read(run(3), record(run(10), "complete", 10))
    assert short.digest == run(3).digest
    assert short.config == run(3).identity
    assert short.result.status == "complete"
    assert [e.step for e in short.result.curves] == [1, 2, 3]
    assert short.result.notes == {"cohort": 4}
    assert short.provenance == {"host": "here", "prefix_of": run(10).digest}


def test_a_longer_run_is_not_read_off():
    assert read(run(10), record(run(3), "complete", 3)) is None
    assert read_off([run(10)], {}) == {}


def test_a_run_that_diverged_later_is_complete_before():
    source = record(run(100), "diverged", 30)
    assert read(run(29), source).result.status == "complete"
    assert len(read(run(29), source).result.curves) == 29
    for epochs in (30, 31, 100, 1000):
        result = read(run(epochs), source).result
        assert result.status == "diverged"
        assert len(result.curves) == 30


def test_a_run_that_failed_later_is_complete_before():
    source = record(run(100), "failed", 30)
    assert read(run(30), source).result == Result("complete", source.result.curves, None, {"cohort": 4})
    assert read(run(31), source) is None


def test_a_prefix_of_a_prefix_names_the_run_that_was_trained():
    source = record(run(10), "complete", 10, prefix_of="the longest")
    assert read(run(3), source).provenance["prefix_of"] == "the longest"
