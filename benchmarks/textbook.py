"""The article's own loop, that of the textbook Dive into Deep Learning."""

import multiprocessing
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST, VisionDataset
from torchvision.transforms import ToTensor

from ablate.images.data import Images
from benchmarks.contenders import LOADERS, TEXTBOOK_WORKERS, Contender
from benchmarks.loops import Loop, rate


class Textbook(Loop):
    """torchvision's data set and ToTensor, a DataLoader, ``backward`` and ``SGD.step``; loss and accuracy read back.

    Starting the loader's workers at the beginning of an epoch is not timed.

    Batches are moved to the device as they come.
    """

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        self.loaders = LOADERS if contender.loop == TEXTBOOK_WORKERS else 0
        self.lead_steps = 1 + 4 * self.loaders  # empties the queue of batches fetched ahead
        (self.model,) = self.members()
        self.loss = float("nan")

    def steps(self) -> Iterator[float]:
        """See :class:`Loop`."""
        forks = self.loaders and "fork" in multiprocessing.get_all_start_methods()
        loader: DataLoader[tuple[Tensor, Tensor]] = DataLoader(
            Loaded(self.images.train_images.cpu(), self.images.train_labels.cpu()),
            self.batch,
            shuffle=True,
            num_workers=self.loaders,
            multiprocessing_context="fork" if forks else None,
        )
        model, loss_function = self.model, nn.CrossEntropyLoss()
        optimizer = torch.optim.SGD(model.parameters(), lr=rate(self.contender.network))
        while True:
            total_loss, correct, total = 0.0, 0.0, 0
            for x, y in loader:
                x, y = x.to(self.device), y.to(self.device)
                optimizer.zero_grad()
                with self.autocast():
                    y_hat = model(x)
                loss = loss_function(y_hat, y)
                loss.backward()
                optimizer.step()
                with torch.no_grad():
                    total_loss += float(loss * len(x))
                    correct += float((y_hat.argmax(dim=1) == y).sum())
                total += len(x)
                self.loss = total_loss / total
                yield len(x)


class Loaded(FashionMNIST):
    """torchvision's own data set, its files already read."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        VisionDataset.__init__(self, root="", transform=ToTensor())
        self.data, self.targets = images[:, 0], labels
