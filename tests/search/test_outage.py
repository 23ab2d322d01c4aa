"""A search outlasts what its store outlasts: connections that are lost, a server that restarts."""

import sqlite3
import threading
import uuid

import optuna
import pytest
import search_fakes as fakes
from sqlalchemy import event

from ablate.search import outlasting
from ablate.search.start import make_searcher
from ablate.search.storage import open_study
from ablate.store import Owner, StoreUnavailable, open_store
from ablate.task.errors import ConfigError


@pytest.fixture
def study(store):
    return open_study("s", store.location, store, Owner.current(), ["minimize"])


def lose_connections(study, store, monkeypatch):
    """At each first try, when the database has done what changes it, and its client does not know it yet."""
    changes, lost_in = [], []
    engine = study._storage._backend.engine
    event.listen(engine, "before_cursor_execute", lambda *args: changes.append(not args[2].startswith("SELECT")))
    commit, outlast = engine.dialect.do_commit, store.outlast

    def commit_and_lose(connection):
        commit(connection)
        if any(changes) and not lost_in[-1]:
            lost_in[-1] = True
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    def counted(attempt):
        changes.clear()
        lost_in.append(False)
        return outlast(attempt)

    monkeypatch.setattr(engine.dialect, "do_commit", commit_and_lose)
    monkeypatch.setattr(store, "outlast", counted)
    monkeypatch.setattr("ablate.store.database._FIRST_PAUSE", 0.001)
    return lost_in


def test_what_a_lost_connection_leaves_in_doubt_is_done_once(study, store, monkeypatch):
    """Every transaction is done, but its first try is said to have failed."""
    study.enqueue_trial({"x": 3})
    lost_in = lose_connections(study, store, monkeypatch)
    study.set_user_attr("begun", True)
    trial = study.ask()
    x = trial.suggest_int("x", 0, 9)
    trial.set_user_attr("batch", [x])
    trial.report(1.5, 1)
    study.tell(trial.number, 2.5)
    assert sum(lost_in) == 7  # the queued one is begun, and another is made
    with pytest.raises(ValueError, match="Cannot tell a COMPLETE trial"):
        study.tell(trial.number, 2.5)
    with pytest.raises(optuna.exceptions.UpdateFinishedTrialError):
        study._storage.set_trial_state_values(trial._trial_id, optuna.trial.TrialState.FAIL)
    (ended,) = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    assert (ended.value, ended.params, ended.intermediate_values) == (2.5, {"x": x}, {1: 1.5})
    assert (study.user_attrs, ended.user_attrs) == ({"begun": True}, {"batch": [x]})
    # What was asked for in vain is a trial of nobody's, which the next batch adopts.
    others = [t for t in study.trials if t.number != ended.number]
    assert {t.state.name for t in others} <= {"RUNNING"}


def test_one_that_stays_away_is_an_error_of_one_line_that_names_the_store(study, store, monkeypatch):
    lose_connections(study, store, monkeypatch)
    store.wait_only_while(lambda: False)
    with pytest.raises(StoreUnavailable) as refused:
        study.set_user_attr("begun", True)
    assert refused.value.problems == [f"store = {store.location}: disk I/O error"]
    assert isinstance(refused.value, ConfigError)


def test_all_that_optuna_does_in_a_transaction_is_tried_again():
    """A version that names its sessions otherwise would leave nothing of it."""
    wanted = {"_create_new_trial", "_get_trials", "_set_trial_param", "get_trial", "set_trial_user_attr"}
    assert wanted <= set(outlasting.TRANSACTIONS)
    own = vars(outlasting.OutlastingStorage)
    assert all(name in own for name in outlasting.TRANSACTIONS)


def search(location, tmp_path, between=lambda: None):
    """What a search has done; ``between`` is called while each setting is built, between two changes of a trial."""
    order = fakes.order(results=tmp_path, budget={"samples": 12 * fakes.IMAGES * fakes.EPOCHS})
    order = type(order)(
        type(order.source)(
            order.study,
            order.source.baseline,
            order.launch.model_copy(update={"store": location}),
            order.source.compose_group,
            chosen=order.source.chosen,
        ),
        order.search,
        order.space,
    )
    with open_store(location) as store:
        searcher = make_searcher(order, store, Owner.current(), fakes.Bench(), lambda line: None)
        build = searcher.build

        def built(changes):
            between()
            return build(changes)

        searcher.build = built
        searcher.run()
        trials = searcher.study.trials
        searcher.study._storage._backend.engine.dispose()
        return [(t.number, t.state.name, t.params, t.values) for t in trials]


@pytest.mark.slow
def test_a_search_outlasts_a_server_that_restarts(server, tmp_path):
    """It crashes twice, and comes back while a trial is being asked for."""
    begun, starts = [], []

    def crash():
        begun.append(None)
        if len(begun) in (3, 9):
            server.stop()
            starts.append(threading.Timer(2.0, server.start))
            starts[-1].start()

    found = search(server.url(f"search_{uuid.uuid4().hex[:12]}"), tmp_path, crash)
    for start in starts:
        start.join()
    assert len(starts) == 2
    assert found == search(str(tmp_path / "calm.db"), tmp_path)
