"""What was measured on a device, as a page of tables that is written anew after every measurement."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.contenders import COPY, EAGER, PEAK, TEXTBOOK, TEXTBOOK_WORKERS, Contender
from benchmarks.gpu.cells import WATCHED, Cell, Measured
from benchmarks.gpu.study import TENTH, Part
from benchmarks.markdown import lines_of
from benchmarks.two_numbers import NEAR, Limits, Work, shares

HEADER = ("network", "batch", "precision", "loop", "models", "samples/s", "least to most", "x textbook", "x eager")
HEADER += ("of the matrix product", "of the bandwidth", "bound", "memory", "first steps", "waits")
EXPLANATION = (
    "samples/s: training samples times models a second, median of the repeats, one process. x textbook: to the faster "
    "textbook loop of the network; x eager: to the network's own eager loop in the same precision. Of the matrix "
    "product, of the bandwidth: operations and bytes of a training sample (below) times samples/s, as shares of what a "
    "large matrix product in that precision and a large copy reach on this device in this run; bound: the larger of "
    f"the two, or neither where both are below {NEAR:.0%}, and a step is bound by launches or by the host. Memory: "
    "most that was allocated, the data set included. First steps: seconds to build, and to compile or capture where "
    f"that is done. Waits: how often the host waited for the device within {WATCHED} steps. The textbook loop has "
    "torchvision's data set and a DataLoader; in memory: pictures lie on the device; torch.compile: on a GPU with CUDA "
    "graphs (`reduce-overhead`); vmap: PyTorch's model ensembling; grouped convolutions: the formulation of "
    "Horizontally Fused Training Arrays (arXiv 2102.02344). What a loop noted of itself stands beside this page."
)


@dataclass
class StudyFound:
    """What is known of the whole study."""

    parts: Sequence[Part] = ()
    speeds: dict[tuple[str, int, bool], float] = field(default_factory=dict)
    """Samples times members a second, by shape."""
    taken: dict[int, float] = field(default_factory=dict)
    """Seconds that a tenth of a part took, by its position."""
    failed: dict[str, str] = field(default_factory=dict)

    def seconds(self, part: Part) -> float | None:
        """A whole part's estimate."""
        speed = self.speeds.get(part.shape)
        return part.samples / speed if speed else None

    def tenth_seconds(self, part: Part) -> float | None:
        """That of its tenth."""
        speed = self.speeds.get(part.shape)
        return sum(run.samples for run in part.tenth) / speed if speed else None


@dataclass
class Found:
    """All that was found so far."""

    facts: dict[str, Any]
    cells: dict[Cell, Measured | str] = field(default_factory=dict)
    """A text: why it failed."""
    work: dict[tuple[str, str], Work] = field(default_factory=dict)
    """Of a training sample, by network and precision."""
    left_out: list[Cell] = field(default_factory=list)
    study: StudyFound = field(default_factory=StudyFound)

    def limits(self, precision: str) -> Limits | None:
        """What the device can do in a precision."""
        rates = {
            (cell.contender.loop, cell.contender.precision): found.rate
            for cell, found in self.cells.items()
            if isinstance(found, Measured)
        }
        product, copy = rates.get((PEAK, precision)), rates.get((COPY, "fp32"))
        return Limits(product, copy) if product and copy else None

    def rate(self, *loops: str, network: str, precision: str = "fp32") -> float | None:
        """That of the fastest of some loops that train one network."""
        rates = [
            found.rate
            for cell, found in self.cells.items()
            if isinstance(found, Measured)
            and cell.contender.loop in loops
            and (cell.contender.network, cell.contender.precision) == (network, precision)
        ]
        return max(rates, default=None)


