import math
import stat

import pytest

from ablate.store import StoreUnavailable, open_store
from ablate.store import rescue as module
from ablate.store.rescue import rescue, take_up
from ablate.task.errors import ConfigError
from ablate.task.identity import digest_of
from ablate.task.record import Guess, Measurement, Record, Result


def record(number):
    config = {"task": "of nobody here", "number": number}
    curve = (Measurement(0, {"f": math.nan}, 0.1), Measurement(7, {"g": -0.0, "f": math.inf}, 0.2))
    result = Result("diverged", curve, "NUL \0, half \ud800", {"é": None}, {"f": Guess(0.5)})
    return Record(digest_of(config), config, result, {"host": "here"})


def told(record):
    """All of a record as text, so that nan equals nan; the order of metrics within a step tells nothing."""
    points = [(point.step, sorted(point.values.items()), point.seconds) for point in record.result.curves]
    rest = (record.result.status, record.result.error, record.result.notes, record.result.guesses)
    return repr((record.digest, record.config, points, rest, record.provenance))


@pytest.fixture
def store(tmp_path):
    with open_store(str(tmp_path / "of a store" / "runs.db"), results=tmp_path / "results") as store:
        yield store


def test_what_was_rescued_is_taken_up_once(store):
    records = [record(number) for number in range(3)]
    first, second = rescue(store, records[:2]), rescue(store, records[1:])
    assert first.parent == second.parent == module.file_of(store.location).parent
    assert sorted(take_up(store)) == sorted([(first, 2), (second, 2)])
    assert sorted(map(told, store.all())) == sorted(map(told, records))
    assert take_up(store) == []
    assert not first.exists()
    assert not second.exists()


def test_another_store_does_not_take_it_up(store, tmp_path):
    rescue(store, [record(1)])
    with open_store(str(tmp_path / "of a store" / "other.db")) as other:
        assert take_up(other) == []


def test_it_goes_where_there_is_room(store, tmp_path, monkeypatch):
    monkeypatch.setattr(module.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    full = {tmp_path / "of a store"}
    replace = module.os.replace

    def write(part, path):
        if path.parent in full:
            raise OSError(28, "No space left on device")
        replace(part, path)

    monkeypatch.setattr(module.os, "replace", write)
    (tmp_path / "results").mkdir()
    in_results = rescue(store, [record(1)])
    assert in_results.parent == tmp_path / "results"
    full.add(tmp_path / "results")
    in_temporary = rescue(store, [record(2)])
    assert in_temporary.parent == tmp_path / "temporary"
    full.add(tmp_path / "temporary")
    with pytest.raises(OSError, match="No space left"):
        rescue(store, [record(3)])
    assert not [path for folder in full for path in folder.iterdir() if path.name.endswith(".part")]
    assert sum(count for _, count in take_up(store)) == 2


def test_a_damaged_file_is_named_and_stays(store):
    path = rescue(store, [record(1), record(2)])
    for content in (path.read_text().replace("nobody", "anybody"), path.read_text()[:-80], "", "[]\n"):
        path.write_text(content)
        with pytest.raises(ConfigError, match="is damaged") as caught:
            take_up(store)
        assert str(path) in str(caught.value)
        assert path.exists()


def test_a_store_that_still_takes_nothing_leaves_the_file(store, monkeypatch):
    path = rescue(store, [record(1)])

    def full(*_, **__):
        raise StoreUnavailable("full")

    monkeypatch.setattr(store, "add", full)
    with pytest.raises(StoreUnavailable):
        take_up(store)
    assert path.exists()


def test_a_link_that_somebody_left_in_a_shared_folder_is_not_followed(store, tmp_path):
    path = rescue(store, [record(1)])
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert take_up(store) == []
    assert stat.S_ISREG(elsewhere.stat().st_mode)
