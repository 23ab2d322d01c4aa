"""Folders of every shape: each file is used as the rule says or named. Longer: python -m benchmarks.fuzz_folders."""

import tempfile
from pathlib import Path
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.picture_folders import check, make_folder


@settings(max_examples=50, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32))
@example(seed=0)
@example(seed=640)
def test_every_file_is_used_as_the_rule_says_or_named(seed):
    with tempfile.TemporaryDirectory() as temporary:
        check(make_folder(Random(seed), Path(temporary) / "root", Path(temporary) / "outside"))
