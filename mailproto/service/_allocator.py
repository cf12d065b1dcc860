"""Lets the C library's allocator give memory back to the system."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress

__all__ = ["LARGE", "give_back_large_blocks"]

LARGE = 1 << 20
"""Octets of a block that is given back as soon as it is free."""

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt(3)."""


def give_back_large_blocks() -> None:
    """Let blocks of at least `LARGE` octets, such as those for hashes of passwords, live outside the heap.

    glibc does that at first.  But when a larger block is freed, it takes blocks of up to that size from the
    heap from then on: so one hash of 19 MiB, or one large array, would make it keep the memory of all later
    ones.  Smaller blocks stay in the heap, because that is faster; freed memory at its end is given back.

    Only a server with a process of its own calls this.  Variables of glibc in the environment
    (``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TRIM_THRESHOLD_``) win.  Other C libraries have no such parameters.
    """
    with suppress(OSError, AttributeError, TypeError):
        set_parameter = ctypes.CDLL(None).mallopt
        for name, parameter in (
            ("MALLOC_MMAP_THRESHOLD_", _MMAP_THRESHOLD),
            ("MALLOC_TRIM_THRESHOLD_", _TRIM_THRESHOLD),
        ):
            if name not in os.environ:
                set_parameter(parameter, LARGE)
