"""The time limit of a TLS handshake."""

from __future__ import annotations

from typing import Any

from mailproto._twisted_internals import tls_connection
from mailproto.typing import ReactorTime

__all__ = ["Handshake", "may_begin_handshake"]


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
