"""How the settings of a proof were found, for the paragraph on methods."""

from collections import Counter
from importlib.metadata import version
from typing import TYPE_CHECKING

from ablate.report.view import Cited, Sentence
from ablate.search.request import SearchRequest
from ablate.search.trial import STATUS
from ablate.search.understand import understand

if TYPE_CHECKING:
    from optuna import Study

SAMPLERS = {
    "tpe": ("a tree-structured Parzen estimator", "bergstra2011"),
    "random": ("random search", "bergstra2012"),
    "cmaes": ("CMA-ES", "hansen2001"),
    "gp": ("Gaussian processes", ""),
    "grid": ("a grid", ""),
}


def search_sentences(order: SearchRequest, study: "Study") -> tuple[Sentence, ...]:
    """Sampler, objective, budget, seeds, races and what became of the settings.

    Args:
        order: What was searched.
        study: Its trials.
    """
    search = order.search
    title, key = SAMPLERS[search.sampler]
    goal = "highest" if search.higher_is_better else "lowest"
    seeds = f"{len(search.seeds)} seeds" if len(search.seeds) > 1 else "one seed"
    against = f" against {search.against} of a run" if search.against is not None else ""
    states = Counter(t.user_attrs.get(STATUS, "failed") for t in study.trials if t.state.is_finished())
    found: list[Sentence] = [
        (
            f"Settings were found by a search over {len({factor.path for factor in order.space.factors})} factors "
            f"with Optuna {version('optuna')}",
            Cited("akiba2019"),
            f" by {title}",
            *([Cited(key)] if key else []),
            f" for the {goal} {order.metric.title}{against}, mean over up to {seeds}, within a budget of "
            f"{search.budget}; {states.total()} settings were tried "
            f"({', '.join(f'{number} {status}' for status, number in sorted(states.items()))}).",
        )
    ]
    if search.races.steps and states["stopped"]:
        shares = " and ".join(f"{search.races.reduction**-rung:.0%}" for rung in range(search.races.rungs, 0, -1))
        text = f"Runs that lay behind others after {shares} of their steps were stopped by successive halving"
        found.append((text, Cited("li2020"), "."))
    learnt = understand(study)
    parts: list[str | Cited] = []
    if any(factor.fanova is not None for factor in learnt.importances):
        parts += ["fANOVA", Cited("hutter2014")]
    if any(factor.ped_anova is not None for factor in learnt.importances):
        parts += [" and " if parts else "", "PED-ANOVA", Cited("watanabe2023")]
    if parts:
        found.append(("What mattered among them is told by ", *parts, "."))
    if learnt.interactions:
        found.append(("Interactions are those of a random forest, by partial dependence", Cited("friedman2008"), "."))
    found.append(("The best settings were then trained anew, with seeds that the search had not seen.",))
    return tuple(found)
