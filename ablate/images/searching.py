"""How image classification is searched: on held-out training images, the test set unread until the proof."""

from ablate.task.searching import ProofProtocol, Searching

OF_INPUT = {f"data.{field}" for field in ("normalize", "image_size", "flip", "shift")}
"""What may be searched of ``data``: all else says which images are used and how they are split."""

NO_SHAPE = ("optimizer.", "schedule", "train.epochs", "train.label_smoothing", "train.init", "model.dropout")
"""Paths that do not shape a training step: settings that differ in these only make one cohort
(``RunConfig.cohort_key``)."""


def _refused(path: str) -> str | None:
    is_of_data = path == "data" or (path.startswith("data.") and path not in OF_INPUT)
    return "which images are used and how they are split is not searched" if is_of_data else None


def _shapes(path: str) -> bool:
    return not path.startswith(NO_SHAPE) or path == "optimizer.nesterov"


def _tested(metric: str) -> str:
    """The metric of test images that goes with one of validation images; accuracy with the loss, as it is printed."""
    part, _, rest = metric.partition("_")
    return f"test_{rest}" if part == "val" and rest != "loss" else "test_acc"


SEARCHING = Searching(
    changes=(("data.protocol", "holdout"),),
    protocols=(
        ProofProtocol(
            "article",
            (("data.protocol", "article"),),
            ("train_loss", "train_acc", "test_acc"),
            judged=_tested,
            as_searched=False,
        ),
        ProofProtocol(
            "holdout_test",
            (("data.protocol", "holdout_test"),),
            ("val_acc", "test_acc"),
            suffix="_heldout",
            judged=_tested,
            with_singles=False,
        ),
    ),
    metric="val_acc",
    cost="samples",
    alike="schedule.name",
    refused=_refused,
    shapes=_shapes,
    remark="On held-out training images, the test set unread.",
)
