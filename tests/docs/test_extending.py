"""What one touches to add a part: two files each, as the documentation has it, and they work."""

import json

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from ablate.task.finding import load_object

PAGE = "docs/extending.md"

PRIORITY = """
import os
def train(config, seed, report):
    report(1, {"priority": os.getpriority(os.PRIO_PROCESS, 0)})
"""
TASK = """
[tool.ablate.tasks.priority]
kind = "function"
function = "priority:train"
defaults = { lr = 0.1 }
metrics.priority = { goal = "min" }

[tool.ablate.executors]
polite = "polite:Polite"
nothing = "priority:train"
"""


SECTIONS = {"A data set": "digits", "A network": "wide", "A metric": "worst_f1", "An executor": "polite"}


def files_of(folder):
    """Contents of a project by file, but for what runs leave in it."""
    left = {"results", "__pycache__"}
    found = [file for file in folder.rglob("*") if file.is_file() and not left & set(file.relative_to(folder).parts)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in found}


@pytest.mark.slow
def test_in_a_project_that_was_begun_every_part_of_the_page_takes_two_files_and_works(reader):
    touched, before, done = {}, {}, 0
    for block in reader.blocks(PAGE):
        reader.do(block)
        done += 1
        after = files_of(reader.folder)
        if block.section:
            changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
            touched.setdefault(block.section, set()).update(changed)
        before = after
    assert done == 14
    assert touched == {part: {f"{module}.py", "pyproject.toml"} for part, module in SECTIONS.items()}
    assert reader.run("$ ablate plan blocks --json\n$ ablate plan best\n")
    rows = [json.loads(line) for line in reader.run("$ ablate runs --json\n").splitlines()]
    assert len(rows) == 1 + 2 + 1 + 1
    assert len([row for row in rows if row.get("test_worst_f1") is not None]) == 1


def test_the_metric_is_scikit_learns(reader, folder, monkeypatch):
    (module,) = (block for block in reader.blocks(PAGE) if block.title == "worst_f1.py")
    reader.do(module)
    monkeypatch.syspath_prepend(str(folder))
    metric = load_object("worst_f1:WorstF1")()
    generator = torch.Generator().manual_seed(1)
    outputs = torch.randn(3, 200, 4, generator=generator)
    labels = torch.randint(0, 4, (3, 200), generator=generator)
    total = sum(metric.count(outputs[:, i : i + 50], labels[:, i : i + 50]) for i in range(0, 200, 50))
    expected = [f1_score(labels[k], outputs[k].argmax(1), average=None).min() for k in range(3)]
    np.testing.assert_allclose(metric.value(total), expected)


def test_a_study_runs_on_the_executor_that_is_chosen_and_on_no_other(reader):
    (module,) = (block for block in reader.blocks(PAGE) if block.title == "polite.py")
    reader.do(module)
    (reader.folder / "priority.py").write_text(PRIORITY)
    (reader.folder / "pyproject.toml").write_text(TASK)
    (reader.folder / "sweeps").mkdir()
    (reader.folder / "sweeps" / "p.yaml").write_text("study: {task: priority, factors: {lr: [0.1]}, seeds: 2}\n")
    reader.run("$ ablate sweep p executor=polite\n")
    rows = [json.loads(line) for line in reader.run("$ ablate runs --json --study p\n").splitlines()]
    assert [row["priority"] for row in rows] == [5, 5]
    reader.run("$ ablate sweep p executor=local\n0 trained")
    assert (
        "executor = 'none': there is no such executor; executors are local, slurm, ray, polite, nothing"
        in reader.run("$ ablate plan p executor=none\n", code=2)
    )
    assert "nothing (pyproject.toml:10): cannot be made" in reader.run(
        "$ ablate sweep p executor=nothing study.seeds=3\n", code=2
    )
