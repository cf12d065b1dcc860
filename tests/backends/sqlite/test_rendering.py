"""What an older `RENDER_VERSION` made is made anew when it is read."""

from __future__ import annotations

import os
import sqlite3
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _rendering
from mailproto.backends.sqlite._mailbox import SQLiteMailbox
from mailproto.interfaces import IMailbox
from mailproto.message import RENDER_VERSION, summarise
from mailproto.model import FlagChange, FlagOperation, MessageInfo, NewMessage, Part

ALICE = "alice@example.org"
SUMMARY = Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS
BIG = b"Subject: big\r\n\r\n" + b"x" * 100_000


def text(number: int) -> bytes:
    return b"Subject: %d\r\nMessage-ID: <%d@x>\r\n\r\ntext\r\n" % (number, number)


class RenderingTests(TestCase):
    """A store in which all summaries are old, and wrong."""

    async def setUp(self) -> None:
        reactor: Any = installed
        self.store = SQLiteStore(self.mktemp(), reactor=reactor)
        await self.store.start()
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.stop()))
        await self.store.directory.add(ALICE, "")
        self.contents = [*map(text, range(130)), BIG, *map(text, range(131, 140)), b""]
        self.inbox: IMailbox = await (await self.store.account(ALICE)).open("INBOX")
        await self.inbox.append([NewMessage(content) for content in self.contents])
        self.age()

    def age(self) -> None:
        self.execute(
            "UPDATE bodies SET envelope = x'6f6c64', body_structure = x'6f6c64', offsets = x'6f6c64',"
            " rendered = 0"
        )

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.store.path, isolation_level=None)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def versions(self) -> dict[int, int]:
        return dict(self.execute("SELECT rendered, count(*) FROM bodies GROUP BY rendered"))

    async def test_all_of_it_is_right_and_kept(self) -> None:
        uids = range(1, len(self.contents) + 1)
        read = await self.inbox.read(uids, SUMMARY | Part.SIZE)
        self.assertEqual([info.uid for info in read], list(uids))
        for info, content in zip(read, self.contents, strict=True):
            self.assertEqual(
                (info.envelope, info.body_structure, info.offsets, info.size),
                (*summarise(content), len(content)),
            )
        await self.store.directory.add("bob@example.org", "")  # after what the writer had to do
        self.assertEqual(self.versions(), {RENDER_VERSION: len(self.contents)})
        self.assertEqual(await self.inbox.read(uids, SUMMARY | Part.SIZE), read)

    async def test_no_more_octets_are_read_than_were_asked_for(self) -> None:
        """Of old summaries, and of new ones."""
        uids = list(range(1, len(self.contents) + 1))
        assert isinstance(self.inbox, SQLiteMailbox)
        for most in (1, 5000, 1, 5000):
            found: list[MessageInfo] = []
            while piece := await self.inbox.read_some(uids[len(found) :], SUMMARY, most):
                found += piece
                octets = [sum(map(len, filter(None, info[3:6]))) for info in piece]
                self.assertLess(sum(octets), most + 60 * max(octets))
            self.assertEqual(found, await self.inbox.read(uids, SUMMARY))
        self.assertEqual(await self.inbox.read_some(uids, SUMMARY, 1 << 30), found)

    async def test_reading_some_goes_on_after_what_was_removed(self) -> None:
        uids = list(range(1, 15))
        assert isinstance(self.inbox, SQLiteMailbox)
        original = self.inbox._read
        removed: list[object] = []

        def read(*given: Any) -> Any:
            found = original(*given)[:8]
            if not removed:
                removed.append(self.inbox)
                self.execute("DELETE FROM messages WHERE uid < 12")
            return found

        self.inbox._read = read  # type: ignore[method-assign]
        found = await self.inbox.read_some(uids, SUMMARY, 1)
        self.assertEqual([info.uid for info in found], [12, 13, 14])

    async def test_each_part_alone(self) -> None:
        summary = summarise(self.contents[0])
        for part, name, expected in (
            (Part.ENVELOPE, "envelope", summary.envelope),
            (Part.BODY_STRUCTURE, "body_structure", summary.body_structure),
            (Part.OFFSETS, "offsets", summary.index),
        ):
            self.age()
            [info] = await self.inbox.read([1], part)
            self.assertEqual(getattr(info, name), expected)
            [info] = await self.inbox.read([1], part | Part.CONTENT | Part.IDS)
            self.assertEqual((getattr(info, name), info.content), (expected, self.contents[0]))

    async def test_what_needs_no_summary_renders_nothing(self) -> None:
        await self.inbox.read(range(1, 99), Part.SIZE | Part.CONTENT | Part.IDS | Part.INTERNAL_DATE)
        await self.store.directory.add("bob@example.org", "")
        self.assertEqual(self.versions(), {0: len(self.contents)})

    async def test_few_at_a_time_and_in_a_thread(self) -> None:
        """The reactor has its turns between pieces."""
        pieces: list[int] = []
        original = _rendering.render_anew

        async def render(database: Any, bodies: Any) -> Any:
            pieces.append(len(bodies))
            return await original(database, bodies)

        self.patch(_rendering, "render_anew", render)
        await self.inbox.read(range(1, 141), Part.ENVELOPE)
        self.assertEqual(sum(pieces), 140)
        self.assertLessEqual(max(pieces), 50)
        self.assertGreaterEqual(len(pieces), 3)

    async def test_on_a_disk_that_is_full_the_answer_is_right(self) -> None:
        self.execute("CREATE TRIGGER full BEFORE UPDATE ON bodies BEGIN SELECT raise(ABORT, 'no'); END")
        for _ in range(2):
            [info] = await self.inbox.read([1], Part.ENVELOPE)
            self.assertEqual(info.envelope, summarise(self.contents[0]).envelope)

    async def test_octets_that_are_missing_leave_what_there_was(self) -> None:
        [path] = list(os.listdir(self.store.path + "-bodies"))
        os.unlink(os.path.join(self.store.path + "-bodies", path))
        self.execute("DELETE FROM contents WHERE body = (SELECT body FROM messages WHERE uid = 1)")
        for uid in (1, 131):
            [info] = await self.inbox.read([uid], Part.ENVELOPE)
            self.assertEqual(info.envelope, b"old")

    async def test_messages_that_go_meanwhile_are_left_out(self) -> None:
        await self.inbox.store([1, 60, 139], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
        reading = Deferred.fromCoroutine(self.inbox.read(range(1, 141), SUMMARY))  # type: ignore[arg-type]
        expunging = Deferred.fromCoroutine(self.inbox.expunge())  # type: ignore[arg-type]
        read, _ = await gatherResults([reading, expunging])
        for info in read:
            if info.envelope != b"old":
                self.assertEqual(info.envelope, summarise(self.contents[info.uid - 1]).envelope)
        self.assertGreaterEqual(len(read), 137)

    async def test_a_newer_version_is_taken_as_it_is(self) -> None:
        self.execute(f"UPDATE bodies SET rendered = {RENDER_VERSION + 1}")
        [info] = await self.inbox.read([1], Part.ENVELOPE)
        self.assertEqual(info.envelope, b"old")
