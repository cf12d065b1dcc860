"""What listeners serve and listen on in these tests."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

ANY = "tcp:0:interface=127.0.0.1"


class Hello(Protocol):
    """A server's."""

    def connectionMade(self) -> None:
        self.transport.write(b"hello")  # type: ignore[attr-defined]


class Greeting(Factory):
    protocol = Hello  # type: ignore[assignment]
    noisy = False


@implementer(IStreamServerEndpoint)
class Endpoint:
    """Listens when, and if, a Deferred says so.

    :param closing: fires when its first port is closed.
    :ivar factory: the one that it was given, for a `Dialogue`.
    :ivar started: how often it was asked to listen.
    """

    def __init__(
        self, outcome: Deferred[Any] | None = None, *, closing: Deferred[None] | None = None
    ) -> None:
        self.outcome = outcome
        self.closing = closing
        self.started = 0
        self.factory = Factory()

    def listen(self, factory: Factory) -> Deferred[Any]:
        self.factory = factory
        self.started += 1
        closing, self.closing = self.closing, None
        return succeed(Port(closing)) if self.outcome is None else self.outcome


class Port:
    """As much of `IListeningPort` as is needed."""

    def __init__(self, closing: Deferred[None] | None = None) -> None:
        self.stopped = 0
        self._closing = closing

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 25)

    def stopListening(self) -> Deferred[None] | None:
        self.stopped += 1
        return self._closing
