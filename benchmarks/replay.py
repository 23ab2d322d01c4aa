"""Which of the article's conclusions would have been reached with how many seeds, had seeds been added look by look?

The committed runs are looked at again in the order of their seeds, as in a study with ``seeds: {looks: ...}``: claims
and levels' comparisons with the baseline each take the first seeds of the levels that they need.

    python -m benchmarks.replay --write     # results/benchmarks/replay.{csv,md}
"""

import argparse
from dataclasses import dataclass

import pandas as pd

from ablate.analyse.along_looks import counted_runs
from ablate.analyse.claims import judge
from ablate.analyse.claims_along import ClaimPath, claim_path
from ablate.analyse.compare import compare
from ablate.analyse.courses import Outcome
from ablate.analyse.sequential import Looks
from ablate.task.claim import Claim
from benchmarks.committed import RESULTS, STUDIES, Committed, committed
from benchmarks.markdown import markdown

OUT = RESULTS / "benchmarks"
MARGIN = 0.01
"""Of test accuracy: that of the article's own "practically the same"."""
DESIGNS = {
    name: Looks(tuple(map(int, name.split(", "))), margin=MARGIN) for name in ("6, 10", "6, 8, 10", "6, 10, 16, 24, 40")
}

HEAD = """# The article's conclusions, had seeds been added look by look

`python -m benchmarks.replay --write`: the committed runs ({seeds} seeds a level) looked at again in the order of their
seeds. **{seeds} seeds** is the verdict of a design with all of them from the start; beside it what designs with looks
come to, each with an error of 5 % over all its looks for each claim, and the number of seeds at which they do. A look
at which so few seeds could decide nothing is none: its share of the error is the next one's. Of looks beyond {seeds}
seeds there are no runs: what is not settled until then is **open**.

{summary}

{table}

## Levels

How many levels are told from the baseline in {metric}, or found to lie within {margin:g} of it (**alike**), and what
that costs: **runs** are those of all levels and the baseline, each up to the look that settles it and every claim that
still needs it (`ablate.analyse.claims_along` says by which rule). What is open has all {seeds} seeds.

{levels}
"""


@dataclass(frozen=True)
class Settled:
    """What came of a claim."""

    outcome: Outcome
    seeds: int
    """Those of the look that settled it, or all that there are."""
    is_open: bool
    """Whether looks are left for which there are no runs."""

    def __str__(self) -> str:
        return f"open after {self.seeds}" if self.is_open else f"{self.outcome} at {self.seeds}"


def settle(study: Committed, looks: Looks) -> list[Settled]:
    """What came of each claim of a study, look after look, as far as its runs go."""
    paths = [path_of(study, claim, looks) for claim in study.claims]
    return [Settled(path.verdict.outcome, max(path.counts), not path.is_settled) for path in paths]


def path_of(study: Committed, claim: Claim, looks: Looks) -> ClaimPath:
    """How far a claim gets."""
    return claim_path(study.runs, claim, study.declared, looks, by=study.metric.name)


def levels_of(study: Committed, looks: Looks) -> tuple[int, int, int]:
    """How many levels are told, and how many alike, and the runs of the study."""
    _, path = counted_runs(study.runs, metric=study.metric, looks=looks, declared=study.declared)
    levels = study.runs.drop_duplicates("order").sort_values("order")
    counts = dict(zip(levels.loc[~levels["is_baseline"], "order"], path.counts, strict=True))
    counts[levels.loc[levels["is_baseline"], "order"].iloc[0]] = max(counts.values())
    for claim in study.claims:
        found = path_of(study, claim, looks)
        for order, seeds in zip(found.levels, found.counts, strict=True):
            counts[order] = max(counts[order], seeds)
    return path.settled.count("told"), path.settled.count("within"), sum(counts.values())


def tables(studies: list[Committed]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row per claim, and one per study."""
    claims, levels = [], []
    for study in studies:
        by_design = {name: settle(study, looks) for name, looks in DESIGNS.items()}
        for place, claim in enumerate(study.claims):
            row = {
                "study": study.name,
                "claim": claim.text,
                "all seeds": judge(study.runs, claim, study.declared).outcome,
            }
            claims.append(row | {f"looks at {name}": str(found[place]) for name, found in by_design.items()})
        standings = [entry.standing for entry in compare(study.runs, metric=study.metric, declared=study.declared)]
        row = {"study": study.name, "levels": len(standings), "told": len(standings) - standings.count("undecided")}
        row["runs"] = len(study.runs)
        for name, looks in DESIGNS.items():
            told, alike, runs = levels_of(study, looks)
            row |= {f"told, {name}": told, f"alike, {name}": alike, f"runs, {name}": runs}
        levels.append(row)
    total = pd.DataFrame(levels).drop(columns="study").sum()
    return pd.DataFrame(claims), pd.DataFrame([*levels, {"study": "together", **total}])


def summary(claims: pd.DataFrame, levels: pd.DataFrame) -> str:
    """What each design decides and costs, in sentences."""
    whole = claims["all seeds"]
    decided, runs = whole != "undecided", levels["runs"].iloc[-1]
    lines = [f"- All seeds from the start decide {decided.sum()} of {len(claims)} conclusions, with {runs} runs."]
    for name in DESIGNS:
        words = claims[f"looks at {name}"].str.split(" at ")
        outcome, seeds = words.str[0], words.str[1]
        settled = outcome.isin(("supported", "refuted"))
        counts = seeds[settled].astype(int).value_counts().sort_index()
        at = ", ".join(f"{count} with {n} seeds" for n, count in counts.items())
        other = int((settled & (outcome != whole)).sum())
        lines.append(
            f"- Looks at {name} seeds decide {settled.sum()} ({at}), with {levels[f'runs, {name}'].iloc[-1]} of these "
            f"{runs} runs; {other or 'none'} of them otherwise."
        )
    return "\n".join(lines)


def main() -> None:
    """Print the tables; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write results/benchmarks/replay.{md,csv}")
    given = parser.parse_args()
    studies = [committed(name) for name in STUDIES]
    claims, levels = tables(studies)
    seeds = max(study.runs["seed"].nunique() for study in studies)
    text = HEAD.format(
        seeds=seeds,
        summary=summary(claims, levels),
        table=markdown(claims.rename(columns={"all seeds": f"{seeds} seeds"})),
        levels=markdown(levels),
        metric=studies[0].metric.title,
        margin=MARGIN,
    )
    print(text)
    if given.write:
        (OUT / "replay.md").write_text(text, encoding="utf-8")
        claims.to_csv(OUT / "replay.csv", index=False, lineterminator="\n")
        levels.to_csv(OUT / "replay_levels.csv", index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
