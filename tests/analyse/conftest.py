import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest

Make = Callable[..., pd.DataFrame]


def _runs(
    values: Mapping[Any, Sequence[float | str | None]],
    *,
    metric: str = "test_acc",
    factor: str = "optimizer.lr",
    baseline: Any = None,
    seeds: Sequence[int] | None = None,
    study: str = "lr",
    engine: int = 1,
) -> pd.DataFrame:
    """A frame of runs: level to one entry per seed; a number is complete, a text the status, None no row at all."""
    rows = []
    for order, (level, entries) in enumerate(values.items()):
        for position, entry in enumerate(entries):
            if entry is None:
                continue
            seed = position if seeds is None else seeds[position]
            complete = not isinstance(entry, str)
            row = {name: np.nan for name in ("train_loss", "train_acc", "val_loss", "val_acc", "test_loss", "test_acc")}
            row |= {metric: float(entry) if complete else np.nan}
            rows.append(
                {
                    **{"study": study, "factor": factor, "level": level, "label": str(level), "order": order},
                    **{"is_baseline": level == baseline, "seed": seed, "digest": f"{factor}/{level}/{seed}"},
                    **{"status": "complete" if complete else entry, "epochs": 10, "seconds": 1.0, "engine": engine},
                    **row,
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture
def make_runs() -> Make:
    return _runs


@pytest.fixture(scope="session")
def rliable():
    """rliable's library and metrics; the arch that it imports expects the decorator of an earlier pandas."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr("pandas.util._decorators.deprecate_kwarg", lambda *_, **__: lambda function: function)
        from rliable import library, metrics
    return library, metrics
