"""The stages know only what design says they may: imports flow one way, and only training brings PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ablate"

STUDIES = {"task", "plan", "store", "execute", "analyse", "report"}
"""The way of the data, which knows tasks through the seam alone."""

MAY_IMPORT = {
    # The seam
    "task": set(),
    # Tasks
    "images": {"task"},
    "function": {"task"},
    "program": {"task"},
    "hydra_app": {"task", "program"},  # its runs are processes, started and read as those of a program
    # The way of the data
    "plan": {"task"},
    "store": {"task"},
    "execute": {"task", "plan", "store"},
    "analyse": {"task"},
    "report": {"task", "plan", "analyse"},
    "judge": {"task"},  # makes records of a table; ablate.commands.judge has them analysed and reported
    "commands": {*STUDIES, "judge", "hydra_app", "images"},
    "notebook": {*STUDIES, "commands"},
    "search": {*STUDIES, "commands"},
    "cli": {*STUDIES, "commands", "search"},
    "__main__": {"cli"},
    "__init__": {"notebook"},
}
"""Stage (a package or module of ablate) to those that it may import."""

ONLY_IN = {
    # Commands about the built-in task itself; all others know it as any task.
    ("commands", "images"): {"commands/data.py", "commands/model.py", "commands/predict.py", "commands/diagnose.py"},
    # hydra/sweeper=ablate gives each run the folder that the application's own sweep would have given it.
    ("commands", "hydra_app"): {"commands/multirun.py"},
}
"""Where a stage needs another in some of its modules only: which, and why."""

HYDRA = {"plan", "commands", "hydra_app"}
"""Stages that compose configurations; runs, records and what is made of them know nothing of it."""

TORCH = {"images/networks", "images/data", "images/engine", "images/diagnose", "commands/model.py"}


def stage_of(module):
    return module.split(".")[1] if module.count(".") else module


def imports(file):
    """Every module that a file imports, at the top or in a function, but for type checking alone."""
    tree = ast.parse(file.read_text())
    checking = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    for node in ast.walk(tree):
        if id(node) in checking:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module
            if node.module == "ablate":
                yield from (f"ablate.{alias.name}" for alias in node.names)


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_stage_imports_only_what_comes_before_it(file):
    place = file.relative_to(PACKAGE)
    stage = place.parts[0].removesuffix(".py")
    for module in imports(file):
        if module.startswith("ablate.") and module not in ("ablate.__version__", "ablate.load"):
            other = stage_of(module)
            allowed = other == stage or other in MAY_IMPORT[stage]
            allowed = allowed and str(place) in ONLY_IN.get((stage, other), {str(place)})
            assert allowed, f"{place} imports {module}"
        if module.split(".")[0] in ("torch", "torchvision"):
            assert "/".join(place.parts[:2]) in TORCH, f"{place} imports {module}"
        if module.split(".")[0] in ("hydra", "omegaconf"):
            assert stage in HYDRA, f"{place} imports {module}"


def test_every_stage_is_covered():
    there = {
        entry.name.removesuffix(".py")
        for entry in PACKAGE.iterdir()
        if entry.suffix == ".py" or (entry.is_dir() and any(entry.rglob("*.py")))
    }
    assert there == set(MAY_IMPORT)
    assert len(FILES) > 200


def test_every_exception_is_needed():
    found = {(str(file.relative_to(PACKAGE)), stage_of(module)) for file in FILES for module in imports(file)}
    needless = {(file, other) for (_, other), files in ONLY_IN.items() for file in files} - found
    assert not needless


def test_what_is_allowed_leads_nowhere_back():
    order = {stage: set(before) for stage, before in MAY_IMPORT.items()}
    while order:
        free = {stage for stage, before in order.items() if not before & set(order)}
        assert free, order
        order = {stage: before for stage, before in order.items() if stage not in free}


@pytest.mark.parametrize(
    "modules",
    [
        "ablate.cli, ablate.commands.studies, ablate.commands.plan, ablate.commands.runs, ablate.commands.run",
        "ablate.execute, ablate.execute.execute, ablate.store, ablate.store.frames, ablate.images.data",
        "ablate.analyse, ablate.report, ablate.report.write, ablate.report.page, ablate.report.terminal",
    ],
)
def test_nothing_but_training_brings_torch(modules):
    code = f"import {modules}, sys; print(sorted({{'torch', 'torchvision'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
