import json

import pytest
from scipy.stats import binomtest

from ablate.commands.plan import ALPHA, seeds_needed


@pytest.mark.parametrize("comparisons", [1, 2, 9, 17])
def test_the_fewest_seeds_are_those_whose_least_p_survives_the_correction(comparisons):
    for correction, times in (("holm", comparisons), ("max-t", 1)):
        needed = seeds_needed(comparisons, correction)
        assert times * binomtest(needed, needed, 0.5).pvalue <= ALPHA
        assert times * binomtest(needed - 1, needed - 1, 0.5).pvalue > ALPHA


def test_plan_says_when_seeds_are_too_few_to_decide_anything(results, ablate):
    results()
    said = ablate("plan", "pooling", "study.seeds=3")
    assert "3 seeds cannot decide any of its 1 comparisons with the baseline at 5 %" in said
    assert "that takes 6 seeds" in said
    assert "cannot decide" not in ablate("plan", "pooling", "lr", "quickstart")


def test_the_table_of_cohorts_leaves_out_what_a_task_does_not_have(results, ablate):
    results()
    found = json.loads(ablate("plan", "pooling", "--json"))
    assert found["step"] == "epoch"
    assert {cohort["length"] for cohort in found["cohorts"]} == {10}
    assert "epochs" in ablate("plan", "pooling")
