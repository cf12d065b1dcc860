"""Few connections take a large message apart at the same time."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.server._places import Places
from tests.imap.server.dialogue import Client, DialogueTestCase


class PlacesTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.places = Places(self.clock, 2)
        self.taken: list[str] = []

    def take(self, account: str) -> None:
        done = Deferred.fromCoroutine(self.places.take(account))
        done.addCallback(lambda _: self.taken.append(account))

    def give_back(self, number: int = 1) -> None:
        for _ in range(number):
            self.places.give_back()
        self.clock.advance(0)

    def test_accounts_take_turns(self) -> None:
        for account in "aaaaabbc":
            self.take(account)
        self.assertEqual(self.taken, ["a", "a"])
        for _ in range(6):
            self.give_back()
        self.assertEqual("".join(self.taken), "aa" + "abcaba"[:6])

    def test_places_that_nobody_wants_are_free_again(self) -> None:
        for _ in range(3):
            self.take("a")
            self.take("b")
            self.give_back(2)
        self.assertEqual(self.taken, ["a", "b"] * 3)
        self.take("c")
        self.take("d")
        self.take("e")
        self.assertEqual(self.taken[6:], ["c", "d"])

    def test_who_waits_has_it_before_who_comes(self) -> None:
        for account in "abc":
            self.take(account)
        self.places.give_back()
        self.take("d")
        self.clock.advance(0)
        self.assertEqual(self.taken, ["a", "b", "c"])


class FetchTests(DialogueTestCase):
    LARGE = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\n" + b"x" * 600_000 + b"\r\n" + b"--b\r\n\r\na\r\n" * 300
    )

    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(self.LARGE)
        self.factory.places = Places(self.clock, 1)

    def client(self, name: str) -> Client:
        client = self.sign_in(name, select="INBOX")
        client.send(b"s FETCH 1 BODYSTRUCTURE\r\n")
        self.clock.pump([0] * 100)
        client.received()
        return client

    def done(self, client: Client) -> bool:
        received = b""
        for _ in range(20):
            self.clock.pump([0] * 20)
            received += client.received()
        return received.endswith(b"a OK FETCH completed\r\n")

    def test_one_after_the_other(self) -> None:
        first, second = self.client("1"), self.client("2")
        self.run_out_of_places()
        for client in (first, second):
            client.send(b"a FETCH 1 BODY\r\n")
        self.assertFalse(self.done(first) or self.done(second))
        self.factory.places.give_back()
        self.assertTrue(self.done(first) and self.done(second))

    def test_who_does_not_read_has_none(self) -> None:
        slow, other = self.client("1"), self.client("2")
        slow.send(b"a FETCH 1 (BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[1.MIME])\r\n")
        self.clock.pump([0] * 50)
        self.assertTrue(slow.session.congested)
        other.send(b"a FETCH 1 BODY.PEEK[2]\r\n")
        self.assertTrue(self.done(other))
        self.assertTrue(self.done(slow))

    def test_who_goes_away_has_none(self) -> None:
        running, waiting = self.client("1"), self.client("2")
        self.run_out_of_places()
        for client in (running, waiting):
            client.send(b"a FETCH 1 BODY\r\n")
            client.transport.drop()
        self.factory.places.give_back()
        other = self.client("3")
        other.send(b"a FETCH 1 BODY\r\n")
        self.assertTrue(self.done(other))

    def run_out_of_places(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.factory.places.take("somebody")))
