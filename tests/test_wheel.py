"""A wheel carries what a checkout does: it works from an empty folder."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from ablate.commands.init import KINDS

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory):
    built, folder = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("unpacked")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = built.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_plan_from_an_empty_folder(unpacked, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    command = [sys.executable, "-m", "ablate", "plan", "lr", "--json"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert '"runs_distinct": 180' in done.stdout
    where = [sys.executable, "-c", "import ablate; print(ablate.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(unpacked)
    assert not list(tmp_path.iterdir())


def test_a_project_is_begun_from_it(unpacked, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(unpacked)}
    for kind, one in KINDS.items():
        command = [sys.executable, "-m", "ablate", "init", kind, str(tmp_path / kind)]
        subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
        ours = [p.relative_to(ROOT / "examples" / one.example) for p in tracked(f"examples/{one.example}")]
        assert sorted(p.relative_to(tmp_path / kind) for p in (tmp_path / kind).rglob("*") if p.is_file()) == ours


def tracked(folder):
    done = subprocess.run(["git", "ls-files", "-z", folder], cwd=ROOT, check=True, capture_output=True, text=True)
    return sorted(ROOT / name for name in done.stdout.split("\0") if name)


def test_every_file_that_is_no_code_is_in_it(unpacked):
    for folder in ("conf", "sweeps"):
        ours = {p.relative_to(ROOT / folder) for p in (ROOT / folder).rglob("*") if p.is_file()}
        theirs = {p.relative_to(unpacked / "ablate" / folder) for p in (unpacked / "ablate" / folder).rglob("*.*")}
        assert ours == theirs
    for name in ("py.typed", "images/engine/kernels.c", "report/templates/report.html", "report/templates/page.js"):
        assert (unpacked / "ablate" / name).is_file()
    assert not (unpacked / "hydra_plugins" / "__init__.py").exists(), "a namespace package"
