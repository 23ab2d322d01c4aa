"""Learning-rate schedules: a factor on the optimiser's learning rate, equal to ``torch.optim.lr_scheduler``'s."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ablate.task.fields import Fields, Positive

Ratio = Annotated[float, Field(gt=0.0, le=1.0)]


class Schedule(Fields):
    """What every schedule says of itself."""

    depends_on_epochs: ClassVar[bool] = False
    """Whether a run of fewer epochs is no prefix of a longer one."""


class Constant(Schedule):
    """The article's: no schedule."""

    name: Literal["constant"] = "constant"


class Step(Schedule):
    """Multiply by ``gamma`` every ``step_size`` epochs (StepLR, stepped after each epoch)."""

    name: Literal["step"] = "step"
    step_size: Positive = 10
    """The step size in epochs."""
    gamma: Ratio = 0.1


class Cosine(Schedule):
    """Half a cosine from 1 to ``final_ratio`` over the whole run (CosineAnnealingLR, stepped after each batch)."""

    depends_on_epochs: ClassVar[bool] = True
    name: Literal["cosine"] = "cosine"
    final_ratio: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0


class OneCycle(Schedule):
    """The rate rises to ``optimizer.lr`` and falls over the run (OneCycleLR, cosine annealing, fixed momentum)."""

    depends_on_epochs: ClassVar[bool] = True
    name: Literal["one_cycle"] = "one_cycle"
    pct_start: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.3
    """Share of the steps that rise."""
    div_factor: Annotated[float, Field(ge=1.0)] = 25.0
    """``optimizer.lr`` over the first step's learning rate."""
    final_div_factor: Annotated[float, Field(ge=1.0)] = 1e4
    """The first step's learning rate over the last's."""


class WarmUp(Schedule):
    """Linear from ``start_ratio`` to 1 over the first epochs, then constant (LinearLR, stepped after each batch)."""

    name: Literal["warmup"] = "warmup"
    warmup_epochs: Positive = 1
    start_ratio: Ratio = 0.01


ScheduleConfig = Annotated[Constant | Step | Cosine | OneCycle | WarmUp, Field(discriminator="name")]
