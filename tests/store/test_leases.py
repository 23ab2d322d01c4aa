import dataclasses
import os
import signal
import subprocess
import sys

import pytest

from ablate.images.run import RunConfig
from ablate.store import Owner, leases, open_store
from ablate.store.owner import _process_started
from ablate.task.record import Record, Result

RUNS = [RunConfig(seed=seed) for seed in range(3)]
DIGESTS = {run.digest for run in RUNS}


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "runs.db")) as store:
        yield store


@pytest.fixture
def clock(monkeypatch):
    """A wall clock and a monotonic one."""

    class Clock:
        wall, monotonic = 1e9, 5e4

        @classmethod
        def pass_by(cls, seconds):
            cls.wall += seconds
            cls.monotonic += seconds

    monkeypatch.setattr(leases.time, "time", lambda: Clock.wall)
    monkeypatch.setattr(leases.time, "monotonic", lambda: Clock.monotonic)
    return Clock


@pytest.fixture
def process():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.communicate()


def owner_of(process):
    return dataclasses.replace(
        Owner.current(), name="other", pid=process.pid, process_started=_process_started(process.pid)
    )


def there():
    return dataclasses.replace(Owner.current(), name="there", machine="elsewhere", pid=1, process_started="1")


def add(store, run, status):
    store.add(Record(run.digest, run.identity, Result(status)))


def test_a_run_is_leased_to_one_owner(store):
    one, other = Owner.current(), Owner.current()
    assert store.lease(DIGESTS, one) == DIGESTS
    assert store.lease(DIGESTS, one) == DIGESTS
    assert store.lease(DIGESTS, other) == set()
    store.release(one, [RUNS[0].digest])
    assert store.lease(DIGESTS, other) == {RUNS[0].digest}
    store.release(one)
    store.release(one)
    assert store.lease(DIGESTS, other) == DIGESTS


def test_only_what_has_no_final_record_is_leased(store):
    mark = store.mark()
    for run, status in zip(RUNS, ("complete", "diverged", "failed"), strict=True):
        add(store, run, status)
    owner = Owner.current()
    assert store.lease(DIGESTS, owner) == {RUNS[2].digest}
    assert store.lease(DIGESTS, owner, since=mark) == set()
    assert store.lease(DIGESTS, owner, since=store.mark()) == {RUNS[2].digest}


def test_the_lease_of_a_process_that_has_ended_is_free_at_once(store, process):
    here = Owner.current()
    store.lease(DIGESTS, owner_of(process))
    assert store.lease(DIGESTS, here) == set()
    process.communicate(b"\n")
    assert store.lease(DIGESTS, here) == DIGESTS


def test_a_process_number_used_again_is_another_process(store):
    here = Owner.current()
    before = dataclasses.replace(here, name="before", process_started="17")
    store.lease(DIGESTS, before)
    assert store.lease(DIGESTS, here) == DIGESTS


def test_a_living_process_keeps_its_lease_however_late_it_is_and_whatever_the_clock_says(store, process, clock):
    store.lease(DIGESTS, owner_of(process))
    clock.wall += 3600
    assert store.lease(DIGESTS, Owner.current()) == set()
    clock.pass_by(10 * leases.LEASE)
    assert store.lease(DIGESTS, Owner.current()) == set()


def test_a_stopped_process_loses_its_lease_in_the_end_and_notices(store, process, clock):
    sleeper, here = owner_of(process), Owner.current()
    store.lease(DIGESTS, sleeper)
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    clock.wall += 3600
    assert store.lease(DIGESTS, here) == set(), "a clock that jumps is no time that has passed"
    clock.pass_by(leases.LEASE + 1)
    assert store.lease({RUNS[0].digest}, here) == {RUNS[0].digest}
    os.kill(process.pid, signal.SIGCONT)
    assert store.renew(sleeper) == {RUNS[1].digest, RUNS[2].digest}
    assert store.renew(here) == {RUNS[0].digest}
    assert store.lease(DIGESTS, here) == {RUNS[0].digest}


