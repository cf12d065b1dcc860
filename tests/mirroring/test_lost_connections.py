"""Connections that are lost while mailboxes are mirrored."""

from __future__ import annotations

import sqlite3
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred, fail, succeed

from mailproto.client.errors import AuthenticationRefused, ConnectFailed, ConnectionLost
from mailproto.imap.wire._answers import StatusResponse
from mailproto.mirroring import MirrorReport, RemoteMailbox, _link, compare_accounts, mirror, mirror_account
from mailproto.mirroring._remote_account import RemoteAccount
from mailproto.mirroring._remote_side import RemoteSide
from mailproto.mirroring._state import MirrorState
from tests.imap.server.dialogue import run
from tests.mirroring.sides import MirrorTestCase, contents


class LostTestCase(MirrorTestCase):
    """`connect` signs in, as often as it is called.

    :ivar links: all connections.
    :ivar refused: errors of the next attempts.
    """

    def setUp(self) -> None:
        super().setUp()
        self.links: list[Any] = []
        self.refused: list[Exception] = []

    def connect(self) -> Deferred[Any]:
        if self.refused:
            return fail(self.refused.pop(0))
        self.links.append(self.sign_in())
        return succeed(self.links[-1].client)

    def done(self, coroutine: Any, seconds: float = 100) -> Any:
        """The result of what uses these connections, after pauses."""
        deferred = Deferred.fromCoroutine(coroutine)
        for _ in range(int(seconds * 10)):
            for link in self.links:
                link.pump()
            if deferred.called:
                break
            self.clock.advance(0.1)
        results: list[Any] = []
        deferred.addBoth(results.append)
        if not results:
            raise AssertionError("it has not ended")
        if hasattr(results[0], "raiseException"):
            results[0].raiseException()
        return results[0]

    def losing(self, kind: Any, name: str, times: int) -> Any:
        """Lose the connection in the middle of a method, so many times."""
        real, left = getattr(kind, name), [times]

        async def lost(side: Any, *arguments: Any, **options: Any) -> Any:
            if left[0]:
                left[0] -= 1
                self.links[-1].client.abort()
                self.links[-1].pump()
                raise ConnectionLost
            return await real(side, *arguments, **options)

        return patch.object(kind, name, lost)

    def cutting(self, after: int, times: int) -> Any:
        """Lose the connection after some messages were read."""
        real, left = RemoteSide.read, [times]

        async def cut(side: RemoteSide, uids: Any) -> Any:
            count = 0
            async for message in real(side, uids):
                if left[0] and count == after:
                    left[0] -= 1
                    self.links[-1].client.abort()
                    raise ConnectionLost
                count += 1
                yield message

        return patch.object(RemoteSide, "read", cut)

    def mirror_lost(self, **options: Any) -> MirrorReport:
        source, target = options.pop("between", (RemoteMailbox(self.connect, "INBOX"), self.local))
        found: MirrorReport = self.done(mirror(source, target, self.state, clock=self.clock, **options))
        return found


