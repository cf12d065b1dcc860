"""TLS's handshake, as a server waits for it."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IReactorTime

from mailproto._twisted_internals import tls_connection

__all__ = ["Handshake", "may_begin_handshake"]


class Handshake:
    """One that has begun; however many octets come of it, it must have ended in time.

    :param transport: that speaks TLS, or is about to.
    :param seconds: how long it may last.
    """

    def __init__(self, transport: Any, clock: IReactorTime, seconds: float) -> None:
        self._transport = transport
        self._clock = clock
        self._due = clock.seconds() + seconds
        self._is_done = False

    def left(self) -> float | None:
        """Seconds that it may last from now; None if it is done."""
        if not self._is_done:
            # What stands between TLS and the connection may tell nothing of a handshake's end.
            finished = getattr(tls_connection(self._transport), "get_peer_finished", None)
            self._is_done = finished is None or finished() is not None
        return None if self._is_done else self._due - self._clock.seconds()


def may_begin_handshake(received: bytes) -> bool:
    """Whether the first octets of a connection's TLS are a ClientHello's (RFC 8446 5.1), and no command's."""
    return received[:1] in (b"", b"\x16")
