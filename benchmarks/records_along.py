"""What do studies save that add seeds look by look, where runs scatter as those of committed records do?

The seeds of each study of the article are resampled with replacement, all levels together, into studies of up to 40
seeds. Each is followed look by look, and judged as a study with a fixed number of seeds.

    python -m benchmarks.records_along --write     # results/benchmarks/records_along.{csv,md}
"""

import argparse
import math
import tempfile
import textwrap
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ablate.analyse.bootstrap import Floats
from ablate.analyse.claims import judge_panel
from ablate.analyse.claims_along import ClaimPath, follow_claim, levels_of
from ablate.analyse.family import correct
from ablate.analyse.panel import Panel, make_panel
from ablate.analyse.power import ALPHA
from ablate.analyse.sequential import Looks, follow
from ablate.task.claim import Claim
from benchmarks.committed import RESULTS, STUDIES, committed
from benchmarks.errors import use_few_flips
from benchmarks.kept_rows import kept_rows
from benchmarks.markdown import markdown
from benchmarks.options import positive

OUT = RESULTS / "benchmarks"
AT = (6, 10, 16, 24, 40)
MARGIN = 0.01
"""Of test accuracy: that of the article's own "practically the same"."""
FIXED = (6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 36, 40)
"""Numbers of seeds of the fixed designs."""
FIXED_OF_CLAIMS = (6, 10, 16, 24, 40)

HEAD = """# Seeds added look by look, on committed records

`python -m benchmarks.records_along --write`: the {metric} of the article's studies, resampled {resamples} times into
studies of up to 40 seeds, and looked at after 6, 10, 16, 24 and 40. With a **margin** a level is also decided where its
simultaneous interval lies within the margin.

{summary}

## Levels

**decided** is the share of levels told from the baseline or found within the margin; **wrong** of those told on the
wrong side, or found within a margin that they lie outside of; **runs** the mean number of runs of a study, the
baseline's among them. **fixed: seeds** is the fewest seeds at every level (6, 8, ... 16, 20, ... 40) with which a fixed
design decides as many levels, and **fixed: runs** what it costs; **of fixed** is what looks need of that. `together`
takes each study's own number of seeds, which nobody knows beforehand; `one number` the same for all of them. **at 40**
is what 40 seeds at every level decide, **same** the share of levels with the same verdict as there.

{levels}

## Claims

A level goes on until it is settled and no claim needs it any more (`ablate.analyse.claims_along` says by which rule).
A claim of which all that is in question lies within the margin is given up, undecided. **fixed: seeds** is the fewest
seeds at every level (for claims 6, 10, 16, 24 or 40) with which a fixed design decides as many levels and as many
claims.

{claims}
"""


def measure(study: str, margin: float, resamples: int, seed: int = 0) -> dict[str, float]:
    """One row; see the head of the tables.

    Args:
        study: its name.
        margin: in the unit of its metric; 0: none.
        resamples: to draw.
        seed: of the draws.
    """
    panel, claims = _panel_of(study)
    claims = claims if margin > 0 else ()
    generator, looks = np.random.default_rng([seed, len(panel.levels)]), Looks(AT, margin=margin)
    base = panel.baseline()
    others = [row for row in range(len(panel.levels)) if row != base]
    truth = (panel.counted[others] - panel.counted[base]).mean(axis=1)
    counts, verdicts, all_counts, settled = [], [], [], []
    fixed: dict[int, list[Any]] = {n: [] for n in FIXED}
    fixed_claims: dict[int, list[Any]] = {n: [] for n in FIXED_OF_CLAIMS}
    for _ in range(resamples):
        drawn = resampled(panel, generator.integers(len(panel.seeds), size=AT[-1]))
        differences, there = drawn.counted[others] - drawn.counted[base], np.ones((len(others), AT[-1]), dtype=bool)
        path = follow(len(others), lambda _, d=differences, t=there: (d, t), looks, int(generator.integers(2**31)))
        counts.append(sum(path.counts) + max(path.counts))
        means = [float(differences[row, :n].mean()) for row, n in enumerate(path.counts)]
        verdicts.append(_verdicts([s == "told" for s in path.settled], [s == "within" for s in path.settled], means))
        for n in FIXED:
            found = correct(differences[:, :n], "max-t")
            within = (-margin < found.low) & (found.high < margin)
            fixed[n].append(_verdicts(found.p <= ALPHA, within, differences[:, :n].mean(axis=1)))
        needed = {base: max(path.counts), **dict(zip(others, path.counts, strict=True))}
        outcomes = []
        for claim in claims:
            found_claim = settle(drawn, claim, looks)
            outcomes.append(found_claim.verdict.outcome != "undecided")
            for row, seeds in zip(found_claim.levels, found_claim.counts, strict=True):
                needed[row] = max(needed[row], seeds)
        settled.append(outcomes)
        all_counts.append(sum(needed.values()))
        for n in FIXED_OF_CLAIMS:
            part = first(drawn, [n] * len(panel.levels))
            fixed_claims[n].append([judge_panel(part, claim).outcome != "undecided" for claim in claims])
    return _row(truth, margin, np.array(verdicts), {n: np.array(v) for n, v in fixed.items()}, counts) | _row_of_claims(
        np.array(settled), {n: np.array(v) for n, v in fixed_claims.items()}, all_counts
    )


