"""Which samples a run gets right: bits beside its record, kept on request, so that other samples can be asked about.

A file is of one run and named by its digest. It says which samples its bits are of (``samples``, a fingerprint of them
in their order) and holds a checksum; whoever reads it holds the share of right ones against the run's record.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ablate.task.whole_files import write_whole

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FOLDER = "correctness"
"""The files' folder in the folder of results, beside the store."""
ENDING = ".safetensors"
_BITS = "right"


@dataclass(frozen=True)
class Correctness:
    """Which samples one run gets right."""

    digest: str
    """Of the run."""
    metric: str
    """The share of right samples is the run's last value of this metric."""
    samples: str
    """Fingerprint of the samples and their order: bits of two runs belong together where it is the same."""
    count: int
    bits: bytes
    """Eight samples a byte, the first one highest."""

    @property
    def right(self) -> "NDArray[np.bool_]":
        """Whether each sample is right, ``[count]``."""
        import numpy as np

        return np.unpackbits(np.frombuffer(self.bits, np.uint8), count=self.count).astype(bool)

    @property
    def share(self) -> float:
        """How many of the samples are right, as a fraction."""
        return int(self.right.sum()) / self.count


def save_correctness(folder: Path, digest: str, metric: str, samples: str, right: "NDArray[np.bool_]") -> Path:
    """Write which samples a run gets right: aside first, then renamed.

    Args:
        folder: The folder of these files; made where needed.
        digest: The digest of the run, which names the file.
        metric: The metric that is the share of right samples.
        samples: A fingerprint of the samples in their order.
        right: ``[samples]``, at least one.
    """
    import numpy as np
    from safetensors.numpy import save

    made = Correctness(digest, metric, samples, len(right), np.packbits(right).tobytes())
    about = {"run": digest, "metric": metric, "samples": samples, "count": str(made.count), "sha256": _checksum(made)}
    file = folder / f"{digest}{ENDING}"
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(file, save({_BITS: np.frombuffer(made.bits, np.uint8)}, about))
    return file


def load_correctness(
    folder: Path, digests: Iterable[str], recorded: Callable[[str, str], float | None]
) -> tuple[Mapping[str, Correctness], tuple[str, ...]]:
    """Read what was kept of runs.

    Args:
        folder: The folder of these files; may not be there.
        digests: The digests of the runs that are asked about.
        recorded: From a run's digest and a metric's name to its last value in the run's record; None: it has none.

    Returns:
        What was kept by digest, and a sentence about each file that cannot be used.
    """
    found, problems = dict[str, Correctness](), []
    there = {file.name.removesuffix(ENDING): file for file in folder.glob(f"*{ENDING}")}
    for digest in digests:
        if digest not in there:
            continue
        try:
            kept = _read(there[digest], digest)
            value = recorded(digest, kept.metric)
            if value is None or abs(kept.share - value) > 1e-6:
                raise ValueError(f"{kept.share:.6g} of its samples are right, its record says {kept.metric} = {value}")
            found[digest] = kept
        except (OSError, ValueError) as error:
            problems.append(f"{there[digest]}: is left out ({error})")
    return found, tuple(problems)


def _read(file: Path, digest: str) -> Correctness:
    """Raises ValueError where the file is not what was written for this run."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np") as opened:
            about, bits = opened.metadata() or {}, opened.get_tensor(_BITS).tobytes()
        kept = Correctness(about["run"], about["metric"], about["samples"], int(about["count"]), bits)
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"is damaged: {error}") from None
    if kept.digest != digest:
        raise ValueError(f"is of run {kept.digest[:12]}")
    if not 0 < kept.count <= 8 * len(bits) or about.get("sha256") != _checksum(kept):
        raise ValueError("is damaged: its content is not that of its checksum")
    return kept


def _checksum(kept: Correctness) -> str:
    head = "\0".join((kept.digest, kept.metric, kept.samples, str(kept.count), ""))
    return hashlib.sha256(head.encode() + kept.bits).hexdigest()
