"""`fetch_new`: each message once, whatever happens."""

from __future__ import annotations

import contextlib
import inspect
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from twisted.internet.defer import Deferred

from mailproto.backends import MemoryStore
from mailproto.client.errors import CommandRefused, ConnectionLost
from mailproto.errors import OverQuota, StoreUnusable
from mailproto.fetching import FetchProgress
from mailproto.fetching._database import StateFile
from mailproto.fetching._fetch_state import FetchState
from mailproto.fetching._targets import Target
from mailproto.model import Part
from tests.fetching.maildrops import Crash, FetchCase, mailbox_target
from tests.imap.server.dialogue import run


def mail(number: int) -> bytes:
    return b"Subject: %d\r\n\r\nbody\r\n" % number


def on_unix(octets: bytes) -> bytes:
    return octets.replace(b"\r\n", b"\n")


class KeptOnceTests(FetchCase):
    """With each target: what a server has is in it once, after any number of runs and crashes."""

    def setUp(self) -> None:
        super().setUp()
        store = MemoryStore()
        run(store.directory.add("bob", ""))
        self.inbox: Any = run(run(store.account("bob")).open("INBOX"))

    def in_mailbox(self) -> list[bytes]:
        uids = run(self.inbox.changes_since(0)).changed.uids
        return sorted(bytes(info.content) for info in run(self.inbox.read(uids, Part.CONTENT)))

    def each(self) -> Iterator[tuple[Target, Callable[[], list[bytes]], Callable[[bytes], bytes]]]:
        for target, there, form in (
            (self.maildir(), self.in_maildir, on_unix),
            (self.mbox(), self.in_mbox, on_unix),
            (mailbox_target(self.inbox), self.in_mailbox, bytes),
        ):
            with contextlib.suppress(FileNotFoundError):
                (self.folder / "state").unlink()
            yield target, there, form

    def test_what_is_new(self) -> None:
        for target, there, form in self.each():
            self.source.messages = {str(n): mail(n) for n in range(5)}
            self.assertEqual(self.fetch(target).kept, 5)
            result = self.fetch(target)
            self.assertEqual((result.listed, result.new, result.kept, result.removed), (5, 0, 0, 0))
            self.source.messages["9"] = mail(9)
            self.assertEqual(self.fetch(target).kept, 1)
            self.assertEqual(there(), [form(mail(n)) for n in (0, 1, 2, 3, 4, 9)])

    def test_what_came_before_the_connection_was_lost_is_kept(self) -> None:
        """Otherwise a line that breaks after some messages would never get any."""
        get = self.source.get

        async def some(messages: Any) -> Any:
            got = await get(messages)
            self.source.lost = ConnectionLost()
            return [*got[:2], *(None for _ in got[2:])]

        for target, there, form in self.each():
            self.source.messages = {str(n): mail(n) for n in range(5)}
            with patch.object(self.source, "get", some), self.assertRaises(ConnectionLost):
                self.fetch(target, delete=True)
            self.assertEqual(len(self.source.messages), 5)
            self.assertEqual(there(), [form(mail(n)) for n in range(2)])
            self.source.lost = None
            self.assertEqual(self.fetch(target).kept, 3)
            self.assertEqual(there(), [form(mail(n)) for n in range(5)])

    def test_what_was_kept_before_is_removed_later(self) -> None:
        for target, there, _ in self.each():
            self.source.messages = {str(n): mail(n) for n in range(3)}
            self.fetch(target)
            self.source.messages["3"] = mail(3)
            result = self.fetch(target, delete=True)
            self.assertEqual((result.kept, result.removed), (1, 4))
            self.assertEqual((self.source.messages, len(there())), ({}, 4))

    def test_a_crash_at_each_step(self) -> None:
        for target, there, form in self.each():
            for step in range(1000):
                self.source.messages = {f"{step}.{n}": mail(step * 10 + n) for n in range(3)}
                ended = self.crash_at(step, target)
                self.fetch(target, delete=True)
                self.assertEqual(self.source.messages, {})
                if ended:
                    break
            expected = sorted(form(mail(each * 10 + n)) for each in range(step + 1) for n in range(3))
            self.assertEqual(there(), expected, (target.name, step))
            self.assertGreater(step, 3)

    def crash_at(self, step: int, target: Target) -> bool:
        """Fetch, and crash at that step of the disk's; whether there was no such step."""
        left = [step]

        def counted(function: Any) -> Any:
            def call(*arguments: Any) -> Any:
                left[0] -= 1
                if left[0] < 0:
                    raise Crash
                if function is os.pwrite and left[0] == 0:
                    arguments = (arguments[0], bytes(arguments[1])[:7], arguments[2])
                return function(*arguments)

            return call

        calls = (
            (os, "fsync"),
            (os, "rename"),
            (os, "pwrite"),
            (FetchState, "intend"),
            (FetchState, "keep"),
            (FetchState, "removed"),
            (type(self.inbox), "append"),
        )
        with contextlib.ExitStack() as stack:
            for owner, name in calls:
                stack.enter_context(patch.object(owner, name, self._either(counted, getattr(owner, name))))
            try:
                self.fetch(target, delete=True)
            except Crash:
                return False
        return True

    def _either(self, counted: Any, function: Any) -> Any:
        """Crash before the call, or after it."""
        before = counted(function)

        def call(*arguments: Any) -> Any:
            result = before(*arguments)
            counted(lambda: None)()
            return result

        async def later(*arguments: Any) -> Any:
            result = await before(*arguments)
            counted(lambda: None)()
            return result

        return later if inspect.iscoroutinefunction(function) else call

    def test_no_room(self) -> None:
        real = self.inbox.append
        self.source.messages = {str(n): mail(n) for n in range(5)}
        room = [3]

        def append(messages: Any) -> Any:
            if len(messages) > room[0]:
                raise OverQuota
            room[0] -= len(messages)
            return real(messages)

        target = mailbox_target(self.inbox)
        with patch.object(self.inbox, "append", append):
            self.assertRaises(OverQuota, self.fetch, target)
        self.assertEqual(len(self.in_mailbox()), 3)
        self.fetch(target)
        self.assertEqual(self.in_mailbox(), [mail(n) for n in range(5)])


