import sys
from pathlib import Path

import pytest

# Worker processes get this process's search path, and import the fakes from here.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def store(tmp_path):
    from ablate.store import open_store

    with open_store(str(tmp_path / "ablate.db")) as store:
        yield store
