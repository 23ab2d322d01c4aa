"""Changes as Hydra's overrides: read back as the same value; what is about Hydra itself or names code is refused."""

import math

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import QuotedString
from hypothesis import given
from hypothesis import strategies as st

from ablate.hydra_app.overrides import override_of, text_of
from ablate.task.errors import ConfigError


def read(text):
    override = OverridesParser.create().parse_override(f"x={text}")
    assert not override.is_sweep_override()
    return plain(override.value())


def plain(value):
    if isinstance(value, QuotedString):
        return value.text
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0\n\r"), max_size=12)
)
KEYS = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True).filter(
    lambda key: key not in ("true", "null", "nan", "inf")
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))


@given(VALUES)
def test_any_value_is_read_back_as_it_is(value):
    assert read(text_of(value)) == value


@pytest.mark.parametrize(
    "text",
    ["a,b", "on", "null", "1e3", "0x1", "a'b", "a\\'b", "a\\", "\\\\", "${x}", "[a]", "", " a ", "=", "range(1,3)"],
)
def test_texts_that_look_like_something_else(text):
    found = read(text_of(text))
    assert found == text
    assert isinstance(found, str)


def test_nan():
    assert math.isnan(read(text_of(math.nan)))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("hydra.run.dir", "/"),
        ("hydra/launcher", "joblib"),
        ("+hydra.job.env_set.PATH", "x"),
        ("model._target_", "os.system"),
        ("model/_target_", "os.system"),
        ("model", {"_target_": "os.system"}),
        ("model.layers", [{"a": {"_partial_": True}}]),
        ("model.name", "${oc.env:SECRET}"),
        ("model.name", ["${oc.decode:${x}}"]),
        ("a b", 1),
        ("lr=1 hydra.run.dir", 1),
        ("--config-dir", "x"),
        ("", 1),
    ],
)
def test_what_a_study_must_not_change(path, value):
    with pytest.raises(ConfigError):
        override_of(path, value)


@pytest.mark.parametrize(
    ("path", "value", "override"),
    [
        ("optimizer.lr", 0.1, "optimizer.lr=0.1"),
        ("optimizer", "adam", "optimizer=adam"),
        ("+experiment", "a/b", "+experiment=a/b"),
        ("db@backup.db", "mysql", "db@backup.db=mysql"),
        ("model.layers[0]", 3, "model.layers[0]=3"),
        ("decay", "${optimizer.lr}", "decay='${optimizer.lr}'"),
    ],
)
def test_overrides(path, value, override):
    assert override_of(path, value) == override
