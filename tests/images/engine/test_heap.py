"""The heap that is gone through in thought: what it promises of any order, and beside the C library's own."""

import itertools
import json
import platform
import random
import subprocess
import sys

import pytest

from ablate.images.engine.heap import Heap

REAL = """
import ctypes, json, sys
import torch
from ablate.images.engine.kernels import keep_freed_memory

class Info(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in "arena o s hb hblkhd us fs u f keep".split()]

assert keep_freed_memory()
mallinfo2 = ctypes.CDLL(None).mallinfo2
mallinfo2.restype = Info
kept, before = {}, mallinfo2().arena
for number, size in json.loads(sys.stdin.read()):
    if size:
        kept[number] = torch.empty(size, dtype=torch.uint8)
    else:
        del kept[number]
print(mallinfo2().arena - before)
"""

BLOCK = 64_000_000

Order = list[tuple[int, int]]
"""Blocks that are made (number, size) and dropped (number, 0)."""


def grown(order: Order) -> int:
    heap, blocks = Heap(), dict[int, tuple[int, int]]()
    for number, size in order:
        if size:
            blocks[number] = heap.take(size)
        else:
            heap.give_back(blocks.pop(number))
    return heap.grown


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heap of another C library")
@pytest.mark.parametrize(
    ("order", "blocks"),
    [
        ([(0, BLOCK), (1, BLOCK), (0, 0), (2, BLOCK)], 3),
        ([(0, BLOCK), (1, BLOCK), (0, 0), (2, BLOCK - 4_096)], 2),
        ([(0, BLOCK), (1, BLOCK), (1, 0), (2, BLOCK)], 2),
        ([(0, BLOCK), (1, BLOCK // 2), (2, BLOCK), (1, 0), (0, 0), (3, BLOCK // 2 - 4_096), (4, BLOCK - 4_096)], 2.5),
    ],
    ids=["a gap of just the size is not used", "a larger one is", "the end is", "the smaller of two is"],
)
def test_it_grows_as_glibcs(order: Order, blocks: float) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", REAL], input=json.dumps(order), capture_output=True, text=True, check=True
    )
    assert int(ran.stdout) == pytest.approx(blocks * BLOCK, rel=0.05)
    assert grown(order) == pytest.approx(blocks * BLOCK, rel=0.001)


@pytest.mark.parametrize("seed", range(20))
def test_blocks_never_overlap_and_nothing_is_lost(seed: int) -> None:
    draw, heap, alive = random.Random(seed), Heap(), list[tuple[int, int]]()
    for _ in range(300):
        if alive and draw.random() < 0.5:
            heap.give_back(alive.pop(draw.randrange(len(alive))))
        else:
            alive.append(heap.take(draw.choice([1, 1_000, 1_000, 50_000, draw.randrange(200_000)])))
        ordered = sorted(alive)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered))
        assert all(0 <= begin < end <= heap.grown for begin, end in ordered)
    most = heap.grown
    while alive:
        heap.give_back(alive.pop(draw.randrange(len(alive))))
    assert heap.take(most - 1_000)[0] == 0  # everything is one gap again
    assert heap.grown == pytest.approx(most, abs=1_000)
