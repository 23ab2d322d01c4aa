"""Tables on the pages of programs and Hydra applications are what tasks take, and read what the pages say they read."""

import tomllib
from pathlib import Path

import pytest

from ablate.hydra_app.task import HydraTable
from ablate.program.curves import Curves
from ablate.program.lines import Lines
from ablate.program.task import ProgramTable
from ablate.task.declaration import parse_table

KINDS = {"program": ProgramTable, "hydra": HydraTable}


def tables(reader, page):
    for block in reader.blocks(page):
        if block.language == "toml":
            declared = tomllib.loads(block.text)
            for name, table in declared.get("tool", {}).get("ablate", declared)["tasks"].items():
                yield parse_table(KINDS[table["kind"]], name, table)


@pytest.mark.parametrize(("page", "number"), [("docs/program.md", 2), ("docs/hydra.md", 2)])
def test_every_table_is_one_that_a_task_takes(reader, page, number):
    assert len(list(tables(reader, page))) == number


def test_lines_of_the_mnist_example_are_read_as_the_page_says(reader):
    *_, mnist = tables(reader, "docs/program.md")
    curves = Curves(tuple(mnist.metrics))
    sources = [Lines(read, Path(), list(mnist.metrics), curves) for read in mnist.reads]
    for epoch, correct in ((1, 9847), (2, 9900)):
        for line in (
            f"Train Epoch: {epoch} [0/60000 (0%)]\tLoss: 2.300000",
            f"Train Epoch: {epoch} [640/60000 (1%)]\tLoss: 1.25",
            "",
            f"Test set: Average loss: 0.0490, Accuracy: {correct}/10000 (98%)",
        ):
            for source in sources:
                source.take(line.encode())
    assert [source.finish() for source in sources] == [[], []]
    assert [(m.step, m.values) for m in curves.measurements()] == [
        (1, {"train_loss": 1.25, "test_loss": 0.049, "test_acc": 0.9847}),
        (2, {"train_loss": 1.25, "test_loss": 0.049, "test_acc": 0.99}),
    ]
