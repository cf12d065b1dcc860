"""The order in which connections are served, if there is no time for all."""

from __future__ import annotations

import select
from collections.abc import Collection, Mapping
from typing import TypeAlias

__all__ = ["Ready", "in_order"]

Ready: TypeAlias = list[tuple[int, int]]
"""Descriptors, and what they are ready for."""

_SHORT = 1000
"""Octets of input, such as those of a single command, that take no time to be read."""


def in_order(
    left: list[int],
    new: Ready,
    waits: Mapping[int, tuple[bool, int]],
    slow: Collection[int],
    *,
    oldest_first: bool,
) -> Ready:
    """Those for which there was no time come first, the shortest input before longer ones, because a NOOP
    need not wait for all of fifty large commands that came at the same moment; no input is a connection's
    end, and the last.  But in every other turn, the one that has waited longest is the first.  What has
    become ready since comes in between, if it has not been slow.

    :param left: those for which there was no time, as they came.
    :param new: what has become ready since.
    :param waits: the octets of input of those that are left, as the second value.
    :param slow: those that have been slow.
    :param oldest_first: whether the one that has waited longest is the first.
    """
    oldest = left[:1]
    order = sorted(left, key=lambda fd: (not waits[fd][1], max(waits[fd][1], _SHORT), fd in slow))
    if oldest_first:
        order = list(dict.fromkeys(oldest + order))
    ready = [(fd, select.EPOLLIN) for fd in order]
    for at, each in enumerate(each for each in new if each[0] not in slow):
        ready.insert(2 * at, each)
    return ready + [each for each in new if each[0] in slow]
