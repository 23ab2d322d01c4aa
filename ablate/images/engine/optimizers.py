"""Stacked optimisers: one update of all members, each with its own coefficients, equal to ``torch.optim``'s.

What changes from step to step (the scheduled learning rate, Adam's bias corrections, Adagrad's decay) is computed for a
whole epoch in float64 on the host, as torch.optim does for each step, and moved to the device as one table: a step
reads nothing from the host and has no number that a compiled step would have to be recompiled for.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor

from ablate.images.config import SGD, Adagrad, Adam, AdamW, OptimizerConfig, RMSprop

Coefficients = dict[str, Tensor]
"""Coefficients by name, shaped to multiply a stacked parameter: ``[K, 1, ...]``."""


def stacked_optimizer(configs: Sequence[OptimizerConfig], parameters: Sequence[Tensor]) -> "StackedOptimizer":
    """The optimiser of a cohort.

    Args:
        configs: One a member; all of the same class, with the same ``nesterov``.
        parameters: Updated in place; leading dimension K, or none for one member that is not stacked.

    Returns:
        Its state starts as in ``torch.optim``.
    """
    kinds: dict[type, type[StackedOptimizer]] = {
        SGD: StackedSGD,
        Adagrad: StackedAdagrad,
        Adam: StackedAdam,
        AdamW: StackedAdamW,
        RMSprop: StackedRMSprop,
    }
    return kinds[type(configs[0])](configs, parameters)


class StackedOptimizer(ABC):
    """What the optimisers share: coefficients, state, and slicing both to the members that go on."""

    fixed: ClassVar[tuple[str, ...]] = ()
    """Fields of the configuration that an update multiplies with, besides ``weight_decay``."""

    def __init__(self, configs: Sequence[OptimizerConfig], parameters: Sequence[Tensor]) -> None:
        self.parameters = list(parameters)
        self.configs = list(configs)
        self.decays = any(config.weight_decay > 0.0 for config in configs)
        self.state: dict[str, list[Tensor]] = {
            name: [torch.zeros_like(p, requires_grad=False) for p in self.parameters] for name in self.state_names()
        }

    def table(self, first: int, lr: Tensor) -> dict[str, Tensor]:
        """Every coefficient of an epoch's updates.

        Args:
            first: Updates made before this epoch.
            lr: Scheduled learning rates, float64 ``[steps, K]``.

        Returns:
            Coefficient by name, float32 ``[steps, K]``, on the parameters' device.
        """
        step = torch.arange(first + 1, first + 1 + len(lr), dtype=torch.float64).unsqueeze(1)
        rows = self.changing(step, lr) | {name: self.of(name).expand_as(lr) for name in (*self.fixed, "weight_decay")}
        device = self.parameters[0].device
        return {name: row.to(torch.float32).to(device) for name, row in rows.items()}

    @torch.no_grad()
    def update(self, gradients: Sequence[Tensor], row: Coefficients) -> None:
        """Update all parameters in place.

        Args:
            gradients: As the parameters; may be overwritten.
            row: Coefficients of this step, ``[K]`` each.
        """
        shaped: dict[int, Coefficients] = {}
        for i, (parameter, gradient) in enumerate(zip(self.parameters, gradients, strict=True)):
            dims = parameter.dim()
            if dims not in shaped:
                shaped[dims] = {name: value.view(-1, *[1] * (dims - 1)) for name, value in row.items()}
            c = shaped[dims]
            if self.decays and not self.decoupled:
                gradient = gradient.addcmul(parameter, c["weight_decay"])
            self.apply(parameter, gradient, {name: tensors[i] for name, tensors in self.state.items()}, c)

    decoupled: ClassVar[bool] = False
    """Whether :meth:`apply` itself does the weight decay, outside the gradient."""

    def keep(self, members: Sequence[int], parameters: Sequence[Tensor]) -> None:
        """Go on with some of the members.

        Args:
            members: Their positions, ascending.
            parameters: The parameters of those members.
        """
        self.parameters = list(parameters)
        self.configs = [self.configs[i] for i in members]
        self.state = {name: [tensor[list(members)] for tensor in tensors] for name, tensors in self.state.items()}

    def of(self, field: str) -> Tensor:
        """A field of every member's configuration, float64 ``[K]``."""
        return torch.tensor([getattr(config, field) for config in self.configs], dtype=torch.float64)

    def state_names(self) -> tuple[str, ...]:
        """Tensors kept for each parameter."""
        return ()

    def changing(self, step: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """Coefficients that change from step to step; ``step`` counts from 1, float64 ``[steps, 1]``."""
        return {"lr": lr}

    @abstractmethod
    def apply(self, p: Tensor, g: Tensor, state: dict[str, Tensor], c: Coefficients) -> None:
        """Update one stacked parameter and its state in place."""


class StackedSGD(StackedOptimizer):
    """``torch.optim.SGD`` (dampening 0)."""

    fixed = ("momentum",)

    def state_names(self) -> tuple[str, ...]:
        """See :meth:`StackedOptimizer.state_names`."""
        return ("momentum",) if any(cast(SGD, config).momentum > 0.0 for config in self.configs) else ()

    def apply(self, p: Tensor, g: Tensor, state: dict[str, Tensor], c: Coefficients) -> None:
        """See :meth:`StackedOptimizer.apply`."""
        if "momentum" in state:
            velocity = state["momentum"].mul_(c["momentum"]).add_(g)
            g = g.addcmul(velocity, c["momentum"]) if cast(SGD, self.configs[0]).nesterov else velocity
        p.addcmul_(g, c["lr"], value=-1.0)


class StackedAdagrad(StackedOptimizer):
    """``torch.optim.Adagrad``."""

    fixed = ("eps",)

    def state_names(self) -> tuple[str, ...]:
        """See :meth:`StackedOptimizer.state_names`."""
        return ("sum",)

    def changing(self, step: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """See :meth:`StackedOptimizer.changing`."""
        return {"lr": lr / (1.0 + (step - 1.0) * self.of("lr_decay"))}

    def apply(self, p: Tensor, g: Tensor, state: dict[str, Tensor], c: Coefficients) -> None:
        """See :meth:`StackedOptimizer.apply`."""
        root = state["sum"].addcmul_(g, g).sqrt().add_(c["eps"])
        p.sub_(g.div(root).mul_(c["lr"]))


class StackedAdam(StackedOptimizer):
    """``torch.optim.Adam``."""

    fixed = ("eps", "beta2")

    def state_names(self) -> tuple[str, ...]:
        """See :meth:`StackedOptimizer.state_names`."""
        return ("mean", "square")

    def changing(self, step: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """See :meth:`StackedOptimizer.changing`."""
        beta1, beta2 = self.of("beta1"), self.of("beta2")
        return {
            "lr": lr,
            "rate": lr / (1.0 - beta1**step),
            "correction": (1.0 - beta2**step).sqrt(),
            "new1": (1.0 - beta1).expand_as(lr),
            "new2": (1.0 - beta2).expand_as(lr),
        }

    def apply(self, p: Tensor, g: Tensor, state: dict[str, Tensor], c: Coefficients) -> None:
        """See :meth:`StackedOptimizer.apply`."""
        mean = state["mean"].lerp_(g, c["new1"])
        square = state["square"].mul_(c["beta2"]).addcmul_(g, g * c["new2"])
        root = square.sqrt().div_(c["correction"]).add_(c["eps"])
        p.sub_(mean.div(root).mul_(c["rate"]))


class StackedAdamW(StackedAdam):
    """``torch.optim.AdamW``: as Adam, with the decay applied to the parameter itself."""

    decoupled = True

    def apply(self, p: Tensor, g: Tensor, state: dict[str, Tensor], c: Coefficients) -> None:
        """See :meth:`StackedOptimizer.apply`."""
        if self.decays:
            p.mul_(1.0 - c["lr"] * c["weight_decay"])
        super().apply(p, g, state, c)


class StackedRMSprop(StackedOptimizer):
    """``torch.optim.RMSprop`` (not centred)."""

    fixed = ("eps", "alpha", "momentum")

    def state_names(self) -> tuple[str, ...]:
        """See :meth:`StackedOptimizer.state_names`."""
        moves = any(cast(RMSprop, config).momentum > 0.0 for config in self.configs)
        return ("square", "momentum") if moves else ("square",)

    def changing(self, step: Tensor, lr: Tensor) -> dict[str, Tensor]:
        """See :meth:`StackedOptimizer.changing`."""
        return {"lr": lr, "new": (1.0 - self.of("alpha")).expand_as(lr)}

    def apply(self, p: Tensor, g: Tensor, state: dict[str, Tensor], c: Coefficients) -> None:
        """See :meth:`StackedOptimizer.apply`."""
        square = state["square"].mul_(c["alpha"]).addcmul_(g, g * c["new"])
        move = g / square.sqrt().add_(c["eps"])
        if "momentum" in state:
            move = state["momentum"].mul_(c["momentum"]).add_(move)
        p.addcmul_(move, c["lr"], value=-1.0)
