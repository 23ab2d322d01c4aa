"""What a sweep asks of the store to get its next assignment, beside others with the same queue."""

from collections import Counter, deque

import pytest
from execute_fakes import run

from ablate.execute.leasing import POLL_SECONDS, Leasing
from ablate.execute.ledger import Assignment
from ablate.plan.cohorts import Cohort
from ablate.store import Owner, Store, open_store


@pytest.fixture
def asked(monkeypatch):
    """How often the store was asked what."""
    counts = Counter()
    for name in ("lease", "taken", "release"):
        method = getattr(Store, name)

        def counted(self, *arguments, method=method, name=name, **more):
            counts[name] += 1
            return method(self, *arguments, **more)

        monkeypatch.setattr(Store, name, counted)
    return counts


def test_a_sweep_asks_once_for_each_assignment_whatever_others_have_taken(tmp_path, asked):
    runs = [run(seed=seed) for seed in range(250)]
    queue = deque(Assignment(Cohort((r,)), {}) for r in runs)
    with open_store(str(tmp_path / "runs.db")) as store:
        store.lease([r.digest for r in runs[:230]], Owner.current())
        asked.clear()
        leasing, mine = Leasing(store, Owner.current(), store.mark()), []
        while (assignment := leasing.next_of(queue)) is not None:
            mine += assignment.cohort.runs
        assert mine == runs[230:]
        # One refusal tells it that it has company, and then 3 looks at 100 each find the first that is free.
        assert asked == {"lease": 1 + 20, "taken": 3 + 19}
        assert not queue


def test_what_a_worker_left_is_taken_up_again_beside_others(tmp_path):
    """Its lease is still the sweep's own."""
    runs = [run(seed=seed) for seed in range(3)]
    queue = deque(Assignment(Cohort((r,)), {}) for r in runs)
    with open_store(str(tmp_path / "runs.db")) as store:
        store.lease([runs[0].digest], Owner.current())
        leasing = Leasing(store, Owner.current(), store.mark())
        died = leasing.next_of(queue)
        queue.appendleft(died)
        assert leasing.next_of(queue).cohort.runs == died.cohort.runs == (runs[1],)


def test_a_sweep_alone_looks_at_nothing(tmp_path, asked):
    queue = deque(Assignment(Cohort((run(seed=seed),)), {}) for seed in range(5))
    with open_store(str(tmp_path / "runs.db")) as store:
        leasing = Leasing(store, Owner.current(), store.mark())
        while leasing.next_of(queue) is not None:
            pass
    assert asked == {"lease": 5}


def test_looks_at_what_others_train_come_less_often_until_there_is_something_to_train(tmp_path):
    first, last = POLL_SECONDS
    with open_store(str(tmp_path / "runs.db")) as store:
        leasing = Leasing(store, Owner.current(), store.mark())
        pauses = [leasing.pause() for _ in range(6)]
        assert pauses == [first, 2 * first, 4 * first, 8 * first, last, last]
        leasing.next_of(deque([Assignment(Cohort((run(),)), {})]))
        assert leasing.pause() == first
