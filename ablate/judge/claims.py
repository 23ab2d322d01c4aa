"""What a table is to be held against: claims, given one by one or in a study file, with its question and names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ablate.judge.cells import number_of
from ablate.judge.design import JudgedStudy
from ablate.judge.levels import label_of
from ablate.task.claim import JOINED
from ablate.task.errors import ConfigError
from ablate.task.metric import Metric


@dataclass(frozen=True)
class ClaimRequest:
    """A claim as it was given."""

    place: str
    """Where it stands, for messages."""
    given: str | Mapping[str, Any]
    """The fields of :class:`ablate.analyse.Claim`, or their YAML; of a single factor it may be left out, and
    without a metric the last one is meant."""


@dataclass(frozen=True)
class StudyText:
    """What a study file says beside what to train."""

    question: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Names of factors for people."""
    remarks: tuple[str, ...] = ()
    claims: tuple[ClaimRequest, ...] = ()
    notes: tuple[str, ...] = ()


def parse_study_text(content: Mapping[str, Any], file: Path) -> StudyText:
    """What a study file says, such as those of ``sweeps/``.

    Args:
        content: The content of the file.
        file: The file's name, for messages.

    Raises:
        ConfigError: It is no study file.
    """
    node = content.get("study")
    if not isinstance(node, Mapping):
        raise ConfigError(f"{file}: must be a mapping with a study: node")
    claims, labels, remarks = node.get("claims") or [], node.get("labels") or {}, node.get("remarks") or []
    problems = [
        f"{file}: study.{key} must be {kind}"
        for key, value, kind, expected in (
            ("question", node.get("question", ""), "a text", str),
            ("labels", labels, "a mapping of factors to names", Mapping),
            ("claims", claims, "a list", list),
            ("remarks", remarks, "a list", list),
        )
        if not isinstance(value, expected)
    ]
    if problems:
        raise ConfigError(problems)
    left = [key for key in ("published", "search", "includes") if node.get(key)]
    notes = (f"{file}: study.{', study.'.join(left)}: not read for a table",) if left else ()
    return StudyText(
        question=node.get("question", ""),
        labels={str(path): str(label) for path, label in labels.items()},
        remarks=tuple(map(str, remarks)),
        claims=tuple(ClaimRequest(f"{file}: claims.{i}", claim) for i, claim in enumerate(claims)),
        notes=notes,
    )


def parse_claims(given: Sequence[ClaimRequest], study: JudgedStudy, metrics: Sequence[Metric]) -> list[dict[str, Any]]:
    """Claims with everything that can be known from the table filled in, and their levels by value.

    Args:
        given: As they were given.
        study: What they are about.
        metrics: That were declared; the last is the primary one.

    Returns:
        For :func:`ablate.task.claim.parse_claim`.

    Raises:
        ConfigError: Lists every problem.
    """
    problems: list[str] = []
    claims = []
    factors = list(dict.fromkeys(setting.factor for setting in study.settings))
    for number, request in enumerate(given, start=1):
        claim = _mapping(request, problems)
        if claim is None:
            continue
        over = claim.get("over") or []
        over = over if isinstance(over, list) else [over]
        names = factors[0].split(JOINED) if over else factors
        left = [name for name in names if name not in over]
        factor: Any = claim.setdefault("factor", left[0] if len(left) == 1 else None)
        metric = claim.setdefault("metric", metrics[-1].name)
        claim.setdefault("id", f"claim-{number}")
        if over and sorted(map(str, [factor, *over])) != sorted(names):
            problems.append(
                f"{request.place}: factor = {factor!r}, over = {over}: must be all factors of a grid together; factors "
                f"are {', '.join(factors)}"
            )
            continue
        if factor not in names:
            problems.append(f"{request.place}: factor = {factor!r}: factors are {', '.join(factors)}")
            continue
        if metric not in [each.name for each in metrics]:
            problems.append(f"{request.place}: metric = {metric!r}: metrics are {', '.join(m.name for m in metrics)}")
        for key in ("levels", "among"):
            if key in claim:
                claim[key] = _levels(request.place, claim[key], factor, _known(study, factor), problems)
        claim.setdefault("text", _text(claim))
        claims.append(claim)
    if problems:
        raise ConfigError(problems)
    return claims


def _mapping(request: ClaimRequest, problems: list[str]) -> dict[str, Any] | None:
    given = request.given
    if isinstance(given, str):
        try:
            given = yaml.safe_load(given)
        except (yaml.YAMLError, RecursionError) as error:
            problems.append(f"{request.place}: is no YAML: {' '.join(str(error).split())}")
            return None
    if isinstance(given, Mapping):
        return {str(key): value for key, value in given.items()}
    problems.append(f"{request.place}: must be a mapping such as {{kind: better, levels: [0.1, 0.5]}}")
    return None


def _known(study: JudgedStudy, factor: str) -> dict[str, Any]:
    """The levels of a factor by label; also of one of a grid's."""
    own = {setting.label: setting.level for setting in study.settings if setting.factor == factor}
    if own:
        return own
    at = study.settings[0].factor.split(JOINED).index(factor)
    return {label_of(setting.levels[at]): setting.levels[at] for setting in study.settings}


def _levels(place: str, wanted: Any, factor: str, known: Mapping[str, Any], problems: list[str]) -> list[Any]:
    """The levels that are meant, by value or label."""
    found = []
    for level in wanted if isinstance(wanted, list) else [wanted]:
        number = None if isinstance(level, bool) else number_of(level)
        for label, value in known.items():
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if label_of(level) == label or (is_number and number == value):
                found.append(value if not isinstance(value, tuple) else label)
                break
        else:
            problems.append(f"{place}: {factor} has no level {level!r}; levels are {', '.join(known)}")
    return found


def _text(claim: Mapping[str, Any]) -> str:
    """A sentence for a claim that has none."""
    levels = [label_of(level) for level in claim.get("levels") or []]
    listed, metric, factor = " and ".join(levels), claim["metric"], claim["factor"]
    each = claim.get("over") or []
    on_each = f" At every level of {' and '.join(each) if isinstance(each, list) else each}." if each else ""
    text = {
        "better": f"In {metric}, {factor} = {' is better than '.join(levels)}.",
        "best_in": f"The best {metric} is at {factor} = {' or '.join(levels)}.",
        "equivalent": f"In {metric}, {factor} = {listed} are the same within {claim.get('margin')}.",
        "monotone": f"Along {factor} = {', '.join(levels)} {metric} is {claim.get('direction', 'rising')}.",
        "peaks_inside": f"Along {factor} {metric} gets better, then worse.",
    }.get(str(claim.get("kind")), f"{claim.get('kind')} {factor} {metric}")
    return text + on_each