def write(found: Found, out: Path) -> None:
    """Write the page, and beside it all figures as JSON.

    Args:
        found: What there is.
        out: The page.
    """
    figures = {
        "facts": found.facts,
        "cells": [
            asdict(cell.contender) | (asdict(m) if isinstance(m, Measured) else {"failure": m})
            for cell, m in found.cells.items()
        ],
        "work": [{"network": n, "precision": p} | asdict(work) for (n, p), work in found.work.items()],
        "left_out": [asdict(cell.contender) for cell in found.left_out],
        "study": [
            {
                "part": part.title,
                "samples": part.samples,
                "estimated_seconds": found.study.seconds(part),
                "tenth_estimated_seconds": found.study.tenth_seconds(part),
                "tenth_seconds": found.study.taken.get(k),
            }
            for k, part in enumerate(found.study.parts)
        ],
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, text in (
        (out, page(found)),
        (out.with_suffix(".json"), json.dumps(figures, indent=2, default=str) + "\n"),
    ):
        aside = path.with_name(f".{path.name}.aside")
        aside.write_text(text, encoding="utf-8")
        os.replace(aside, path)


def page(found: Found) -> str:
    """The page as Markdown."""
    facts = "; ".join(f"{name} {value}" for name, value in found.facts.items() if name not in ("device", "command"))
    trained = [cell for cell in found.cells if cell.contender.loop not in (PEAK, COPY)]
    blocks = [
        f"# Small networks on {found.facts['device']}",
        f"Made by `{found.facts['command']}`. {facts}.",
        "## Limits of the device",
        lines_of(("what", "measured"), _limits(found)),
        "## Ways to train",
        EXPLANATION,
        lines_of(HEADER, [_row(found, cell.contender, found.cells[cell]) for cell in trained]),
        "Of a training sample: " + "; ".join(_work(*key, work) for key, work in found.work.items()) + ".",
        "## The whole study",
        *_study(found.study),
        "## Left out for lack of time",
        "\n".join(f"- {_named(cell.contender)}" for cell in found.left_out) or "Nothing.",
    ]
    return "\n\n".join(blocks) + "\n"


def _limits(found: Found) -> list[tuple[str, str]]:
    rows = []
    for cell, measured in found.cells.items():
        loop, precision = cell.contender.loop, cell.contender.precision
        if loop in (PEAK, COPY):
            what, scale, unit = (f"{loop}, {precision}", 1e-12, "TFLOP/s") if loop == PEAK else (loop, 1e-9, "GB/s")
            rows.append(
                (
                    what,
                    f"{measured.rate * scale:,.2f} {unit}" if isinstance(measured, Measured) else f"failed: {measured}",
                )
            )
    return rows


def _row(found: Found, contender: Contender, measured: Measured | str) -> list[str]:
    network, precision = contender.network, contender.precision
    layout = [network, str(contender.batch), precision, contender.loop, str(contender.models)]
    if isinstance(measured, str):
        return [*layout, f"failed: {measured.replace('|', '/')}", *[""] * (len(HEADER) - len(layout) - 1)]
    textbook = found.rate(TEXTBOOK, TEXTBOOK_WORKERS, network=network)
    eager = found.rate(EAGER, network=network, precision=precision)
    work, limits = found.work.get((network, _counted(precision))), found.limits(precision)
    share = shares(measured.rate, work, limits) if work is not None and limits is not None else None
    return [
        *layout,
        f"{measured.rate:,.0f}",
        f"{min(measured.rates):,.0f} to {max(measured.rates):,.0f}",
        f"{measured.rate / textbook:.1f}" if textbook else "",
        f"{measured.rate / eager:.2f}" if eager else "",
        f"{share.flop:.1%}" if share else "",
        f"{share.bytes:.1%}" if share else "",
        share.bound if share else "",
        "" if measured.memory is None else f"{measured.memory / 2**30:.2f} GiB",
        f"{measured.first_seconds:.1f} s",
        "" if measured.waits is None else str(measured.waits),
    ]


def _counted(precision: str) -> str:
    return "bf16" if precision == "bf16" else "fp32"


def _work(network: str, precision: str, work: Work) -> str:
    return f"{network}, {precision}: {work.flop / 1e6:,.2f} MFLOP, {work.bytes / 1e6:,.2f} MB"


def _named(contender: Contender) -> str:
    models = f", {contender.models} models" if contender.models > 1 else ""
    return f"{contender.network}, batch {contender.batch}, {contender.precision}: {contender.loop}{models}"


def _study(study: StudyFound) -> list[str]:
    if not study.parts:
        return [study.failed.get("plan", "Not reached.")]
    estimates = [study.seconds(part) for part in study.parts]
    known = [seconds for seconds in estimates if seconds is not None]
    samples = sum(part.samples for part in study.parts)
    covered = sum(part.samples for part, s in zip(study.parts, estimates, strict=True) if s is not None)
    run = {k: part for k, part in enumerate(study.parts) if k in study.taken}
    expected = sum(study.tenth_seconds(part) or 0.0 for part in run.values())
    taken, trained = sum(study.taken.values()), sum(r.samples for part in run.values() for r in part.tenth)
    lines = [
        f"{len(study.parts)} cohorts, {samples:,} training samples, fp32, not compiled, on one device. By a probe of "
        f"each shape: {sum(known):,.0f} s for {covered / samples:.0%} of the samples"
        + ("." if covered == samples else "; the rest was not probed, and is in no figure."),
        f"A tenth of it (every run for 1/{TENTH} of its epochs, at least one): {len(run)} of {len(study.parts)} "
        f"cohorts were run, {trained:,} samples in {taken:,.1f} s"
        + (f", {taken / expected:.2f} times their estimate." if expected else ".")
        + ("" if len(run) == len(study.parts) else " The others were left out for lack of time, or failed."),
    ]
    rows: dict[tuple[str, float | None], list[int]] = {}
    for k, part in enumerate(study.parts):
        rows.setdefault((part.title, study.speeds.get(part.shape)), []).append(k)
    header = ("cohorts", "each", "samples/s by a probe", "whole, estimated", "a tenth, run", "their estimate")
    table = [_study_row(study, title, speed, ks) for (title, speed), ks in rows.items()]
    failures = [f"Failed: {what}: {why}." for what, why in study.failed.items()]
    return [*lines, lines_of(header, table), *failures]


def _study_row(study: StudyFound, title: str, speed: float | None, positions: Sequence[int]) -> list[str]:
    mine = [study.parts[k] for k in positions]
    run = [k for k in positions if k in study.taken]
    return [
        str(len(mine)),
        title,
        "not probed" if speed is None else f"{speed:,.0f}",
        "" if speed is None else f"{sum(part.samples for part in mine) / speed:,.1f} s",
        f"{len(run)} in {sum(study.taken[k] for k in run):,.1f} s" if run else "not run",
        f"{sum(study.tenth_seconds(study.parts[k]) or 0.0 for k in run):,.1f} s" if run else "",
    ]


def file_name(facts: Mapping[str, Any]) -> str:
    """The device as part of a file's name."""
    text = "".join(c if c.isalnum() else "-" for c in str(facts["device"]).lower())
    return "-".join(part for part in text.split("-") if part)
