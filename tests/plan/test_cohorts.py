import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.images.config import SGD, AlexNet, FashionMNIST, LeNet, Train
from ablate.images.run import RunConfig
from ablate.plan.cohorts import default_members, form_cohorts, hand_out


def run(lr=0.5, seed=0, epochs=10, batch=256, **fields):
    return RunConfig(optimizer=SGD(lr=lr), seed=seed, train=Train(epochs=epochs, batch_size=batch), **fields)


some_run = st.builds(
    run,
    st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]),
    st.integers(0, 3),
    st.sampled_from([1, 3, 10]),
    st.sampled_from([16, 256]),
)
some_runs = st.lists(some_run, max_size=40, unique_by=lambda r: r.digest)


@given(runs=some_runs, workers=st.integers(1, 5), limit=st.none() | st.integers(1, 8), data=st.data())
def test_every_cohort_is_sound(runs, workers, limit, data):
    cohorts = form_cohorts(runs, workers=workers, max_members=limit)
    assert sorted(r.digest for c in cohorts for r in c.runs) == sorted(r.digest for r in runs)
    for cohort in cohorts:
        assert {r.cohort_key for r in cohort.runs} == {cohort.key}
        assert len(cohort.runs) <= (limit or 10)
    samples = [cohort.samples for cohort in cohorts]
    assert samples == sorted(samples, reverse=True)
    if len(cohorts) < min(workers, len(runs)):
        # A worker that ends last has a single run, which cannot be split; several may end at the same time.
        assert 1 in [len(cohort.runs) for cohort in cohorts if cohort.samples == cohorts[0].samples]
    shuffled = data.draw(st.permutations(runs))
    assert form_cohorts(shuffled, workers=workers, max_members=limit) == cohorts


def test_three_levels_a_seed_stay_together():
    runs = [run(lr, seed) for lr in (0.1, 0.2, 0.3) for seed in range(4)]
    cohorts = form_cohorts(runs, workers=2)
    places = {run.digest: place for place, cohort in enumerate(cohorts) for run in cohort.runs}
    for seed in range(4):
        assert len({places[run(lr, seed).digest] for lr in (0.1, 0.2, 0.3)}) == 1
    assert all(cohort.shared for cohort in form_cohorts(runs, workers=2, max_members=5))
    assert [len(cohort.runs) for cohort in cohorts] == [6, 6]


def test_seeds_go_together_where_there_are_few_levels():
    cohorts = form_cohorts([run(seed=seed) for seed in range(10)], workers=2)
    assert [len(cohort.runs) for cohort in cohorts] == [5, 5]
    assert not any(cohort.shared for cohort in cohorts)


def test_a_split_seed_of_its_own_is_not_shared():
    data = [FashionMNIST(protocol="holdout", split_seed=s) for s in (1, 2)]
    (cohort,) = form_cohorts([run(data=d) for d in data], workers=1)
    assert not cohort.shared


def test_what_shapes_a_step_splits_cohorts():
    runs = [run(), run(batch=16), run(model=LeNet(kernel_size=3)), run(model=LeNet(activation="relu"))]
    assert len(form_cohorts(runs, workers=1)) == 4


def test_like_lengths_go_together():
    runs = [run(lr, epochs=epochs) for epochs in (1, 50) for lr in (0.1, 0.2, 0.3, 0.4)]
    cohorts = form_cohorts(runs, workers=1, max_members=4)
    assert [{r.train.epochs for r in cohort.runs} for cohort in cohorts] == [{50}, {1}]
    assert [cohort.length for cohort in cohorts] == [50, 1]
    assert cohorts[0].samples == 4 * 50 * 60_000


def test_no_worker_is_idle():
    runs = [run(lr) for lr in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)]
    for workers in range(1, 7):
        assert len(form_cohorts(runs, workers=workers)) >= workers
    assert len(form_cohorts(runs[:1], workers=4)) == 1


def test_the_last_worker_does_not_end_late():
    runs = [run(lr / 100, seed) for lr in range(1, 10) for seed in range(3)]
    cohorts = form_cohorts(runs, workers=2)
    loads = hand_out([cohort.samples for cohort in cohorts], 2)
    assert loads[0].cost <= 1.1 * loads[1].cost


def test_the_lr_study_on_two_cores():
    runs = [run(level / 20, seed) for level in range(18) for seed in range(2)]
    cohorts = form_cohorts(runs, workers=2)
    assert [(len(cohort.runs), cohort.shared) for cohort in cohorts] == [(9, True)] * 4


def test_costs_decide_the_order():
    slow, fast = run(model=LeNet(kernel_size=7)), run(epochs=20)
    assert form_cohorts([slow, fast], workers=2)[0].runs == (fast,)
    cost = {slow.digest: 9.0, fast.digest: 1.0}
    assert form_cohorts([slow, fast], workers=2, cost=lambda r: cost[r.digest])[0].runs == (slow,)


def test_large_networks_in_small_cohorts():
    assert default_members(run()) == 10
    assert default_members(run(model=AlexNet())) < 10
    large = FashionMNIST(image_size=224)
    assert default_members(run(model=AlexNet(form="torchvision"), data=large)) == 1


def test_ten_thousand_runs():
    runs = [run(lr / 50, seed, batch=2**b) for lr in range(25) for seed in range(40) for b in range(10)]
    cohorts = form_cohorts(runs, workers=2)
    assert sum(len(cohort.runs) for cohort in cohorts) == 10_000
    assert all(cohort.shared for cohort in cohorts)


def test_nothing_to_train():
    assert form_cohorts([], workers=3) == []


@pytest.mark.parametrize("arguments", [{"workers": 0}, {"workers": 1, "max_members": 0}])
def test_senseless_numbers_are_refused(arguments):
    with pytest.raises(ValueError, match="must be at least 1"):
        form_cohorts([run()], **arguments)


def test_work_goes_to_whoever_is_free_first():
    loads = hand_out([5.0, 3.0, 1.0, 2.0], 2)
    assert [(load.cost, load.pieces) for load in loads] == [(6.0, (1, 2, 3)), (5.0, (0,))]
    assert [load.cost for load in hand_out([1.0], 3)] == [1.0, 0.0, 0.0]


def test_of_one_cost_seeds_go_one_after_the_other():
    runs = [run(lr, seed) for lr in (0.1, 0.2, 0.3, 0.4) for seed in range(5)]
    cohorts = form_cohorts(runs, workers=2, max_members=1)
    assert [cohort.runs[0].seed for cohort in cohorts] == [seed for seed in range(5) for _ in range(4)]