def settle(panel: Panel, claim: Claim, looks: Looks) -> ClaimPath:
    """What comes of a claim, look after look, and with how many seeds of its levels, which are rows of the panel."""
    rows = levels_of(panel, claim)
    own = panel.subset(rows)
    return follow_claim(claim, lambda counts: first(own, counts), tuple(rows), looks)


def resampled(panel: Panel, columns: NDArray[np.int64]) -> Panel:
    """A panel of these seeds, which may be named more than once."""
    arrays = (part[:, columns] for part in (panel.values, panel.complete, panel.diverged, panel.guessing))
    return Panel(
        panel.study, panel.factor, panel.metric, panel.levels, tuple(range(len(columns))), *arrays, panel.worst
    )


def first(panel: Panel, counts: Sequence[int]) -> Panel:
    """The first seeds of each level of a panel."""
    there = np.arange(len(panel.seeds)) < np.array(counts)[:, None]
    values = np.where(there, panel.values, np.nan)
    arrays = (values, panel.complete & there, panel.diverged & there, panel.guessing & there)
    return Panel(panel.study, panel.factor, panel.metric, panel.levels, panel.seeds, *arrays, panel.worst)


@cache
def _panel_of(study: str) -> tuple[Panel, tuple[Claim, ...]]:
    found = committed(study)
    return make_panel(found.runs, found.metric, declared=found.declared), found.claims


def _verdicts(told: Any, within: Any, means: Any) -> NDArray[np.int64]:
    """Of each level: 1 or -1 told above or below the baseline, 2 within the margin, 0 undecided."""
    return np.where(told, np.sign(means), np.where(within, 2, 0)).astype(np.int64)


def _row(
    truth: Floats, margin: float, found: NDArray[np.int64], fixed: dict[int, NDArray[np.int64]], counts: list[int]
) -> dict[str, float]:
    settings, decided = len(truth) + 1, float((found != 0).mean())
    wrong = np.where(found == 2, np.abs(truth) >= margin, (found != 0) & (found != np.sign(truth)))
    seeds = next((n for n in FIXED if (fixed[n] != 0).mean() >= decided), FIXED[-1])
    return {
        "decided": decided,
        "wrong": float(wrong.mean()),
        "runs": float(np.mean(counts)),
        "fixed: seeds": seeds,
        "fixed: runs": seeds * settings,
        **{f"at {n}": float((verdicts != 0).mean()) for n, verdicts in fixed.items()},
        "same": float((fixed[FIXED[-1]] == found).mean()),
        "runs at 40": FIXED[-1] * settings,
    }


def _row_of_claims(found: Any, fixed: dict[int, Any], counts: list[int]) -> dict[str, float]:
    if not found.size:
        return dict.fromkeys(("claims decided", "claims: runs", "claims: fixed seeds", "claims at 40"), math.nan)
    decided = float(found.mean())
    return {
        "claims decided": decided,
        "claims: runs": float(np.mean(counts)),
        "claims: fixed seeds": next((n for n in fixed if fixed[n].mean() >= decided), FIXED[-1]),
        "claims at 40": float(fixed[FIXED[-1]].mean()),
    }


def cells(resamples: int) -> list[dict[str, Any]]:
    """Study and margin of each row."""
    return [{"study": study, "margin": margin, "resamples": resamples} for margin in (0.0, MARGIN) for study in STUDIES]


