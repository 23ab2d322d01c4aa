"""A run: the unit that is trained, stored and counted, and its identity."""

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, model_validator

from ablate.images.config.data import FashionMNIST, ImageData
from ablate.images.config.model import LeNet, Network
from ablate.images.config.optimizer import SGD, OptimizerConfig
from ablate.images.config.schedule import Constant, ScheduleConfig
from ablate.images.config.train import Train
from ablate.task.errors import ConfigError
from ablate.task.fields import IDENTITY_IF_SET, Fields, identity_fields, problems_of
from ablate.task.identity import digest_of

ENGINE_VERSION = 1
"""Raised when the engine's results change for the same configuration; part of every digest."""

GUESSED_STEP_SECONDS = 0.0009
GUESSED_SAMPLE_SECONDS = 0.000095
"""An eager LeNet step on one core takes 0.9 ms and 0.095 ms a sample (fitted to 9,960, 6,600 and 1,800 samples a
second, measured at batch 256, 16 and 2 on one x86-64 core with AVX-512)."""

EVALUATION_COST = 1 / 3
"""The cost of an evaluated sample in that of a trained one: forward without backward."""


class RunConfig(Fields):
    """A setting with a seed (defaults: the article's baseline)."""

    task: ClassVar[str] = "images"
    engine: ClassVar[str] = "ablate.images.engine.image_engine:ImageEngine"

    model: SerializeAsAny[Network] = LeNet()
    data: SerializeAsAny[ImageData] = FashionMNIST()
    optimizer: OptimizerConfig = SGD()
    schedule: ScheduleConfig = Constant()
    train: Train = Train()
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    """All of the run's random streams derive from it."""
    code: dict[str, dict[str, str]] = Field(default={}, json_schema_extra=IDENTITY_IF_SET)
    """Versions of the code of parts from outside the package, by part; filled in when a study is planned."""

    @model_validator(mode="after")
    def _feature_maps_exist(self) -> "RunConfig":
        self.model.check_input(*self.data.input_size)
        return self

    def with_seed(self, seed: int) -> "RunConfig":
        """The same setting with another seed (0 to 2**31 - 1)."""
        run = RunConfig(**{name: getattr(self, name) for name in type(self).model_fields} | {"seed": seed})
        # Written down here, as gathering all fields anew takes longer than everything else.
        run.__dict__["identity"] = self.identity | {"seed": run.seed}
        run.__dict__["config"] = self.config
        return run

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Every field but the seed, nested, with the values that validation gave them."""
        return self.model_dump(exclude={"seed", "code"})

    @cached_property
    def identity(self) -> dict[str, Any]:
        """Every field that can change the result, nested, as JSON data."""
        return {"engine": ENGINE_VERSION, **identity_fields(self)}

    @cached_property
    def digest(self) -> str:
        """SHA-256 of :attr:`identity`, in hex: the run's key in the store."""
        return digest_of(self.identity)

    @cached_property
    def trajectory(self) -> str:
        """A digest that runs share when the shorter is a prefix of the longer one.

        Equal to one of the run without its number of epochs, where the schedule does not depend on it.
        """
        identity = self.identity
        if not self.schedule.depends_on_epochs:
            identity = identity | {"train": {k: v for k, v in identity["train"].items() if k != "epochs"}}
        return digest_of(identity)

    @cached_property
    def cohort_key(self) -> str:
        """A digest of what shapes a training step: runs that share it can be trained as one cohort.

        Left out is what may differ from member to member: the seed, learning rates and other coefficients of the
        optimiser, the schedule, label smoothing, the dropout rate, initial weights and the number of epochs. A run
        whose step is timed has no company.
        """
        identity = self.identity
        train = {k: identity["train"][k] for k in ("batch_size", "loss", "precision")}
        train |= {k: v for k, v in identity["train"].items() if k in ("loss_options", "metrics")}
        optimizer = {k: identity["optimizer"].get(k) for k in ("name", "nesterov")}
        data = {k: v for k, v in identity["data"].items() if k != "split_seed"}
        model = identity["model"] | {name: bool(identity["model"][name]) for name in self.model.varies}
        code = {"code": self.code} if self.code else {}
        alone = {"run": self.digest} if "step_ms" in self.train.metrics else {}
        return digest_of({"model": model, "data": data, "optimizer": optimizer, "train": train, **code, **alone})

    @property
    def speed_keys(self) -> tuple[str, ...]:
        """The cohort's: whatever shapes a step decides how long it takes."""
        return (self.cohort_key,)

    @property
    def data_order(self) -> Hashable:
        """The seeds of the order and of the held-out split: with both equal, runs see the same batches."""
        return self.seed, self.data.split_seed if self.data.split_seed is not None else self.seed

    @property
    def length(self) -> int:
        """Epochs."""
        return self.train.epochs

    @property
    def training_images(self) -> int:
        """ImageData that it trains on in an epoch; of an image folder that nobody has looked at, files are listed."""
        images = self.data.training_images
        if images is None:
            from ablate.images.data.facts import facts

            images = facts(self.data).train
        return images

    @property
    def samples(self) -> int:
        """Training images times epochs."""
        return self.training_images * self.train.epochs

    def why_not_kept(self, what: str) -> str | None:
        """See :meth:`ablate.task.task.LeavesMore.why_not_kept`."""
        if what == "correctness" and not self.data.tests:
            return f"data.protocol = {self.data.protocol} reads no test images; must be article or holdout_test"
        return None

    @property
    def default_members(self) -> int:
        """See :attr:`ablate.images.config.model.Network.default_members`."""
        return self.model.default_members

    @property
    def guessed_speed(self) -> float:
        """Training samples a second of one core, from a fit to LeNet; may well be wrong by a factor of three."""
        work = self.model.relative_work(*self.data.input_size)
        evaluated = (self.data.validation_images or 0) + (self.data.test_images or 0)
        sample = GUESSED_SAMPLE_SECONDS * work * (1.0 + EVALUATION_COST * evaluated / self.training_images)
        return 1.0 / (GUESSED_STEP_SECONDS / self.train.batch_size + sample)

    @classmethod
    def memory_of(
        cls, cohorts: Sequence[Sequence["RunConfig"]], device: str, below: float | None = None
    ) -> list[int | None]:
        """See :class:`ablate.task.run.SizedInMemory`."""
        from ablate.images.memory import memory_of

        return memory_of(cohorts, device, below)


