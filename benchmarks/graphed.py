"""Our engine's step as one CUDA graph: forward, backward, update and sums replayed by a single launch.

The engine itself does not do this: here it is measured whether it should.
"""

from typing import Any

import torch
from torch import Tensor

from ablate.images.data import Images
from benchmarks.contenders import Contender
from benchmarks.ours import CohortSteps

WARM_UP = 3
"""Steps before the capture, on a stream of their own, as PyTorch asks for."""


class GraphedSteps(CohortSteps):
    """See :class:`benchmarks.ours.CohortSteps`; a smaller last batch of an epoch is trained as the engine does.

    Batches, coefficients and noise are copied to where the graph reads them.

    Raises:
        RuntimeError: There is no GPU.
    """

    def __init__(self, contender: Contender, images: Images) -> None:
        super().__init__(contender, images)
        if self.device.type != "cuda":
            raise RuntimeError("CUDA graphs need a GPU")
        self._graph: torch.cuda.CUDAGraph | None = None
        self._plain_step = self.cohort._step
        self.cohort._step = self._step  # type: ignore[method-assign]

    def _step(self, x: Tensor, labels: Tensor, row: dict[str, Tensor], sums: Tensor) -> None:
        if x.shape[1] != self.batch:
            self._plain_step(x, labels, row, sums)
            return
        if self._graph is None:
            self._capture(x, labels, row)
        self._copy(x, labels, row)
        assert self._graph is not None
        self._graph.replay()
        sums += self._sums

    def _capture(self, x: Tensor, labels: Tensor, row: dict[str, Tensor]) -> None:
        """Record a step on tensors that stay where they are; the steps before it train, too."""
        self._x, self._labels = x.clone(), labels.clone()
        self._row = {name: value.clone() for name, value in row.items()}
        self._noise = {layer: [noise.clone() for noise in layer.noise] for layer in self.cohort.model.noisy.values()}
        self._sums = torch.zeros(2, len(self.cohort.members), dtype=torch.float64, device=self.device)
        self._copy(x, labels, row)
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                self._recorded()
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._recorded()

    def _recorded(self) -> None:
        self._sums.zero_()
        self.cohort._step_with(
            self.cohort._measure, self.cohort.optimizer.update, self._x, self._labels, self._row, self._sums
        )

    def _copy(self, x: Tensor, labels: Tensor, row: dict[str, Tensor]) -> None:
        self._x.copy_(x)
        self._labels.copy_(labels)
        for name, value in row.items():
            self._row[name].copy_(value)
        for layer, kept in self._noise.items():
            for mine, drawn in zip(kept, layer.noise, strict=True):
                mine.copy_(drawn)
            layer.noise = kept

    @property
    def notes(self) -> dict[str, Any]:
        """See :class:`benchmarks.loops.Loop`."""
        return super().notes | {"graph": self._graph is not None}