class LostTests(LostTestCase):
    def test_it_goes_on(self) -> None:
        for number in range(5):
            self.put(self.inbox, f"message {number}")
        self.patch(_link, "FIRST_PAUSE", 2.0)
        with patch("mailproto.mirroring._copying._MESSAGES", 2), self.cutting(3, 1):
            report = self.mirror_lost()
        self.assertEqual((report.mailboxes, report.copied, len(self.links)), (1, 5, 2))
        self.assertEqual(*self.seen_there())
        self.assertFalse(any(link.client.is_usable for link in self.links))

    def test_it_goes_on_as_long_as_something_is_done(self) -> None:
        """Each connection lasts for two messages."""
        for number in range(30):
            self.put(self.inbox, f"message {number}")
        with patch("mailproto.mirroring._copying._MESSAGES", 2), self.cutting(2, 14):
            report = self.mirror_lost()
        self.assertEqual((report.copied, len(self.links)), (30, 15))
        self.assertEqual(*self.seen_there())

    def test_messages_whose_append_was_not_answered_are_not_doubled(self) -> None:
        self.put(self.local, "one")
        append = RemoteSide.append
        lost = [True]

        async def unanswered(side: RemoteSide, messages: Any) -> Any:
            uids = await append(side, messages)
            if lost.pop() if lost else False:
                self.links[-1].client.abort()
                raise ConnectionLost
            return uids

        with patch.object(RemoteSide, "append", unanswered):
            self.mirror_lost(between=(self.local, RemoteMailbox(self.connect, "INBOX")))
        self.assertEqual(*self.seen_there())
        self.assertEqual(len(contents(self.inbox)), 1)

    def test_the_attempts_are_limited(self) -> None:
        self.put(self.inbox, "one")
        since = self.clock.seconds()
        with self.cutting(0, 100):
            self.assertRaises(ConnectionLost, self.mirror_lost)
        self.assertEqual(len(self.links), _link.TRIES)
        pauses = sum(_link.FIRST_PAUSE * 2**each for each in range(_link.TRIES - 1))
        self.assertTrue(pauses <= self.clock.seconds() - since < pauses + 1)
        self.assertEqual(self.mirror_lost().copied, 1)

    def test_a_server_that_cannot_be_reached_for_a_while(self) -> None:
        self.put(self.inbox, "one")
        with self.cutting(0, 1):
            connect = self.connect
            first = [True]

            def later() -> Deferred[Any]:
                if first:
                    first.clear()
                    found = connect()
                    self.refused = [ConnectFailed("not now"), ConnectFailed("not now")]
                    return found
                return connect()

            self.done(mirror(RemoteMailbox(later, "INBOX"), self.local, self.state, clock=self.clock))
        self.assertEqual(*self.seen_there())

    def test_what_cannot_become_better(self) -> None:
        no = AuthenticationRefused(reply=StatusResponse("x", "NO", "AUTHENTICATIONFAILED", b"", b"no"))
        self.refused = [no]
        self.assertRaises(AuthenticationRefused, self.mirror_lost)  # at the beginning
        self.assertEqual(self.links, [])
        self.refused = [ConnectFailed("no")]
        self.assertRaises(ConnectFailed, self.mirror_lost)

    def test_a_client_that_is_the_callers(self) -> None:
        self.put(self.inbox, "one")
        self.links.append(self.link)
        with self.cutting(0, 1):
            self.assertRaises(ConnectionLost, self.mirror_lost, between=(self.remote, self.local))

    def test_the_callers_client_leaves_the_mailbox(self) -> None:
        self.mirror()
        self.assertIsNone(self.link.client.selected)
        self.assertTrue(self.link.client.is_usable)

    def test_accounts(self) -> None:
        for name in ("One", "Two"):
            run(self.account.create(name))
            self.put(run(self.account.open(name)), f"in {name}")
        for kind, name in (
            (RemoteAccount, "mailboxes"),
            (RemoteAccount, "side"),
            (RemoteSide, "open"),
        ):
            with self.losing(kind, name, 2):
                report = self.done(
                    mirror_account(self.connect, self.other_account, self.state, clock=self.clock)
                )
            self.assertEqual(report.failures, [])
        self.assertEqual(len(contents(run(self.other_account.open("Two")))), 1)
        with self.losing(RemoteSide, "open", 2):
            compared = self.done(compare_accounts(self.connect, self.other_account, clock=self.clock))
        self.assertTrue(all(each.agrees for each in compared))

    def test_a_mailbox_that_was_made_before_is_not_made_twice(self) -> None:
        run(self.other_account.create("One"))
        self.put(run(self.other_account.open("One")), "in One")
        with self.losing(RemoteSide, "append", 1):
            call = mirror_account(self.other_account, self.connect, self.state, clock=self.clock)
            report = self.done(call)
        self.assertEqual((report.created, report.copied, report.failures), (["One"], 1, []))

    def test_failures_are_told_once(self) -> None:
        for text in ("one", "two"):
            self.put(self.inbox, text)
        read, lost = RemoteSide.read, [True]

        async def without_the_first(side: RemoteSide, uids: Any) -> Any:
            async for message in read(side, uids):
                if message.uid != 1:
                    yield message

        finish = RemoteSide.flags

        async def lose(side: RemoteSide, uids: Any) -> Any:
            return await finish(side, uids)

        with patch.object(RemoteSide, "read", without_the_first), patch.object(RemoteSide, "flags", lose):
            real = mirror.__globals__["MailboxRun"].run

            async def twice(mailbox_run: Any, states: Any) -> None:
                await real(mailbox_run, states)
                if lost.pop() if lost else False:
                    self.links[-1].client.abort()
                    raise ConnectionLost

            with patch.object(mirror.__globals__["MailboxRun"], "run", twice):
                report = self.mirror_lost()
        self.assertEqual(len(report.failures), 1)


class StateTests(MirrorTestCase):
    def test_a_state_of_an_earlier_version(self) -> None:
        for text in ("one", "two"):
            self.put(self.inbox, text)
        self.mirror()
        database = sqlite3.connect(self.state)
        for column in ("identity0", "identity1", "removing"):
            database.execute(f"ALTER TABLE mailbox DROP COLUMN {column}")
        database.execute("PRAGMA user_version = 1")
        database.commit()
        database.close()
        self.assertEqual((self.mirror().changes, self.mirror().matched), (0, 0))
        states = MirrorState(self.state)
        [known] = states.mirrored()
        states.close()
        inbox: Any = self.inbox
        self.assertEqual(known.identity, (inbox.mailbox_id, self.local.mailbox_id))
        database = sqlite3.connect(self.state)
        database.execute("PRAGMA user_version = 3")
        database.close()
        self.assertRaisesRegex(Exception, "of another version", self.mirror)
