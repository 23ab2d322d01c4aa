"""Known answers: tables made up by hand and by formula; and the whole command, tiny, on real images."""

import math
from statistics import fmean

import pandas as pd
import pytest

from ablate.images.metrics import measured_epoch
from ablate.plan.launch import Launch
from ablate.store import open_store
from ablate.task.errors import ConfigError
from ablate.task.record import Record, Result, StopRule
from benchmarks.regret import main
from benchmarks.regret_report import compare
from benchmarks.regret_search import METHODS, OURS, RANDOM, TPE, Found, Method, Served, replay
from benchmarks.regret_table import LEVELS, LR, QUICK_LEVELS, Grid, Table, read_table

GRID = Grid(QUICK_LEVELS, train_size=300, val_size=100, epochs=9, seeds=3)
BEST, DIVERGING = {LR: QUICK_LEVELS[LR][1], "optimizer.momentum": 0.9, "model.pooling": "max"}, QUICK_LEVELS[LR][2]


def made_up(run):
    """Curves that rise to an accuracy that is highest at the best setting and has no noise; or a divergence."""
    values = GRID.values_of(run)
    if values[LR] == DIVERGING:
        return Result("diverged", (measured_epoch(1, math.nan, 0.1, math.nan, 0.1),))
    top = 0.5 + 0.1 * sum(values[path] == level for path, level in BEST.items())
    return Result("complete", tuple(measured_epoch(e, 1.0, top * e / 9, 1.0, top * e / 9) for e in range(1, 10)))


@pytest.fixture
def records(tmp_path):
    with open_store(str(tmp_path / "table.db")) as store:
        store.add(*(Record(run.digest, run.identity, made_up(run)) for run in GRID.runs))
        yield store


def test_regret_is_the_distance_of_means_over_all_seeds():
    table = Table({"a": {0: 0.8, 1: 0.6, 2: 0.7}, "b": {0: 0.9, 1: 0.6, 2: 0.3}, "c": {0: 0.75, 1: 0.75, 2: 0.75}})
    assert [table.truth(setting) for setting in "abc"] == pytest.approx([0.7, 0.6, 0.75])
    assert [table.regret(setting) for setting in "abc"] == pytest.approx([0.05, 0.15, 0.0])
    assert table.regret("a", but=(1, 2)) == pytest.approx(0.1)
    assert table.ranked() == ["c", "a", "b"]


def test_the_space_is_the_one_announced():
    grid = Grid(LEVELS, train_size=6000, val_size=1000, epochs=9, seeds=6)
    assert len({run.digest for run in grid.runs}) == len(grid.runs) == 96 * 6
    assert len(grid.runs) * grid.full_run == 25_920_000
    assert {run.data.protocol for run in grid.runs} == {"holdout"}


def test_a_proposal_is_trained_at_the_nearest_level():
    rates, ends = QUICK_LEVELS[LR], GRID.space[LR]
    order = GRID.order(Method("any").search(GRID, GRID.full_run, 0), Launch())
    for value, level in [(ends["low"], rates[0]), (ends["high"], rates[-1]), (1.2 * rates[1], rates[1])]:
        assert order.build([(LR, value)]).optimizer.lr == level
    # The middle of two levels on a logarithmic scale parts them, so that each has an equal share of the range.
    middle = math.sqrt(rates[0] * rates[1])
    assert [GRID.nearest(LR, middle * x) for x in (0.999, 1.001)] == list(rates[:2])
    assert math.log(ends["high"] / ends["low"]) == pytest.approx(3 * math.log(rates[1] / rates[0]), rel=1e-4)


