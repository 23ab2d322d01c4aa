import json
import re

import pytest


def test_every_study_is_listed_with_what_is_there(results, ablate, tmp_path):
    results("pooling", "search")
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(
        "study:\n  question: Is [bold]slower[/bold] better?\n  factors: {optimizer.lr: [0.1, 0.9]}\n  seeds: 2\n"
    )
    (tmp_path / "sweeps" / "broken.yaml").write_text("study: {factors: {optimizer.rate: [1]}}\n")
    found = {entry["name"]: entry for entry in json.loads(ablate("studies", "--json"))}
    pooling = found["pooling"]
    assert (pooling["runs"], pooling["there"], pooling["seconds"], pooling["seeds"]) == (20, 20, 0.0, 10)
    assert pooling["factors"] == {"pooling": 2}
    assert pooling["question"]
    mine = found["mine"]
    assert (mine["runs"], mine["there"], mine["factors"]) == (4, 2, {"lr": 2}), "its baseline is pooling's, too"
    assert mine["seconds"] > 0
    assert "optimizer.rate" in found["broken"]["problem"]
    assert found["search"]["there"] == len(json.loads((tmp_path / "results/search/trials.json").read_text())["trials"])
    assert [name for name, entry in found.items() if not entry["packaged"]] == ["broken", "mine"]
    text = ablate("studies")
    assert text.index("mine") < text.index("pooling")
    others = re.search(r"with the package come (.*): ablate studies --all", text)[1].split(", ")
    assert {"alexnet", "alexnet_added", "architecture", "quickstart"} <= set(others)
    assert {name for name in others if found[name]["there"]} == set()
    assert "with the package come" not in ablate("studies", "--all")
    assert "Is [bold]slower[/bold] better?" in text
    assert "20 of 20" in text
    assert max(map(len, text.splitlines())) > 80, "no terminal, nothing is folded"


def test_runs_that_would_be_read_off_runs_to_come_are_not_there(results, ablate):
    results()
    found = {entry["name"]: entry for entry in json.loads(ablate("studies", "--json"))}
    assert (found["epochs"]["runs"], found["epochs"]["there"]) == (30, 0)


@pytest.mark.parametrize(
    ("search", "named"),
    [
        ("{budget: much, space: {optimizer.lr: [0.1]}}", "study.search.budget"),
        ("{budget: {runs: many}, space: {optimizer.lr: [0.1]}}", "study.search.budget.runs"),
        ("{budget: {runs: 3}, space: 5}", "study.search.space"),
        ("{budget: {runs: 3}, space: {optimizer.lr: [0.1]}, sampler: guess}", "study.search.sampler"),
    ],
)
def test_a_search_that_cannot_be_read_is_named(results, ablate, tmp_path, search, named):
    results()
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(f"study: {{search: {search}}}\n")
    found = {entry["name"]: entry for entry in json.loads(ablate("studies", "--json"))}
    assert named in found["mine"]["problem"]
    assert found["pooling"]["runs"] == 20
