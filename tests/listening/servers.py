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

    :ivar factory: the one that it was given, for a `Dialogue`.
    """

    def __init__(self, outcome: Deferred[Any] | None = None) -> None:
        self.outcome = outcome
        self.factory = Factory()

    def listen(self, factory: Factory) -> Deferred[Any]:
        self.factory = factory
        return succeed(Port()) if self.outcome is None else self.outcome


class Port:
    """As much of `IListeningPort` as is needed."""

    stopped = 0

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 25)

    def stopListening(self) -> None:
        self.stopped += 1