def test_an_incomplete_table_is_refused(tmp_path):
    with open_store(str(tmp_path / "half.db")) as store:
        store.add(*(Record(run.digest, run.identity, made_up(run)) for run in GRID.runs[:30]))
        with pytest.raises(ConfigError, match="lacks 6 of 36 runs"):
            read_table(GRID, store)
        with pytest.raises(RuntimeError, match="1 runs that are not in the table"):
            Served(store, Launch())(GRID.runs[29:31], {})


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_all_methods_spend_the_same_budget_and_no_more(records, method):
    """Four settings diverge after the first of nine epochs, so that what is left is no whole number of runs."""
    table = read_table(GRID, records)
    found = replay(method, GRID, table, records, 7 * GRID.full_run, repeat=1)
    assert table.diverged == 4 * 3
    assert found.seeds == (1001, 1002)[: method.seeds]
    dearest = GRID.full_run * (1 if method.races else method.seeds)
    assert 7 * GRID.full_run - dearest < found.samples <= 7 * GRID.full_run
    if not method.races:
        assert found.settings >= 7 // method.seeds
    assert found.truth == pytest.approx(found.value)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_a_budget_for_the_whole_table_finds_the_best(records, method):
    found = replay(method, GRID, read_table(GRID, records), records, 24 * GRID.full_run, repeat=0)
    assert {path: GRID.values_of(found.setting)[path] for path in BEST} == BEST
    assert found.regret == 0.0
    assert found.samples <= (8 * 9 + 4) * 200 * method.seeds


def test_races_stop_runs_at_a_third_and_a_ninth(records):
    runs = {setting.digest: setting.with_seed(1000) for setting in GRID.settings}
    served = Served(records, Launch())
    rule = dict.fromkeys((run.digest for run in runs.values()), StopRule("val_acc", "max", ((1, 0.0), (3, 0.99))))
    outcomes = served(runs.values(), rule)
    assert sorted({len(outcome.result.curves) for outcome in outcomes.values()}) == [1, 3]
    assert served.samples == (8 * 3 + 4 * 1) * 200
    served(list(runs.values())[:1], rule)
    assert (served.samples, served.settings) == ((8 * 3 + 4 * 1) * 200, 12)


def test_repeats_are_compared_in_pairs_and_by_medians():
    regrets = {OURS: [0.1, 0.2, 0.3], RANDOM: [0.1, 0.3, 0.4], TPE: [0.3, 0.1, 0.2]}
    found = [_found(name, repeat, regret) for name, values in regrets.items() for repeat, regret in enumerate(values)]
    random, tpe = compare(found)
    assert (random.ours, random.theirs, random.below) == (0.2, 0.3, True)
    assert (random.lower, random.equal, random.repeats) == (2, 1, 3)
    assert (tpe.ours, tpe.theirs, tpe.below) == (0.2, 0.2, False)
    assert (tpe.lower, tpe.equal) == (1, 0)


@pytest.mark.slow
def test_the_command_trains_a_table_and_writes_what_was_measured(tmp_path, capsys):
    location, out = str(tmp_path / "regret.db"), tmp_path / "out"
    assert main(["--quick", "--store", location, "--out", str(out)]) == 0
    rows = pd.read_csv(out / "regret.csv")
    assert len(rows) == 2 * len(METHODS)
    assert (rows["samples_spent"] <= rows["budget_samples"]).all()
    assert (rows["regret"] >= 0.0).all()
    with open_store(location, read_only=True) as store:
        configs = [(record.config, record.result.curves[-1].values["val_acc"]) for record in store.all()]
    assert len(configs) == 12 * 3
    for row in rows.to_dict("records"):
        own = [accuracy for config, accuracy in configs if all(_of(config, path) == row[path] for path in LEVELS)]
        assert len(own) == 3
        assert row["truth"] == pytest.approx(fmean(own))
    text = (out / "regret.md").read_text()
    assert text.count("is our median regret below") == capsys.readouterr().out.count("is our median regret below") == 4
    assert f"`python -m benchmarks.regret --quick --store {location}" in text
    assert (out / "regret.png").read_bytes().startswith(b"\x89PNG")
    assert (out / "regret.svg").read_text().rstrip().endswith("</svg>")


def _found(method, repeat, regret):
    setting = GRID.settings[0]
    return Found(method, 100, repeat, (1000,), setting, 0.5, 0.5, regret, regret, 100, 3)


def _of(config, path):
    group, name = path.split(".")
    return config[group][name]
