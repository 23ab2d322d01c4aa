"""How the settings of a proof were found, for the paragraph on methods."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from ablate.report.view import Cited, Sentence
from ablate.search.budget import worked
from ablate.search.fidelity import EXPLORED, Ladder
from ablate.search.request import SearchRequest
from ablate.search.searcher import amount
from ablate.search.trials import counts_of
from ablate.search.understand import understand

if TYPE_CHECKING:
    from optuna import Study

SAMPLERS = {
    "tpe": ("a tree-structured Parzen estimator", "bergstra2011"),
    "random": ("random search", "bergstra2012"),
    "cmaes": ("CMA-ES", "hansen2001"),
    "gp": ("Gaussian processes",),
    "grid": ("a grid",),
}
OWN = ("ablate's own Gaussian process with a covariance that is additive over factors", "duvenaud2011", "kandasamy2015")
"""What proposes where there is a fidelity: :mod:`ablate.search.surrogate`."""


def search_sentences(order: SearchRequest, study: "Study") -> tuple[Sentence, ...]:
    """Sampler, objective, budget, seeds, lengths, races and what became of the settings.

    Args:
        order: What was searched.
        study: Its trials.
    """
    search = order.search
    title, *keys = SAMPLERS[search.sampler] if order.ladder is None else OWN
    goal = "highest" if search.higher_is_better else "lowest"
    seeds = f"mean over up to {len(search.seeds)} seeds" if len(search.seeds) > 1 else "with one seed each"
    against = f" against {search.against} of a run" if search.against is not None else ""
    factors = {factor.path for factor in order.space.factors} - {search.fidelity}
    states = counts_of(study, search)
    found: list[Sentence] = [
        (
            f"Settings were found by a search over {len(factors)} factors with Optuna {version('optuna')}",
            Cited("akiba2019"),
            f" by {title}",
            *([Cited(*keys)] if keys else []),
            f" for the {goal} {order.metric.title}{against}, {seeds}, with a budget of "
            f"{search.budget}; {states.total()} settings were tried "
            f"({', '.join(f'{number} {status}' for status, number in sorted(states.items()))}), which took "
            f"{amount(worked(study))} {order.work.title}.",
        )
    ]
    if order.ladder is not None and len(order.ladder.rungs) > 1:
        found.append(_lengths(order.ladder))
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


def _lengths(ladder: Ladder) -> Sentence:
    *short, last = map(str, ladder.rungs[:-1])
    rungs = f"{', '.join(short)} and {last}" if short else last
    first = f"Until {100 * EXPLORED:.0f} % of the budget were spent, settings were tried at short lengths first "
    first += f"({ladder.factor.path} = {rungs}), and the most promising at the next one, up to {ladder.full}, as in "
    return f"{first}asynchronous successive halving", Cited("li2020"), "; from then on all were at full length."