class IdTests(FetchCase):
    """Servers that have no ids, or use them twice."""

    def test_messages_without_ids_are_known_by_their_octets(self) -> None:
        self.source.messages = {"nameless1": mail(1), "nameless2": mail(1), "nameless3": mail(3)}
        target = self.maildir()
        self.assertEqual(self.fetch(target).kept, 3)
        self.source.messages["nameless4"] = mail(4)
        self.assertEqual(self.fetch(target).kept, 1)
        self.assertEqual(len(self.in_maildir()), 4)

    def test_a_server_that_gives_ids_only_sometimes(self) -> None:
        """As one that refuses UIDL while it has no room."""
        for first in (False, True):
            target = self.maildir()
            self.source.messages = {str(n): mail(n + 10 * first) for n in range(3)}
            for number in range(4):
                self.source.is_nameless = (number % 2 == 0) == first
                self.fetch(target)
            self.assertEqual(len(self.in_maildir()), 3 + 3 * first)

    def test_a_server_that_counts(self) -> None:
        target = self.maildir()
        for number in range(3):
            self.source.messages = {"1": mail(number)}
            self.assertEqual(self.fetch(target, delete=True).kept, 1)
        self.assertEqual(self.in_maildir(), [on_unix(mail(n)) for n in range(3)])

    def test_a_server_that_counts_and_another_client_that_removes(self) -> None:
        target = self.maildir()
        for number in range(3):
            self.source.messages = {"1": mail(number)}
            self.assertEqual(self.fetch(target).kept, 1)
            self.source.messages = {}  # another client has removed it, and this one sees that
            self.fetch(target)
        self.assertEqual(self.in_maildir(), [on_unix(mail(n)) for n in range(3)])

    def test_a_server_that_counts_and_an_end_just_when_it_has_removed(self) -> None:
        target, remove = self.maildir(), self.source.remove

        async def lost(messages: Any) -> None:
            await remove(messages)
            raise ConnectionLost

        for number in range(3):
            self.source.messages = {"1": mail(number)}
            with patch.object(self.source, "remove", lost), self.assertRaises(ConnectionLost):
                self.fetch(target, delete=True)
        self.assertEqual(self.in_maildir(), [on_unix(mail(n)) for n in range(3)])

    def test_a_server_that_refuses_to_remove_gives_each_once(self) -> None:
        async def refused(messages: Any) -> None:
            raise CommandRefused("read only")

        target = self.maildir()
        self.source.messages = {"1": mail(1)}
        with patch.object(self.source, "remove", refused):
            for _ in range(3):
                self.assertRaises(CommandRefused, self.fetch, target, delete=True)
        self.assertEqual(self.source.given, ["1"])

    def test_a_removed_message_that_comes_back_is_the_same(self) -> None:
        target = self.maildir()
        for _ in range(3):
            self.source.messages = {"1": mail(1)}
            self.fetch(target, delete=True)
        self.assertEqual(self.in_maildir(), [on_unix(mail(1))])

    def test_another_size_is_looked_at(self) -> None:
        target = self.maildir()
        self.source.messages = {"1": mail(1)}
        self.fetch(target)
        self.source.messages = {"1": mail(11)}
        self.assertEqual(self.fetch(target).kept, 1)

    def test_new_numbers_for_old_messages(self) -> None:
        target = self.maildir()
        self.source.messages = {"1:1": mail(1), "1:2": mail(2)}
        self.fetch(target)
        self.source.renumbers = True
        self.source.messages = {"2:1": mail(1), "2:2": mail(2), "2:3": mail(3)}
        self.assertEqual(self.fetch(target).kept, 1)
        self.source.given.clear()
        self.assertEqual(self.fetch(target).new, 0)
        self.assertEqual(self.source.given, [])

    def test_a_message_that_the_server_refuses(self) -> None:
        target = self.maildir()
        self.source.messages = {str(n): mail(n) for n in range(3)}
        self.source.fails = "1"
        result = self.fetch(target, delete=True)
        self.assertEqual((result.kept, result.removed, result.refused), (2, 2, ("message 2: no",)))
        self.assertEqual(list(self.source.messages), ["1"])

    def test_a_target_that_fails_while_the_next_messages_come(self) -> None:
        """Nothing is said of them in the log."""
        waiting: list[Deferred[Any]] = []
        get = self.source.get

        async def late(messages: Any) -> Any:
            if waiting:
                await waiting[0]
            waiting.append(Deferred())
            return await get(messages)

        self.source.get = late  # type: ignore[method-assign]
        self.source.messages = {str(n): b"x" * (3 << 20) for n in range(3)}
        with patch.object(os, "rename", side_effect=OSError(28, "full")):
            self.assertRaises(OSError, self.fetch, self.maildir())
        waiting[0].errback(ConnectionLost())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_looking_changes_nothing(self) -> None:
        self.source.messages = {"1": mail(1)}
        self.fetch(self.maildir())
        self.source.messages |= {"2": mail(2), "nameless": mail(3)}
        result = self.fetch(self.maildir(), dry_run=True)
        self.assertEqual((result.listed, result.new, result.kept), (3, 2, 0))
        self.assertEqual(len(self.in_maildir()), 1)

    def test_progress(self) -> None:
        self.source.messages = {str(n): b"x" * (3 << 20) for n in range(3)}
        self.fetch(self.maildir())
        size = 3 << 20
        self.assertEqual(self.told, [FetchProgress(n, 3, n * size, 3 * size) for n in range(4)])


