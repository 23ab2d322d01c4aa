"""The search on runs that are formulas: what it finds, what it spends, and how it goes on after a death."""

import itertools
import random
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
import search_fakes as fakes

from ablate.search.budget import RUNS
from ablate.search.searcher import AllFailedError
from ablate.search.start import make_searcher
from ablate.search.storage import load_study
from ablate.search.trial import BATCH, LIMITS, VALUES
from ablate.search.trials import best_trials
from ablate.store import Owner, open_store
from ablate.task.errors import ConfigError

FULL = fakes.IMAGES * fakes.EPOCHS
GRID = {"optimizer.lr": [0.01, 0.1, 1.0], "train.batch_size": [16, 64], "train.label_smoothing": [0.0, 0.1]}


@pytest.fixture
def make(tmp_path):
    """A searcher over the formulas in a store of its own."""
    stores = []

    def make(bench, store="ablate.db", **search):
        order = fakes.order(results=tmp_path, **search)
        order = type(order)(
            type(order.source)(
                order.study,
                order.source.baseline,
                order.launch.model_copy(update={"store": str(tmp_path / store)}),
                order.source.compose_group,
                chosen=order.source.chosen,
            ),
            order.search,
            order.space,
        )
        stores.append(open_store(order.launch.store_location))
        return make_searcher(order, stores[-1], Owner.current(), bench, lambda line: None)

    yield make
    for store in stores:
        store.close()


def told(study):
    """What a search has done: everything but times."""
    return [
        (
            t.number,
            t.state.name,
            t.params,
            t.values,
            t.user_attrs.get(LIMITS),
            t.user_attrs.get(VALUES),
            t.user_attrs.get(BATCH),
        )
        for t in study.trials
    ]


def test_it_finds_the_optimum_and_spends_no_more_than_the_budget(make):
    bench = fakes.Bench()
    searcher = make(bench, budget={"samples": 26 * FULL})
    searcher.run()
    spent = sum(fakes.IMAGES * len(bench.results[digest].curves) for digest in bench.trained)
    assert searcher.purse.spent() == spent <= searcher.purse.total
    assert searcher.purse.left() < searcher.prices.dearest
    (best,) = best_trials(searcher.study, searcher.search, 1)
    config = searcher.build(searcher.space.changes(best.params))
    assert fakes.quality(config) > 0.88
    assert not [t for t in searcher.study.trials if not t.state.is_finished()]


def test_races_leave_poor_settings_behind(make):
    bench = fakes.Bench()
    searcher = make(bench, budget={"samples": 20 * FULL})
    searcher.run()
    states = [t.state.name for t in searcher.study.trials]
    seeds = [len(t.user_attrs[VALUES]) for t in searcher.study.trials]
    assert states.count("PRUNED") >= 6
    assert len(states) > 20
    assert seeds.count(1) > seeds.count(2) > 0
    for trial in searcher.study.trials:
        if trial.state.name == "PRUNED":
            epoch = len(next(iter(bench.results[d] for d in trial.user_attrs["runs"].values())).curves)
            assert epoch in dict(trial.user_attrs[LIMITS])
            assert trial.intermediate_values[epoch] < dict(trial.user_attrs[LIMITS])[epoch]


def test_without_races_every_setting_gets_every_epoch_and_seed(make):
    bench = fakes.Bench()
    searcher = make(bench, budget={"samples": 20 * FULL}, racing={"steps": False, "seeds": False}, batch=4)
    searcher.run()
    assert {t.state.name for t in searcher.study.trials} == {"COMPLETE"}
    whole = [t for t in searcher.study.trials if len(t.user_attrs[VALUES]) == 2]
    assert len(whole) >= 9
    assert searcher.purse.spent() <= searcher.purse.total
    assert all(len(result.curves) == fakes.EPOCHS for result in bench.results.values())


def test_a_value_is_the_mean_over_the_seeds_of_the_last_epoch(make):
    bench = fakes.Bench()
    searcher = make(bench, budget={"samples": 16 * FULL})
    searcher.run()
    trial = next(t for t in searcher.study.trials if len(t.user_attrs[VALUES]) == 2)
    runs = [searcher.build(searcher.space.changes(trial.params)).with_seed(seed) for seed in (1000, 1001)]
    assert trial.value == pytest.approx(sum(list(fakes.curve(run))[-1].values["val_acc"] for run in runs) / 2)


