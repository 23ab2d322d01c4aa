"""The proof of what a search has found: fresh seeds, paired with the baseline and the article's combination.

It is an ordinary study over a factor ``setting``, whose runs, analysis and report are those of any study. Its seeds
are others than those that the search has seen, so that its means are free of the winner's curse: the best of many
noisy values is partly the luckiest, and :func:`curse` says how much of a search's value was luck.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ablate.plan.baseline import Change
from ablate.plan.plan import Plan, make_plan
from ablate.plan.study import Study
from ablate.search.request import SearchRequest, under
from ablate.search.trials import best_trials
from ablate.task.metric import Metric
from ablate.task.numbers import decimals, interval, signed
from ablate.task.searching import ProofProtocol

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray
    from optuna import Study as OptunaStudy
    from optuna.trial import FrozenTrial

SETTING, ALONE = "setting", "alone"
"""The factors of a proof: whole settings, and single changes of those compared."""


@dataclass(frozen=True)
class Confirmed:
    """A setting that a search has found, before and after."""

    label: str
    trial: int
    seeds: int
    """How many seeds are behind the search's value."""
    found: float
    """The search's value: mean over its seeds, on held-out images."""
    n: int
    """Fresh seeds."""
    confirmed: float | None
    """The same measure on fresh seeds; None: not trained."""
    interval: tuple[float, float] | None
    """95 % interval of ``confirmed``."""

    @property
    def curse(self) -> float | None:
        """What was luck: found minus confirmed."""
        return None if self.confirmed is None else self.found - self.confirmed


def proof_plan(order: SearchRequest, study: "OptunaStudy") -> Plan:
    """The runs of the proof, a study for each protocol.

    Args:
        order: The search.
        study: Its trials.
    """
    settings: dict[str, Sequence[Change]] = dict(order.compared)
    for label, trial in best_settings(order, study):
        settings.setdefault(label, changes_of(order, trial))
    found = []
    for protocol in order.protocols:
        factors = {SETTING: settings}
        if protocol.with_singles and order.search.confirm.additive and (alone := _alone(order)):
            factors[ALONE] = alone
        source = under(order.source, protocol.changes)
        found.append(replace(source, study=_study(order, factors, protocol), notes=()))
    return make_plan(found)


def best_settings(order: SearchRequest, study: "OptunaStudy") -> "list[tuple[str, FrozenTrial]]":
    """The best settings found, each once, with their labels in the proof.

    Returns:
        ``best 1``, ``best 2``, ...; one that is among those compared (such as the baseline) has its name.
    """
    compared = {order.baseline.configure(changes).digest: name for name, changes in order.compared.items()}
    found: dict[str, tuple[str, FrozenTrial]] = {}
    for trial in best_trials(study, order.search, order.search.confirm.top):
        digest = order.baseline.configure(changes_of(order, trial)).digest
        found.setdefault(digest, (compared.get(digest, f"best {len(found) + 1}"), trial))
    return list(found.values())


def changes_of(order: SearchRequest, trial: "FrozenTrial") -> list[Change]:
    """What a trial changes in the baseline: the search's fixed changes, then its own."""
    return [*order.search.fixed.items(), *order.space.changes(dict(trial.params))]


def confirmed(order: SearchRequest, study: "OptunaStudy", proofs: "Mapping[str, pd.DataFrame]") -> list[Confirmed]:
    """Compare like :func:`curse`, by the first protocol of the proof that measures as the search does, if any.

    Args:
        order: The search.
        study: Its trials.
        proofs: The frame of runs of the proof, by protocol.
    """
    measured = [proofs[p.name] for p in order.protocols if p.as_searched and p.name in proofs]
    return curse(order, study, measured[0]) if measured else []


def curse(order: SearchRequest, study: "OptunaStudy", runs: "pd.DataFrame") -> list[Confirmed]:
    """Search value against confirmed value.

    Args:
        order: The search.
        study: Its trials.
        runs: The frame of runs of a proof under a protocol that measures as the search does.
    """
    found = []
    for label, trial in best_settings(order, study):
        values = trial.user_attrs["values"]
        rows = runs[(runs["factor"] == SETTING) & (runs["label"] == label) & (runs["status"] == "complete")]
        sample = [float(v) for v in rows[order.search.metric] if math.isfinite(v)]
        mean = math.fsum(sample) / len(sample) if sample else None
        numbers = (len(values), trial.values[0], len(sample), mean, _interval_of_mean(sample, order.metric))
        found.append(Confirmed(label, trial.number, *numbers))
    return found


@dataclass(frozen=True)
class Additivity:
    """Whether the changes of a setting add up when they are made together."""

    setting: str
    metric: str
    n: int
    """Seeds at which the setting, the baseline and every single change are complete."""
    alone: Mapping[str, float]
    """Mean gain of each change by itself over the baseline."""
    together: float
    """Mean gain of the setting."""
    interaction: float
    """``together`` minus the sum of ``alone``."""
    interval: tuple[float, float] | None
    """95 % t interval of the interaction, paired by seed."""

    def sentence(self, title: str) -> str:
        """Say it.

        Args:
            title: What the metric is called.
        """
        total = math.fsum(self.alone.values())
        digits = decimals([self.together, total])
        parts = ", ".join(f"{signed(gain, digits)} ({name})" for name, gain in self.alone.items())
        if self.interval is None:
            verdict = "one seed cannot say whether they add up"
        elif self.interval[0] <= 0.0 <= self.interval[1]:
            verdict = "no departure from adding up can be told from noise"
        else:
            verdict = "they do not add up: together they are " + ("more" if self.interaction > 0 else "less")
        ends = "" if self.interval is None else f"95 % interval {interval(*self.interval, digits)}, "
        seeds = "1 seed" if self.n == 1 else f"{self.n} seeds"
        return (
            f"Each by itself, the changes of {self.setting} move the {title} by {parts}, in sum by "
            f"{signed(total, digits)}; together they move it by {signed(self.together, digits)}, which is "
            f"{signed(self.interaction, digits)} from the sum ({ends}{seeds}): {verdict}."
        )


