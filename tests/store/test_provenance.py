import subprocess
import sys
from pathlib import Path

from ablate.store.provenance import collect, now, project, source


def git(folder, *arguments):
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", "-C", folder, *identity, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_commit_and_changes(tmp_path):
    package = tmp_path / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    assert source(package) == (None, None)
    git(tmp_path, "init", "-q")
    assert source(package) == (None, None)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert source(package) == (commit, False)
    (tmp_path / "results.csv").write_text("beside the package")
    assert source(package) == (commit, False)
    (package / "new.py").write_text("")
    assert source(package) == (commit, True)


def test_the_project_that_is_studied_has_a_commit_of_its_own(tmp_path):
    (tmp_path / "train.py").write_text("")
    git(tmp_path, "init", "-q")
    assert project(tmp_path) == {}
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    (tmp_path / "results.csv").write_text("not tracked")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert project(tmp_path) == {"commit": commit}
    other = tmp_path / "other"
    other.mkdir()
    assert project(other) == {}, "nothing of it is tracked"
    assert project(Path(__file__).parents[2]) == {}, "that of this program is said anyway"


def test_nothing_runs_that_a_project_s_own_git_names(tmp_path):
    (tmp_path / "train.py").write_text("")
    (tmp_path / ".gitattributes").write_text("*.py filter=theirs\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    canary = tmp_path / "canary"
    git(tmp_path, "config", "core.fsmonitor", f"touch {canary}; false")
    git(tmp_path, "config", "filter.theirs.clean", f"touch {canary}; cat")
    (tmp_path / "train.py").write_text("changed")
    assert project(tmp_path)
    assert not canary.exists()
    git(tmp_path, "status")
    assert canary.exists(), "the commands that it does not use would"


def test_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert source(tmp_path) == (None, None)


def test_what_is_collected():
    found = collect()
    assert set(found) == {"commit", "dirty", "versions", "host", "cpu", "cores"}
    assert found["versions"]["python"].startswith("3.")
    assert found["versions"]["torch"] is not None
    assert now().endswith("+00:00")


def test_torch_is_not_imported():
    code = """
import sys, ablate.store.provenance, ablate.store.frames, ablate.plan.cohorts, ablate.plan.prefixes, ablate.execute
ablate.store.provenance.collect()
sys.exit("torch" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