def test_a_repeated_search_asks_for_nothing_and_one_from_scratch_trains_nothing(make):
    bench = fakes.Bench()
    first = make(bench, budget={"samples": 12 * FULL})
    first.run()
    trained, asked = len(bench.trained), bench.asked
    again = make(bench, budget={"samples": 12 * FULL})
    again.run()
    assert (len(bench.trained), bench.asked) == (trained, asked)
    elsewhere = make(bench, store="other.db", budget={"samples": 12 * FULL})
    elsewhere.run()
    assert len(bench.trained) == trained
    assert told(elsewhere.study) == told(first.study)


def test_a_larger_budget_goes_on_where_the_smaller_ended(make):
    bench = fakes.Bench()
    make(bench, budget={"samples": 10 * FULL}).run()
    trained = list(bench.trained)
    searcher = make(bench, budget={"samples": 20 * FULL})
    searcher.run()
    assert bench.trained[: len(trained)] == trained
    assert len(bench.trained) > len(trained)
    assert searcher.purse.spent() > 10 * FULL


class Killed(BaseException):
    pass


class Dying(fakes.Bench):
    """Is killed while it trains, or wherever else it is told to count."""

    def __init__(self, when):
        super().__init__()
        self.when, self.calls = when, 0

    def tick(self):
        self.calls += 1
        if self.calls == self.when:
            raise Killed

    def __call__(self, runs, rules):
        outcomes = super().__call__(runs, rules)
        self.tick()
        return outcomes


LENGTHS = {"space": fakes.SPACE | {"train.epochs": {"low": 1, "high": 9}}, "sampler": "gp", "fidelity": "train.epochs"}


@pytest.mark.parametrize(("seed", "settings"), [(0, {}), (2, {}), (1, LENGTHS)], ids=["0", "2", "fidelity"])
def test_a_search_killed_anywhere_and_resumed_is_the_search_that_was_not(make, monkeypatch, seed, settings):
    budget = {"samples": (6 if settings else 14) * FULL}
    whole = make(fakes.Bench(), store="whole.db", budget=budget, **settings)
    whole.run()
    wanted = told(whole.study)
    bench = Dying(0)
    originals = {name: getattr(optuna.trial.Trial, name) for name in ("set_user_attr", "_suggest", "report")}
    for name, original in originals.items():

        def counted(self, *arguments, original=original, **more):
            bench.tick()
            return original(self, *arguments, **more)

        monkeypatch.setattr(optuna.trial.Trial, name, counted)
    generator, deaths = random.Random(seed), 0
    for _ in range(60):
        bench.when = 0
        searcher = make(bench, budget=budget, **settings)
        bench.when, bench.calls = generator.randint(1, 90), 0
        try:
            searcher.run()
        except Killed:
            deaths += 1
        else:
            break
    assert deaths >= 5
    assert told(searcher.study) == wanted
    assert len(bench.trained) == len(set(bench.trained)), "a run was trained twice"


def test_trials_of_a_dead_searcher_are_closed_and_those_of_a_living_one_left_alone(make):
    living, dead = (make(Dying(when), budget={"samples": 24 * FULL}) for when in (0, 1))
    held = living._ask()
    with pytest.raises(Killed):
        dead.run()
    stale = {t.number for t in living.study.trials if not t.state.is_finished()} - {p.number for p in held}
    assert len(stale) == dead.search.batch
    heir = make(fakes.Bench(), budget={"samples": 24 * FULL})
    waited = []

    def wait():
        """The heir has nothing more to do, and waits for the one that lives, which then gives up part of its share."""
        states = {t.number: t.state for t in heir.study.trials}
        assert all(states[number].is_finished() for number in stale)
        assert {number for number, state in states.items() if not state.is_finished()} == {p.number for p in held}
        waited.append(len(states))
        living._finish(held)

    heir.wait = wait
    heir.run()
    assert len(waited) == 1
    assert all(t.state.is_finished() for t in heir.study.trials)
    assert len(heir.study.trials) > waited[0], "what the living one has left was not used"
    assert heir.purse.spent() <= 24 * FULL


