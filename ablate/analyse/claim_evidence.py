"""What a claim is judged by: the pairwise tests of its levels, over one look at their runs or several.

Where seeds are added look by look, a pair of levels is tested anew at each look at which both got new seeds, with a
share of the error that was fixed for that look beforehand: p of that look is divided by its share, and p of the pair is
the least over the looks. As the shares of all looks add up to 1, p is valid at whatever look a claim ends (Bonferroni's
rule with weights), and whichever levels were left out on the way: leaving out looks at a pair only makes its p larger.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.equivalence import equivalence_of
from ablate.analyse.errors import AnalysisError
from ablate.analyse.panel import Panel
from ablate.analyse.power import ALPHA
from ablate.analyse.results import Equivalence
from ablate.analyse.sign_flip import Pairwise, pairwise, with_exact
from ablate.analyse.trend import page
from ablate.task.claim import Claim
from ablate.task.numbers import decimals

SIDE = ALPHA / 2
"""Level of the test for a claim, and of the test against it."""

MOST_TEXTS = 3
"""Sentences about pairs of levels that are no evidence."""

NOTHING = 1.0
"""p of what is no evidence."""


@dataclass(frozen=True)
class LookedAt:
    """What is there at a look, or of a study with a fixed number of seeds."""

    panel: Panel
    active: NDArray[np.bool_]
    """Levels that got new seeds for this look; [levels]."""
    share: float = 1.0
    """Of the error, as a fraction; 0: so few seeds can decide nothing."""
    _known: dict[tuple[object, ...], Pairwise] = field(default_factory=dict, repr=False)

    def scaled(self, p: float) -> float:
        """What p of this look alone counts as, over all looks."""
        return min(NOTHING, p / self.share) if self.share > 0 else NOTHING

    def tests(
        self, rows: list[int], margin: float, sign: float, seed: int, wanted: NDArray[np.bool_] | None
    ) -> Pairwise:
        """Pairwise tests of this look alone, with p over all looks."""
        key = (*rows, margin, sign, seed, b"" if wanted is None else wanted.tobytes())
        if key not in self._known:
            self._known[key] = self._tests(rows, margin, sign, seed, wanted)
        return self._known[key]

    def _tests(
        self, rows: list[int], margin: float, sign: float, seed: int, wanted: NDArray[np.bool_] | None
    ) -> Pairwise:
        anew = np.outer(self.active[rows], self.active[rows]) if self.share > 0 else np.zeros((len(rows),) * 2, bool)
        asked = anew if wanted is None else anew & wanted
        tests = pairwise(self.panel.counted[rows] * sign, margin=margin, seed=seed, wanted=asked)
        if self.panel.diverged[rows].any():
            alone = pairwise(self.panel.values[rows] * sign, margin=-margin, seed=seed)
            tests.p[alone.p.T <= SIDE] = NOTHING
        tests = with_exact(tests, self.panel.exact[rows], margin)
        tests.p[~self.panel.told[np.ix_(rows, rows)] | ~anew] = NOTHING
        if self.share > 0:
            np.minimum(tests.p / self.share, NOTHING, out=tests.p)
        return tests


class Evidence:
    """The looks at a claim and its pairwise tests over them."""

    def __init__(self, looks: Sequence[LookedAt], claim: Claim, seed: int = 0, alpha: float = ALPHA) -> None:
        self.looks, self.claim, self._seed, self.alpha = looks, claim, seed, alpha
        self.panel = panel = looks[-1].panel
        self.sign, self.counted, self.title = panel.metric.sign, panel.counted, panel.metric.title
        self.unit = panel.metric.unit_after

    @property
    def side(self) -> float:
        """Level of the test for a claim, and of that against it."""
        return self.alpha / 2

    def rows(self, levels: tuple[object, ...]) -> list[int]:
        """The rows of named levels."""
        rows = [self.panel.index(level) for level in levels]
        if len(set(rows)) < len(rows):
            raise AnalysisError(f"claim {self.claim.id!r}: a level is named twice")
        return rows

    def all_or(self, levels: tuple[object, ...]) -> list[int]:
        """The rows of named levels; where none is named, of all."""
        return self.rows(levels) if levels else list(range(len(self.panel.levels)))

    def tests(
        self,
        rows: list[int],
        margin: float,
        sign: float | None = None,
        wanted: NDArray[np.bool_] | None = None,
    ) -> Pairwise:
        """Pairwise tests among these rows, of the metric times ``sign`` (None: so that higher is better).

        A pair that is contradicted by the complete runs alone, or that is no evidence, gets p = 1.
        """
        sign = self.sign if sign is None else sign
        found = [look.tests(rows, margin, sign, self._seed, wanted) for look in self.looks]
        return replace(found[-1], p=np.min([tests.p for tests in found], axis=0))

    def equivalence(self, a: int, b: int, margin: float) -> Equivalence:
        """Whether two rows are equivalent, with p over all looks.

        Raises:
            AnalysisError: There are fewer than two pairs.
        """
        last, p, against = equivalence_of(self.panel, a, b, margin), NOTHING, NOTHING
        for look in self.looks:
            if look.active[a] and look.active[b] and look.share > 0:
                found = last if look is self.looks[-1] else equivalence_of(look.panel, a, b, margin)
                p, against = min(p, look.scaled(found.p)), min(against, look.scaled(found.p_against))
        return replace(last, p=p, p_against=against)

    def trend_p(self, rows: list[int], rising: bool) -> float:
        """P of Page's test for a trend in a direction, of the sign-flip test for two levels."""
        if len(rows) == 2:
            return float(self.tests(rows, 0.0, 1.0 if rising else -1.0).p[1, 0])
        found = [NOTHING]
        for look in self.looks:
            values = look.panel.counted[rows]
            common = values[:, np.isfinite(values).all(axis=0)].T
            if look.active[rows].all() and len(common) >= 2:
                found.append(look.scaled(page(common if rising else common[:, ::-1]).pvalue))
        return min(found)

    def silent(self, rows: list[int]) -> list[str]:
        """Why pairs of these levels are no evidence, a sentence each."""
        told = self.panel.told
        pairs = [(a, b) for place, a in enumerate(rows) for b in rows[place + 1 :] if not told[a, b]]
        texts = [self.panel.no_evidence(a, b) for a, b in pairs]
        more = [f"{len(texts) - MOST_TEXTS} more pairs of levels are no evidence."] if len(texts) > MOST_TEXTS else []
        return [f"{text[:1].upper()}{text[1:]}." for text in texts[:MOST_TEXTS]] + more

    def means(self, rows: list[int]) -> Floats:
        """Mean of each level over its own seeds; NaN without any."""
        known = np.isfinite(self.counted[rows])
        sums = np.where(known, self.counted[rows], 0).sum(axis=1)
        return np.where(known.any(axis=1), sums / np.maximum(known.sum(axis=1), 1), np.nan)

    def is_exact(self, *rows: int) -> bool:
        """Whether the values of these rows follow from their settings, so that no seed is to be named."""
        return bool(self.panel.exact[list(rows)].all())

    @cached_property
    def digits(self) -> int:
        """Decimals of the metric's numbers, as many as tables have."""
        rows = range(len(self.panel.levels))
        known = [row[np.isfinite(row)] for row in self.counted]
        return decimals(self.means(list(rows)), [row.std(ddof=1) for row in known if len(row) > 1])

    def label(self, row: int) -> str:
        """A level's printed form."""
        return self.panel.levels[row].label
