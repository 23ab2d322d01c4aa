"""What mattered in a search: importances by two methods, and which factors interact.

PED-ANOVA (Watanabe et al. 2023) asks how far the distribution of a factor among the best tenth of the trials differs
from its distribution among all; fANOVA (Hutter et al. 2014) how much of the variance over the whole space a factor
explains. They may well
disagree: a factor that separates terrible from fair settings matters to the second only. Interactions are those of a
random forest fitted to the trials, by Friedman and Popescu's (2008) second-order partial dependence, as shares of the
forest's variance.
"""

import itertools
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ablate.report.search_figures import factor_label
from ablate.search.storage import quiet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from optuna import Study
    from optuna.trial import FrozenTrial

LEAST = 10
"""Complete trials without which nothing is said."""
MISSING = "fANOVA and interactions need the package scikit-learn: pip install scikit-learn"
UNSAID = "What mattered cannot be told: values are equal, or too far apart."
POINTS, ROWS = 12, 200
"""Levels of a factor and settings over which partial dependence is averaged."""


@dataclass(frozen=True)
class FactorImportance:
    """How much a factor mattered, by two methods; shares of 1."""

    name: str
    n: int
    """Trials behind it: all complete ones, or those where the factor's condition held."""
    ped_anova: float | None
    fanova: float | None
    """None: scikit-learn is not installed, or the values have no variance that it can explain."""


@dataclass(frozen=True)
class Interaction:
    """How much two factors explain together beyond what they explain alone; a share of the forest's variance."""

    first: str
    second: str
    share: float


@dataclass(frozen=True)
class Understanding:
    """What a search's trials say about its factors."""

    importances: tuple[FactorImportance, ...]
    """The most important first (by fANOVA where there is one)."""
    interactions: tuple[Interaction, ...]
    """The largest first."""
    warnings: tuple[str, ...] = ()

    @property
    def disagreement(self) -> str:
        """One sentence on where the two methods differ; empty where only one was used."""
        both = [i for i in self.importances if i.fanova is not None and i.ped_anova is not None and i.n == self._most]
        if len(both) < 2:
            return ""
        by_ped = factor_label(max(both, key=lambda i: i.ped_anova or 0.0).name)
        by_fanova = factor_label(max(both, key=lambda i: i.fanova or 0.0).name)
        among = " of those that every setting has" if len(both) < len(self.importances) else ""
        if by_ped == by_fanova:
            return f"Both methods name {by_ped} as the most important factor{among}."
        return (
            f"The methods name different factors as the most important one{among}: PED-ANOVA, which looks at the best "
            f"tenth of the settings, {by_ped}; fANOVA, which looks at the whole space, {by_fanova}."
        )

    @property
    def _most(self) -> int:
        return max((i.n for i in self.importances), default=0)


def understand(study: "Study") -> Understanding:
    """Importances and interactions of a search's factors for its first objective.

    Args:
        study: The study with its trials; only complete ones count, with the value of the first objective.
    """
    import numpy as np

    complete = [t for t in study.trials if t.state.name == "COMPLETE"]
    if len(complete) < LEAST:
        few = f"{len(complete)} complete settings: too few to say what mattered ({LEAST} needed)."
        return Understanding((), (), (few,))
    with np.errstate(over="ignore", invalid="ignore"):
        variance = np.var([t.values[0] for t in complete])
    if not 0.0 < variance < math.inf:
        return Understanding((), (), (UNSAID,))
    common = [name for name in complete[0].params if all(name in t.params for t in complete)]
    found, warnings = _importances(study, common, complete), list[str]()
    for name in dict.fromkeys(name for t in complete for name in t.params if name not in common):
        active = [t for t in complete if name in t.params]
        if len(active) >= LEAST:
            shared = [p for p in active[0].params if all(p in t.params for t in active)]
            found += [i for i in _importances(study, shared, active) if i.name == name]
    if not _has_forests():
        warnings.append(MISSING)
    elif any(i.fanova is None for i in found):
        warnings.append(UNSAID)
    found.sort(key=lambda i: -(i.fanova if i.fanova is not None else i.ped_anova or 0.0))
    return Understanding(tuple(found), tuple(_interactions(common, complete)), tuple(warnings))


