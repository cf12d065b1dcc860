"""What the tests of SMTP clients stand on: dialogues with a server that says what the test says."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.smtp import SMTPClient
from mailproto.smtp.lmtp import LMTPClient
from mailproto.testing import LOOPBACK, Dialogue, Feed, MemoryTransport

SENDER, ALICE, BOB = "me@client.example", "alice@mx.example", "bob@mx.example"
TEXT = b"Subject: hello\r\n\r\nHi.\r\n"

TLS = CertificateOptions()
"""What a `MemoryTransport` is given for TLS, and remembers."""

ESMTP = """
S: 220 mx.example ready
C: EHLO client.example
S: 250-mx.example
"""
PLAIN = ESMTP + "S: 250 HELP"
PIPELINING = ESMTP + "S: 250 PIPELINING"


def offering(*keywords: str) -> str:
    """The greeting and EHLO of a server with PIPELINING and ``keywords``."""
    return ESMTP + "".join(f"S: 250-{keyword}\n" for keyword in keywords) + "S: 250 PIPELINING"


def turn(clock: Clock) -> None:
    """One turn of the reactor: `Clock.advance` would also do what is put off until the next one."""
    for call in [each for each in clock.calls if each.getTime() <= clock.seconds()]:
        if call in clock.calls:
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)


class ClientTestCase(SynchronousTestCase):
    """Has dialogues with new clients."""

    client_class: type[SMTPClient] = SMTPClient
    peer = LOOPBACK

    def setUp(self) -> None:
        self.clock = Clock()

    def connect(self, transcript: str = "", **settings: Any) -> SMTPClient:
        """A client that was connected and, if there is a ``transcript``, greeted and said EHLO."""
        self.client = self.client_class(self.clock, hostname="client.example", **settings)
        self.transport = MemoryTransport(self.client.protocol, self.peer, capacity=1 << 20)
        if transcript:
            self.client.ehlo()
            self.converse(transcript)
        return self.client

    def converse(self, transcript: str, feed: Feed = "turns") -> None:
        """Have a dialogue with the client that was connected last."""
        dialogue = Dialogue(clock=self.clock, role="server", feed=feed)
        dialogue.add(self.transport)
        dialogue.play(transcript)

    def read(self) -> bytes:
        """All that is written, in as many turns of the reactor as it takes."""
        read = self.transport.read()
        while any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
            self.clock.advance(0)
            read += self.transport.read()
        return read

    def result(self, deferred: Deferred[Any]) -> Any:
        """The result that must be there by now."""
        value = self.successResultOf(deferred)
        deferred.addCallback(lambda _: value)  # for the next one who asks
        return value

    def error(self, deferred: Deferred[Any], kind: type[Exception]) -> Any:
        """The error that must be there by now."""
        return self.failureResultOf(deferred, kind).value

    def codes(self, deferred: Deferred[Any]) -> list[tuple[int, str]]:
        """The code and enhanced code of each outcome."""
        return [(outcome.code, outcome.enhanced) for outcome in self.result(deferred)]


class LMTPClientTestCase(ClientTestCase):
    client_class = LMTPClient
