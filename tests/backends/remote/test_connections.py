"""The connections of a remote account are not lost when requests are cancelled, or the server refuses."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from twisted.internet.defer import CancelledError, Deferred

from mailproto.auth import Password
from mailproto.backends.remote import RemoteAccount
from mailproto.client.errors import CommandRefused, ProtocolViolation
from mailproto.errors import Unavailable
from mailproto.imap import IMAPClient
from mailproto.testing import connected
from tests.imap.server.dialogue import DialogueTestCase


class ConnectionsTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.links: list[Any] = []
        self.gates: list[Deferred[None]] | None = None  # what holds up new connections
        self.remote = RemoteAccount("alice", self.clock, self.opened, connections=1)
        self.addCleanup(self.settle)
        self.addCleanup(self.remote.close)

    async def opened(self) -> IMAPClient:
        if self.gates is not None:
            self.gates.append(Deferred())
            await self.gates[-1]
        client = IMAPClient(self.clock)
        self.links.append(connected(self.factory, client, clock=self.clock))
        await client.authenticate(Password("alice", "secret"))
        return client

    def settle(self) -> None:
        for _ in range(3):
            self.clock.advance(0.06)
            for link in self.links:
                link.pump()

    def begin(self, coroutine: Any) -> Deferred[Any]:
        begun: Deferred[Any] = Deferred.fromCoroutine(coroutine)
        self.settle()
        return begun

    def assert_works(self) -> None:
        listing = self.begin(self.remote.list())
        self.settle()
        self.assertIn("INBOX", [entry.name for entry in self.successResultOf(listing)])

    def test_one_that_waits_for_a_new_connection_is_cancelled(self) -> None:
        """Then the connection is there for others."""
        self.assert_works()
        held: Deferred[None] = Deferred()
        holder = self.begin(self.remote.connections.run(lambda link: held))
        waiter = self.begin(self.remote.list())
        self.gates = []
        self.links[0].client.abort()  # so that the one that waits opens another
        self.settle()
        held.callback(None)
        self.settle()
        self.successResultOf(holder)
        [gate] = self.gates
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        self.gates = None
        gate.callback(None)
        self.settle()
        self.assert_works()

    def test_one_that_opens_a_connection_is_cancelled(self) -> None:
        real, gate = IMAPClient.enable, Deferred[None]()

        async def held(client: IMAPClient, *names: str) -> Any:
            await gate
            return await real(client, *names)

        with patch.object(IMAPClient, "enable", held):
            opening = self.begin(self.remote.list())
            opening.cancel()
            self.failureResultOf(opening, CancelledError)
        self.settle()
        self.assert_works()

    def test_a_server_that_refuses_what_it_offers(self) -> None:
        """It is used without that."""

        async def refused(client: IMAPClient, *names: str) -> Any:
            raise CommandRefused("no")

        with patch.object(IMAPClient, "enable", refused):
            self.assert_works()

    def test_one_that_cannot_be_used(self) -> None:
        """A request that fails so keeps no room from others."""

        async def broken(client: IMAPClient, *names: str) -> Any:
            raise ProtocolViolation("nonsense")

        with patch.object(IMAPClient, "enable", broken):
            for _ in range(3):
                self.failureResultOf(self.begin(self.remote.list()), Unavailable)
        self.assert_works()
