"""Disks that fail."""

from __future__ import annotations

import os

from twisted.trial.unittest import SynchronousTestCase

from mailproto import spool

__all__ = ["fill_the_disk"]


def fill_the_disk(test: SynchronousTestCase) -> None:
    """Have no room for messages that are spooled, until ``test`` ends."""

    make = spool.tempfile.mkstemp  # type: ignore[attr-defined]

    def make_full(**where: str | None) -> tuple[int, str]:
        descriptor, path = make(**where)
        full_device = os.open("/dev/full", os.O_RDWR)
        os.dup2(full_device, descriptor)
        os.close(full_device)
        return descriptor, path

    test.patch(spool.tempfile, "mkstemp", make_full)  # type: ignore[attr-defined]
