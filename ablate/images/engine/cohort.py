"""A cohort: the state of runs that are trained as one, and its steps."""

import contextlib
import copy
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ablate.images.data import Images
from ablate.images.engine.batches import Batches, share_key
from ablate.images.engine.compiling import compiled, decision
from ablate.images.engine.crops import averaged
from ablate.images.engine.exhaustion import LARGE, is_out_of_memory, return_freed_memory
from ablate.images.engine.further_metrics import made_metrics
from ablate.images.engine.init import initial_parameters
from ablate.images.engine.layers import spread
from ablate.images.engine.losses import Loss
from ablate.images.engine.noisy_layers import NoisyLayer
from ablate.images.engine.optimizers import stacked_optimizer
from ablate.images.engine.schedules import factors
from ablate.images.engine.stack import StackedModel, stack
from ablate.images.engine.streams import stream
from ablate.images.networks import Layer, build, layer_table
from ablate.images.run import RunConfig

Measure = Callable[..., tuple[Tensor, Tensor]]
Update = Callable[..., None]


@dataclass(frozen=True)
class PartialEpoch:
    """Where an epoch stands of which some steps have been trained."""

    step: int
    """Steps trained."""
    sums: Tensor
    """Losses and correct answers so far, ``[2, K]``."""
    noise: Sequence[Tensor]
    """States of the generators of layers that draw."""
    before: Callable[[], None] = lambda: None
    """This is called before the next step."""


AfterStep = Callable[[Callable[[], PartialEpoch]], None]
"""Called with what tells where the epoch stands."""


