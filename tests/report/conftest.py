"""Synthetic studies that look like the article's: drawn from seeded generators, with lost runs among them."""

import hashlib
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ablate.images import metrics as images
from ablate.report import FactorView, LevelView, StudyView, write_report
from ablate.task.claim import Claim

BROWSER = shutil.which("chromium")
collect_ignore = [] if BROWSER else ["test_accessibility.py", "test_browser.py"]

BASELINE = {
    "optimizer.lr": 0.9,
    "train.batch_size": 256,
    "model.activation": "sigmoid",
    "model.pooling": "avg",
    "model.kernel_size": 5,
    "train.epochs": 10,
}
PUBLISHED = {
    "optimizer.lr": {
        0.9: (0.469, 0.821, 0.809),
        1.0: (0.459, 0.827, 0.828),
        1.1: (0.444, 0.835, 0.766),
        1.2: (0.425, 0.843, 0.83),
        1.3: (0.411, 0.847, 0.825),
        1.4: (0.423, 0.842, 0.831),
        1.5: (0.438, 0.835, 0.772),
        1.6: (0.446, 0.822, 0.764),
        1.7: (0.461, 0.81, 0.758),
    },
    "train.batch_size": {
        2: (0.54, 0.811, 0.82),
        4: (0.316, 0.882, 0.862),
        8: (0.27, 0.898, 0.887),
        16: (0.269, 0.9, 0.888),
        32: (0.306, 0.885, 0.861),
        64: (0.329, 0.878, 0.869),
        128: (0.376, 0.861, 0.856),
        256: (0.469, 0.821, 0.809),
        512: (0.599, 0.767, 0.737),
        1024: (0.916, 0.637, 0.618),
    },
    "model.activation": {"sigmoid": (0.469, 0.821, 0.809), "relu": (0.28, 0.894, 0.884)},
    "model.pooling": {"avg": (0.469, 0.821, 0.809), "max": (0.429, 0.841, 0.811)},
    "model.kernel_size": {3: (0.486, 0.818, 0.792), 4: (0.47, 0.823, 0.782), 5: (0.469, 0.821, 0.809)},
    "train.epochs": {10: (0.469, 0.821, 0.809), 50: (math.nan, math.nan, 0.89), 100: (math.nan,) * 3},
}
LABELS = {"optimizer.lr": "learning rate", "train.batch_size": "batch size"}
UNITS = {"train.batch_size": "images", "model.kernel_size": "pixels"}
METRICS = ("train_loss", "train_acc", "test_acc")
ALL_METRICS = tuple(images.METRICS)


@dataclass(frozen=True)
class Synthetic:
    """A study with its frames."""

    view: StudyView
    runs: pd.DataFrame
    curves: pd.DataFrame
    records: tuple[pd.DataFrame, pd.DataFrame]


def article(
    factors: Sequence[str] = ("optimizer.lr",),
    seeds: int = 10,
    statuses: Mapping[tuple[str, Any, int], str] | None = None,
    *,
    published: bool = True,
    name: str = "study",
    **view: Any,
) -> Synthetic:
    """A study whose level means are the article's, with a spread like the measured one."""
    points, epochs = [], {}
    for factor in factors:
        for order, (level, means) in enumerate(PUBLISHED[factor].items()):
            for seed in range(seeds):
                baseline = level == BASELINE[factor]
                setting = "baseline" if baseline else f"{factor}={level}"
                digest = hashlib.sha256(f"{setting}/{seed}".encode()).hexdigest()
                status = (statuses or {}).get((factor, level, seed), "complete")
                count = level if factor == "train.epochs" else 10
                curve = [] if status == "missing" else _curve(digest, seed, means, count, status)
                epochs |= {digest: curve}
                last = curve[-1] if curve and status == "complete" else {}
                points.append(
                    {
                        "study": name,
                        "factor": factor,
                        "level": level,
                        "label": str(level),
                        "order": order,
                        "is_baseline": baseline,
                        "seed": seed,
                        "digest": digest,
                        "status": status,
                        "steps": len(curve),
                        "last_step": len(curve),
                        **{m: last.get(m, math.nan) for m in ALL_METRICS},
                        "seconds": sum(e["seconds"] for e in curve),
                        "engine": 1,
                        "config.seed": seed,
                    }
                )
    runs = pd.DataFrame(points)
    columns = ["digest", "step", *ALL_METRICS, "seconds"]
    curves = pd.DataFrame([row for rows in epochs.values() for row in rows], columns=columns)
    return Synthetic(
        view=StudyView(
            name=name,
            factors=tuple(_factor(f, published) for f in factors),
            **{
                "question": "Which learning rate suits plain SGD on LeNet?",
                "baseline": BASELINE,
                "metrics": tuple(images.METRICS[name] for name in METRICS),
                "command": f"ablate sweep {name}",
                "estimate": 5400.0,
            }
            | view,
        ),
        runs=runs,
        curves=curves,
        records=(_records(runs), curves),
    )