def levels_table(frame: pd.DataFrame) -> pd.DataFrame:
    """What the levels of each study cost, and of all together, for each margin."""
    names = [
        "study",
        "margin",
        "decided",
        "wrong",
        "runs",
        "fixed: seeds",
        "fixed: runs",
        "at 40",
        "runs at 40",
        "same",
    ]
    rows: list[pd.DataFrame] = []
    for margin, part in frame.groupby("margin", sort=False):
        levels = part["runs at 40"] / FIXED[-1] - 1
        of_all = [name for name in ("decided", "wrong", "same", *(f"at {n}" for n in FIXED))]
        means = {name: float(np.average(part[name], weights=levels)) for name in of_all}
        sums = part[["runs", "fixed: runs", "runs at 40"]].sum()
        all_of_them = {"margin": margin, **means, **sums}
        n = next((n for n in FIXED if means[f"at {n}"] >= means["decided"]), FIXED[-1])
        one = {"fixed: seeds": n, "fixed: runs": sums["runs at 40"] * n / FIXED[-1]}
        added = pd.DataFrame([{"study": "together", **all_of_them}, {"study": "one number", **all_of_them, **one}])
        rows.append(pd.concat([part[names], added[[name for name in names if name in added]]]))
    found = pd.concat(rows, ignore_index=True)
    found.insert(7, "of fixed", found["runs"] / found["fixed: runs"])
    whole = ("fixed: seeds", "fixed: runs", "runs at 40")
    return found.assign(**{name: [_count(value) for value in found[name]] for name in whole})


def claims_table(frame: pd.DataFrame) -> pd.DataFrame:
    """What claims and levels together cost, of each study and of all."""
    part = frame[frame["claims decided"].notna()]
    fixed = part[["fixed: seeds", "claims: fixed seeds"]].max(axis=1)
    number = [len(_panel_of(study)[1]) for study in part["study"]]
    found = pd.DataFrame(
        {
            "study": part["study"],
            "claims": number,
            "decided": part["claims decided"],
            "at 40": part["claims at 40"],
            "runs": part["claims: runs"],
            "fixed: seeds": fixed,
            "fixed: runs": fixed * part["runs at 40"] / FIXED[-1],
            "runs at 40": part["runs at 40"],
        }
    )
    sums = found[["claims", "runs", "fixed: runs", "runs at 40"]].sum()
    means = {name: float(np.average(found[name], weights=number)) for name in ("decided", "at 40")}
    found = pd.concat([found, pd.DataFrame([{"study": "together", **means, **sums}])], ignore_index=True)
    found.insert(7, "of fixed", found["runs"] / found["fixed: runs"])
    whole = ("claims", "fixed: seeds", "fixed: runs", "runs at 40")
    return found.assign(**{name: [_count(value) for value in found[name]] for name in whole})


def summary(levels: pd.DataFrame, claims: pd.DataFrame) -> str:
    """What looks cost beside fixed designs, in sentences."""
    lines = []
    for margin, part in levels.groupby("margin", sort=False):
        own, one = (part[part["study"] == name].iloc[0] for name in ("together", "one number"))
        what = f"with a margin of {margin:g}" if margin else "without a margin"
        lines.append(
            f"- Levels, {what}: looks decide {own['decided']:.3f} of them with {own['runs']:.0f} runs in all studies. "
            f"With one number of seeds for all, a fixed design that decides as many needs {one['fixed: seeds']} "
            f"seeds and {one['fixed: runs']} runs (looks: {one['of fixed']:.2f} of that); with the number that "
            f"suits each study, known with hindsight, {own['fixed: runs']} runs (looks: {own['of fixed']:.2f})."
        )
    row = claims.iloc[-1]
    lines.append(
        f"- Levels and claims: looks decide {row['decided']:.3f} of the claims with {row['runs']:.0f} runs; fixed "
        f"designs that decide as much, each study's own, need {row['fixed: runs']} (looks: {row['of fixed']:.2f}), and "
        f"40 seeds at every level decide {row['at 40']:.3f} with {row['runs at 40']}."
    )
    return "\n".join(textwrap.fill(line, 120, subsequent_indent="  ") for line in lines)


def main() -> None:
    """Print the tables; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=positive, default=200, help="of each study")
    parser.add_argument("--processes", type=positive, default=1)
    parser.add_argument("--write", action="store_true", help="write results/benchmarks/records_along.{csv,md}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        path = (OUT if given.write else Path(aside)) / "records_along.csv"
        frame = kept_rows(path, cells(given.resamples), measure, given.processes, use_few_flips)
    levels, claims = levels_table(frame), claims_table(frame)
    text = HEAD.format(
        metric=_panel_of(STUDIES[0])[0].metric.title,
        resamples=given.resamples,
        summary=summary(levels, claims),
        fixed=", ".join(map(str, FIXED)),
        fixed_of_claims=", ".join(map(str, FIXED_OF_CLAIMS)),
        levels=markdown(levels),
        claims=markdown(claims),
    )
    print(text)
    if given.write:
        (OUT / "records_along.md").write_text(text, encoding="utf-8")


def _count(value: float) -> str:
    return "\u2013" if value != value else f"{value:.0f}"


if __name__ == "__main__":
    main()