class FusedCohort:
    """Members, their stacked network and optimiser, and the epoch they have reached.

    Args:
        configs: Runs with the same ``cohort_key``.
        images: Their data, on ``device``.
        device: Where they are trained.

    Raises:
        UnstackableError: There are several and their network has no stacked form.
    """

    def __init__(self, configs: Sequence[RunConfig], images: Images, device: torch.device) -> None:
        self.members = sorted(range(len(configs)), key=lambda i: share_key(configs[i]))
        """Positions in ``configs`` of the members still in training; those that share batches follow one another."""
        self.configs = [configs[i] for i in self.members]
        self.device, self.epoch = device, 0
        self.batches = Batches(self.configs, images)
        self.classes = len(images.classes)
        self.model = self._stacked_model(self.classes)
        self.optimizer = stacked_optimizer([c.optimizer for c in self.configs], self.model.trained())
        self.loss = Loss([c.train for c in self.configs], device)
        self.further = made_metrics(self.configs[0].train.metrics)
        self.autocast = self.configs[0].train.precision == "bf16"
        self.notes = self._notes()
        self.compiled: tuple[Measure, Update] | None = None
        self._right_at = (0, torch.empty(0, 0, dtype=torch.bool))
        """The epoch after which it was last asked which test images are right, and the answer, ``[K, images]``."""
        self._has_evaluated = False
        self._compile()
        return_freed_memory(device)

    def train_epoch(
        self,
        steps: int | None = None,
        part: PartialEpoch | None = None,
        after_step: AfterStep | None = None,
    ) -> Tensor:
        """Train one epoch; reads nothing back from the device.

        Args:
            steps: Only so many, for a measurement; None: the whole epoch.
            part: What of it has been trained already; None: nothing.
            after_step: This is called after each step but the last.

        Returns:
            Mean loss and accuracy of each member, float64 ``[2, K]``: running means, each before its update.
        """
        table = self._coefficients()
        noise = self._noise()
        drawing = [generator for _, generators in noise for generator in generators if generator is not None]
        sums = torch.zeros(2, len(self.members), dtype=torch.float64, device=self.device)
        self.model.train()
        batches, first = self.batches.epoch(self.epoch), 0
        if part is not None:
            first = part.step
            sums.copy_(part.sums)
            for generator, state in zip(drawing, part.noise, strict=True):
                generator.set_state(state)
            for _ in itertools.islice(batches, first):
                """They have been trained on."""
            part.before()
        for step, (x, labels) in enumerate(itertools.islice(batches, steps), start=first):
            for layer, generators in noise:
                layer.draw(x.shape[1], generators, self.device)
            self._step(x, labels, {name: rows[step] for name, rows in table.items()}, sums)
            if after_step is not None and step + 1 < self.batches.steps:
                after_step(functools.partial(_part, step + 1, sums, drawing))
        self.epoch += 1
        return sums / self.batches.samples

    def validate(self) -> Tensor | None:
        """Loss, accuracy and M further metrics on the held-out images, ``[2 + M, K]``; None where there are none."""
        return self._evaluate(self.batches.validation()) if self.configs[0].data.validates else None

    def test(self) -> Tensor | None:
        """Loss, accuracy and M further metrics on the test images, ``[2 + M, K]``; None where they are not read."""
        return self._evaluate(self.batches.test()) if self.configs[0].data.tests else None

    def test_right(self, row: int) -> Tensor:
        """Whether the test images are right of one member in training, bool ``[images]``.

        Args:
            row: Its position in :attr:`members`.
        """
        if self._right_at[0] != self.epoch:
            self._right_at = (self.epoch, self._right())
        return self._right_at[1][row]

    def trained_accuracy(self) -> Tensor:
        """Accuracy of each member on images that it trains on, unchanged and without dropout, float64 ``[K]``."""
        return self._evaluate(self.batches.trained_on())[1]

    def layers(self) -> list[Layer]:
        """List the layers of one member's network."""
        return layer_table(self._on_meta(), self.batches.shape)

    def state(self, row: int) -> dict[str, Tensor]:
        """Parameters and statistics of one member in training, by the names of its own network's ``state_dict``.

        Args:
            row: Its position in :attr:`members`.
        """
        return self.model.state(row, self._on_meta())

    def parameters(self, member: int) -> dict[str, Tensor]:
        """Parameters of one member.

        Args:
            member: Its position in the configurations given.

        Returns:
            Tensors by the names of the member's own network.
        """
        return self.model.member(self.members.index(member))

    def keep(self, rows: Sequence[int]) -> None:
        """Go on with some of the members.

        Args:
            rows: Their positions in :attr:`members`, ascending.
        """
        if len(rows) == len(self.members):
            return
        self.members = [self.members[row] for row in rows]
        self.configs = [self.configs[row] for row in rows]
        if not rows:
            return
        self.model.keep(rows)
        self.optimizer.keep(rows, self.model.trained())
        self.loss.keep(rows)
        self.batches.keep(rows)

    def _step(self, x: Tensor, labels: Tensor, row: dict[str, Tensor], sums: Tensor) -> None:
        if self.compiled is not None and x.shape[1] == self.batches.batch_size:
            try:
                return self._step_with(*self.compiled, x, labels, row, sums)
            except Exception as error:  # a compiler has many; what is wrong with the step itself is raised again below
                if is_out_of_memory(error):
                    raise
                self.compiled = None
                self.notes |= {"compiled": False, "compiled_reason": f"{type(error).__name__}: {str(error)[:200]}"}
        self._step_with(self._measure, self.optimizer.update, x, labels, row, sums)

    def _step_with(
        self, measure: Measure, update: Update, x: Tensor, labels: Tensor, row: dict[str, Tensor], sums: Tensor
    ) -> None:
        losses, correct = measure(x, labels, smooth=True)
        # The sum of the members' own means: no member's gradient depends on another's loss.
        update(torch.autograd.grad(losses.sum(), self.optimizer.parameters), row)
        sums += torch.stack([losses.detach() * x.shape[1], correct])

    def _measure(self, x: Tensor, labels: Tensor, *, smooth: bool) -> tuple[Tensor, Tensor]:
        return self.loss.with_right(self._outputs(x), labels, smooth=smooth)

    def _outputs(self, x: Tensor) -> Tensor:
        """Outputs ``[K, B, classes]``."""
        with torch.autocast(self.device.type, torch.bfloat16) if self.autocast else contextlib.nullcontext():
            outputs: Tensor = self.model(x)
        return outputs.float() if self.autocast else outputs

    @torch.no_grad()
    def _evaluate(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Tensor:
        sums = torch.zeros(2, len(self.members), dtype=torch.float64, device=self.device)
        samples, totals = 0, dict[str, Tensor]()
        for outputs, expected in self._answers(batches):
            losses, correct = self.loss.with_right(outputs, expected, smooth=False)
            sums += torch.stack([losses * expected.shape[1], correct])
            samples += expected.shape[1]
            for name, metric in self.further.items():
                counted = metric.count(outputs, expected)
                totals[name] = totals[name] + counted if name in totals else counted
        further = [metric.value(totals[name]).double() for name, metric in self.further.items()]
        return torch.cat([sums / samples, *(value[None] for value in further)])

    @torch.no_grad()
    def _right(self) -> Tensor:
        answers = self._answers(self.batches.test())
        return torch.cat([outputs.argmax(-1) == expected for outputs, expected in answers], 1)

    def _answers(self, batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        """What the members say of images, ``[K, B, classes]``, and their labels ``[K, B]``."""
        self.model.eval()
        if not self._has_evaluated:
            self._has_evaluated = True
            return_freed_memory(self.device, LARGE)
        for x, labels in batches:
            outputs = self._outputs(x)
            own = averaged(outputs, x.shape[1] // labels.shape[1], shares=self.loss.kind != "mse")
            yield own, spread(labels, len(outputs))

    def _coefficients(self) -> dict[str, Tensor]:
        """The optimiser's coefficients in every step of the coming epoch, ``[steps, K]`` each."""
        steps = self.batches.steps
        columns = [factors(c.schedule, self.epoch, steps, c.train.epochs) for c in self.configs]
        lr = torch.tensor(columns, dtype=torch.float64).T * self.optimizer.of("lr")
        return self.optimizer.table(self.epoch * steps, lr)

    def _noise(self) -> list[tuple[NoisyLayer, list[torch.Generator | None]]]:
        """The layers that draw, with their generators of the coming epoch, one for each distinct batch."""
        return [
            (layer, [stream(seed, "dropout", name, self.epoch, device=self.device) for seed, _ in self.batches.rows])
            for name, layer in self.model.noisy.items()
        ]

    def _compile(self) -> None:
        """Set up the compiled step, if one is to be."""
        wanted = self.configs[0].train.compile
        samples = self.batches.samples * sum(c.train.epochs for c in self.configs)
        compiles, reason = decision(wanted, self.device, samples, fused=self.model.program is not None)
        self.notes |= {"compiled": compiles, "compiled_reason": reason}
        if compiles:
            self.compiled = (compiled(self._measure, self.device), compiled(self.optimizer.update, self.device))

    def _stacked_model(self, classes: int) -> StackedModel:
        first = self.configs[0]
        template = self._built(first, classes)
        initial = [self._initial(template, c, classes) for c in self.configs]
        return stack(
            copy.deepcopy(template).to(self.device),
            initial,
            [c.config["model"]["dropout"] for c in self.configs] if "dropout" in first.model.varies else None,
            len(self.batches.rows),
            self.batches.shape,
            self.device,
            batch=self.batches.batch_size if self._may_fuse() else None,
        )

    def _initial(self, template: nn.Module, config: RunConfig, classes: int) -> dict[str, Tensor]:
        if config.train.init == "network":
            return {name: p.detach() for name, p in self._built(config, classes).named_parameters()}
        return initial_parameters(template, config.train, config.seed)

    def _may_fuse(self) -> bool:
        train = self.configs[0].train
        return self.device.type == "cpu" and train.precision == "fp32" and train.compile != "on"

    def _on_meta(self) -> nn.Module:
        first = self.configs[0]
        with torch.device("meta"):
            return build(first.model, self.batches.shape[0], first.data.input_size, self.classes)

    def _built(self, config: RunConfig, classes: int) -> nn.Module:
        """A member's network as its own code makes it, drawing from a stream of its own."""
        with torch.random.fork_rng(devices=[]):
            generator = stream(config.seed, "init", "network")
            torch.manual_seed(generator.initial_seed() if generator is not None else config.seed)
            return build(config.model, self.batches.shape[0], config.data.input_size, classes)

    def _notes(self) -> dict[str, Any]:
        return {
            "cohort": len(self.members),
            "batches": len(self.batches.rows),
            "stacked": self.model.stacked,
            "stacked_reason": self.model.reason,
            "fused": self.model.program is not None,
            "fused_reason": "; ".join(self.model.unfused) or None,
        }


def _part(step: int, sums: Tensor, drawing: Sequence[torch.Generator]) -> PartialEpoch:
    return PartialEpoch(step, sums, [generator.get_state() for generator in drawing])
