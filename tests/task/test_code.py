"""What counts of somebody else's code, and what does not."""

import ast
import random
from pathlib import Path

import pytest

import ablate
from ablate.task.code import Code, read_code, significant
from ablate.task.errors import ConfigError
from ablate.task.modules import files_of


def code(folder, **more):
    return read_code(folder, [folder], modules=["train"], **more)


def test_comments_and_blank_lines_do_not_count_and_everything_else_does():
    before = significant(b"a = 1  # one\n\n# two\nb = '# three'\n")
    assert before == significant(b"a = 1\nb = '# three'\n\n\n")
    assert before == significant(b"# -*- coding: utf-8 -*-\r\na = 1\r\nb = '# three'\r\n")
    assert before != significant(b"a = 1\nb = '# four'\n")
    assert before != significant(b"if True:\n a = 1\nb = '# three'\n")
    assert significant(b"def f():\n    'usage: [default: 1]'\n") != significant(
        b"def f():\n    'usage: [default: 2]'\n"
    )


def test_blank_lines_in_texts_count():
    assert significant(b"a = '''x\n\ny'''\n") != significant(b"a = '''x\ny'''\n")
    assert significant(b"a = '''x\n# no comment\ny'''\n") != significant(b"a = '''x\ny'''\n")


def test_a_file_that_is_no_python_counts_as_it_is():
    assert significant(b"a = (\n") == b"a = (\n"
    assert significant(b"\xff\xfe") == b"\xff\xfe"


def test_meaning_is_kept_by_what_counts():
    """Dropping comments and blank lines at random never changes the syntax tree that is left."""
    for file in sorted(Path(ablate.__file__).parent.rglob("*.py"))[::7]:
        source = file.read_bytes()
        assert ast.dump(ast.parse(significant(source))) == ast.dump(ast.parse(source)), file


def test_imports_are_followed_inside_the_project_alone(write, folder):
    write("train.py", "import numpy\nimport helpers.maths as m\nfrom models import small\nfrom . import nothing\n")
    write("helpers/__init__.py", "")
    write("helpers/maths.py", "def f():\n    from . import deep\n    from .other import g\n")
    write("helpers/deep.py", "from ..helpers import far\nfrom .sub.leaf import x\n")
    write("helpers/far.py", "")
    write("helpers/other.py", "import importlib\nimportlib.import_module('named')\n")
    write("helpers/sub/leaf.py", "")  # a package without __init__.py
    write("named.py", "")
    write("models/__init__.py", "from models.big import *\n")
    write("models/small.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import unrelated\n")
    write("models/big.py", "")
    write("unrelated.py", "")
    assert list(files_of(["train"], [folder])) == [
        "helpers",
        "helpers.deep",
        "helpers.far",
        "helpers.maths",
        "helpers.other",
        "helpers.sub.leaf",
        "models",
        "models.big",
        "models.small",
        "named",
        "train",
    ]


def test_circular_imports_and_star_exports(write, folder):
    write("train.py", "from parts import *\n")
    write("parts/__init__.py", "__all__ = ['one', 'two']\n")
    write("parts/one.py", "import train\n")
    write("parts/two.py", "")
    write("parts/three.py", "")
    assert list(files_of(["train"], [folder])) == ["parts", "parts.one", "parts.two", "train"]


def test_a_script_finds_modules_beside_it(write, folder):
    script = write("bin/run.py", "import beside\nimport top\n")
    write("bin/beside.py", "")
    write("top.py", "")
    assert list(files_of([], [folder], [script])) == ["beside", "run.py", "top"]


def test_only_what_is_imported_changes_the_version(write, folder):
    write("train.py", "import model\n")
    write("model.py", "width = 1\n")
    write("other.py", "x = 1\n")
    before = code(folder)
    write("other.py", "x = 2\n")
    write("model.py", "# the width\nwidth = 1  # narrow\n")
    assert code(folder).identity == before.identity
    write("model.py", "width = 2\n")
    after = code(folder)
    assert after.identity != before.identity
    (change,) = after.changes_since(before.notes)
    assert change == f"model (was {before.files['model'][:12]}, is {after.files['model'][:12]})"
    write("train.py", "import model, other\n")
    assert "other (new)" in code(folder).changes_since(after.notes)


def test_listed_files_count_by_their_bytes(write, folder):
    write("train.py", "")
    write("data/a.csv", "1")
    before = code(folder, files=["data/*.csv"])
    assert set(before.files) == {"train", "data/a.csv"}
    write("data/b.csv", "1")
    assert code(folder, files=["data"]).changes_since(before.notes) == ["data/b.csv (new)"]
    with pytest.raises(ConfigError, match=r"files: weights/\*: there is no such file"):
        code(folder, files=["weights/*"])


def test_an_authors_version_stands_for_the_source_and_the_hash_is_kept(write, folder):
    write("train.py", "a = 1\n")
    before = code(folder, version="1", definition={"command": ["x"]})
    write("train.py", "a = 2\n")
    after = code(folder, version="1", definition={"command": ["x"]})
    assert before.identity == after.identity
    assert before.notes["source"] != after.notes["source"]
    assert len(after.changes_since(before.notes)) == 1
    assert code(folder, version="2").identity != before.identity
    assert code(folder, version="1", definition={"command": ["y"]}).identity != before.identity


def test_the_definition_is_named_when_it_changed():
    before = Code({}, "1", {"command": ["a"]})
    assert Code({}, "1", {"command": ["b"]}).changes_since(before.notes) == ["command (was ['a'], is ['b'])"]


def test_the_version_does_not_depend_on_where_the_project_lies(tmp_path):
    found = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "train.py").write_text("import part\n")
        (folder / "part.py").write_text("")
        found.append(code(folder).identity)
    assert found[0] == found[1]


def test_unparsable_modules_count_too(write, folder):
    write("train.py", "import broken\n")
    write("broken.py", "def (\n")
    assert set(code(folder).files) == {"train", "broken"}


def test_random_graphs_of_imports_are_followed_to_their_end(folder, write):
    """Against a reachability search of our own over the same graph."""
    draw = random.Random(0)
    names = [f"m{i}" for i in range(12)]
    graph = {name: draw.sample(names, draw.randrange(3)) for name in names}
    for name, targets in graph.items():
        write(f"{name}.py", "".join(f"import {target}\n" for target in targets))
    reached, waiting = set(), ["m0"]
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += graph[name]
    assert set(files_of(["m0"], [folder])) == reached
