"""The optimisers, each with the fields and the meaning of its namesake in ``torch.optim``."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ablate.task.fields import Fields, Fraction

NonNegative = Annotated[float, Field(ge=0.0)]


class Optimizer(Fields):
    """Fields that every optimiser shares."""

    lr: NonNegative
    """Learning rate, before any schedule; 0 is allowed (the article's Fig. 11 starts there)."""
    weight_decay: NonNegative = 0.0
    """L2 penalty added to the gradient (AdamW: decoupled decay, Loshchilov & Hutter 2019)."""


class SGD(Optimizer):
    """Stochastic gradient descent (the article's optimiser, with neither momentum nor decay)."""

    name: Literal["sgd"] = "sgd"
    lr: NonNegative = 0.9
    momentum: Fraction = 0.0
    """Share of the last update that is kept."""
    nesterov: bool = False
    """Look ahead along the momentum (Sutskever et al. 2013)."""

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> "SGD":
        if self.nesterov and self.momentum == 0.0:
            raise ValueError("nesterov = True: needs a momentum above 0")
        return self


class Adagrad(Optimizer):
    """Adaptive subgradients (Duchi et al. 2011)."""

    name: Literal["adagrad"] = "adagrad"
    lr: NonNegative = 0.01
    lr_decay: NonNegative = 0.0
    """lr / (1 + step * lr_decay)."""
    eps: Annotated[float, Field(gt=0.0)] = 1e-10


class _Moments(Optimizer):
    """What every form of Adam has."""

    lr: NonNegative = 0.001
    beta1: Fraction = 0.9
    """Decay of the running mean of the gradient."""
    beta2: Fraction = 0.999
    """Decay of the running mean of its square."""
    eps: Annotated[float, Field(gt=0.0)] = 1e-8


class Adam(_Moments):
    """Adaptive moments (Kingma & Ba 2015)."""

    name: Literal["adam"] = "adam"


class AdamW(_Moments):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019)."""

    name: Literal["adamw"] = "adamw"
    weight_decay: NonNegative = 0.01


class RMSprop(Optimizer):
    """Running root mean square of the gradient (Hinton, lecture 6e)."""

    name: Literal["rmsprop"] = "rmsprop"
    lr: NonNegative = 0.01
    alpha: Fraction = 0.99
    """Decay of the running mean of the squared gradient."""
    momentum: Fraction = 0.0
    eps: Annotated[float, Field(gt=0.0)] = 1e-8


OptimizerConfig = Annotated[SGD | Adagrad | Adam | AdamW | RMSprop, Field(discriminator="name")]
