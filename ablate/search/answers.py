"""What a search has found, as data for other programs: ``ablate search STUDY --json``."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ablate.report.answers import as_data
from ablate.search.proof import confirmed
from ablate.search.request import SearchRequest
from ablate.search.trial import VALUES
from ablate.search.trials import best_trials, counts_of, values_of

if TYPE_CHECKING:
    import pandas as pd
    from optuna import Study

MOST = 10
"""Settings that are listed."""


def search_answers(order: SearchRequest, study: "Study", proofs: "Mapping[str, pd.DataFrame]") -> dict[str, Any]:
    """The answers of a search.

    - ``study``, ``question``, ``command``, ``metric``, ``sampler``, ``budget``
    - ``settings``: how many were tried, by what became of them at the greatest length at which they were (``complete``,
      ``stopped``, ``failed``, ...)
    - ``best``, best first: ``trial``, ``setting`` (level by factor), ``value`` (mean over its seeds on held-out data,
      or null), ``values`` (by seed)
    - ``confirmed``, on fresh seeds: ``label``, ``trial``, ``seeds``, ``found``, ``n``, ``mean``, ``interval`` (95 %)

    Args:
        order: What is searched.
        study: Its trials.
        proofs: The frame of runs of the proof, by protocol.

    Returns:
        Data that JSON can hold.
    """
    search = order.search
    data: dict[str, Any] = as_data(
        {
            "study": order.study.name,
            "question": order.study.question,
            "command": order.command,
            "metric": search.metric,
            "sampler": search.sampler,
            "budget": str(search.budget),
            "settings": dict(sorted(counts_of(study, search).items())),
            "best": [
                {
                    "trial": trial.number,
                    "setting": {name.partition(" (")[0]: value for name, value in values_of(trial).items()},
                    "value": trial.values[0] if trial.values else None,
                    "values": trial.user_attrs.get(VALUES, {}),
                }
                for trial in best_trials(study, search, MOST)
            ],
            "confirmed": [
                {"label": one.label, "trial": one.trial, "seeds": one.seeds, "found": one.found, "n": one.n}
                | {"mean": one.confirmed, "interval": one.interval}
                for one in confirmed(order, study, proofs)
            ],
        }
    )
    return data
