"""What is published works: wheel and sdist are complete, and what they install does its work in an empty folder."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from ablate.commands.init import KINDS

ROOT = Path(__file__).parents[1]
NEEDLESS = {"torch", "torchvision"}
"""Nothing but training networks imports them, and they are too large to be fetched by a test."""


def run(*command, cwd=ROOT, **environment):
    """Do a command that must end well; returns what it printed."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = list(map(str, command))
    done = subprocess.run(words, cwd=cwd, env=clean | environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("built")
    run(sys.executable, "-m", "hatchling", "build", "-d", folder)
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"ablate"}
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def unpacked(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unpacked")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def test_an_index_would_take_both(built):
    said = run(sys.executable, "-m", "twine", "--no-color", "check", "--strict", *sorted(built.iterdir()))
    assert said.count("PASSED") == 2, said


def test_the_sdist_makes_the_same_wheel(built, wheel, tmp_path):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(
            tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {})
        )  # from 3.11.4 on
    (source,) = tmp_path.iterdir()
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "again", cwd=source)
    (again,) = (tmp_path / "again").iterdir()
    assert hashes(again) == hashes(wheel)


def hashes(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


@pytest.fixture(scope="module", params=["3.11", pytest.param("3.12", marks=pytest.mark.slow)])
def installed(request, wheel, tmp_path_factory):
    """The ``ablate`` command of the wheel, installed into an environment of its own."""
    version = request.param
    home = tmp_path_factory.mktemp("environment")
    run(interpreter(version), "-m", "venv", home)
    python = home / "bin" / "python"
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    run(*pip, "--no-index", "--no-deps", wheel)
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        # What it depends on is that of this environment: no network is needed.
        place = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        (Path(place) / "theirs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    else:
        wanted = map(Requirement, tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"])
        run(*pip, *(str(one) for one in wanted if one.name not in NEEDLESS))
    return home / "bin" / "ablate"


def interpreter(version):
    """A Python of this version on this machine; none of another version than this one is skipped, and said."""
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return sys.executable
    places = [shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")]
    for place in filter(None, places):
        if subprocess.run([place, "-c", "import venv"], capture_output=True).returncode == 0:
            return place
    pytest.skip(f"there is no Python {version} on this machine")


def test_an_installed_wheel_is_used_in_an_empty_folder(installed, tmp_path):
    where = run(installed.with_name("python"), "-c", "import ablate; print(ablate.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    assert run(installed, "--version", cwd=tmp_path).startswith("ablate, version")
    assert '"runs_distinct": 180' in run(installed, "plan", "lr", "--json", cwd=tmp_path)
    assert not list(tmp_path.iterdir())
    run(installed, "init", "function", "tumours", cwd=tmp_path)
    few = ["boosting", "learning_rate=0.1,0.3", "study.seeds=2", "results=tried"]
    sweep = run(installed, "sweep", *few, cwd=tmp_path / "tumours", COLUMNS="200")
    assert "8 complete, 0 diverged, 0 failed" in sweep
    run(installed, "report", *few, cwd=tmp_path / "tumours")
    (page,) = (tmp_path / "tumours" / "tried").glob("boosting*/report.html")
    assert "learning rate" in page.read_text()


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
