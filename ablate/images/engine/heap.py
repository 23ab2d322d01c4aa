"""How far the C library's heap grows when tensors are made and dropped in some order."""

from bisect import bisect_left

HEADER = 16
"""Bytes before each block, and what sizes are multiples of."""

SEARCHED = 112
"""So much more than it takes a block needs to be put in a gap.

PyTorch asks for blocks at multiples of 64 bytes. glibc looks for a gap that has room for the alignment and a smallest
block beside (``_int_memalign`` of its malloc.c), and gives the rest back: a gap of just the right size is not used.
"""


class Heap:
    """A heap as glibc keeps it where ``keep_freed_memory`` is on: the smallest gap that is large enough is used.

    Without a gap it grows. Gaps that touch are one; memory never goes back to the system.

    Attributes:
        grown: To how many bytes it has grown.
    """

    def __init__(self) -> None:
        self.grown = 0
        self._end = 0  # of its last block
        self._gaps = list[tuple[int, int]]()  # where each begins and ends; in order, none touches the next or the end

    def take(self, size: int) -> tuple[int, int]:
        """Make a block.

        Args:
            size: Bytes.

        Returns:
            Where it begins and ends: for :meth:`give_back`.
        """
        size = HEADER * -(-(size + HEADER) // HEADER)
        fitting = [k for k, (begin, end) in enumerate(self._gaps) if end - begin >= size + SEARCHED]
        if fitting:
            best = min(fitting, key=lambda k: self._gaps[k][1] - self._gaps[k][0])
            begin, end = self._gaps[best]
            self._gaps[best] = begin + size, end
            return begin, begin + size
        begin = self._end
        self._end += size
        self.grown = max(self.grown, self._end)
        return begin, self._end

    def give_back(self, block: tuple[int, int]) -> None:
        """Drop a block.

        Args:
            block: What :meth:`take` returned; once.
        """
        begin, end = block
        k = bisect_left(self._gaps, block)
        if k < len(self._gaps) and self._gaps[k][0] == end:
            end = self._gaps.pop(k)[1]
        if k > 0 and self._gaps[k - 1][1] == begin:
            begin = self._gaps.pop(k - 1)[0]
            k -= 1
        if end == self._end:
            self._end = begin
        else:
            self._gaps.insert(k, (begin, end))
