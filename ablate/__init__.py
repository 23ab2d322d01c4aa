"""Hyperparameter ablation studies of neural networks, done right and done fast."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ablate.notebook import LoadedStudy, load

__version__ = "0.2.0"
__all__ = ["LoadedStudy", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("LoadedStudy", "load"):
        from ablate import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
