"""How a verdict on a claim is put in words."""

import math
from collections.abc import Sequence

from ablate.analyse.courses import ClaimLook, Outcome
from ablate.analyse.power import ALPHA
from ablate.analyse.sign_flip import least_pairs


def certainty(p: float | None, against: float | None, outcome: Outcome, level: float) -> str:
    """Say how sure the verdict is; empty where nothing could be tested."""
    if p is None or against is None:
        return ""
    if (outcome, p) == ("supported", 0.0) or (outcome, against) == ("refuted", 0.0):
        return " The values are exact: they follow from the settings, whatever the seed."
    if outcome == "supported":
        return f" Were it false, runs would speak for it as clearly in at most {_percent(p)} of studies ({p_text(p)})."
    if outcome == "refuted":
        share = f"at most {_percent(against)} of studies ({p_text(against)})"
        return f" Were it true, runs would speak against it as clearly in {share}."
    neither = f"neither for it ({p_text(p)}) nor against it ({p_text(against)})"
    clear = f"either would need a p of at most {level:.2g}" if level > 0 else "at this look nothing is clear yet"
    return f" These seeds speak clearly {neither}: {clear}."


def least(n: int) -> str:
    """Say that so few pairs can decide nothing, and how many can."""
    needs = least_pairs(ALPHA / 2, two_sided=False)
    seeds = "seed" if n == 1 else "seeds"
    return f"Cannot be decided with {n} paired {seeds}, however large the difference: needs {needs}."


def unresolvable() -> str:
    """Say that more seeds are no way to decide it."""
    return "More seeds will hardly decide it, the levels are too close: state a margin that matters."


def probable(share: float) -> str:
    """A posterior probability, which is never sure."""
    return "over 99 %" if share > 0.99 else "under 1 %" if share < 0.01 else f"{100 * share:.0f} %"


def p_text(value: float) -> str:
    """A p with its name, in decimals."""
    return f"p = {value:.2g}" if value >= 0.0001 else "p < 0.0001"


def _percent(share: float) -> str:
    """A share as people say it, rounded up, as what it stands behind is a bound."""
    tenths = math.ceil(round(1000 * share, 6))
    return f"{tenths / 10:g} %" if share >= 0.0001 else "0.01 %"


def course_text(course: Sequence[ClaimLook], end: str) -> str:
    """What came of each look at a claim, in a sentence; then why there is no further one.

    Args:
        course: The looks.
        end: Why there is none; empty: there is one, or the claim is decided.
    """
    if not course:
        return " No look could be made yet."
    parts = [f"with {look.seeds} seeds {look.outcome}{_of_look(look)}" for look in course]
    return f" Looks (p of all looks together): {'; '.join(parts)}.{f' {end}' if end else ''}"


def stated_text(look: int) -> str:
    """Say that a claim was stated after looks; empty: after none."""
    if not look:
        return ""
    return f" Stated or changed after look {look}, and not corrected for what was seen then: take it as exploratory."


def _of_look(look: ClaimLook) -> str:
    levels = f"{len(look.levels)} levels"
    if look.p is None or look.p_against is None or min(look.p, look.p_against) >= 1:
        return f" ({levels})"
    return f" ({levels}; {p_text(look.p)} for, {look.p_against:.2g} against)"
