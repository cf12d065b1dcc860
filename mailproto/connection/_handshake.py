"""The time limit of a TLS handshake, and how many are under way at the same time."""

from __future__ import annotations

from typing import Any, Final, Generic, Protocol, TypeVar

from mailproto._twisted_internals import tls_connection
from mailproto.typing import ReactorTime

__all__ = ["LEAST", "Handshake", "Handshakes", "may_begin_handshake"]

LEAST: Final = 5.0
"""Seconds that a handshake has, however many others begin."""

_LOOK_AFTER: Final = 100
"""Handshakes that begin until it is looked which ones are done: a look takes a millisecond."""


class Handshake:
    """A TLS handshake in progress; it must end in time, however many octets arrive.

    :param transport: one that has started TLS, or is about to.
    :param seconds: how long the handshake may last.
    """

    def __init__(self, transport: Any, clock: ReactorTime, seconds: float) -> None:
        self._transport = transport
        self._clock = clock
        self._due = clock.seconds() + seconds
        self._is_done = False

    def left(self) -> float | None:
        """Seconds that are left; None if the handshake is done."""
        if not self._is_done:
            # A wrapper between TLS and the connection may not report the end of the handshake.
            finished = getattr(tls_connection(self._transport), "get_peer_finished", None)
            self._is_done = finished is None or finished() is not None
        return None if self._is_done else self._due - self._clock.seconds()


def may_begin_handshake(received: bytes) -> bool:
    """Whether octets may begin a ClientHello (RFC 8446 5.1), rather than a plaintext command."""
    return received[:1] in (b"", b"\x16")


class InHandshake(Protocol):
    """A connection, as `Handshakes` know it."""

    @property
    def is_in_handshake(self) -> bool:
        """Whether its handshake is not done."""

    def give_up_handshake(self) -> None:
        """End the connection, because others need its place."""


ConnectionT = TypeVar("ConnectionT", bound=InHandshake)


class Handshakes(Generic[ConnectionT]):
    """Those under way.  A stranger can begin one, and leave it so, at no cost; here each takes some memory.

    :param most: how many there may be.
    """

    def __init__(self, clock: ReactorTime, most: int) -> None:
        self._clock = clock
        self._most = most
        self._began: dict[ConnectionT, float] = {}  # in this order; some of them may be done
        self._new = 0  # since the last look

    def __len__(self) -> int:
        """How many are known."""
        return len(self._began)

    def add(self, connection: ConnectionT) -> bool:
        """A handshake begins; False if there is no place for it."""
        now = self._clock.seconds()
        self._new += 1
        if len(self._began) >= self._most and not self._make_room(now):
            return False
        self._began[connection] = now
        return True

    def forget(self, connection: ConnectionT) -> None:
        """The connection has ended."""
        self._began.pop(connection, None)

    def _make_room(self, now: float) -> bool:
        if self._new >= min(_LOOK_AFTER, self._most):
            self._new = 0
            for connection in [each for each in self._began if not each.is_in_handshake]:
                del self._began[connection]
            if len(self._began) < self._most:
                return True
        first, began = next(iter(self._began.items()))
        if first.is_in_handshake:
            if 0 <= now - began < LEAST:
                return False
            first.give_up_handshake()
        self._began.pop(first, None)
        return True
