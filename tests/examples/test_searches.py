"""The search of each example: raced, proven on fresh seeds, and not made twice."""

import json

import pytest

FEWER = ["study.search.budget.runs=6", "study.search.batch=2", "study.search.racing.least=2", "study.seeds=2"]
SMALLER = {
    "function": ["study.search.space.trees=[10]"],
    "program": ["steps=100"],
    "hydra_app": ["~study.search.space.model", "epochs=6"],
    "network": ["data.train_size=200", "train.compile=off", "~study.search.space.model.norm", "study.search.family=1"],
}


@pytest.mark.parametrize("name", SMALLER)
def test_the_search_of(example, name):
    """Some ten runs, of a second or so each."""
    project, words = example(name), ["best", *FEWER, *SMALLER[name]]
    if name == "network":
        project.uses_torch()
    answers = json.loads(project.ablate("search", *words, "--json"))
    counts = project.counts()
    assert counts["stopped"] >= 1
    assert answers["settings"]["stopped"] >= 1
    assert answers["settings"]["complete"] >= 2
    assert all(found["n"] == 2 for found in answers["confirmed"])
    project.ablate("search", *words)
    assert project.counts() == counts
    (page,) = project.folder.glob("results/best*/search.html")
    assert "stopped: left early in the race over" in page.read_text()
