import torch

from ablate.execute.estimate import Speeds
from ablate.execute.execute import measure_speeds
from ablate.execute.sizing import SIZES, Sizing, members_by
from ablate.images.config import SGD, FashionMNIST, Train
from ablate.images.data import load
from ablate.images.engine.measure import measure
from ablate.images.run import RunConfig
from ablate.store import Speed, open_store
from ablate.store.provenance import collect


def runs(levels, seeds, epochs=10, **data):
    return [
        RunConfig(optimizer=SGD(lr=0.1 + level), seed=seed, train=Train(epochs=epochs), data=FashionMNIST(**data))
        for level in range(levels)
        for seed in range(seeds)
    ]


def sized(sizing, speed_of, bytes_of=lambda size: size):
    """Lets the sizing measure a pretended machine; the sizes it tried."""
    tried = []
    while (probe := sizing.next()) is not None:
        tried.append(probe.size)
        assert len(probe.members) == probe.size
        sizing.learn(probe, speed_of(probe.size), bytes_of(probe.size))
    return tried


def known(host="here", **sizes):
    key = runs(1, 1)[0].cohort_key
    return Speeds([Speed(host, "cpu", key, int(k[1:]), True, v, "") for k, v in sizes.items()], "cpu")


def test_sizes_grow_for_as_long_as_more_members_pay():
    assert sized(Sizing(runs(18, 2), known(), None), lambda size: 1000.0 * size) == [5, 10, 20]
    assert sized(Sizing(runs(18, 2), known(), None), lambda size: 1000.0) == [5, 10]
    assert sized(Sizing(runs(4, 2), known(), None), lambda size: 1000.0 * size) == [5, 10]


def test_no_size_is_tried_that_memory_would_not_hold():
    assert sized(Sizing(runs(18, 2), known(), 1000), lambda size: size, lambda size: size * 100) == [5, 10]
    assert sized(Sizing(runs(18, 2), known(), None), lambda size: size, lambda size: size * 2**40) == [5, 10, 20]


def test_short_work_and_known_shapes_are_not_measured():
    assert Sizing(runs(4, 2, epochs=1, train_size=1000), known(), None).next() is None
    assert Sizing(runs(3, 8, epochs=3), known(), None).next() is None, "the demo, which ends in a few minutes"
    assert Sizing(runs(4, 2, epochs=1, train_size=1000), known(), None, measure_all=True).next() is not None
    assert Sizing(runs(18, 2), known(m10=5000.0), None).next() is None


def test_members_share_a_seed_where_levels_are_many():
    probe = Sizing(runs(18, 2), known(), None).next()
    assert probe.shared
    assert {run.seed for run in probe.members} == {0}
    probe = Sizing(runs(1, 10), known(), None).next()
    assert not probe.shared
    assert len({run.seed for run in probe.members}) == 5


def test_the_fastest_size_is_chosen_and_else_the_default():
    run = runs(1, 1)[0]
    assert members_by(known(m5=100.0, m10=180.0, m20=170.0), lambda _: 7)(run) == 10
    assert members_by(known(), lambda _: 7)(run) == 7


def test_a_measurement_trains_and_leaves_nothing_behind():
    torch.set_num_threads(1)
    config = runs(1, 1, train_size=2000)[0]
    images = load(config.data, torch.device("cpu"))
    state = torch.get_rng_state()
    found = measure([config, config.with_seed(1)], images, device=torch.device("cpu"), seconds=0.05)
    assert found.samples_per_second > 0
    assert found.bytes >= 0
    assert torch.equal(torch.get_rng_state(), state)


def test_measured_speeds_are_kept_by_shape(tmp_path):
    wanted = runs(6, 1, epochs=1, train_size=1000)
    with open_store(str(tmp_path / "ablate.db")) as store:
        measure_speeds(wanted, store, workers=1, device="cpu")
        speeds = store.speeds(collect()["host"])
        assert not store.all()
    assert {speed.cohort_key for speed in speeds} == {wanted[0].cohort_key}
    assert {speed.members for speed in speeds} <= set(SIZES)
    assert all(speed.samples_per_second > 0 for speed in speeds)
