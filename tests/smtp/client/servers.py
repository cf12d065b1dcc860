"""Servers on sockets: our own, and one that answers as it is told."""

from __future__ import annotations

import tempfile
from email.message import EmailMessage
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from mailproto.client import ServerAddress
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.lmtp import LMTPServerFactory
from mailproto.tls import ensure_self_signed, server_tls
from tests.smtp.server.dialogue import FakeDelivery

reactor: Any = installed


def message(**fields: str) -> EmailMessage:
    made = EmailMessage()
    for name, value in {"From": "me@a.example", "To": "alice@mx.example", **fields}.items():
        made[name] = value
    made.set_content("Hi.\n")
    return made


class Scripted(Protocol):
    """Answers each line that has a row in ``factory.answers``, content by its end; None closes."""

    factory: Any
    in_content = False

    def connectionMade(self) -> None:
        self.factory.connections += 1
        self.transport.write(self.factory.greeting)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.factory.lost += 1

    def dataReceived(self, data: bytes) -> None:
        for line in data.splitlines():
            verb = line[:4].upper()
            if self.in_content and verb != b".":
                continue
            self.in_content = verb == b"DATA"
            self.factory.heard.append(verb)
            answer = self.factory.answers(verb)
            if answer is None:
                self.transport.loseConnection()
                return
            self.transport.write(answer)


class ServerTestCase(TestCase):
    timeout = 20  # seconds

    def setUp(self) -> None:
        self.delivery = FakeDelivery()
        self.pair = ensure_self_signed(tempfile.mkdtemp(dir="."), "mx.example")

    def listen(self, factory: Any) -> int:
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def serve(self, *, implicit_tls: bool = False, lmtp: bool = False, **settings: Any) -> dict[str, Any]:
        """What says where the new server is."""
        factory_class = LMTPServerFactory if lmtp else SMTPServerFactory
        self.factory: Any = factory_class(self.delivery, clock=reactor, hostname="mx.example", **settings)
        served = self.factory
        if implicit_tls:
            served = TLSMemoryBIOFactory(server_tls(*self.pair), False, served)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.listen(served))
        return {"host": "mx.example", "endpoint": endpoint, "trust_root": self.pair[0]}

    def scripted(self, answers: Any, greeting: bytes = b"220 mx.example\r\n") -> ServerAddress:
        """A server that answers as it is told; ``self.peer`` counts."""
        self.peer: Any = Factory.forProtocol(Scripted)
        self.peer.answers = answers.get if isinstance(answers, dict) else answers  # type: ignore[attr-defined]
        self.peer.greeting, self.peer.heard = greeting, []  # type: ignore[attr-defined]
        self.peer.connections = self.peer.lost = 0  # type: ignore[attr-defined]
        return ServerAddress("127.0.0.1", self.listen(self.peer), tls="none")

    def taking_two(self) -> ServerAddress:
        """A server that takes two transactions a connection, to one recipient each."""
        return self.scripted(
            {
                b"EHLO": b"250-mx\r\n250 LIMITS RCPTMAX=1 MAILMAX=2\r\n",
                b"MAIL": b"250 OK\r\n",
                b"RCPT": b"250 OK\r\n",
                b"DATA": b"354 Go\r\n",
                b".": b"250 OK\r\n",
                b"QUIT": b"221 Bye\r\n",
            }
        )
