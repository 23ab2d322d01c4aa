"""How often do tables, claims and studies that add seeds err, and how often do they see what is there?

Studies whose truth is known are simulated and judged by :mod:`ablate.analyse` itself.

    python -m benchmarks.errors tables --write      # results/benchmarks/errors_tables.{csv,md}
    python -m benchmarks.errors claims --write      # results/benchmarks/errors_claims.{csv,md}
    python -m benchmarks.errors sequential --write  # results/benchmarks/errors_sequential.{csv,md}, ..._claims.csv

With ``--write`` every row is kept in the CSV file as it comes: what is there is not simulated again. Beyond 14 seeds
999 random sign vectors stand for the 19,999 of a real analysis, 499 for the 9,999 of a study that adds seeds: as valid,
less sharp, far faster.
"""

import argparse
import tempfile
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ablate.analyse import max_t, sign_flip
from ablate.analyse import sequential as looks
from benchmarks import errors_along, errors_of_claims, errors_of_claims_along, errors_of_tables
from benchmarks.kept_rows import kept_rows
from benchmarks.markdown import markdown
from benchmarks.options import positive

OUT = Path(__file__).parents[1] / "results" / "benchmarks"
FEWER_FLIPS, FEWER_VECTORS = 999, 499
WIDTH = 120
WHY = {
    "collapsing": "few runs far from the others, some of them the baseline's, which all levels share: the differences "
    "of several levels together are not symmetric, and joint sign flips are only nearly exact",
    "skewed": "each difference of two levels is symmetric, those of several together are not: joint sign flips are "
    "only nearly exact; or chance",
    "unequal shapes": "the means are equal, the shapes are not: a paired difference is not symmetric, and no test of "
    "means keeps its level with few runs",
}
"""By shape: why an error may be above its level; elsewhere noise is symmetric, and it may be so by chance alone."""


def use_few_flips() -> None:
    """Let fewer sign vectors stand for those of a real analysis."""
    for module in (max_t, sign_flip):
        module.FLIPS = FEWER_FLIPS  # type: ignore[attr-defined]
    looks.VECTORS = FEWER_VECTORS


PARTS: dict[str, tuple[Any, str, float]] = {
    "tables": (errors_of_tables, "false: max-T", 0.05),
    "claims": (errors_of_claims, "error", 0.025),
    "sequential": (errors_along, "false", 0.05),
}
"""Of each: the module that has its cells, the column of its error and the level of that."""


def finding(frame: pd.DataFrame, column: str, level: float | pd.Series, studies: int) -> str:
    """Where the error is above its level by more than two standard errors, and why, in sentences.

    Args:
        frame: rows of cells, with the column ``shape``.
        column: the error.
        level: what it should be at most; of each row, or of all.
        studies: a cell.
    """
    known = frame[column].notna()
    limit = level + 2 * np.sqrt(level * (1 - level) / studies)
    over = frame[known & (frame[column] > limit)]
    text = f"The error is above its level by more than two standard errors in {len(over)} of {known.sum()} rows"
    if over.empty:
        return f"{text}."
    lines = [textwrap.fill(f"{text} (of those with an error of just that level, one in 44 is, by chance):", WIDTH), ""]
    for shape, part in over.groupby("shape", sort=False):
        of = int((known & (frame["shape"] == shape)).sum())
        why = WHY.get(str(shape), "the noise is symmetric: chance")
        line = f"- `{shape}`, {len(part)} of {of} rows, {part[column].max():.3f} at most: {why}."
        lines.append(textwrap.fill(line, WIDTH, subsequent_indent="  "))
    return "\n".join(lines)


def run(part: str, studies: int, folder: Path, processes: int) -> str:
    """Simulate what the folder lacks; the table as Markdown."""
    module, column, level = PARTS[part]
    path = folder / f"errors_{part}.csv"
    cells: Sequence[Mapping[str, Any]] = module.cells(studies)
    measure: Callable[..., Mapping[str, Any]] = module.measure
    frame = kept_rows(path, cells, measure, processes, use_few_flips)
    levels = module.level_of(frame) if part == "claims" else level
    if part == "claims":
        frame["error"] = frame[["supported", "refuted"]].max(axis=1)
    head = module.HEAD.format(
        studies=studies,
        error=(level * (1 - level) / studies) ** 0.5,
        finding=finding(frame, column, levels, studies),
    )
    shown = module.shown(frame) if part == "claims" else frame.drop(columns="studies")
    text = head + "\n" + markdown(shown)
    return f"{text}\n\n{claims_along(studies, folder, processes)}" if part == "sequential" else text


def claims_along(studies: int, folder: Path, processes: int) -> str:
    """Simulate what the folder lacks of claims that are followed look by look; the table as Markdown."""
    module = errors_of_claims_along
    path = folder / "errors_sequential_claims.csv"
    frame = kept_rows(path, module.cells(studies), module.measure, processes, use_few_flips)
    null = frame[frame["means"] == "equal means"]
    is_one_sided = null["claim"].isin(errors_of_claims.LEVELS)
    errors = null.assign(error=null[["supported", "refuted"]].max(axis=1).where(~is_one_sided, null["supported"]))
    head = module.HEAD.format(
        studies=studies, finding=finding(errors, "error", errors_of_claims.level_of(errors), studies)
    )
    return head + "\n" + markdown(frame.drop(columns="studies"))


def main() -> None:
    """Print a table; see the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=tuple(PARTS))
    parser.add_argument("--studies", type=positive, default=2000, help="a cell")
    parser.add_argument("--processes", type=positive, default=1)
    parser.add_argument("--write", action="store_true", help="write results/benchmarks/errors_<part>.{csv,md}")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        text = run(given.part, given.studies, OUT if given.write else Path(aside), given.processes)
    print(text)
    if given.write:
        (OUT / f"errors_{given.part}.md").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