class StateTests(FetchCase):
    def state(self, target: str = "maildir:/x") -> FetchState:
        return FetchState(self.folder / "state", "pop3://bob@host", target)

    def test_two_programs_do_not_share_it(self) -> None:
        state = self.state()
        state.open()
        self.assertRaisesRegex(StoreUnusable, "another program uses it: wait", self.state().open)
        state.close()
        again = self.state()
        again.open()
        again.close()

    def test_it_belongs_to_one_source_and_one_target(self) -> None:
        state = self.state()
        state.open()
        state.close()
        self.assertRaisesRegex(StoreUnusable, "choose another file", self.state("mbox:/y").open)
        self.assertEqual((self.folder / "state").stat().st_mode & 0o777, 0o600)

    def test_what_is_no_state(self) -> None:
        self.folder.mkdir()
        (self.folder / "state").write_bytes(b"Subject: no state\n" * 100)
        self.assertRaisesRegex(StoreUnusable, "state: .*: choose another file", self.state().open)
        self.assertRaisesRegex(StoreUnusable, "choose", StateFile(self.folder, "x", "").open)

    def test_what_came_long_ago_is_forgotten(self) -> None:
        self.source.messages = {"1": mail(1)}
        self.fetch(self.maildir(), delete=True)
        database = sqlite3.connect(self.folder / "state")
        with database:
            database.execute("UPDATE kept SET removed = removed - 91 * 86400")
        database.close()
        state = self.state(self.maildir().name)
        state.open()
        self.assertEqual(state.known(), {})
        state.close()
