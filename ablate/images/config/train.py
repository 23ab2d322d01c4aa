"""How a run trains, whatever the network, the data and the optimiser."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ablate.task.fields import IDENTITY_IF_SET, NOT_IDENTITY, Fields, Fraction, Positive


class Train(Fields):
    """Length, batch, loss, initial weights and precision (defaults: the article's protocol)."""

    epochs: Positive = 10
    """Passes over the training images."""
    batch_size: Positive = 256
    """Images a step; the last, smaller batch of an epoch is kept."""
    loss: str = "cross_entropy"
    """Mean over the batch; ``mse``: mean squared error of the outputs against one-hot targets; or a declared loss."""
    loss_options: dict[str, float | int | bool | str] = Field(default={}, json_schema_extra=IDENTITY_IF_SET)
    """Hyperparameters of a declared loss."""
    metrics: tuple[str, ...] = Field(default=(), json_schema_extra=IDENTITY_IF_SET)
    """Further metrics, measured wherever accuracy is after an epoch: ``f1`` (macro), ``balanced_acc``, ``top5``,
    ``gap`` (train accuracy without dropout less this), or declared ones. As columns they are ``val_f1``, ``test_f1``.
    And what a run costs: ``parameters``, ``multiply_adds``, ``step_ms`` (for which it trains in no company)."""
    label_smoothing: Fraction = 0.0
    """Share of the target spread evenly over all classes (cross-entropy only; Szegedy et al. 2016)."""
    init: Literal["xavier_uniform", "kaiming_uniform", "default", "trunc_normal", "network"] = "xavier_uniform"
    """How every convolution and linear weight begins; biases keep the framework's default. ``network``: all as the
    network's own code draws them."""
    init_std: Annotated[float, Field(gt=0.0)] = 0.1
    """Standard deviation of ``trunc_normal`` (cut at two of them)."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """``bf16``: autocast of forward and backward; parameters, updates and metrics stay fp32."""
    compile: Literal["auto", "on", "off"] = Field(default="auto", json_schema_extra=NOT_IDENTITY)
    """Whether the step is compiled; ``auto``: where the cohort is long enough to pay for it."""

    @model_validator(mode="before")
    @classmethod
    def _lists_to_tuples(cls, data: Any) -> Any:
        return {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()} if isinstance(data, dict) else data

    @model_validator(mode="after")
    def _names_are_distinct(self) -> "Train":
        if len(set(self.metrics)) < len(self.metrics):
            raise ValueError(f"metrics = {list(self.metrics)}: one is named twice")
        if self.loss_options and self.loss in ("cross_entropy", "mse"):
            raise ValueError(f"loss_options = {self.loss_options}: {self.loss} has none")
        return self

    @model_validator(mode="after")
    def _smoothing_needs_cross_entropy(self) -> "Train":
        if self.label_smoothing > 0.0 and self.loss != "cross_entropy":
            raise ValueError(f"label_smoothing = {self.label_smoothing}: needs loss = cross_entropy")
        return self
