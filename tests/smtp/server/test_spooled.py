"""The octets that all connections hold together are limited, and a few networks cannot use them up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailproto._spool_room import RoomClaim, SpoolRoom
from mailproto.smtp.limits import SMTPLimits
from mailproto.testing import ELSEWHERE, LOOPBACK, MemoryTransport
from tests.smtp.server.dialogue import DialogueTestCase
from tests.smtp.server.test_server import RCPT

BEGIN = "C: HELO a\nC: MAIL FROM:<a@b>\nC: RCPT TO:<c@d>\nC: DATA\nS: 250...\nS: 250...\nS: 250...\nS: 354..."
FULL = "452 4.3.1 Insufficient system storage"
LINE = "x" * 98
"""With CRLF, a hundred octets."""


class RoomTests(SynchronousTestCase):
    def test_one_network_leaves_half(self) -> None:
        room = SpoolRoom(1000)
        attacker = [RoomClaim(room, "192.0.2.1") for _ in range(9)]
        while any(claim.take(10) for claim in attacker):
            pass
        self.assertEqual((room.used, room.held), (500, {"192.0.2.1": 500}))
        self.assertTrue(RoomClaim(room, "192.0.2.2").take(200))

    def test_several_leave_a_share(self) -> None:
        room = SpoolRoom(1000)
        for attacker in "abcd":
            claim = RoomClaim(room, attacker)
            while claim.take(1):
                pass
        self.assertTrue(RoomClaim(room, "honest").take(30))

    def test_who_needs_not_share(self) -> None:
        claim = RoomClaim(SpoolRoom(1000), None)
        self.assertTrue(claim.take(1000))
        self.assertFalse(claim.take(1))

    def test_no_limit(self) -> None:
        for network in (None, "a"):
            self.assertTrue(RoomClaim(SpoolRoom(0), network).take(1 << 50))

    def test_it_is_given_back_once(self) -> None:
        room = SpoolRoom(1000)
        claim, other, near = RoomClaim(room, "a"), RoomClaim(room, "a"), RoomClaim(room, None)
        self.assertTrue(claim.take(100) and claim.take(100) and other.take(50) and near.take(5))
        claim.release()
        claim.release()
        self.assertEqual((room.used, room.held), (55, {"a": 50}))
        other.release()
        near.release()
        self.assertEqual((room.used, room.held), (0, {}))


class SpooledTests(DialogueTestCase):
    """A thousand octets are all that there is room for."""

    peer = LOOPBACK
    limits = SMTPLimits(spooled=1000, memory=400, header=200, greeting_wait=0)

    def begin(self, octets: int, peer: str = LOOPBACK, **settings: Any) -> MemoryTransport:
        """A connection that has sent so many octets of its content."""
        if not hasattr(self, "factory"):
            self.connect(limits=self.limits, **settings)
        transport = MemoryTransport(self.factory.buildProtocol(None), peer)
        transport.read()
        self.converse(transport, BEGIN)
        transport.send(b"Subject: 1\r\n\r\n" + b"y" * 84 + b"\r\n")
        for _ in range(octets // 100 - 1):
            transport.send(LINE.encode() + b"\r\n")
        return transport

    def used(self) -> int:
        return self.factory.spool_room.used

    def test_over_all_connections(self) -> None:
        """In memory or in a file: five at 300 octets would be 1,500."""
        connections = [self.begin(octets) for octets in (300, 300, 300, 300, 600)]
        self.assertLessEqual(self.used(), 1000)
        for transport, reply in zip(connections, ("250...", "250...", "250...", FULL, FULL), strict=True):
            self.converse(transport, f"C: .\nS: {reply}\nC: NOOP\nS: 250...")
        self.assertEqual(len(self.delivery.contents), 3)
        self.assertEqual(self.used(), 0)

    def test_room_comes_back(self) -> None:
        for octets in (300, 700):
            for _ in range(5):
                self.converse(self.begin(octets), "C: .\nS: 250...")
        self.assertEqual(self.used(), 0)

    def test_with_every_end_of_a_transaction(self) -> None:
        ends: Sequence[Callable[[MemoryTransport], None]] = (
            MemoryTransport.drop,
            lambda transport: self.converse(transport, "C: a\0b\nC: .\nS: 550 5.6.0..."),
            lambda transport: self.converse(transport, f"C: {'z' * 990}\nC: .\nS: 452..."),
        )
        for end in ends:
            for octets in (200, 700):
                transport = self.begin(octets)
                self.assertGreater(self.used(), 0)
                end(transport)
                self.assertEqual(self.used(), 0)

    def test_until_the_delivery_has_ended(self) -> None:
        ended: Deferred[None] = Deferred()
        transport = self.begin(300)
        self.delivery.waiting = ended
        transport.send(b".\r\n")
        self.assertEqual(self.used(), 300)
        ended.callback(None)
        self.assertEqual(self.used(), 0)

    def test_chunks(self) -> None:
        first = self.begin(700)
        transport = MemoryTransport(self.factory.buildProtocol(None), LOOPBACK)
        transport.read()
        self.converse(transport, RCPT)
        self.converse(transport, f"C: BDAT 400\nC: {LINE}\nC: {LINE}\nC: {LINE}\nC: {LINE}\nS: {FULL}")
        self.converse(transport, f"C: BDAT 0 LAST\nS: {FULL}\nC: NOOP\nS: 250...")
        self.converse(first, "C: .\nS: 250...")
        self.assertEqual(self.used(), 0)

    def test_networks_share_it(self) -> None:
        attackers = [self.begin(200, ELSEWHERE) for _ in range(6)]
        used = self.used()
        self.assertIn(used, range(300, 501))
        honest = self.begin(200, "192.0.2.2")
        self.converse(honest, "C: .\nS: 250...")
        self.assertEqual(self.used(), used)
        for transport in attackers:
            transport.drop()
        self.assertEqual(self.used(), 0)

    def test_by_default(self) -> None:
        """1 GiB: twenty of the largest messages at a time."""
        self.assertEqual(SMTPLimits().spooled, 1 << 30)