def test_several_searchers_share_a_budget_and_train_no_run_twice(make):
    bench = fakes.Bench()
    searchers = [make(bench, budget={"samples": 24 * FULL}, batch=4) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(searcher.run) for searcher in searchers]:
            future.result()
    study = searchers[0].study
    numbers = [t.number for t in study.trials]
    assert numbers == list(range(len(numbers)))
    assert all(t.state.is_finished() for t in study.trials)
    assert searchers[0].purse.spent() <= 24 * FULL
    start = [t for t in study.trials if t.params["optimizer.lr"] == 0.9]
    assert len(start) == 1, "the first settings were queued twice"


@pytest.mark.parametrize("sampler", ["random", "cmaes", "gp"])
def test_other_samplers(make, sampler):
    space = {k: v for k, v in fakes.SPACE.items() if sampler == "random" or k != "train.batch_size"}
    searcher = make(fakes.Bench(), space=space, sampler=sampler, budget={"samples": 16 * FULL}, batch=6)
    searcher.run()
    assert max(t.value for t in searcher.study.trials if t.state.name == "COMPLETE") > 0.85


def test_a_grid_is_gone_through_once(make):
    bench = fakes.Bench()
    search = {"space": GRID, "sampler": "grid", "seeds": 1, "racing": {"steps": False}}
    searcher = make(bench, budget={"samples": 50 * FULL}, **search)
    searcher.run()
    settings = [tuple(t.params.values()) for t in searcher.study.trials]
    assert sorted(settings) == sorted(itertools.product(*GRID.values()))
    assert len(bench.trained) == 12


def test_a_small_space_is_exhausted_and_not_asked_for_ever(make):
    space = {"train.batch_size": [16, 64]}
    bench = fakes.Bench()
    searcher = make(bench, space=space, batch=4, seeds=1, budget={"samples": 1000 * FULL})
    searcher.run()
    assert len(set(bench.trained)) == 2
    assert searcher.purse.spent() == 2 * FULL


def test_two_objectives_make_a_pareto_front(make):
    space = {**fakes.SPACE, "train.epochs": [3, 9]}
    searcher = make(fakes.Bench(), space=space, against="samples", seeds=1, budget={"samples": 14 * FULL}, batch=6)
    searcher.run()
    front = best_trials(searcher.study, searcher.search, 100)
    assert {t.values[1] for t in searcher.study.trials} == {3.0 * fakes.IMAGES, 9.0 * fakes.IMAGES}
    assert front
    for a, b in itertools.combinations(front, 2):
        assert not (a.values[0] > b.values[0] and a.values[1] < b.values[1])


def test_proposals_of_a_family_share_their_shape(make):
    searcher = make(fakes.Bench(), family=4, batch=8)
    batch = searcher._ask()
    keys = [pending.config.cohort_key for pending in batch]
    assert len(set(keys[:4])) == len(set(keys[4:])) == 1
    assert len({pending.config.optimizer.lr for pending in batch}) == 8


def test_invalid_proposals_cost_nothing(make):
    """Nesterov's momentum needs a momentum above 0."""
    space = {**fakes.SPACE, "optimizer.nesterov": [False, True], "optimizer.momentum": [0.0, 0.5]}
    searcher = make(fakes.Bench(), space=space, seeds=1, budget={"samples": 12 * FULL})
    searcher.run()
    invalid = [t for t in searcher.study.trials if t.user_attrs["status"] == "invalid"]
    assert invalid
    assert all("nesterov" in t.user_attrs["problem"] for t in invalid)
    assert all(t.user_attrs.get("spent", 0) == 0 for t in invalid)


def test_a_failed_run_is_told_and_does_not_stop_the_others(make):
    from ablate.search.evaluate import Outcome
    from ablate.task.record import Result

    class Failing(fakes.Bench):
        def __call__(self, runs, rules):
            outcomes = super().__call__(runs := list(runs), rules)
            bad = [run.digest for run in runs if run.optimizer.lr > 0.5]
            return outcomes | {d: Outcome(Result("failed", error="Traceback\nMemoryError: no room")) for d in bad}

    searcher = make(Failing(), seeds=1, budget={"samples": 14 * FULL})
    searcher.run()
    failed = [t for t in searcher.study.trials if t.state.name == "FAIL"]
    assert failed
    assert all(t.user_attrs["problem"] == "MemoryError: no room" for t in failed)
    assert len(searcher.study.trials) > len(failed) + 6


