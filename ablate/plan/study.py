"""A study file in its typed form: what is asked, which factors vary over which levels, by which design and seeds."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from ablate.plan.levels import named_as, parse_levels
from ablate.plan.looks import MAX_SEEDS, Looks
from ablate.task.claim import JOINED, parse_claim
from ablate.task.errors import ConfigError
from ablate.task.fields import Fields, Positive, problems_of
from ablate.task.finding import find_task

Design = Literal["one-at-a-time", "grid", "leave-one-out"]
MAX_FACTORS = 200
MAX_PARTS = 200
"""Claims, remarks, and whatever else a study lists beside its levels and seeds."""


class Published(Fields):
    """A published table of the same levels, kept as a CSV file beside the study files."""

    table: str
    """CSV file below the folder of study files: a first column of level labels, then metrics."""
    factor: str
    """The factor whose levels the table lists."""
    source: str
    """Where it was published."""
    repeats: Positive
    """Runs behind each printed mean."""


class Study(Fields):
    """One file of ``sweeps/``, without the baseline (which is the rest of the composed configuration)."""

    name: str
    task: str = "images"
    """What its runs do."""
    question: str = ""
    design: Design = "one-at-a-time"
    factors: dict[str, tuple[Any, ...]] = Field(default_factory=dict)
    """Dotted path to levels. Where a level is a mapping of paths to values it sets several fields at once."""
    level_names: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """Names of the levels of factors whose levels are mappings, in the same order."""
    includes: tuple[str, ...] = ()
    """Other studies, of which this one is the union."""
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**31)], ...] = tuple(range(10))
    looks: Looks | None = None
    """Where seeds are added look by look, up to all of ``seeds``; ``seeds: {looks: [...]}`` in a study file."""
    metrics: tuple[str, ...] = Field(default_factory=lambda data: find_task(data["task"]).default_metrics)
    labels: dict[str, str] = Field(default_factory=dict)
    """A factor's name for tables and axes; default: the last part of its path."""
    published: tuple[Published, ...] = ()
    remarks: tuple[str, ...] = ()
    """Sentences about published numbers and ours, such as what explains a difference; printed beside their count."""
    claims: tuple[dict[str, Any], ...] = ()
    """Sentences that the study can support or refute; parsed by the analysis."""
    replaced: tuple[str, ...] = ()
    """Factors whose levels the command line has replaced: claims about others of their levels do not apply."""
    changed: tuple[str, ...] = ()
    """Fields of the baseline that the command line has changed, so that the runs follow another protocol than the
    file's: they are not held against published numbers, and its claims are not judged by them."""
    correction: Literal["max-t", "holm"] = "max-t"
    """How the comparisons with the baseline are corrected for their number."""
    curves: tuple[str, ...] = ()
    """Factors whose levels are drawn as curves over the epochs."""
    search: dict[str, Any] | None = None
    """A search space with its budget; parsed by the search."""

    @field_validator("seeds")
    @classmethod
    def _seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if not seeds:
            raise ValueError("seeds: needs at least one seed")
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"seeds = {list(seeds)}: a seed is listed twice")
        return seeds

    @model_validator(mode="after")
    def _factors(self) -> "Study":
        if not self.factors and not self.includes and self.search is None:
            raise ValueError("factors: a study needs at least one factor with levels, or includes, or a search")
        problems = [f"factors.{path}: has no levels" for path, levels in self.factors.items() if not levels]
        if len(self.factors) > MAX_FACTORS:
            problems.append(f"factors: {len(self.factors):,} of them; at most {MAX_FACTORS}")
        for name in ("includes", "metrics", "published", "remarks", "claims", "curves"):
            if len(getattr(self, name)) > MAX_PARTS:
                problems.append(f"{name}: {len(getattr(self, name)):,} of them; at most {MAX_PARTS:,}")
        tables = [published.factor for published in self.published]
        problems += [
            f"published: there are {tables.count(factor)} tables of {factor}; one a factor"
            for factor in dict.fromkeys(tables)
            if tables.count(factor) > 1
        ]
        known = find_task(self.task).metrics
        if self.looks is not None and self.correction != "max-t":
            problems.append(f"correction = {self.correction!r}: seeds that are added look by look are judged by max-t")
        if not self.metrics or any(metric not in known for metric in self.metrics):
            problems.append(f"metrics = {list(self.metrics)}: allowed are {', '.join(known)}")
        for name in [*self.labels, *self.curves]:
            if not self.includes and name not in self.factors:
                problems.append(f"{name}: is no factor of this study; factors are {', '.join(self.factors)}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def label(self, factor: str) -> str:
        """The factor's name for people; of factors that are joined, those of all."""
        if factor in self.labels:
            return self.labels[factor]
        parts = factor.split(JOINED)
        if len(parts) > 1:
            return JOINED.join(map(self.label, parts))
        return factor.rsplit(".", 1)[-1].replace("_", " ")


def parse_study(name: str, values: Mapping[str, Any]) -> Study:
    """Turn the ``study`` node of a composed configuration into its typed form.

    Args:
        name: The study file's name.
        values: The node as plain data; ``factors`` in any of the forms of :func:`parse_levels`, ``seeds`` a count,
            a list, or the looks at which seeds are added.

    Raises:
        ConfigError: Lists every problem.
    """
    data, problems = {"name": name, **values}, []
    factors, names = {}, {}
    given = data.get("factors") or {}
    if not isinstance(given, Mapping):
        raise ConfigError(f"study.factors = {given!r}: must map factors to levels")
    for path, levels in given.items():
        try:
            factors[path], named = parse_levels(path, levels, scalar=data.get("design") == "leave-one-out")
        except ConfigError as error:
            problems += error.problems
        else:
            if named is not None:
                names[path] = named
    seeds = data.get("seeds", 10)
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if not 1 <= seeds <= MAX_SEEDS:
            problems.append(
                f"study.seeds = {seeds}: must be a count of at least 1 and at most {MAX_SEEDS:,}, or a list of seeds"
            )
        seeds = list(range(min(max(seeds, 1), MAX_SEEDS)))
    elif isinstance(seeds, Mapping):
        try:
            data["looks"] = Looks.model_validate({k: tuple(v) if isinstance(v, list) else v for k, v in seeds.items()})
            seeds = list(range(data["looks"].looks[-1]))
        except ValidationError as error:
            problems += problems_of(error, "study.seeds.")
            seeds = [0]
    elif seeds is not None and not isinstance(seeds, list):
        problems.append(
            f"study.seeds = {seeds!r}: must be a count such as 10, a list of seeds, or {{looks: [6, 10, 16]}}"
        )
        seeds = [0]
    data |= {"factors": factors or ({} if not problems else {"?": (0,)}), "level_names": names}
    data["seeds"] = tuple(seeds) if isinstance(seeds, list) else seeds
    if isinstance(data.get("claims"), list):
        data["claims"] = [_with_names(claim, names) for claim in data["claims"]]
    for key in ("metrics", "includes", "claims", "published", "curves", "remarks", "replaced", "changed"):
        value = data.get(key)
        if key == "published" and isinstance(value, Mapping):
            value = [value]
        if isinstance(value, list):
            data[key] = tuple(value)
    try:
        study = Study.model_validate({k: v for k, v in data.items() if v is not None})
    except ValidationError as error:
        found = [problem.replace("study.: ", "study.") for problem in problems_of(error, "study.")]
        problems += [p for p in found if not (problems and "factor" in p)]
        raise ConfigError([*problems, *_claims_of_no_form(data)]) from None
    if problems:
        raise ConfigError([*problems, *_claims_of_no_form(data)])
    return study


def _claims_of_no_form(data: Mapping[str, Any]) -> list[str]:
    """What is wrong with claims by themselves, so that it is told with all else that is wrong with a study."""
    claims, problems = data.get("claims"), list[str]()
    try:
        metrics = list(find_task(data.get("task", "images")).metrics.values())
    except ConfigError:
        return []
    for index, claim in enumerate(claims if isinstance(claims, tuple) else ()):
        try:
            if isinstance(claim, Mapping):
                parse_claim({"id": f"{data['name']}-{index + 1}", **claim}, metrics)
        except ConfigError as error:
            problems += [f"claims.{index}: {problem}" for problem in error.problems]
    return problems


def _with_names(claim: Any, names: Mapping[str, tuple[str, ...]]) -> Any:
    """A claim that calls named levels by their names, whatever type YAML gave to what the file says."""
    if not isinstance(claim, Mapping) or not isinstance(claim.get("factor"), str) or claim["factor"] not in names:
        return claim
    known = names[claim["factor"]]
    return {
        key: [named_as(level, known) for level in (value if isinstance(value, list) else [value])]
        if key in ("levels", "among")
        else value
        for key, value in claim.items()
    }
