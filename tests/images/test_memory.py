"""What is kept of memory: numbers, for as long as the code that decides them is the same."""

import json

import pytest

from ablate.images import memory
from ablate.images.run import RunConfig

COHORTS = [[RunConfig()], [RunConfig(), RunConfig(seed=1)]]


@pytest.fixture
def worked_out(tmp_path, monkeypatch):
    """How often something was worked out; the size of the second cohort cannot be."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(memory, "_unknown", set())
    calls = []

    def peaks(config, cohorts, kind):
        calls.append(len(cohorts))
        return 1000, [10 if len(runs) == 1 else None for runs in cohorts]

    monkeypatch.setattr(memory, "_peaks", peaks)
    monkeypatch.setattr(memory, "ProcessPoolExecutor", Here)
    return calls


class Here:
    """A pool without processes."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, function, *arguments):
        self.result = lambda: function(*arguments)
        return self


def test_what_could_not_be_told_is_tried_again_by_the_next_process_only(worked_out, tmp_path, monkeypatch):
    assert memory.memory_of(COHORTS, "cpu") == [1010, None]
    kept = json.loads((tmp_path / "ablate" / memory.FILE).read_text())["value"]
    assert sorted(kept.values()) == [10, 1000], "only numbers are kept"
    assert memory.memory_of(COHORTS, "cpu") == [1010, None]
    assert worked_out == [2], "a sweep plans again and again"
    monkeypatch.setattr(memory, "_unknown", set())
    assert memory.memory_of(COHORTS, "cpu") == [1010, None]
    assert worked_out == [2, 1]


@pytest.mark.parametrize("changed", ["images", "task"])
def test_what_is_kept_is_worked_out_anew_where_code_that_decides_it_changed(changed, worked_out, monkeypatch):
    code = {"images": "as it was", "task": "as it was"}
    monkeypatch.setattr(memory, "code_digest", lambda stages, packages: str([code[stage] for stage in stages]))
    memory.memory_of(COHORTS[:1], "cpu")
    memory.memory_of(COHORTS[:1], "cpu")
    assert worked_out == [1]
    code[changed] = "other"
    memory.memory_of(COHORTS[:1], "cpu")
    assert worked_out == [1, 1]
