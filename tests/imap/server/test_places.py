"""Few sessions search messages, or take large ones apart, at the same time."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from weakref import ref

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.connection import ConnectionOver, ServerFactory
from mailproto.imap.limits import IMAPLimits
from mailproto.imap.server._places import Places
from mailproto.testing import MemoryTransport
from tests.connection.test_fairness import Worker
from tests.imap.server.dialogue import Client, DialogueTestCase


class Session(Worker):
    """Waits for a place, and has it until `end`."""

    def __init__(self, clock: Clock, places: Places, account: str, taken: list[str]) -> None:
        super().__init__(ServerFactory(clock, mail_log=False))
        self.signed_in = SimpleNamespace(name=account)
        self.transport_in_memory = MemoryTransport(self)
        self.has_place = False
        self.end_of_work: Deferred[None] = Deferred()
        self.done = Deferred.fromCoroutine(self.work(places, taken))

    async def work(self, places: Places, taken: list[str]) -> None:
        async with places.place(self):  # type: ignore[arg-type]
            taken.append(self.signed_in.name)
            self.has_place = True
            try:
                await self.end_of_work
            finally:
                self.has_place = False

    def hang_up(self) -> None:
        self.transport_in_memory.drop()


class PlacesTestCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.taken: list[str] = []
        self.sessions: list[Session] = []

    def come(self, accounts: str) -> None:
        """A session of each account wants a place."""
        self.sessions += [Session(self.clock, self.places, each, self.taken) for each in accounts]

    def leave(self, *numbers: int) -> None:
        """These sessions give their places back."""
        for number in numbers:
            self.sessions[number].end_of_work.callback(None)
        self.clock.advance(0)

    def end(self) -> None:
        """All are done, and nothing is left of them."""
        while any(not session.done.called for session in self.sessions):
            for session in self.sessions:
                if session.has_place:
                    session.end_of_work.callback(None)
            self.clock.advance(0)
        self.assertEqual((self.places._taken, self.places._taken_by_all, self.places._waiting), ({}, 0, {}))

    def who(self) -> list[int]:
        return [number for number, session in enumerate(self.sessions) if session.has_place]

    places: Places


class AllPlacesTests(PlacesTestCase):
    """Two places for all."""

    def setUp(self) -> None:
        super().setUp()
        self.places = Places(self.clock, 2, 2)

    def test_accounts_take_turns(self) -> None:
        self.come("aaaaabbc")
        self.assertEqual(self.taken, ["a", "a"])
        while waiting := len(self.taken) < 8:
            self.leave(self.who()[0])
        self.assertFalse(waiting)
        self.assertEqual("".join(self.taken), "aaabcaba")
        self.end()

    def test_places_that_nobody_wants_are_free_again(self) -> None:
        for _ in range(3):
            self.come("ab")
            self.leave(*self.who())
        self.assertEqual(self.taken, ["a", "b"] * 3)
        self.come("cde")
        self.assertEqual(self.taken[6:], ["c", "d"])
        self.end()

    def test_who_waits_has_it_before_who_comes(self) -> None:
        self.come("abc")
        self.sessions[0].end_of_work.callback(None)
        self.come("d")
        self.clock.advance(0)
        self.assertEqual(self.taken, ["a", "b", "c"])
        self.end()


class PlacesOfAccountsTests(PlacesTestCase):
    """Two places for each account."""

    def setUp(self) -> None:
        super().setUp()
        self.places = Places(self.clock, 2)
        self.come("aaaaa")

    def test_one_after_another(self) -> None:
        self.come("b")
        for leaves, left in ((0, [1, 2, 5]), (2, [1, 3, 5]), (1, [3, 4, 5]), (4, [3, 5]), (3, [5])):
            self.leave(leaves)
            self.assertEqual(self.who(), left)
        self.end()

    def test_one_that_fails(self) -> None:
        self.sessions[0].end_of_work.errback(ZeroDivisionError())
        self.failureResultOf(self.sessions[0].done, ZeroDivisionError)
        self.clock.advance(0)
        self.assertEqual(self.who(), [1, 2])
        self.end()

    def test_who_goes_leaves_the_line_at_once(self) -> None:
        for number in (2, 4):
            self.sessions[number].hang_up()
            self.failureResultOf(self.sessions[number].done, ConnectionOver)
        self.assertEqual(len(self.places._waiting["a"]), 1)
        self.leave(0)
        self.assertEqual(self.who(), [1, 3])
        self.end()

    def test_who_goes_when_it_is_called(self) -> None:
        self.sessions[0].end_of_work.callback(None)
        self.sessions[2].hang_up()
        self.failureResultOf(self.sessions[2].done, ConnectionOver)
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertEqual(self.who(), [1, 3])
        self.end()

    def test_who_is_gone_before_it_waits(self) -> None:
        session: Any = self.sessions[0]
        session.hang_up()
        for _ in range(2):
            self.failureResultOf(Deferred.fromCoroutine(self.places.take(session)), ConnectionOver)
        self.assertEqual(len(self.places._waiting["a"]), 3)
        self.end()

    def test_very_many(self) -> None:
        self.come("a" * 3000)
        for session in self.sessions:
            session.end_of_work.callback(None)
        self.end()


class Infos(list[Any]):
    """What was read, which can be looked at without keeping it."""


class FetchTests(DialogueTestCase):
    LARGE = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\n" + b"x" * 600_000 + b"\r\n" + b"--b\r\n\r\na\r\n" * 300
    )

    def setUp(self) -> None:
        super().setUp()
        self.inbox.add(self.LARGE)
        self.factory.message_places = Places(self.clock, 1, 1)

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
        self.give_back()
        self.assertTrue(self.done(first) and self.done(second))

    def test_who_does_not_read_has_none(self) -> None:
        slow, other = self.client("1"), self.client("2")
        slow.send(b"a FETCH 1 (BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[1.MIME])\r\n")
        self.clock.pump([0] * 50)
        self.assertTrue(slow.session.congested)
        other.send(b"a FETCH 1 BODY.PEEK[2]\r\n")
        self.assertTrue(self.done(other))
        self.assertTrue(self.done(slow))

    def test_one_for_all_items(self) -> None:
        """Who took one for each item would never be done, and nobody after that."""
        client = self.client("1")
        for items in (b"BODY.PEEK[1.MIME] BODY", b"BODY BODY.PEEK[2] BODY BODY.PEEK[1.MIME]"):
            client.send(b"a FETCH 1 (%b)\r\n" % items)
            self.assertTrue(self.done(client))

    def test_who_waits_holds_no_message(self) -> None:
        """A hundred who wait would hold a hundred messages: what was read is read again."""
        reads: list[Any] = []
        read = self.inbox.read

        async def weakly(uids: Any, parts: Any) -> Any:
            infos = Infos(await read(uids, parts))
            reads.append(ref(infos))
            return infos

        client = self.client("1")
        self.run_out_of_places()
        self.patch(self.inbox, "read", weakly)
        for is_expunged in (False, True):
            client.send(b"a FETCH 1 (BODYSTRUCTURE BODY)\r\n")
            self.assertFalse(self.done(client))
            self.assertIsNone(reads.pop()())
            if is_expunged:
                self.inbox.remove([1])
            self.give_back()
            self.assertEqual(self.done(client), not is_expunged)
            self.assertTrue(self.factory.message_places.is_free(self.SOMEBODY))
            self.run_out_of_places()

    def test_who_goes_away_has_none(self) -> None:
        running, waiting = self.client("1"), self.client("2")
        self.run_out_of_places()
        for client in (running, waiting):
            client.send(b"a FETCH 1 BODY\r\n")
            client.transport.drop()
        self.give_back()
        other = self.client("3")
        other.send(b"a FETCH 1 BODY\r\n")
        self.assertTrue(self.done(other))

    SOMEBODY: Any = SimpleNamespace(signed_in=SimpleNamespace(name="somebody"))

    def run_out_of_places(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.factory.message_places.take(self.SOMEBODY)))

    def give_back(self) -> None:
        self.factory.message_places.give_back(self.SOMEBODY)


class SearchTests(DialogueTestCase):
    def test_only_searches_of_content_need_a_place(self) -> None:
        self.fill(3)
        self.sign_in(select="INBOX")
        other: Any = SimpleNamespace(signed_in=SimpleNamespace(name="alice"))
        for _ in range(2):
            self.successResultOf(Deferred.fromCoroutine(self.factory.search_places.take(other)))
        self.talk(
            """
            C: a SEARCH UNSEEN LARGER 1
            S: * SEARCH 1 2 3
            S: a OK SEARCH completed
            """
        )
        self.clients[""].send(b"b SEARCH BODY bob\r\n")
        self.assertEqual(self.clients[""].received(), b"")
        self.factory.search_places.give_back(other)
        self.clock.advance(0)
        self.assertEqual(self.clients[""].received(), b"* SEARCH 1 2 3\r\nb OK SEARCH completed\r\n")

    def test_there_is_one(self) -> None:
        self.assertRaises(ValueError, IMAPLimits, searches=0)
