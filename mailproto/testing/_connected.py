"""A server and a client, joined in memory."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Generic, TypeVar

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from mailproto._arguments import check_type, wrong_type
from mailproto._twisted_arguments import check_factory
from mailproto.testing._transport import LOOPBACK, MemoryTransport

__all__ = ["Connected", "connected"]

C = TypeVar("C")
T = TypeVar("T")

_MOST_TURNS = 100_000


class Connected(Generic[C]):
    """A server and a client whose transports are joined, made by `connected`.

    :ivar client: the client that was given.
    :ivar server: the server's protocol.
    :ivar clock: the time of both.
    :ivar client_transport: the client's end.
    :ivar server_transport: the server's end.
    """

    def __init__(
        self,
        client: C,
        client_transport: MemoryTransport,
        server_transport: MemoryTransport,
        clock: Clock,
    ) -> None:
        self.client = client
        self.clock = clock
        self.client_transport = client_transport
        self.server_transport = server_transport

    @property
    def server(self) -> Any:
        """The server's protocol."""
        return self.server_transport.protocol

    def pump(self) -> None:
        """Pass on octets, and run the clock's calls that are due, until both sides wait."""
        for _ in range(_MOST_TURNS):
            if not self._turn():
                return
        raise AssertionError(f"server and client still talk after {_MOST_TURNS:,} turns")

    def advance(self, seconds: float) -> None:
        """Let time pass, and `pump`."""
        self.pump()
        self.clock.advance(seconds)
        self.pump()

    def result(self, awaitable: Awaitable[T], *, after: float = 0.0) -> T:
        """The result of a coroutine or ``Deferred``, once both sides have said everything.

        :param after: if there is none then, let so many seconds pass.
        :raises AssertionError: it has none yet, because something waits for the clock, or for ever.
        :raises Exception: the error with which it ended.
        """
        ended: list[T | Failure] = []

        async def wait() -> T:
            return await awaitable

        Deferred.fromCoroutine(wait()).addBoth(ended.append)
        self.pump()
        if not ended and after:
            self.advance(after)
        if not ended:
            times = sorted(call.getTime() - self.clock.seconds() for call in self.clock.getDelayedCalls())
            waits = f"; the next of the clock's calls is due in {times[0]:g} seconds" if times else ""
            raise AssertionError(f"there is no result yet, and nothing is left to be sent{waits}")
        [found] = ended
        if isinstance(found, Failure):
            found.raiseException()
        return found

    def _turn(self) -> bool:
        moved = False
        if any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)
            moved = True
        ends = self.server_transport, self.client_transport
        for here, there in (ends, ends[::-1]):
            octets = here.read()
            if octets and there.is_open:
                there.send(octets)
                moved = True
            if there.is_open and not here.is_open:
                there.drop()
                moved = True
        return moved


def connected(
    server: IProtocolFactory, client: C, *, clock: Clock | None = None, peer: str = LOOPBACK
) -> Connected[C]:
    """Join a server and a client in memory::

        clock = Clock()
        link = connected(SMTPServerFactory(delivery, clock=clock), SMTPClient(clock))
        link.result(link.client.ehlo())
        [outcome] = link.result(link.client.send("a@x.example", ["b@y.example"], content))

    The greeting has been read when this returns.  TLS is not spoken in memory.

    :param server: the server's factory.
    :param client: a client of mailproto, a protocol, or a factory of one.
    :param clock: the time of both; by default the ``clock`` of the server's factory.
    :param peer: the client's IP address, as the server sees it.
    :raises TypeError: an argument is of no such type, or the server has no ``Clock``.
    """
    check_factory("server", server)
    check_type("peer", peer, str, "an IP address such as '127.0.0.1'")
    time = getattr(server, "clock", None) if clock is None else clock
    if time is None:
        time = Clock()
    if not isinstance(time, Clock):
        name = "clock of server" if clock is None else "clock"
        raise wrong_type(name, time, "a twisted.internet.task.Clock in memory", "write clock=Clock()")
    protocol = _protocol_of(client)
    served = server.buildProtocol(IPv4Address("TCP", peer, 40000))
    if served is None:
        raise AssertionError("the server's factory refuses the connection")
    server_end = MemoryTransport(served, peer)  # type: ignore[arg-type]
    link = Connected(client, MemoryTransport(protocol), server_end, time)
    link.pump()
    return link


def _protocol_of(client: Any) -> Any:
    if IProtocol.providedBy(client):
        return client
    if IProtocolFactory.providedBy(client):
        return client.buildProtocol(IPv4Address("TCP", LOOPBACK, 1))
    protocol = getattr(client, "protocol", None)
    if isinstance(client, type) or not IProtocol.providedBy(protocol):
        raise wrong_type("client", client, "a client such as SMTPClient(clock), a protocol or a factory")
    return protocol
