from pathlib import Path

import pytest

from ablate.store import open_store
from ablate.store.location import file_of, is_in_memory, shown, without_secrets
from ablate.task.errors import ConfigError

PLACES = [
    "postgresql+psycopg://user:s3cret@here/db",
    "postgresql://user@here/db?password=s3cret",
    "postgresql://here/db?sslpassword=s3cret&user=a",
    "mysql://user:s3cret@here:port/db",
    "nosql://user:s3cret@here/db",
    "://user:s3cret@here",
    "postgresql://user:s3cret@[::1/db",
]


@pytest.mark.parametrize("location", PLACES)
def test_a_password_is_never_shown(location):
    assert "s3cret" not in shown(location)
    assert "s3cret" not in without_secrets(f"cannot reach {location}: wrong password s3cret", location)
    with pytest.raises(ConfigError) as caught:
        open_store(location)
    assert "s3cret" not in str(caught.value)


def test_other_places_are_shown_as_they_are():
    for location in ("results/ablate.db", "/a b/é.db", "sqlite:////a/b.db", "postgresql://user@here:5/db"):
        assert shown(location) == location


def test_files_and_memory():
    assert file_of("a/b.db") == Path("a/b.db")
    assert file_of("sqlite:////a/b.db") == Path("/a/b.db")
    assert file_of("postgresql://here/db") is None
    assert [is_in_memory(place) for place in ("sqlite://", "sqlite:///:memory:", "a.db", "postgresql://")] == [
        True,
        True,
        False,
        False,
    ]
