"""Where the project's own configuration and study files lie."""

from pathlib import Path


def packaged() -> Path:
    """The folder that holds the project's own ``conf`` and ``sweeps``: in a wheel the package, else the checkout."""
    package = Path(__file__).resolve().parent.parent
    return package if (package / "conf").is_dir() else package.parent
