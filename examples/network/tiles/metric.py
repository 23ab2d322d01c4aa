"""A metric of one's own: the recall of the class that is found worst."""

from ablate.images.parts import ImageMetric


class WorstRecall(ImageMetric):
    """Least share, over the classes, of a class's pictures that are found."""

    goal = "max"
    label = "worst recall"
    unit, low, high = "fraction", 0.0, 1.0

    def count(self, outputs, labels):
        """Hits and pictures of each class, ``[K, classes, 2]``."""
        import torch

        true = torch.nn.functional.one_hot(labels, outputs.shape[-1]).double()
        hits = (outputs.argmax(-1) == labels).double().unsqueeze(-1) * true
        return torch.stack([hits.sum(1), true.sum(1)], dim=-1)

    def value(self, total):
        """See ``ablate.images.parts.ImageMetric``."""
        return (total[..., 0] / total[..., 1].clamp(min=1)).amin(1)

    def guess(self, shares):
        """A model that always says one class finds nothing of the others."""
        return 0.0
