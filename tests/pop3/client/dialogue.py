"""What the tests of POP3 clients stand on: dialogues with a server that says what the test says."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.pop3 import POP3Client
from mailproto.testing import LOOPBACK, Dialogue, Feed, MemoryTransport

PLAIN = """
S: +OK ready
C: CAPA
S: -ERR what?
"""
"""A server of 1996."""


def offering(*capabilities: str, greeting: str = "ready") -> str:
    """The greeting and CAPA of a server with ``capabilities``."""
    lines = "".join(f"S: {capability}\n" for capability in capabilities)
    return f"S: +OK {greeting}\nC: CAPA\nS: +OK\n{lines}S: .\n"


PIPELINING = offering("TOP", "UIDL", "PIPELINING")


class ClientTestCase(SynchronousTestCase):
    """Has dialogues with new clients."""

    peer = LOOPBACK
    feed: Feed = "turns"

    def setUp(self) -> None:
        self.clock = Clock()

    def connect(self, transcript: str = "", **settings: Any) -> POP3Client:
        """A client that was connected and, if there is a ``transcript``, greeted and said CAPA."""
        self.client = POP3Client(self.clock, **settings)
        self.transport = MemoryTransport(self.client.protocol, self.peer, capacity=1 << 20)
        if transcript:
            self.client.capa()
            self.converse(transcript)
        return self.client

    def converse(self, transcript: str) -> None:
        """Have a dialogue with the client that was connected last."""
        dialogue = Dialogue(clock=self.clock, role="server", feed=self.feed)
        dialogue.add(self.transport)
        dialogue.play(transcript)

    def result(self, deferred: Deferred[Any]) -> Any:
        """The result that must be there by now."""
        return self.successResultOf(deferred)

    def error(self, deferred: Deferred[Any], kind: type[Exception]) -> Any:
        """The error that must be there by now."""
        return self.failureResultOf(deferred, kind).value
