"""A client over a real transport that knows nothing of the protocol."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol


class AskingClient(Protocol):
    """Sends when it is told to, and waits for a text to come."""

    def __init__(self) -> None:
        self.heard = b""
        self._wanted: tuple[bytes, Deferred[bytes]] | None = None

    def ask(self, octets: bytes, wanted: bytes) -> Deferred[bytes]:
        self.heard = b""
        waiter: Deferred[bytes] = Deferred()
        self._wanted = (wanted, waiter)
        self.transport.write(octets)
        return waiter

    def dataReceived(self, data: bytes) -> None:
        self.heard += data
        if self._wanted and self._wanted[0] in self.heard:
            (_, waiter), self._wanted = self._wanted, None
            waiter.callback(self.heard)
