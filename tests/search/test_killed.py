"""A search that is killed at random moments ends as an undisturbed one, with nothing lost and nothing trained twice."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import optuna
import pytest

from ablate.store import open_store

ROOT = Path(__file__).parents[2]
EPOCHS, SEEDS, KILLS = 3, 2, 5
# Runs train alone: their results do not even differ by the rounding that company makes, so that proposals are the same.
COMMAND = ["search", "small", "workers=1", "cohort_size=1"]
STUDY = f"""# @package _global_
study:
  question: Which small setting is best?
  seeds: 1
  metrics: [test_acc, val_acc]
  search:
    budget: {{samples: 90k}}
    seeds: {SEEDS}
    batch: 8
    family: 2
    racing: {{least: 3}}
    space:
      optimizer.lr: {{low: 0.02, high: 0.5, log: true}}
      optimizer.momentum: {{low: 0.0, high: 0.9}}
      train.batch_size: [16, 32]
    confirm: {{top: 1, protocols: [holdout_test]}}
data: {{train_size: 2000, val_size: 500}}
train: {{epochs: {EPOCHS}}}
model: {{activation: relu, activation_c5: relu, activation_f6: relu}}
"""


def start(folder):
    (folder / "sweeps").mkdir(parents=True, exist_ok=True)
    (folder / "sweeps" / "small.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "ablate", *COMMAND]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with (folder / "log").open("a") as log:
        return subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True)


@pytest.mark.slow
def test_killed_five_times(tmp_path):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    assert start(calm).wait() == 0, (calm / "log").read_text()
    expected, wanted = records(calm), trials(calm)
    assert {t.state.name for t in wanted.values()} == {"COMPLETE", "PRUNED"}
    searched = {digest for t in wanted.values() for digest in t.user_attrs["runs"].values()}
    assert len(searched) > 20
    begin = min(t.datetime_start for t in wanted.values())
    seconds = (max(t.datetime_complete for t in wanted.values()) - begin).total_seconds()

    generator = random.Random(20261122)
    # Measured in runs trained, so that each lies within the search however fast the machine is at that moment; the
    # first one follows the file's appearance, while its tables are made. The last batches take less time than a look.
    moments = [0.0, *sorted(generator.uniform(0.0, 0.7 * len(searched)) for _ in range(KILLS - 1))]
    seen_records, seen_trials, dead = {}, {}, []
    for number, moment in enumerate(moments):
        search = start(killed)
        wait_for(search, lambda at=moment, pid=search.pid: is_at_work(killed, pid, int(at)) if at else exists(killed))
        try:
            search.wait(generator.random() if number == 0 else (moment % 1.0) * seconds / len(searched))
        except subprocess.TimeoutExpired:
            os.killpg(search.pid, signal.SIGKILL)
        assert search.wait() == -signal.SIGKILL, "the search was over before it was killed"
        dead.append(search.pid)
        seen_records, seen_trials = unharmed(killed, seen_records), ended(killed, seen_trials)
    assert seen_trials, "all moments lay in the first batch"
    assert start(killed).wait() == 0, (killed / "log").read_text()
    final = unharmed(killed, seen_records)
    ended(killed, seen_trials)

    assert {number: told(t) for number, t in trials(killed).items()} == {n: told(t) for n, t in wanted.items()}
    assert final.keys() == expected.keys()
    for digest, record in final.items():
        assert record.result.status == expected[digest].result.status
        assert measured(record) == measured(expected[digest])
    # A record that is refused or replaced has used up a number, too.
    with open_store(str(killed / "results" / "ablate.db"), read_only=True) as store:
        assert store.mark() == len(final), "a run was trained twice"
    # What a race makes superfluous before anybody goes on with it stays leased to the dead until its time is over.
    of_others = f"SELECT count(*) FROM ablate_leases WHERE pid NOT IN ({', '.join(map(str, dead))})"
    assert asked(killed, of_others) == 0
    assert "Traceback" not in (killed / "log").read_text()
    assert (killed / "results" / "small" / "search.html").exists()


def unharmed(folder, before):
    """The records by digest: none half-written, and those seen before neither lost nor written again."""
    now = records(folder)
    for record in now.values():
        epochs = [epoch.step for epoch in record.result.curves]
        assert record.result.status in ("complete", "stopped")
        assert epochs == list(range(1, len(epochs) + 1))
        assert (len(epochs) == EPOCHS) == (record.result.status == "complete"), "half-written"
    for digest, record in before.items():
        assert digest in now, "lost"
        assert _stamp(now[digest]) == _stamp(record), "trained again"
    return now


def ended(folder, before):
    """What the trials that have ended say, by number: those seen before say the same."""
    now = {number: told(t) for number, t in trials(folder).items() if t.state.is_finished()}
    assert before.items() <= now.items()
    return now


def told(trial):
    """All that a search has done with a trial, but the time that it took."""
    timeless = {name: value for name, value in trial.user_attrs.items() if name != "seconds"}
    return (trial.state.name, trial.params, trial.values, trial.intermediate_values, timeless)


def measured(record):
    """All that a run's training gave, but the time that it took."""
    return [(e.step, dict(e.values)) for e in record.result.curves]


def records(folder):
    if not asked(folder, "SELECT count(*) FROM ablate_store"):
        return {}
    with open_store(str(folder / "results" / "ablate.db"), read_only=True) as store:
        return {record.digest: record for record in store.all()}


def trials(folder):
    """Optuna's trials by number, read from a copy: opening a database would finish tables that are half made."""
    copy = folder / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir()
    for name in ("ablate.db", "ablate.db-wal"):
        if (folder / "results" / name).exists():
            shutil.copy(folder / "results" / name, copy)
    storage = optuna.storages.RDBStorage(f"sqlite:///{copy / 'ablate.db'}")
    names = optuna.get_all_study_names(storage=storage)
    assert len(names) <= 1, "the same search has made two studies"
    return {t.number: t for name in names for t in optuna.load_study(study_name=name, storage=storage).trials}


def exists(folder):
    return (folder / "results" / "ablate.db").exists()


def is_at_work(folder, pid, trained):
    """Whether this searcher holds trials, and so many runs are there."""
    holds = asked(folder, f"SELECT count(*) FROM ablate_leases WHERE pid = {pid}")
    return holds > 0 and asked(folder, "SELECT count(*) FROM ablate_records") >= trained


def asked(folder, query):
    """The number that a query gives; 0 while there is no such table."""
    try:
        with closing(sqlite3.connect(f"file:{folder / 'results' / 'ablate.db'}?mode=ro", uri=True)) as connection:
            return connection.execute(query).fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def wait_for(process, condition):
    """Wait until a condition holds while a process lives."""
    while not condition():
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError("the search was over before it was killed")


def _stamp(record):
    return json.dumps([record.provenance["started"], record.provenance["ended"], record.provenance.get("pid")])
