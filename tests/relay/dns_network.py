"""A network in memory with servers of the DNS, which the test answers for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from twisted.internet.address import IPv4Address
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

Server = Callable[[dns.message.Message], dns.message.Message | bytes | None]
"""Answers a question; None for silence."""


class Network(MemoryReactorClock):
    """A reactor whose datagrams and streams reach `servers`, by their address.

    :ivar questions: (server, name, kind) of all that was asked; ``tcp`` in front if it was by TCP.
    :ivar open: the sockets that are open.
    :ivar at_most: the most that were.
    """

    def __init__(self, servers: dict[str, Server]) -> None:
        super().__init__()
        self.servers = servers
        self.questions: list[str] = []
        self.open = self.at_most = self.threads = 0

    def datagrams(
        self, reactor: Any, server: tuple[str, int], octets: bytes, limit: int, heard: Any, failed: Any
    ) -> Socket:
        """In place of `mailproto.relay._dns._datagrams.Datagrams`."""
        self.open += 1
        self.at_most = max(self.open, self.at_most)
        host = server[0]
        if self.servers.get(host) is None:
            self.questions.append(f"{host} is not there")
            self.callLater(0, failed, "nothing answers there (connection refused)")
        elif (answer := self.ask("", host, octets)) is not None:
            self.callLater(0, heard, answer[:limit])
        return Socket(self)

    def ask(self, how: str, host: str, octets: bytes) -> bytes | None:
        query = dns.message.from_wire(octets)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.questions.append(f"{how}{host} {name} {dns.rdatatype.to_text(question.rdtype)}")
        answer = self.servers[host](query)
        if answer is None or isinstance(answer, bytes):
            return answer
        return answer.to_wire(max_size=65535)

    def connectTCP(self, host: str, port: int, factory: Any, *rest: Any, **options: Any) -> Any:
        connector = super().connectTCP(host, port, factory, *rest, **options)
        protocol = factory.buildProtocol(IPv4Address("TCP", host, port))
        protocol.makeConnection(Stream(self, host, protocol))
        return connector

    def getThreadPool(self) -> Any:
        return self

    def callInThreadWithCallback(self, done: Any, call: Any, *args: Any, **named: Any) -> None:
        self.threads += 1
        try:
            result = True, call(*args, **named)
        except Exception:
            result = False, Failure()
        done(*result)

    def callFromThread(self, call: Any, *args: Any, **named: Any) -> None:
        call(*args, **named)


class Socket:
    """An open socket."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def close(self) -> None:
        self.network.open -= 1


class Stream(StringTransport):
    def __init__(self, network: Network, host: str, protocol: Any) -> None:
        super().__init__()
        self.network, self.host, self.inner = network, host, protocol

    def write(self, data: bytes) -> None:
        answer = self.network.ask("tcp ", self.host, data[2:])
        if answer is not None:
            self.inner.dataReceived(len(answer).to_bytes(2) + answer)

    def abortConnection(self) -> None:
        pass


def answering(*records: str, code: str = "NOERROR", flags: str = "", authority: str = "") -> Server:
    """A server that gives the same answer to all.

    :param records: as in a file of a zone: ``example.org. 300 IN A 192.0.2.1``.
    :param flags: such as AD and TC.
    """

    def answer(query: dns.message.Message) -> dns.message.Message:
        message = dns.message.make_response(query)
        message.set_rcode(dns.rcode.from_text(code))
        message.flags |= dns.flags.from_text(flags)
        for section, lines in (
            (message.answer, records),
            (message.authority, [authority] if authority else []),
        ):
            found: dict[Any, Any] = {}
            for line in lines:
                name, ttl, cls, kind, data = line.split(None, 4)
                found.setdefault((name, ttl, cls, kind), []).append(data)
            section.extend(
                dns.rrset.from_text(name, int(ttl), cls, kind, *data)
                for (name, ttl, cls, kind), data in found.items()
            )
        return message

    return answer


def by_kind(**servers: Server) -> Server:
    """A server that answers each kind of question in its own way."""
    return lambda query: servers[dns.rdatatype.to_text(query.question[0].rdtype)](query)


def silent(query: dns.message.Message) -> None:
    """A server that does not answer."""
