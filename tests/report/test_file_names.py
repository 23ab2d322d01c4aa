import pytest
from hypothesis import given
from hypothesis import strategies as st

from ablate.report.file_names import RESERVED, file_name, unique_names


@pytest.mark.parametrize(
    ("text", "name"),
    [("model.pool_size", "model_pool_size"), ("optimizer.lr", "optimizer_lr"), ("0.9", "0_9"), ("100", "100")],
)
def test_usual_names_keep_their_words(text, name):
    assert file_name(text) == name


@given(st.lists(st.text(max_size=300), unique=True, max_size=8))
def test_names_are_safe_short_and_different_whatever_the_case_matters(texts):
    names = unique_names(texts)
    assert len({name.casefold() for name in names.values()}) == len(texts)
    for name in names.values():
        assert 0 < len(name) <= 60
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_-")
        assert name not in RESERVED


@pytest.mark.parametrize(
    "texts",
    [
        ("lr & width", "lr / width"),
        ("Width", "width"),
        ("a.b_c", "a_b.c"),
        ("ä", "a"),
        ("../../etc/passwd", "etc.passwd"),
        (" x ".join(f"model.factor_{i}" for i in range(17)), " x ".join(f"model.factor_{i}" for i in range(18))),
        ("", " "),
    ],
)
def test_names_that_look_alike_get_different_files(texts):
    assert len(set(unique_names(texts).values())) == 2


@pytest.mark.parametrize("text", ["con", "nul", "CON", "com1"])
def test_devices_of_windows_are_no_names(text):
    assert file_name(text) not in RESERVED