def parse_run(values: Mapping[str, Any]) -> RunConfig:
    """Turn composed configuration into its typed form.

    Args:
        values: Nested plain data, as Hydra composes it; a field left out takes its default.

    Returns:
        The validated run.

    Raises:
        ConfigError: Lists every problem.
    """
    given, problems = dict(values), list[str]()
    for group, parts in (("model", "networks"), ("data", "datasets")):
        if isinstance(given.get(group), Mapping):
            try:
                given[group] = _parse_part(group, parts, given[group])
            except ConfigError as error:
                problems += error.problems
                del given[group]
    if given.pop("code", None):
        problems.append("code: is no field of a configuration; it is filled in when a study is planned")
    try:
        run = RunConfig.model_validate(given)
    except ValidationError as error:
        # Fields that do not fit each other cannot be told without the part that is missing.
        raise ConfigError(problems + [p for p in problems_of(error) if not problems or ": " in p]) from None
    problems += _problems_of_parts(run)
    if problems:
        raise ConfigError(problems)
    return run


def _problems_of_parts(run: RunConfig) -> list[str]:
    """What is wrong with a run's loss, augmentations and further metrics, which may come from outside the package."""
    from ablate.images.parts import made_augmentations, made_loss, part_class

    problems = list[str]()
    try:
        made_loss(run.train)
    except ConfigError as error:
        problems += [f"train.loss = {run.train.loss!r}: {problem}" for problem in error.problems]
    try:
        made_augmentations(run.data.augment)
    except ConfigError as error:
        problems += [f"data.augment: {problem}" for problem in error.problems]
    for name in run.train.metrics:
        try:
            part_class("metrics", name)
        except ConfigError as error:
            problems += [f"train.metrics = {name!r}: {problem}" for problem in error.problems]
    return problems


def _parse_part(group: str, parts: str, node: Mapping[str, Any]) -> BaseModel:
    """The typed form of a group whose classes may come from outside the package.

    Raises:
        ConfigError: Lists every problem.
    """
    from ablate.images.parts import part_class

    name = node.get("name")
    if not isinstance(name, str):
        raise ConfigError(f"{group}.name: is missing" if name is None else f"{group}.name = {name!r}: must be a text")
    try:
        kind: type[BaseModel] = part_class(parts, name)
        return kind.model_validate(dict(node))
    except ValidationError as error:
        raise ConfigError(
            [problem.replace(f"{group}.:", f"{group}:") for problem in problems_of(error, f"{group}.")]
        ) from None
    except ConfigError as error:
        raise ConfigError([f"{group}.name = {name!r}: {problem}" for problem in error.problems]) from None