def _factor(path: str, published: bool) -> FactorView:
    levels = PUBLISHED[path]
    table = pd.DataFrame([{"label": str(k), **dict(zip(METRICS, v, strict=True))} for k, v in levels.items()])
    return FactorView(
        path=path,
        levels=tuple(LevelView(k, str(k)) for k in levels),
        label=LABELS.get(path, ""),
        ordered=not isinstance(next(iter(levels)), str),
        unit=UNITS.get(path, ""),
        published=table if published else None,
        source="the article, Table 3" if published else "",
        repeats=10 if published else None,
    )


def _curve(digest: str, seed: int, means: tuple[float, ...], count: int, status: str) -> list[dict[str, Any]]:
    """Exponential approach to the level's mean, after one epoch on the plateau of chance."""
    rng = np.random.default_rng(int(digest[:12], 16))
    loss, train, test = np.where(np.isnan(means), (0.2, 0.92, 0.89), means)
    common = np.random.default_rng(seed).normal()
    loss, train, test = loss + 0.006 * common, train + 0.003 * common, test + 0.015 * common + 0.01 * rng.normal()
    rows = []
    for epoch in range(1, count + 1):
        left = math.exp(-(epoch - 1) / 2.2) * (1 - (epoch - 1) / max(count, 2) * 0.05)
        left = left if epoch < count else 0.0
        wobble = rng.normal(size=2) if epoch < count else (0.0, 0.0)
        rows.append(
            {
                "digest": digest,
                "step": epoch,
                "train_loss": loss + (2.3 - loss) * left,
                "train_acc": train + (0.1 - train) * left + 0.002 * wobble[0],
                "val_loss": math.nan,
                "val_acc": math.nan,
                "test_loss": math.nan,
                "test_acc": test + (0.1 - test) * left + 0.015 * wobble[1],
                "seconds": 3.5 + 0.2 * rng.random(),
            }
        )
    if status == "diverged":
        rows = rows[:4]
        rows[-1] |= {"train_loss": math.inf, "train_acc": 0.1, "test_acc": 0.1}
    return [] if status == "failed" else rows


def _records(runs: pd.DataFrame) -> pd.DataFrame:
    unique = runs[runs["status"] != "missing"].drop_duplicates("digest")
    frame = unique.drop(columns=["study", "factor", "level", "label", "order", "is_baseline"])
    failed = frame["status"] == "failed"
    return frame.assign(
        error=np.where(
            failed,
            'Traceback (most recent call last):\n  File "engine.py", line 12, in step\n'
            "RuntimeError: <injected> & fault",
            None,
        ),
        **{
            "provenance.commit": "0123456789abcdef0123456789abcdef01234567",
            "provenance.dirty": False,
            "provenance.cpu": "Example CPU @ 2.5 GHz",
            "provenance.threads": 1,
            "provenance.torch": "2.14.1",
            "provenance.started": "2026-01-05T10:00:00Z",
            "provenance.ended": "2026-01-05T10:01:00Z",
        },
    )


@pytest.fixture
def make_study() -> Callable[..., Synthetic]:
    return article


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not BROWSER:
        terminalreporter.write_line(
            "tests/report/test_browser.py and test_accessibility.py were not run: there is no chromium here"
        )


NASTY = '</script><script>alert(1)</script> _x_ & 50% $y$ {z} #1 "q" \u2028[/red] --> \x1b[31m\x00\u202e'


def nasty() -> Synthetic:
    """A study in which everything that a user can name is hostile, with lost runs and claims."""
    study = article(
        ["model.kernel_size", "model.activation"],
        seeds=6,
        statuses={
            ("model.kernel_size", 3, 0): "diverged",
            ("model.kernel_size", 4, 1): "failed",
            ("model.activation", "relu", 2): "missing",
        },
        name="nasty",
        question=NASTY,
        command=NASTY,
    )
    kernel, activation = study.view.factors
    levels = tuple(replace(v, label=NASTY) if v.value == "relu" else v for v in activation.levels)
    activation = replace(activation, label=NASTY, levels=levels, source=NASTY, unit="<i>", published=None)
    claims = (
        Claim("a", f"Bigger is better {NASTY}", "monotone", kernel.path, "test_acc", levels=(3, 4, 5)),
        Claim("b", "ReLU is better", "better", activation.path, "test_acc", levels=(NASTY, "sigmoid")),
    )
    runs = study.runs.assign(label=study.runs["label"].replace("relu", NASTY))
    records = study.records[0]
    records = records.assign(error=records["error"].str.replace("fault", NASTY), **{"provenance.host": NASTY})
    view = replace(study.view, factors=(kernel, activation), claims=claims, baseline={"x.y": NASTY})
    return Synthetic(view, runs, study.curves, (records, study.curves))


@pytest.fixture(scope="session")
def nasty_study() -> Synthetic:
    return nasty()


@pytest.fixture(scope="session")
def nasty_report(nasty_study: Synthetic, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    out = tmp_path_factory.mktemp("results") / "nasty"
    return out, write_report(nasty_study.view, nasty_study.runs, nasty_study.curves, out, records=nasty_study.records)
