"""The simulated scheduler, with the real store and with tables in memory."""

import pytest

from benchmarks.scale_study import make_studies
from benchmarks.simulated_cell import simulate
from benchmarks.simulated_hosts import Faults

FAULTS = Faults(slow_host_share=0.0, worker_deaths=1.0, preemptions=8.0, suspensions=8.0, clock_steps=20.0)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return make_studies([2, 2], 6, 3, 10).plan.runs


def row(runs, **options):
    given = {"hosts": 3, "workers": 2, "lease": 120.0, "renewal": 20.0, "poll": (2.0, 30.0), "look_ahead": 10}
    found = simulate(runs, **given | {"statement_ms": 0.5, "faults": FAULTS} | options)
    return {name: value for name, value in found.items() if name not in ("first plan, s", "simulated in, s")}


@pytest.mark.slow  # on a machine that is busy the real store may take a statement more
def test_tables_in_memory_answer_as_the_real_store_does_statement_for_statement(runs):
    real, tables = row(runs, real_store=True), row(runs, real_store=False)
    del real["memory, GiB"], tables["memory, GiB"]
    assert real == tables
    assert real["preemptions"] > 0
    assert real["suspensions"] > 0
    assert (real["records lost"], real["records doubled"]) == (0, 0)


def test_nothing_befalls_a_quiet_cluster_and_its_time_is_near_the_bound(runs):
    quiet = Faults(straggler_share=0.0, slow_host_share=0.0, preemptions=0.0, suspensions=0.0, worker_deaths=1e-9)
    found = row(runs, real_store=False, faults=quiet, hosts=2, workers=2)
    assert (found["preemptions"], found["suspensions"], found["trained twice"]) == (0, 0, 0)
    assert found["cut off, %"] == 0.0
    assert 1.0 <= found["makespan / bound"] < 1.3
