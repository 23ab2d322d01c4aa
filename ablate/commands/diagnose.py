"""``ablate diagnose``: why a run's network errs, as a page with figures and as numbers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ablate.commands.answers import print_json, said_aside
from ablate.images.kept_weights import KeptWeights, find_weights
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric
from ablate.task.printable import printable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ablate.images.diagnose.diagnosis import Diagnosis
    from ablate.images.diagnose.levels import Sides
    from ablate.report.drawings import Drawing

SEEDS_SHOWN = 3
"""Seeds of each level that are shown side by side."""
AFFECTED = 0.5
"""Rank correlation with the trained network's maps above which maps without any learned weights are said to be no
evidence."""
TWO_SIDED = 1.959964
"""Standard errors of a 95 % interval of a mean over many pictures."""
OF_RANK = Metric("rank", "max", "rank correlation", low=-1.0, high=1.0)
OF_OVERLAP = Metric("overlap", "max", "overlap of the top 10 %", "fraction", 0.0, 1.0)


@dataclass(frozen=True)
class Wanted:
    """What is asked for beside the run."""

    files: tuple[Path, ...] = ()
    """Pictures to look at in place of the worst errors."""
    against: str | None = None
    """Beginning of the digest of a run of another level."""
    methods: tuple[str, ...] = ()
    """Methods that make maps; none: all that the network has."""
    layer: str | None = None
    """The layer that Grad-CAM looks at."""
    pictures: int = 6
    root: str | None = None
    """Where the data lies now."""


def diagnose_command(run: str, wanted: Wanted, results: Path, *, as_json: bool) -> None:
    """Look at a run's network; write a page and print what was found.

    Args:
        run: The beginning of its digest.
        wanted: What to look at.
        results: Folder of results.
        as_json: All numbers on standard output, all else on standard error.

    Raises:
        ConfigError: Weights were not kept, files are no pictures, a network has no such maps, data is not there.
    """
    with said_aside(as_json):
        numbers, files = _written(run, wanted, results)
    if as_json:
        print_json(numbers)
        return
    from ablate.report.console import add_column, add_row, output, table

    made = table(f"run {numbers['run'][:10]}: {numbers['samples']} {numbers['part']} pictures")
    add_column(made, "class", left=True)
    for heading in ("pictures", "precision", "recall", "F1", "most taken for"):
        add_column(made, heading, left=heading.startswith("most"))
    for row in _class_rows(numbers):
        add_row(made, row["name"], row["support"], row["precision"], row["recall"], row["f1"], row["most"])
    output().print(made)
    for sentence in numbers["sentences"]:
        print(printable(sentence))
    print(files[-1])


def _written(run: str, wanted: Wanted, results: Path) -> tuple[dict[str, Any], list[Path]]:
    from ablate.commands.predict import read_pictures

    kept = find_weights(results, run)
    other = None if wanted.against is None else find_weights(results, wanted.against)
    own = read_pictures(kept, wanted.files) if wanted.files else None
    from ablate.images.diagnose.diagnosis import diagnose, evaluated, looked_at, methods_of, with_root
    from ablate.images.engine.predict import Predictor
    from ablate.report.diagnosis import folder_of, write_diagnosis
    from ablate.report.diagnosis_figures import confusion_drawing, randomised_drawing, reliability_drawing
    from ablate.report.figure_style import styled

    kept = with_root(kept, wanted.root)
    found = evaluated(kept.run)
    diagnosis = diagnose(kept, wanted.methods, wanted.layer, wanted.pictures, found)
    sides = None if other is None else _sides(results, kept, with_root(other, wanted.root), wanted, found)
    numbers = _numbers(kept, diagnosis, sides)
    numbers["sentences"] = _sentences(numbers)
    measured = diagnosis.calibration
    shown, title = diagnosis.worst, "The errors of which it was surest"
    if own is not None:
        predictor = Predictor(kept)
        methods, _ = methods_of(predictor, own, wanted.methods)
        shown, title = looked_at(predictor, own, None, methods, wanted.layer), "Where it looks"
    with styled():
        drawings: list[Drawing] = [
            confusion_drawing(diagnosis.confusion, kept.classes),
            reliability_drawing(measured.count, measured.confidence, measured.accuracy, measured.ece),
        ]
        if len(shown.predicted):
            drawings.append(_pictures(kept, shown, wanted.files, title))
        if sides is not None:
            drawings.append(_levels(kept, sides))
        if diagnosis.randomised:
            drawings.append(randomised_drawing(diagnosis.randomised))
    files = write_diagnosis(
        folder_of(results, kept.file.stem),
        numbers,
        drawings,
        title=f"{kept.run.model.name} on {kept.run.data.name}, seed {kept.run.seed}",
        facts=[
            f"run {kept.file.stem[:12]}",
            f"after epoch {kept.epoch}",
            f"{diagnosis.samples} {diagnosis.part} pictures",
            f"accuracy {diagnosis.accuracy:.4f}",
        ],
        sentences=numbers["sentences"],
        classes=_class_rows(numbers),
    )
    return numbers, files


def _sides(
    results: Path,
    kept: KeptWeights,
    other: KeptWeights,
    wanted: Wanted,
    found: "tuple[str, NDArray[np.uint8], NDArray[np.int64]]",
) -> "Sides":
    """The first pictures of the part, which no network has chosen, and not errors of one of them."""
    from ablate.images.diagnose.levels import side_by_side

    if len(wanted.methods) > 1:
        raise ConfigError("against: levels are laid side by side by one method; name one")
    method = wanted.methods[0] if wanted.methods else "grad_cam"
    _, pictures, labels = found
    count = max(wanted.pictures, 2) * 8
    return side_by_side(results, kept, other, method, wanted.layer, pictures[:count], labels[:count])


def _numbers(kept: KeptWeights, diagnosis: "Diagnosis", sides: "Sides | None") -> dict[str, Any]:
    scores, measured = diagnosis.scores, diagnosis.calibration
    numbers: dict[str, Any] = {
        "run": kept.file.stem,
        "part": diagnosis.part,
        "samples": diagnosis.samples,
        "accuracy": diagnosis.accuracy,
        "classes": [
            {
                "name": name,
                "support": int(scores.support[i]),
                "precision": _known(scores.precision[i]),
                "recall": _known(scores.recall[i]),
                "f1": _known(scores.f1[i]),
            }
            for i, name in enumerate(kept.classes)
        ],
        "confusion": diagnosis.confusion.tolist(),
        "calibration": {
            "ece": measured.ece,
            "mce": measured.mce,
            "excess": measured.excess,
            "excess_low": _known(measured.excess - measured.excess_error * TWO_SIDED),
            "excess_high": _known(measured.excess + measured.excess_error * TWO_SIDED),
            "count": measured.count.tolist(),
            "confidence": [_known(value) for value in measured.confidence],
            "accuracy": [_known(value) for value in measured.accuracy],
        },
        "worst": [
            {"class": kept.classes[label], "taken_for": kept.classes[taken], "probability": float(share)}
            for label, taken, share in zip(
                diagnosis.worst.labels if diagnosis.worst.labels is not None else (),
                diagnosis.worst.predicted,
                diagnosis.worst.shares,
                strict=True,
            )
        ],
        "no_maps": dict(diagnosis.left_out),
        "randomised": {
            method: [{"layer": name, "rank_correlation": _known(value)} for name, value in layers]
            for method, layers in diagnosis.randomised.items()
        },
    }
    if sides is not None:
        numbers["levels"] = _level_numbers(sides)
    return numbers


def _level_numbers(sides: "Sides") -> dict[str, Any]:
    from ablate.images.diagnose.levels import describe

    return {
        "names": list(describe(sides.differs)),
        "method": sides.method,
        "seeds": list(sides.seeds),
        "pictures": len(sides.labels),
        "silent": list(sides.silent),
        **{
            metric.name: {
                "between": _with_interval(metric, getattr(sides.between, metric.name)),
                "within": [_with_interval(metric, getattr(side, metric.name)) for side in sides.within],
            }
            for metric in (OF_RANK, OF_OVERLAP)
        },
    }


def _with_interval(metric: Metric, values: "NDArray[np.float64]") -> dict[str, Any]:
    """A mean over seeds with its 95 % interval (Student's t)."""
    import numpy as np

    from ablate.analyse.mean_interval import interval_of

    known = values[np.isfinite(values)]
    if not len(known):
        return {"mean": None, "low": None, "high": None, "seeds": 0}
    low, high = interval_of(metric, known[None])
    return {"mean": float(known.mean()), "low": _known(low[0]), "high": _known(high[0]), "seeds": len(known)}


def _sentences(numbers: Mapping[str, Any]) -> list[str]:
    """What a person would say of the numbers."""
    classes, counts = numbers["classes"], numbers["confusion"]
    wrong = sum(count for i, row in enumerate(counts) for j, count in enumerate(row) if i != j)
    found = [f"{wrong} of {numbers['samples']} {numbers['part']} pictures are taken for another class."]
    pairs = sorted(
        ((count, i, j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j and count), reverse=True
    )
    if pairs:
        count, i, j = pairs[0]
        found.append(
            f"Most often {classes[i]['name']} is taken for {classes[j]['name']} ({count} times, {count / wrong:.0%} of "
            "all errors)."
        )
    measured = numbers["calibration"]
    excess, low, high = (measured[name] for name in ("excess", "excess_low", "excess_high"))
    side = "is surer than it is right" if low is not None and low > 0 else "is right more often than it says"
    if low is None or low <= 0 <= high:
        side = "is not shown to be surer or less sure than it is right"
    interval = "" if low is None else f" [{low:+.3f}, {high:+.3f}]"
    found.append(
        f"It {side}: mean probability less accuracy {excess:+.3f}{interval}; expected calibration error "
        f"{measured['ece']:.3f}."
    )
    for method, layers in numbers["randomised"].items():
        last = layers[-1]["rank_correlation"]
        name = method.replace("_", "-")
        if last is not None and last > AFFECTED:
            found.append(
                f"{name} is no evidence here: without any learned weight its maps are much what they were (rank "
                f"correlation {last:.2f})."
            )
    if "levels" in numbers:
        found += _level_sentences(numbers["levels"])
    return found


def _level_sentences(levels: Mapping[str, Any]) -> list[str]:
    one, other = levels["names"]
    rank, overlap = levels["rank"], levels["overlap"]
    within = [side["mean"] for side in rank["within"] if side["mean"] is not None]
    found = [
        f"{levels['method'].replace('_', '-')} of {one} and of {other} in {levels['pictures']} pictures, "
        f"{len(levels['seeds'])} seeds: rank correlation {_spelt(rank['between'])}, overlap of the top 10 % "
        f"{_spelt(overlap['between'])} (at random 0.05)."
    ]
    found += [
        f"Seeds of {name} among themselves: rank correlation {_spelt(side)}, overlap {_spelt(top)}."
        for name, side, top in zip((one, other), rank["within"], overlap["within"], strict=True)
    ]
    if max(levels["silent"]) > 0:
        shares = " and ".join(f"{share:.0%}" for share in levels["silent"])
        found.append(f"Of their maps, {shares} are the same everywhere; they say nothing and are in no mean.")
    if within and rank["between"]["high"] is not None:
        least = min(within)
        if rank["between"]["high"] < least:
            found.append("The levels look at different places: they agree less than seeds of one level do.")
        else:
            found.append(
                "That they look at different places is not shown: so little may seeds of one level agree, too."
            )
    return found


def _spelt(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "not known"
    if value["low"] is None:
        return f"{value['mean']:.2f}"
    return f"{value['mean']:.2f} [{value['low']:.2f}, {value['high']:.2f}]"


def _class_rows(numbers: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for i, one in enumerate(numbers["classes"]):
        others = [(count, j) for j, count in enumerate(numbers["confusion"][i]) if j != i and count]
        count, taken = max(others, default=(0, i))
        spelt = {key: "\u2013" if one[key] is None else f"{one[key]:.3f}" for key in ("precision", "recall", "f1")}
        most = f"{numbers['classes'][taken]['name']} ({count})" if count else ""
        rows.append({"name": one["name"], "support": one["support"], **spelt, "most": most})
    return rows


def _pictures(kept: KeptWeights, shown: Any, files: Sequence[Path], title: str) -> "Drawing":
    from ablate.report.diagnosis_figures import pictures_drawing
    from ablate.report.figures import cut

    taken = [
        f"{cut(kept.classes[index], 16)} {share:.2f}"
        for index, share in zip(shown.predicted, shown.shares, strict=True)
    ]
    if shown.labels is None:
        texts = [f"{cut(file.name, 16)}:\n{text}" for file, text in zip(files, taken, strict=True)]
    else:
        texts = [
            f"{cut(kept.classes[label], 16)}\ntaken for\n{text}"
            for label, text in zip(shown.labels, taken, strict=True)
        ]
    return pictures_drawing(shown.pictures, texts, shown.maps, title=title)


def _levels(kept: KeptWeights, sides: "Sides") -> "Drawing":
    from ablate.images.diagnose.levels import describe
    from ablate.report.diagnosis_figures import levels_drawing

    rows, seeds = min(6, len(sides.labels)), sides.seeds[:SEEDS_SHOWN]
    texts = [kept.classes[label] for label in sides.labels[:rows]]
    maps = (sides.maps[0][: len(seeds), :rows], sides.maps[1][: len(seeds), :rows])
    return levels_drawing(sides.pictures[:rows], texts, maps, describe(sides.differs), seeds)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