def _importances(study: "Study", names: list[str], trials: "list[FrozenTrial]") -> list[FactorImportance]:
    """Importances of the factors that all of the trials have."""
    import optuna
    from optuna.importance import FanovaImportanceEvaluator, PedAnovaImportanceEvaluator, get_param_importances

    varied = [name for name in names if len({repr(t.params[name]) for t in trials}) > 1]
    if not varied:
        return []
    part = optuna.create_study(directions=study.directions)
    part.add_trials(trials)
    target: Any = None if len(study.directions) == 1 else lambda trial: trial.values[0]

    def by(evaluator: Any) -> dict[str, float]:
        try:
            return get_param_importances(part, evaluator=evaluator(), params=varied, target=target)
        except (ImportError, RuntimeError, AssertionError):
            return {}  # scikit-learn is not there, or Optuna's trees find no variance, or lose it by rounding

    with quiet():
        ped, fanova = by(PedAnovaImportanceEvaluator), by(partial(FanovaImportanceEvaluator, seed=0))
    return [FactorImportance(name, len(trials), ped.get(name), fanova.get(name)) for name in varied]


def _has_forests() -> bool:
    try:
        import sklearn.ensemble  # noqa: F401
    except ImportError:
        return False
    return True


def _interactions(names: list[str], trials: "list[FrozenTrial]") -> list[Interaction]:
    if not _has_forests():
        return []
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    columns = {name: _encoded(name, trials) for name in names}
    columns = {name: column for name, column in columns.items() if np.ptp(column) > 0}
    if len(columns) < 2:
        return []
    x, y = np.stack(list(columns.values()), axis=1), np.array([t.values[0] for t in trials])
    forest = RandomForestRegressor(n_estimators=64, random_state=0, min_samples_leaf=2).fit(x, y)
    rows = x[np.random.default_rng(0).integers(0, len(x), ROWS)]
    total = float(np.var(forest.predict(rows)))
    if total == 0.0:
        return []
    levels = [np.unique(np.quantile(x[:, j], np.linspace(0, 1, POINTS), method="nearest")) for j in range(x.shape[1])]
    found = []
    for a, b in itertools.combinations(range(x.shape[1]), 2):
        surface = _dependence(forest, rows, a, levels[a], b, levels[b])
        rest = surface - surface.mean(0, keepdims=True) - surface.mean(1, keepdims=True) + surface.mean()
        keys = list(columns)
        found.append(Interaction(keys[a], keys[b], min(1.0, float(np.mean(rest**2)) / total)))
    return sorted(found, key=lambda i: -i.share)


def _dependence(
    forest: Any, rows: "NDArray[np.float64]", a: int, at: "NDArray[np.float64]", b: int, bt: "NDArray[np.float64]"
) -> "NDArray[np.float64]":
    """The forest's mean prediction with factors ``a`` and ``b`` set, ``[len(at), len(bt)]``."""
    import numpy as np

    grid = np.tile(rows, (len(at) * len(bt), 1))
    grid[:, a] = np.repeat(at, len(bt) * len(rows))
    grid[:, b] = np.tile(np.repeat(bt, len(rows)), len(at))
    predicted: NDArray[np.float64] = forest.predict(grid).reshape(len(at), len(bt), len(rows)).mean(axis=2)
    return predicted


def _encoded(name: str, trials: "list[FrozenTrial]") -> "NDArray[np.float64]":
    """A factor as numbers: logarithms where it is on a log scale, positions of choices."""
    import numpy as np

    distribution = trials[0].distributions[name]
    values = np.array([float(distribution.to_internal_repr(t.params[name])) for t in trials])
    return np.log(values) if getattr(distribution, "log", False) else values
