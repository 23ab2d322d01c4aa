"""What every data source offers, in numpy: so that verifying data needs no torch, and looking for it not even numpy."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Arrays:
    """A data set as it is stored: 8-bit images ``[N, channels, height, width]`` and labels ``[N]`` (int64)."""

    train_images: "NDArray[np.uint8]"
    train_labels: "NDArray[np.int64]"
    test_images: "NDArray[np.uint8]"
    test_labels: "NDArray[np.int64]"
    classes: tuple[str, ...]
    """Name of each label."""
    val_images: "NDArray[np.uint8] | None" = None
    """A validation part that the data set itself keeps apart; None: it has none."""
    val_labels: "NDArray[np.int64] | None" = None


class Source(Protocol):
    """A data set at a place."""

    def where(self) -> Path | None:
        """The folder that holds it (found, not verified), or None where it has to be fetched.

        Raises:
            ConfigError: The place that was asked for does not hold it.
        """

    def verify(self) -> Path | None:
        """Check what is found as far as is quick.

        Returns:
            As :meth:`where`.

        Raises:
            ConfigError: ``root`` does not hold it, or what is found is damaged or does not fit the configuration.
        """

    def fetch(self) -> Path:
        """Download it, unless it is found already; brings torch with it.

        Returns:
            The folder that holds it.

        Raises:
            ConfigError: It cannot be downloaded.
        """

    def read(self) -> Arrays:
        """Verify and read all of it.

        Raises:
            ConfigError: It is missing, or one of its files is bad.
        """

    def describe(self) -> dict[str, Any]:
        """Where it lies, what it holds and what was verified, as JSON data (see ``ablate.images.data.describe``).

        Raises:
            ConfigError: ``root`` does not hold it, or what is found is damaged.
        """
