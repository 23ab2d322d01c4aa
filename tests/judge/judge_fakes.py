"""A table in a file, read and arranged."""

from ablate.judge.design import arrange
from ablate.judge.metric_spec import parse_metric
from ablate.judge.request import JudgeRequest
from ablate.judge.runs import read_runs
from ablate.judge.table import read_table


def judged(folder, content, *, factors=("lr",), seed="seed", metrics=("acc:max",), name="runs.csv", **more):
    """The runs of a table."""
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    request = JudgeRequest(path, tuple(factors), seed, tuple(map(parse_metric, metrics)), **more)
    return read_runs(read_table(path), request)


def arranged(folder, content, *, baseline=(), design=None, **more):
    """The settings of a table."""
    return arrange(judged(folder, content, **more), baseline, design)


def csv(header, *rows):
    """Text of a table."""
    return "\n".join([header, *rows]) + "\n"
