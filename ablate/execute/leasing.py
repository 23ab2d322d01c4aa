"""How a sweep takes what is next in its queue, beside other sweeps on the same store that have the same queue."""

from collections import deque
from dataclasses import replace
from itertools import islice

from ablate.execute.ledger import Assignment
from ablate.plan.cohorts import Cohort
from ablate.store import Owner, Store

LOOK_AHEAD = 100
"""Assignments that are looked at together where other sweeps are at work, to find the next that nobody has taken."""

POLL_SECONDS = (2.0, 30.0)
"""Between two looks at what others train, when nothing else is left: at first, and after a while without success."""


class Leasing:
    """Leases assignments for one sweep.

    Args:
        store: Where the leases are.
        owner: The sweep.
        mark: Of the store when the sweep began.
    """

    def __init__(self, store: Store, owner: Owner, mark: int) -> None:
        self._store, self._owner, self._mark = store, owner, mark
        self._has_company = False
        self._pause = POLL_SECONDS[0]

    def next_of(self, queue: deque[Assignment]) -> Assignment | None:
        """The next assignment, less the runs that another sweep is training or has trained since.

        Args:
            queue: What is before it is taken out, too.
        """
        while queue:
            if self._has_company:
                self._pass_over(queue)
            if queue and (assignment := self._leased(queue.popleft())) is not None:
                self._pause = POLL_SECONDS[0]
                return assignment
            self._has_company = True
        return None

    def pause(self) -> float:
        """Seconds until the next look at what others train: longer each time that nothing comes of it."""
        pause, self._pause = self._pause, min(2 * self._pause, POLL_SECONDS[1])
        return pause

    def _leased(self, assignment: Assignment) -> Assignment | None:
        granted = self._store.lease(assignment.digests, self._owner, since=self._mark)
        mine = tuple(run for run in assignment.cohort.runs if run.digest in granted)
        shorter = {
            run.digest: tuple(s for s in assignment.shorter.get(run.digest, ()) if s.digest in granted) for run in mine
        }
        if mine:
            cohort = assignment.cohort if mine == assignment.cohort.runs else Cohort(mine)
            assignment = replace(assignment, cohort=cohort, shorter=shorter)
            granted -= set(assignment.digests)
        if granted:
            self._store.release(self._owner, granted)
        return assignment if mine else None

    def _pass_over(self, queue: deque[Assignment]) -> None:
        """Take out what comes first and others train or have trained: to ask for each would take a writer's turn."""
        while queue:
            ahead = list(islice(queue, LOOK_AHEAD))
            digests = [digest for each in ahead for digest in each.digests]
            taken = self._store.taken(digests, self._owner, since=self._mark)
            for assignment in ahead:
                if not taken.issuperset(assignment.digests):
                    return
                queue.popleft()
