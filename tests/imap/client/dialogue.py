"""What the tests of IMAP clients stand on: dialogues with a server that says what the test says."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.auth import Password
from mailproto.imap import IMAPClient
from mailproto.imap.values import IMAPEvent
from mailproto.testing import LOOPBACK, Dialogue, Feed, MemoryTransport

TLS = CertificateOptions()
BOB = Password("bob", "secret")
PLAIN_BOB = "AGJvYgBzZWNyZXQ="

MANY = (
    "IMAP4rev1 LITERAL+ UIDPLUS MOVE ESEARCH IDLE CONDSTORE QRESYNC ENABLE LIST-EXTENDED LIST-STATUS"
    " SPECIAL-USE"
)
"""What a server of today offers."""

FEW = "IMAP4rev1"
"""What the oldest servers offer."""


class ClientTestCase(SynchronousTestCase):
    """Has dialogues with new clients.

    :ivar events: what the client's listener was told.
    """

    peer = LOOPBACK

    def setUp(self) -> None:
        self.clock = Clock()
        self.events: list[IMAPEvent] = []

    def connect(self, transcript: str = "", **settings: Any) -> IMAPClient:
        """A client that was connected, and had a dialogue."""
        self.client = IMAPClient(self.clock, listener=self.events.append, **settings)
        self.transport = MemoryTransport(self.client.protocol, self.peer, capacity=1 << 20)
        if transcript:
            self.converse(transcript)
        return self.client

    def signed_in(self, capabilities: str = MANY, **settings: Any) -> IMAPClient:
        """A client that has signed in; its next tag is A1."""
        return self.connect(f"S: * PREAUTH [CAPABILITY {capabilities}] Hello", **settings)

    def selected(self, capabilities: str = MANY, exists: int = 3, **settings: Any) -> IMAPClient:
        """A client that has selected INBOX; its next tag is A2."""
        self.signed_in(capabilities, **settings)
        selecting = self.client.select("INBOX")
        condstore = " (CONDSTORE)" if {"CONDSTORE", "QRESYNC"} & set(capabilities.split()) else ""
        self.converse(
            f"""
            C: A1 SELECT INBOX{condstore}
            S: * {exists} EXISTS
            S: * OK [UIDVALIDITY 7] Ok
            S: A1 OK [READ-WRITE] Done
            """
        )
        self.result(selecting)
        return self.client

    def converse(self, transcript: str, feed: Feed = "turns") -> None:
        """Have a dialogue with the client that was connected last."""
        dialogue = Dialogue(clock=self.clock, role="server", feed=feed)
        dialogue.add(self.transport)
        dialogue.play(transcript)

    def begin(self, awaitable: Awaitable[Any]) -> Deferred[Any]:
        """Begin to await something; for coroutines, and for iterators' ``__anext__``."""

        async def wait() -> Any:
            return await awaitable

        return Deferred.fromCoroutine(wait())

    def result(self, deferred: Any) -> Any:
        """The result that must be there by now."""
        return self.successResultOf(deferred)

    def error(self, deferred: Any, *kinds: type[Exception]) -> Any:
        """The error that must be there by now."""
        return self.failureResultOf(deferred, *kinds).value
