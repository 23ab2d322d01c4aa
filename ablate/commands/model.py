"""``ablate model``: the layers of a network of the built-in task."""

from collections.abc import Sequence

from ablate.images.config import ImageFolder
from ablate.images.run import RunConfig
from ablate.plan.compose import sources
from ablate.plan.plan import make_plan
from ablate.report.console import add_column, add_row, output, table
from ablate.task.errors import ConfigError


def print_model(arguments: Sequence[str]) -> None:
    """Print a network's layers with shapes, parameter counts and multiply-adds for one image.

    Args:
        arguments: Overrides.

    Raises:
        ConfigError: The configuration is bad.
    """
    import torch

    from ablate.images.networks import build
    from ablate.images.networks.table import layer_table

    run = make_plan(sources(arguments)).runs[0]
    if not isinstance(run, RunConfig):
        raise ConfigError(f"task {run.task}: has no networks of ours to print")
    channels = run.model.in_channels or (3 if isinstance(run.data, ImageFolder) else 1)
    whole = run.data.whole
    assert whole is not None  # a plan has looked
    with torch.device("meta"):
        network = build(run.model, channels, run.data.input_size, whole.classes)
    rows = layer_table(network, (channels, *run.data.input_size))
    made = table(f"{run.model.name} on {channels} x {run.data.input_size[0]} x {run.data.input_size[1]}")
    for heading in ("layer", "kind", "output", "parameters", "multiply-adds"):
        add_column(made, heading, left=heading in ("layer", "kind"))
    for row in rows:
        numbers = [f"{number:,}" if number else "" for number in (row.parameters, row.multiply_adds)]
        add_row(made, row.name, row.kind, " x ".join(map(str, row.shape)), *numbers)
    made.add_section()
    totals = (sum(row.parameters for row in rows), sum(row.multiply_adds for row in rows))
    add_row(made, "total", "", "", *(f"{total:,}" for total in totals))
    output().print(made)
