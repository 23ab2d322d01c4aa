"""Rows of a simulation are kept as they come, and what is there is not simulated again."""

import pandas as pd
import pytest

from benchmarks.kept_rows import kept_rows

CELLS = [{"shape": "a", "seeds": n, "effect": e} for n in (3, 5) for e in (0.0, 0.5)]


def measure(shape, seeds, effect):
    if seeds == 7:
        raise ValueError(shape)
    return {"rate": seeds * (1 + effect) / 3, "none": float("nan")}


def fail(shape, seeds, effect):
    raise ValueError("measured again")


def test_rows_are_kept_and_measured_once(tmp_path):
    path = tmp_path / "rows.csv"
    first = kept_rows(path, CELLS[:2], measure)
    assert first["rate"].tolist() == [1.0, 1.5]
    assert first["none"].isna().all()
    whole = kept_rows(path, CELLS[::-1], measure)
    assert whole["rate"].tolist() == pytest.approx([2.5, 5 / 3, 1.5, 1.0], abs=1e-6)
    again = kept_rows(path, CELLS, fail)
    pd.testing.assert_frame_equal(again, whole[::-1].reset_index(drop=True))
    assert path.read_text().splitlines()[1] == "a,3,0.0,1.0,"


def test_what_was_killed_goes_on(tmp_path):
    path = tmp_path / "rows.csv"
    with pytest.raises(ValueError, match="a"):
        kept_rows(path, [*CELLS, {"shape": "a", "seeds": 7, "effect": 0.0}], measure)
    with path.open("a") as file:
        file.write("a,9,0.")  # killed amid a row
    assert len(kept_rows(path, CELLS, fail)) == len(CELLS)
    more = [*CELLS, {"shape": "b", "seeds": 3, "effect": 1.0}]
    assert kept_rows(path, more, measure)["rate"].tolist()[-1] == 2.0
    assert len(path.read_text().splitlines()) == 1 + len(more)