def additivity(runs: "pd.DataFrame", setting: str, changes: Sequence[str], metric: str) -> Additivity | None:
    """Do single changes combine additively?

    Args:
        runs: The frame of runs of a proof with the factor ``alone``.
        setting: Label of the setting that combines the changes.
        changes: Labels of the changes by themselves.
        metric: A column of ``runs``.

    Returns:
        None where no seed is complete everywhere, or there are fewer than two changes.
    """
    baseline = _by_seed(runs, SETTING, "baseline", metric)
    whole = _by_seed(runs, SETTING, setting, metric)
    single = {change: _by_seed(runs, ALONE, change, metric) for change in changes}
    seeds = [s for s in sorted(baseline) if s in whole and all(s in values for values in single.values())]
    if not seeds or len(changes) < 2:
        return None
    gains = {change: [values[s] - baseline[s] for s in seeds] for change, values in single.items()}
    together = [whole[s] - baseline[s] for s in seeds]
    rest = [gain - math.fsum(g[i] for g in gains.values()) for i, gain in enumerate(together)]
    return Additivity(
        setting=setting,
        metric=metric,
        n=len(seeds),
        alone={change: math.fsum(g) / len(seeds) for change, g in gains.items()},
        together=math.fsum(together) / len(seeds),
        interaction=math.fsum(rest) / len(seeds),
        interval=_t_interval(rest),
    )


def alone_labels(order: SearchRequest, setting: str) -> list[str]:
    """Labels of the single changes of a compared setting."""
    return [_label(path, value) for path, value in order.compared[setting]]


def _study(
    order: SearchRequest, factors: Mapping[str, Mapping[str, Sequence[Change]]], protocol: ProofProtocol
) -> Study:
    study, metric = order.study, order.task.metrics[protocol.judged(order.search.metric)]
    best = next((label for label in factors[SETTING] if label not in order.compared), None)
    higher = "higher" if metric.goal == "max" else "lower"
    claims = []
    if best is not None:
        for other in order.compared:
            claims.append(
                {
                    "id": f"{best.replace(' ', '-')}-beats-{other}",
                    "text": f"The best setting found reaches a {higher} {metric.title} than {_named(other)}.",
                    "kind": "better",
                    "factor": SETTING,
                    "metric": metric.name,
                    "levels": [best, other],
                }
            )
    several = len(order.protocols) > 1
    wanted = [*(protocol.metrics or study.metrics), metric.name, *([order.search.metric] * protocol.as_searched)]
    return replace_study(
        study,
        name=f"{study.name}{protocol.suffix}" if several else study.name,
        design="one-at-a-time",
        factors={f: tuple(dict(changes) for changes in levels.values()) for f, levels in factors.items()},
        level_names={f: tuple(levels) for f, levels in factors.items()},
        metrics=tuple(dict.fromkeys(wanted)),
        labels={},
        claims=tuple(claims),
        published=(),
        replaced=(),
        changed=(),
        search=None,
    )


def replace_study(study: Study, **fields: Any) -> Study:
    """A study with other fields."""
    return Study(**{name: getattr(study, name) for name in Study.model_fields} | fields)


def _alone(order: SearchRequest) -> dict[str, Sequence[Change]]:
    singles: dict[str, Sequence[Change]] = {}
    for changes in order.compared.values():
        if len(changes) > 1:
            singles |= {_label(path, value): [(path, value)] for path, value in changes}
    return {"baseline": [], **singles} if singles else {}


def _label(path: str, value: Any) -> str:
    from ablate.plan.design import label_of

    return f"{path.rsplit('.', 1)[-1].replace('_', ' ')} {label_of(value)}"


def _named(setting: str) -> str:
    return "the baseline" if setting == "baseline" else f"the setting '{setting}'"


def _by_seed(runs: "pd.DataFrame", factor: str, label: str, metric: str) -> dict[int, float]:
    rows = runs[(runs["factor"] == factor) & (runs["label"] == label) & (runs["status"] == "complete")]
    pairs = zip(rows["seed"], rows[metric], strict=True)
    return {int(seed): float(value) for seed, value in pairs if math.isfinite(value)}


def _interval_of_mean(sample: Sequence[float], metric: Metric) -> tuple[float, float] | None:
    """The same interval that a study's tables have."""
    import numpy as np

    from ablate.analyse.mean_interval import interval_of

    return _ends(interval_of(metric, np.array([sample]))) if len(sample) > 1 else None


def _t_interval(sample: Sequence[float]) -> tuple[float, float] | None:
    """95 % t interval of the mean."""
    import numpy as np

    from ablate.analyse.bootstrap import t_interval

    return _ends(t_interval(np.array([sample]))) if len(sample) > 1 else None


def _ends(interval: "tuple[NDArray[np.float64], NDArray[np.float64]]") -> tuple[float, float]:
    low, high = interval
    return float(low[0]), float(high[0])
