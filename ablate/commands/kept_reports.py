"""Reports that are as they would be made: nothing has changed that they are made of, nor any of their files."""

import hashlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from ablate.commands.study_content import Content
from ablate.plan.plan import Plan
from ablate.plan.study import Study
from ablate.report.diagnosis import folder_of
from ablate.task.correctness import ENDING, FOLDER
from ablate.task.kept_results import keep, key_of, read_kept


class KeptReport:
    """What is written down of the report of a study when it is made.

    Args:
        study: The study.
        part: Its part of the plan.
        content: Of its records.
        out: The folder of its report.
        results: Folder of all results, where more lies of single runs.
        words: What else decides what the page says.
    """

    def __init__(self, study: Study, part: Plan, content: Content, out: Path, results: Path, words: object) -> None:
        self._out, self._file = out, out.with_name(f".{out.name}.report.json")
        found = content.of(study, part, out)
        self._key = found and key_of(found | {"words": words, "beside": _beside(results, part), "out": str(out)})

    def files(self) -> list[Path] | None:
        """The files of the report; None: something has changed, or is of other code than this program's."""
        kept = read_kept(self._file, self._key) if self._key else None
        if not isinstance(kept, dict) or _digests(self._out, kept) != kept:
            return None
        return [self._out / name for name in kept]

    def keep(self, files: Sequence[Path]) -> None:
        """Write down of what the report was made, and its files."""
        if self._key:
            keep(self._file, self._key, _digests(self._out, [file.relative_to(self._out).as_posix() for file in files]))


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """By name the digests of the files that are there."""
    found = {}
    for name in names:
        with suppress(OSError, ValueError):
            found[name] = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    return found


def _beside(results: Path, part: Plan) -> list[dict[str, str]]:
    """What is kept of single runs beside their records, and shown on pages: diagnoses, which samples they get right."""
    diagnoses = [folder_of(results, run.digest) for run in part.runs]
    names = [file.relative_to(results).as_posix() for one in diagnoses for file in sorted(one.rglob("*"))]
    names += [f"{FOLDER}/{run.digest}{ENDING}" for run in part.runs] if (results / FOLDER).exists() else []
    return [_digests(results, names)]
