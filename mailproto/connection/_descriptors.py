"""Counts the connections of the process, so that descriptors are left for files of the store."""

from __future__ import annotations

import math
from typing import Any, Final
from weakref import WeakSet

from mailproto._logger import PackageLogger

try:
    import resource
except ImportError:  # not on Windows, which has no such limit
    resource = None  # type: ignore[assignment]

__all__ = ["DESCRIPTORS", "Descriptors", "descriptor_limit"]

_SHARE: Final = 8
"""One of so many descriptors is kept for files and for connections to other servers, but at least..."""

_LEAST_RESERVE: Final = 32


def descriptor_limit() -> float:
    """How many descriptors this process may have open (``ulimit -n``)."""
    if resource is None:
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return math.inf if limit == resource.RLIM_INFINITY else limit


class Descriptors:
    """The connections that have a descriptor, of all servers in this process."""

    log = PackageLogger()

    def __init__(self) -> None:
        self._connections: WeakSet[Any] = WeakSet()
        self._is_told = False

    def add(self, connection: Any) -> None:
        """Count a connection, if its transport has a descriptor."""
        if hasattr(connection.transport, "fileno"):
            self._connections.add(connection)

    def remove(self, connection: Any) -> None:
        """Its descriptor is closed."""
        self._connections.discard(connection)

    def left(self) -> float:
        """How many more connections there is room for; less than 0 if some of the reserve is used.

        The log is told once when there is none, until a tenth is free again.
        """
        limit = descriptor_limit()
        most = limit - max(limit // _SHARE, _LEAST_RESERVE)
        left = most - len(self._connections)
        if left < 0 and not self._is_told:
            self._is_told = True
            self.log.warn(
                "connections are turned away: {number} of {limit} descriptors are used by others; the rest is"
                " kept for files. Raise the limit (ulimit -n, or LimitNOFILE= of systemd)",
                number=most,
                limit=limit,
            )
        elif left > most / 10:
            self._is_told = False
        return left

    def is_desperate(self) -> bool:
        """Whether half of the reserve is used: then there is no time for a polite refusal."""
        limit = descriptor_limit()
        return self.left() < -max(limit // _SHARE, _LEAST_RESERVE) / 2


DESCRIPTORS: Final = Descriptors()
"""Of this process."""