class Ending(fakes.Bench):
    """Ends runs as they say that do not work."""

    def __init__(self, status, works=lambda run: False):
        super().__init__()
        self.status, self.works = status, works

    def __call__(self, runs, rules):
        from ablate.search.evaluate import Outcome
        from ablate.task.record import Result

        outcomes = super().__call__(runs := list(runs), rules)
        error = "ValueError: odd" if self.status == "failed" else None
        bad = {run.digest: Outcome(Result(self.status, error=error)) for run in runs if not self.works(run)}
        return outcomes | bad


@pytest.mark.parametrize(
    ("settings", "status", "count", "message"),
    [
        ({"batch": 4}, "failed", 4, "all 4 settings so far have failed, the last with: ValueError: odd"),
        (LENGTHS, "failed", 8, "all 8 settings so far have failed, the last with: ValueError: odd"),
        ({"batch": 4}, "diverged", 32, "all 32 settings so far have diverged"),
        (LENGTHS, "diverged", 32, "all 32 settings so far have diverged"),
    ],
)
def test_a_search_of_which_nothing_has_a_value_is_left(make, settings, status, count, message):
    searcher = make(Ending(status), seeds=1, budget={"samples": 60 * FULL}, **settings)
    with pytest.raises(AllFailedError) as left:
        searcher.run()
    assert str(left.value) == message
    ended = [t for t in searcher.study.trials if t.state.is_finished()]
    assert count <= len(ended) < count + 8


def test_a_few_failures_at_the_beginning_do_not_end_a_search_with_a_fidelity(make):
    """Half of the space fails, its baseline among it."""
    bench = Ending("failed", works=lambda run: run.train.batch_size == 64)
    searcher = make(bench, seeds=1, budget={"samples": 20 * FULL}, **LENGTHS)
    searcher.run()
    assert best_trials(searcher.study, searcher.search, 1)


def test_a_budget_below_one_run_is_refused(make):
    with pytest.raises(ConfigError, match="does not buy a single run; the cheapest takes 9,000 training samples"):
        make(fakes.Bench(), budget={"samples": FULL - 1})


def test_time_is_a_budget_too(make):
    """Half a second a run: a tenth of a minute buys twelve."""
    bench = fakes.Bench()
    searcher = make(bench, seeds=1, racing={"steps": False}, budget={"minutes": 0.1}, batch=2)
    searcher.run()
    assert searcher.purse.spent() == pytest.approx(0.5 * len(bench.trained))
    assert 0.0 < searcher.purse.spent() <= 6.0


def test_optunas_tables_and_the_records_share_a_database(make, tmp_path):
    searcher = make(fakes.Bench(), budget={"samples": 10 * FULL})
    searcher.run()
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path / 'ablate.db'}")
    assert optuna.get_all_study_names(storage=storage) == [searcher.study.study_name]
    with open_store(str(tmp_path / "ablate.db")) as store:
        assert store.count() == {}
    assert len(load_study(searcher.study.study_name, str(tmp_path / "ablate.db")).trials) == len(searcher.study.trials)


def test_looking_for_trials_writes_nothing(tmp_path):
    assert load_study("x", str(tmp_path / "none.db")) is None
    open_store(str(tmp_path / "ablate.db")).close()
    before = (tmp_path / "ablate.db").read_bytes()
    assert load_study("x", str(tmp_path / "ablate.db")) is None
    assert (tmp_path / "ablate.db").read_bytes() == before


@pytest.mark.parametrize(("raced", "first"), [(True, 4), (False, 12)])
def test_the_first_batch_is_small_where_it_cannot_be_raced(make, raced, first):
    searcher = make(
        fakes.Bench(),
        budget={"samples": 60 * FULL},
        batch=12,
        racing={"steps": raced, "least": 2},
    )
    searcher.run()
    batches = {}
    for trial in searcher.study.trials:
        if trial.user_attrs.get(RUNS):
            batches.setdefault(trial.user_attrs[BATCH], []).append(bool(trial.user_attrs[LIMITS]))
    (opening, *_), sizes = batches.values(), [len(limits) for limits in batches.values()]
    assert sizes[0] == first
    assert sizes[1] == 12
    assert not any(opening)
    assert any(list(batches.values())[1]) is raced
