"""Answers to FETCH that clients do not read hold few octets together."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.server._fetch_room import FETCHED, FETCHED_AT_LEAST, FetchClaim, FetchRoom
from mailproto.imap.server._reading import OCTETS_AT_ONCE
from tests.imap.server.dialogue import DialogueTestCase, message


class FetchRoomTests(SynchronousTestCase):
    def test_many_answers_share_the_room(self) -> None:
        room = FetchRoom()
        claims = [FetchClaim(room) for _ in range(1000)]
        got = [claim.renew() for claim in claims]
        self.assertEqual(got[:10], [OCTETS_AT_ONCE] * 10)
        self.assertEqual(got[-1], FETCHED_AT_LEAST)
        self.assertLessEqual(sum(got), FETCHED + 1000 * FETCHED_AT_LEAST)

    def test_a_claim_takes_the_place_of_its_last_one(self) -> None:
        room = FetchRoom()
        claim = FetchClaim(room)
        for _ in range(50):
            self.assertEqual(claim.renew(), OCTETS_AT_ONCE)
        claim.release()
        claim.release()
        self.assertEqual(room.left, FETCHED)


class FetchTests(DialogueTestCase):
    COMMAND = b"a FETCH 1:* BODY.PEEK[]\r\n"

    def setUp(self) -> None:
        super().setUp()
        for _ in range(60):
            self.inbox.add(message(body="x" * 100_000))

    def test_who_does_not_read_has_a_share_until_it_is_gone(self) -> None:
        room = self.factory.fetch_room
        clients = [self.sign_in(str(number), select="INBOX") for number in range(40)]
        for client in clients:
            client.send(self.COMMAND)
            self.clock.pump([0] * 20)
        self.assertGreater(room.left, -40 * FETCHED_AT_LEAST)
        self.assertLess(room.left, FETCHED // 4)
        self.assertTrue(all(client.session.congested for client in clients))
        for client in clients:
            client.transport.drop()
        self.clock.pump([0] * 200)
        self.assertEqual(room.left, FETCHED)

    def test_a_slow_share_is_the_whole_answer(self) -> None:
        self.factory.fetch_room.left = 0
        client = self.sign_in(select="INBOX")
        client.send(self.COMMAND)
        received = b""
        for _ in range(200):
            self.clock.pump([0] * 20)
            received += client.received()
        self.assertTrue(received.endswith(b"a OK FETCH completed\r\n"))
        self.assertEqual(received.count(b" FETCH (BODY[] {"), 60)
        self.assertEqual(self.factory.fetch_room.left, 0)