def test_a_lease_on_another_machine_lasts_until_it_expires(store, clock):
    here = Owner.current()
    store.lease(DIGESTS, there())
    for _ in range(6):
        clock.pass_by(leases.LEASE / 6)
        assert store.lease(DIGESTS, here) == set()
    clock.pass_by(1)
    assert store.lease(DIGESTS, here) == DIGESTS
    assert store.renew(there()) == set()


def test_a_lease_that_is_renewed_elsewhere_survives_a_jump_of_the_databases_clock(store, clock):
    here = Owner.current()
    store.lease(DIGESTS, there())
    for _ in range(10):
        clock.pass_by(leases.RENEWAL)
        store.renew(there())
        clock.wall += 3600
        assert store.lease(DIGESTS, here) == set()


def test_a_lease_left_long_ago_ends_after_a_moment_of_watching(store, clock):
    here = Owner.current()
    store.lease(DIGESTS, there())
    clock.pass_by(86400)
    assert store.lease(DIGESTS, here) == set()
    clock.pass_by(leases.STILL + 1)
    assert store.lease(DIGESTS, here) == DIGESTS


def test_a_lease_ends_also_where_the_databases_clock_was_set_back(store, clock):
    here = Owner.current()
    store.lease(DIGESTS, there())
    clock.wall -= 86400
    assert store.lease(DIGESTS, here) == set()
    clock.pass_by(leases.LEASE + 1)
    assert store.lease(DIGESTS, here) == DIGESTS


def test_many_at_once(store):
    many = {f"{number:064}" for number in range(2000)}
    assert store.lease(many, Owner.current()) == many
    assert store.lease(many, Owner.current()) == set()


def test_leases_end_with_the_records_or_not_at_all(store, monkeypatch):
    owner, runs = Owner.current(), [RunConfig(seed=seed) for seed in range(3)]
    digests = [run.digest for run in runs]
    added = [Record(run.digest, run.identity, Result("failed"), {}) for run in runs[:2]]
    store.lease(digests, owner)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(leases, "end", killed)
        with pytest.raises(KeyboardInterrupt):
            store.add(*added, ends=(owner, digests[:2]))
    assert store.all() == []
    assert store.renew(owner) == set(digests)
    store.add(*added, ends=(owner, digests[:2]))
    assert len(store.all()) == 2
    assert store.renew(owner) == {digests[2]}


def test_what_others_train_or_have_trained_is_seen_without_asking_for_it(store, clock):
    one, other, mark = Owner.current(), Owner.current(), store.mark()
    store.lease([RUNS[0].digest], one)
    store.lease([RUNS[1].digest], there())
    add(store, RUNS[2], "failed")
    assert store.taken(DIGESTS, other) == DIGESTS
    assert store.taken(DIGESTS, other, since=store.mark()) == {RUNS[0].digest, RUNS[1].digest}
    assert store.taken(DIGESTS, other, since=mark) == DIGESTS
    assert store.taken(DIGESTS, one) == {RUNS[1].digest, RUNS[2].digest}, "what is its own it may train again"
    clock.pass_by(2 * leases.LEASE)
    assert store.taken([RUNS[1].digest], other) == set()
    store.release(one)
    assert store.taken([RUNS[0].digest], other) == set()


def test_leases_of_one_owner_that_were_granted_at_different_times_end_alike(store, clock):
    """Its machine is gone before it renewed them together; asked for in turn, neither makes the other look alive."""
    dead, first, second = there(), RUNS[0].digest, RUNS[1].digest
    store.lease([first], dead)
    clock.pass_by(5)
    store.lease([second], dead)
    clock.pass_by(leases.LEASE + 1)
    heir, granted = Owner.current(), set()
    for _ in range(5):
        for digest in (first, second):
            granted |= store.lease([digest], heir)
        clock.pass_by(leases.RENEWAL)
    assert granted == {first, second}
