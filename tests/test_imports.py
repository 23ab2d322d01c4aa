"""The stages know only what design says they may: imports flow one way, and only training brings PyTorch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "ablate"

MAY_IMPORT = {
    "task": set(),
    "plan": {"task", "images"},
    "images": {"task"},
    "function": {"task"},
    "program": {"task"},
    "store": {"task", "images"},
    "execute": {"task", "plan", "store"},
    "judge": {"task"},
    "analyse": {"task"},
    "report": {"task", "plan", "analyse", "images"},
}
"""Stage to the stages that it may import; what is missing here (cli, commands, ...) joins them."""

TORCH = {"images/networks", "images/data", "images/engine"}


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


FILES = sorted(
    file
    for stage in MAY_IMPORT
    for file in [*(PACKAGE / stage).rglob("*.py"), PACKAGE / f"{stage}.py"]
    if file.exists()
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_stage_imports_only_what_comes_before_it(file):
    place = file.relative_to(PACKAGE)
    stage = place.parts[0].removesuffix(".py")
    for module in imports(file):
        if module.startswith("ablate.") and module != "ablate.__version__":
            other = stage_of(module)
            allowed = other == stage or other in MAY_IMPORT[stage]
            assert allowed, f"{place} imports {module}"
        if module.split(".")[0] in ("torch", "torchvision"):
            assert "/".join(place.parts[:2]) in TORCH, f"{place} imports {module}"


def test_every_stage_is_covered():
    assert len(FILES) > 40
    assert {file.relative_to(PACKAGE).parts[0].removesuffix(".py") for file in FILES} == set(MAY_IMPORT)


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
