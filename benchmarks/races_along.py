"""Would studies that add seeds look by look save epochs by a race: a level that is behind early is stopped?

The seeds of each study of the article are resampled with replacement, as in :mod:`benchmarks.records_along`. At each
look the levels that are open are compared with the baseline after a share of their epochs already, by the same test
(:mod:`ablate.analyse.sequential`): one that is told to be worse there, by more than a lead, is taken to be worse at the
end, and trained no further. What that saves stands beside how often it is not what whole runs say.

    python -m benchmarks.races_along --write     # results/benchmarks/races_along.{csv,md}
"""

import argparse
import math
import tempfile
import textwrap
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablate.analyse.bootstrap import Floats
from ablate.analyse.panel import make_panel
from ablate.analyse.sequential import Looks, follow
from ablate.analyse.sequential import Path as Followed
from benchmarks.committed import RESULTS, STUDIES, committed
from benchmarks.errors import use_few_flips
from benchmarks.kept_rows import kept_rows
from benchmarks.markdown import markdown
from benchmarks.options import positive

OUT = RESULTS / "benchmarks"
LOOKS = Looks((6, 10, 16, 24, 40))
SHARES = (0.4, 0.8)
"""Of its epochs, after which a level may be stopped."""
LEADS = (0.0, 0.1)
"""By how much the baseline must lead at least, in test accuracy."""

HEAD = """# Races along epochs inside looks, on committed records

`python -m benchmarks.races_along --write`: the {metric} of the article's studies, resampled {resamples} times, looked
at after 6, 10, 16, 24 and 40 seeds. A level that is told from the baseline, and worse by more than **lead**, **after**
so much of its epochs is stopped there and taken to be worse at the end. **saved** is the share of all epochs that such
studies need without races; **changed** the share of levels whose verdict is another with the race (worse instead of
undecided or better); **wrong** the share of stopped levels whose mean at the end is not worse than the baseline's (of
the committed runs); **studies** the share of studies in which any verdict changes.

{finding}

{table}
"""


def measure(study: str, share: float, lead: float, resamples: int, seed: int = 0) -> dict[str, float]:
    """One row; see the head of the table.

    Args:
        study: its name.
        share: of a run's epochs after which it may be stopped.
        lead: of the baseline, at least.
        resamples: to draw.
        seed: of the draws, the same for every share and lead.
    """
    early, late, lengths, base_length = _differences(study, share)
    levels = len(lengths)
    truth, whole_epochs, epochs, changed, stopped, wrong, any_changed = late.mean(axis=1), 0.0, 0.0, 0, 0, 0, 0
    for columns, signs, whole in _whole(study, resamples, seed):
        race = _follow(early[:, columns] + lead, signs)
        behind = [
            race.settled[row] == "told" and early[row, columns[: race.counts[row]]].mean() + lead < 0
            for row in range(levels)
        ]
        is_stopped = np.array([behind[row] and race.look[row] <= whole.look[row] for row in range(levels)])
        verdicts = [_verdict(whole, late[row, columns], row) for row in range(levels)]
        differ = is_stopped & (np.array(verdicts) != "worse")
        own = np.array(whole.counts) * lengths
        before = np.array([LOOKS.at[look - 1] if look else 0 for look in race.look])
        cut = before * lengths + (np.array(race.counts) - before) * np.ceil(lengths * share)
        cost = np.where(is_stopped, cut, own)
        seeds = np.where(is_stopped, race.counts, whole.counts)
        whole_epochs += own.sum() + max(whole.counts) * base_length
        epochs += cost.sum() + seeds.max() * base_length
        changed, stopped = changed + int(differ.sum()), stopped + int(is_stopped.sum())
        wrong, any_changed = wrong + int((is_stopped & (truth >= 0)).sum()), any_changed + bool(differ.any())
    return {
        "levels": levels,
        "saved": 1 - epochs / whole_epochs,
        "epochs": whole_epochs / resamples,
        "stopped": stopped / resamples / levels,
        "changed": changed / resamples / levels,
        "wrong": wrong / stopped if stopped else math.nan,
        "studies": any_changed / resamples,
    }


@cache
def _whole(study: str, resamples: int, seed: int) -> list[tuple[Any, int, Followed]]:
    """Seeds that are drawn, the seed of sign vectors, and how a study without a race goes, of each resample."""
    _, late, _, _ = _differences(study, SHARES[0])
    generator, found = np.random.default_rng([seed, len(late)]), []
    for _ in range(resamples):
        columns, signs = generator.integers(late.shape[1], size=LOOKS.at[-1]), int(generator.integers(2**31))
        found.append((columns, signs, _follow(late[:, columns], signs)))
    return found


