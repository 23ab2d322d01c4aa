"""The command that measures on a GPU, on the CPU at a tiny size, as on a machine that lacks most of the libraries."""

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from ablate.images.config import FashionMNIST
from ablate.images.data import load
from benchmarks.contenders import COPY, EAGER, OURS_PLAIN, PEAK, TEXTBOOK, VMAP, Contender
from benchmarks.gpu import study
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.cells import FULL, SMALL, Cell, Measured, first_cells, further_cells
from benchmarks.gpu.process import AskedInVainError, DeviceProcess
from benchmarks.gpu.table import Found, page
from benchmarks.gpu.wheels import NEEDED, commands, requirements
from benchmarks.machine import flop_per_sample
from benchmarks.two_numbers import Limits, Work, count_work, shares

ROOT = Path(__file__).resolve().parents[2]
LACKING = """
import sys
from importlib.machinery import PathFinder

class Lacking:
    def find_spec(self, name, path=None, target=None):
        return None if name.partition(".")[0] in {names!r} else PathFinder.find_spec(name, path, target)

sys.meta_path[:] = [Lacking() if finder is PathFinder else finder for finder in sys.meta_path]
"""
IMPORTED = {"pillow": "PIL", "scikit-learn": "sklearn"}


@pytest.mark.slow
def test_a_run_without_most_libraries_and_without_data_leaves_a_whole_page(tmp_path):
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {re.split("[<>=]", line)[0] for line in stated} - {*NEEDED, "torch"}
    (tmp_path / "sitecustomize.py").write_text(LACKING.format(names={IMPORTED.get(n, n) for n in names}))
    words = ["--device", "cpu", "--sizes", "small", "--seconds", "600", "--patience", "200", "--repeats", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", *words, "--out", "page.md", "--data", "."],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text, figures = (tmp_path / "page.md").read_text(), json.loads((tmp_path / "page.json").read_text())
    assert "data noise of Fashion-MNIST's shape (data.root = " in text
    cells = {(cell["loop"], cell["models"], cell["precision"]): cell for cell in figures["cells"]}
    assert "torchvision" in cells[TEXTBOOK, 1, "fp32"]["failure"]  # a line, and no end of everything
    assert all(cells[key]["rates"][0] > 0 for key in cells if not key[0].startswith(TEXTBOOK))
    assert {(VMAP, 3, "fp32"), (OURS_PLAIN, 3, "bf16"), (PEAK, 1, "tf32"), (COPY, 1, "fp32")} <= set(cells)
    assert [part["tenth_seconds"] > 0 for part in figures["study"]] == [True, True]
    assert [part["samples"] for part in figures["study"]] == [5120, 5120]
    assert text.rstrip().endswith("Nothing.")


def test_what_the_time_does_not_reach_is_named_and_not_guessed(tmp_path):
    assert main(["--device", "cpu", "--sizes", "small", "--seconds", "0.1", "--out", str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text()
    for cell in first_cells(SMALL, on_gpu=False) + further_cells(SMALL, on_gpu=False):
        assert f"- lenet, batch 16, {cell.contender.precision}: {cell.contender.loop}" in text
    assert "samples/s by a probe" not in text or "not probed" in text


def test_a_device_that_is_not_there_is_said(capsys):
    if not torch.cuda.is_available():
        assert main(["--seconds", "1"]) == 1
        assert "cuda:0: " in capsys.readouterr().err


@pytest.mark.slow
def test_what_takes_too_long_or_ends_its_process_costs_only_itself():
    process, runs = DeviceProcess("cpu", None, 256), study.parts(SMALL.study)[0].runs
    process.start()
    os.kill(process._process.pid, signal.SIGKILL)
    with pytest.raises(AskedInVainError, match="exit code -9"):
        process.ask(study.probe, runs, 0.01, seconds=60)
    process.start()
    with pytest.raises(AskedInVainError, match="took longer than its 1 s"):
        process.ask(study.probe, runs, 60.0, seconds=0.1)
    assert process.ask(study.probe, runs, 0.01, seconds=120) > 0
    with pytest.raises(AskedInVainError, match="KeyError: 'none'"):
        process.ask(count_work, "none", 16, seconds=60)
    process.end(10.0)


def test_the_whole_of_what_is_asked_for_is_planned():
    cells = [cell.contender for cell in first_cells(FULL, on_gpu=True) + further_cells(FULL, on_gpu=True)]
    assert len(set(cells)) == len(cells)
    for network in FULL.networks:
        loops = {(c.loop.partition(",")[0], c.precision) for c in cells if c.network == network}
        assert {(loop, "fp32") for loop in ("in memory", "torch.func.vmap", "grouped convolutions", "ablate")} <= loops
        assert {("ablate", "tf32"), ("ablate", "bf16")} <= loops
        assert {1, 10, 50, 200} <= {c.models for c in cells if c.network == network and c.loop.startswith("ablate")}


def test_the_articles_study_and_its_tenth():
    parts = study.parts(FULL.study)
    assert sum(part.samples for part in parts) > 2.7e8
    share = sum(run.samples for part in parts for run in part.tenth) / sum(part.samples for part in parts)
    assert share == pytest.approx(0.1)
    assert all(run.train.compile == "off" for part in parts for run in part.runs)


def test_work_is_counted_as_by_hand():
    images = load(FashionMNIST(train_size=64), torch.device("cpu"))
    found = count_work(images, "lenet", 16)
    assert found.flop == flop_per_sample("lenet")
    first_maps = 6 * 28 * 28 * 4
    assert found.bytes > 10 * first_maps  # written, read by the activation, its output, the pooling, and back again
    assert count_work(images, "lenet", 32).bytes < found.bytes  # parameters are shared by more samples


def test_shares_say_what_bounds():
    limits = Limits(1e12, 1e11)
    assert shares(1e5, Work(5e6, 1e5), limits).bound == "operations"
    assert shares(1e5, Work(1e6, 9e5), limits).bound == "bytes"
    assert shares(1e3, Work(5e6, 1e5), limits).bound == "neither"


def test_rows_are_compared_with_the_loops_of_their_network_and_precision():
    def measured(rate):
        return Measured((rate, rate), 1.0, 2**30, None)

    found = Found({"device": "card", "command": "it"}, work={("lenet", "fp32"): Work(2e6, 1e5)})
    found.cells = {
        Cell(Contender(PEAK, 1)): measured(1e12),
        Cell(Contender(COPY, 1)): measured(1e10),
        Cell(Contender(TEXTBOOK, 16)): measured(100.0),
        Cell(Contender(EAGER, 16)): measured(1000.0),
        Cell(Contender(EAGER, 16, precision="bf16")): measured(2000.0),
        Cell(Contender(OURS_PLAIN, 16, 10)): measured(50_000.0),
        Cell(Contender(OURS_PLAIN, 16, 200)): "out of memory | really",
    }
    row = next(line for line in page(found).splitlines() if OURS_PLAIN in line and "| 10 |" in line)
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[5:14] == [
        "50,000",
        "50,000 to 50,000",
        "500.0",
        "50.00",
        "10.0%",
        "50.0%",
        "bytes",
        "1.00 GiB",
        "1.0 s",
    ]
    assert "| failed: out of memory / really |" in page(found)


def test_wheels_are_for_the_other_machine(tmp_path):
    named = {re.split("[<>=]", line)[0] for line in requirements()}
    assert named == set(NEEDED)
    _, download = commands(tmp_path, "3.13", ["manylinux_2_28_x86_64"])
    assert download[download.index("--python-version") + 1] == "3.13"
    assert not {"torch", "torchvision"} & named
