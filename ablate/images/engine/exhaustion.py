"""Memory that ran out in a worker: how it shows, what to say of it, and how to go on with what is left."""

import ctypes
import errno
import gc
from contextlib import suppress

import torch

from ablate.task.memory import available, in_words, resident

LARGE = 2**30
"""Bytes of a process from which training and evaluation leave each other no freed memory: their maps differ in size."""

SIGNS = (
    "can't allocate memory",  # DefaultCPUAllocator
    "not enough memory",  # the same on Windows
    "out of memory",  # CUDA's own errors
    "bad_alloc",  # C++ below PyTorch
    "alloc_failed",  # cuBLAS, cuDNN
    "could not create a memory",  # oneDNN
)
"""Parts of the messages, in small letters, of the RuntimeErrors that PyTorch raises for want of memory."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception, or one that it was raised from, says that memory ran out."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(seen, OSError) and seen.errno == errno.ENOMEM:
            return True
        if isinstance(seen, RuntimeError) and any(sign in str(seen).lower() for sign in SIGNS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def shortage(error: BaseException, device: torch.device) -> str:
    """A line to end the traceback of a run with that does not even fit alone.

    Args:
        error: What was raised.
        device: Where it was trained.
    """
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        had = f"{in_words(torch.cuda.max_memory_allocated(device))} of the GPU's {in_words(total)}, {in_words(free)}"
    else:
        had = f"{in_words(resident())}, {in_words(available())}"
    message = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return (
        f"MemoryError: this run alone needs more memory than there is: its worker had {had} were free, and then: "
        f"{message.strip()[:300]}\n"
    )


def give_back(device: torch.device) -> None:
    """Give what a failed cohort took back to the system: smaller ones are laid out in other ways."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    return_freed_memory(device)


def return_freed_memory(device: torch.device, above: int = 0) -> None:
    """Give what was freed back to the system: what comes next is laid out in another way, and would lie beside it.

    Has an effect on the CPU with glibc only. Copies of networks that were traced are in cycles: a large process looks
    for them, too, which may take it seconds. So this is for the beginning of a cohort and not for its every epoch.

    Args:
        device: Where tensors are.
        above: Nothing is done in a process that has fewer bytes than that.
    """
    has = resident()
    if device.type != "cpu" or has < above:
        return
    if has >= LARGE:
        gc.collect()
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
