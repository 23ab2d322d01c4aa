import pytest

from ablate.images.task import IMAGES
from ablate.search.settings import Racing, parse_search
from ablate.task.errors import ConfigError

SPACE = {"optimizer.lr": [0.1, 0.2]}
FRESH = (0, 1)


def parse(**values):
    return parse_search({"space": SPACE, "budget": {"samples": 1000}, **values}, FRESH, IMAGES)


@pytest.mark.parametrize(
    ("text", "samples"), [("200M", 200_000_000), ("1.5g", 1_500_000_000), ("80k", 80_000), (7, 7), (2e6, 2_000_000)]
)
def test_samples_may_be_written_short(text, samples):
    assert parse(budget={"samples": text}).budget.samples == samples


def test_the_unit_that_is_null_is_not_meant():
    budget = parse(budget={"minutes": 5, "samples": None}).budget
    assert (budget.minutes, budget.samples, str(budget)) == (5.0, None, "5 minutes")


def test_a_count_of_seeds_stands_for_seeds_that_no_study_has():
    assert parse(seeds=3).seeds == (1000, 1001, 1002)
    assert parse(seeds=[7, 9]).seeds == (7, 9)


def test_two_objectives_are_not_raced():
    assert parse(against="samples").races == Racing(steps=False, seeds=False)
    assert parse().races == Racing()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"budget": {"samples": 0}}, "study.search.budget.samples = 0"),
        ({"budget": {"minutes": 0}}, "study.search.budget.minutes = 0.0"),
        ({"budget": {"samples": "much"}}, "study.search.budget.samples = 'much'"),
        ({"budget": {}}, "study.search.budget: needs one of samples, cost, steps, runs, minutes, such as {runs: 50}"),
        ({"budget": {"samples": 1, "minutes": 1}}, "study.search.budget: has samples = 1 and minutes = 1: one of them"),
        ({"budget": {"trials": 100}}, "study.search.budget.trials: there is no such field"),
        ({"sampler": "magic"}, "study.search.sampler = 'magic'"),
        (
            {"metric": "test_acc"},
            "study.search.metric = 'test_acc': is measured on the test set, which no choice may see",
        ),
        ({"seeds": [0, 5]}, "0 is also a seed of the proof"),
        ({"seeds": 0}, "study.search.seeds = 0"),
        ({"seeds": [5, 5]}, "each listed once"),
        ({"space": {}}, "space: needs at least one factor"),
        ({"sampler": "cmaes", "against": "samples"}, "one objective only"),
        ({"racing": {"reduction": 1}}, "study.search.racing.reduction"),
        ({"speed": 1}, "study.search.speed: there is no such field"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(values, message):
    with pytest.raises(ConfigError) as error:
        parse(**values)
    (problem,) = error.value.problems
    assert message in problem
    assert "\n" not in problem