def _follow(differences: Floats, seed: int) -> Followed:
    there = np.ones(differences.shape, dtype=bool)
    return follow(len(differences), lambda _: (differences, there), LOOKS, seed)


def _verdict(path: Followed, differences: Floats, row: int) -> str:
    if path.settled[row] != "told":
        return "undecided"
    return "worse" if differences[: path.counts[row]].mean() < 0 else "better"


@cache
def _differences(study: str, share: float) -> tuple[Floats, Floats, Floats, int]:
    """Level minus baseline after a share of the epochs and at the end, [levels, seeds]; epochs of both."""
    found = committed(study)
    panel = make_panel(found.runs, found.metric, declared=found.declared)
    curves = pd.read_csv(RESULTS / study / "curves.csv").set_index(["digest", "epoch"])[found.metric.name]
    at = np.full((2, len(panel.levels), len(panel.seeds)), np.nan)
    epochs = np.zeros(len(panel.levels))
    rows = {level.order: row for row, level in enumerate(panel.levels)}
    for run in found.runs.itertuples():
        place, length = (rows[run.order], panel.seeds.index(run.seed)), int(run.last_step)
        at[0][place], at[1][place] = curves[run.digest, math.ceil(length * share)], curves[run.digest, length]
        epochs[place[0]] = length
    base = panel.baseline()
    others = [row for row in range(len(panel.levels)) if row != base]
    early, late = (part[others] - part[base] for part in at)
    return early, late, epochs[others], int(epochs[base])


def cells(resamples: int) -> list[dict[str, Any]]:
    """Share, lead and study of each row."""
    return [
        {"study": study, "share": share, "lead": lead, "resamples": resamples}
        for share in SHARES
        for lead in LEADS
        for study in STUDIES
    ]


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """All studies together, a row for each share and lead, and the study with most changes."""
    rows = []
    for (share, lead), part in frame.groupby(["share", "lead"], sort=False):
        stopped = part["stopped"] * part["levels"]
        worst = part.loc[part["studies"].idxmax()]
        rows.append(
            {
                "after": f"{100 * share:.0f} %",
                "lead": lead,
                "saved": float(np.average(part["saved"], weights=part["epochs"])),
                "stopped": float(np.average(part["stopped"], weights=part["levels"])),
                "changed": float(np.average(part["changed"], weights=part["levels"])),
                "wrong": float((part["wrong"].fillna(0) * stopped).sum() / stopped.sum())
                if stopped.sum()
                else math.nan,
                "studies": float(part["studies"].mean()),
                "most in": f"{worst['study']} ({worst['studies']:.2f})" if worst["studies"] else "\u2013",
            }
        )
    return pd.DataFrame(rows)


def finding(found: pd.DataFrame) -> str:
    """What races are worth, in sentences."""
    return textwrap.fill(_said(found), 120)


def _said(found: pd.DataFrame) -> str:
    harmless = found[found["studies"] <= 0.05]
    best = found.loc[found["saved"].idxmax()]
    text = (
        f"The race that saves most saves {best['saved']:.2f} of the epochs and changes verdicts in "
        f"{best['studies']:.2f} of the studies."
    )
    if harmless.empty:
        return f"{text} None changes verdicts in at most 5 % of the studies."
    kept = harmless.loc[harmless["saved"].idxmax()]
    return (
        f"{text} Of those that change verdicts in at most 5 % of the studies, the one that saves most (after "
        f"{kept['after']}, lead {kept['lead']:g}) saves {kept['saved']:.2f}."
    )


def main() -> None:
    """Print the table; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resamples", type=positive, default=25, help="of each study")
    parser.add_argument("--processes", type=positive, default=1)
    parser.add_argument("--write", action="store_true", help="write results/benchmarks/races_along.{csv,md}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        path = (OUT if given.write else Path(aside)) / "races_along.csv"
        frame = kept_rows(path, cells(given.resamples), measure, given.processes, use_few_flips)
    found = table(frame)
    text = HEAD.format(
        metric=committed(STUDIES[0]).metric.title,
        resamples=given.resamples,
        finding=finding(found),
        table=markdown(found),
    )
    print(text)
    if given.write:
        (OUT / "races_along.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
