"""``store check``: each way in which what is kept can disagree with itself is found, mended if it can be."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _check
from mailproto.backends.sqlite._check import SHOWN
from mailproto.errors import StoreUnusable
from mailproto.interfaces import ICheckable
from mailproto.message import RENDER_VERSION, summarise
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part, Placement
from tests.backends.sqlite.checked_store import ALICE, CheckCase

SMALL = b"Subject: small\r\nMessage-ID: <small@x>\r\n\r\ntext\r\n"
BIG = b"Subject: big\r\n\r\n" + b"x" * 70_000

MENDED = (
    # what goes wrong, and what is said of it
    (
        "UPDATE mailboxes SET messages = 9 WHERE name = 'INBOX'",
        "alice@example.org/INBOX: messages is 9, and must be 4",
    ),
    ("UPDATE mailboxes SET unseen = 0 WHERE name = 'INBOX'", "unseen is 0, and must be 3"),
    ("UPDATE mailboxes SET recent = 2 WHERE name = 'INBOX'", "recent is 2, and must be 4"),
    ("UPDATE mailboxes SET deleted = 7 WHERE name = 'Sent'", "Sent: deleted is 7, and must be 0"),
    ("UPDATE mailboxes SET size = -1 WHERE name = 'Sent'", "Sent: size is -1, and must be "),
    ("UPDATE mailboxes SET tombstones = 5 WHERE name = 'INBOX'", "tombstones is 5, and must be 1"),
    ("UPDATE mailboxes SET uid_next = 2 WHERE name = 'INBOX'", "uid_next is 2, and must be 6 at least"),
    ("UPDATE mailboxes SET modseq = 1 WHERE name = 'INBOX'", "INBOX: modseq is 1, and must be "),
    ("UPDATE accounts SET modseq = 1", "account alice@example.org: modseq is 1, and must be "),
    ("UPDATE accounts SET messages = 9", "alice@example.org: messages of its quota is 9, and must be 5"),
    ("UPDATE accounts SET octets = 9", "alice@example.org: octets of its quota is 9, and must be "),
    ("UPDATE names SET number = 9 WHERE kind = 'mailboxes'", "the number of mailboxes is wrong by 3"),
    ("UPDATE names SET octets = octets - 5 WHERE kind = 'subscriptions'", "and their octets by -5"),
    ("DELETE FROM names WHERE kind = 'subscriptions'", "the number of subscriptions is wrong by -6"),
    ("UPDATE object_ids SET last = 1", "object_ids.last is 1, and must be "),
    ("DELETE FROM object_ids", "object_ids has no row"),
    ("UPDATE validity SET last = 1", "validity.last is 1, and must be "),
    ("UPDATE directory SET revision = 0", "directory.revision is 0, and must be 1 at least"),
    (
        "UPDATE bodies SET refs = 7 WHERE id = (SELECT min(body) FROM messages)",
        "is counted 7 times, but 1 messages have it",
    ),
    ("UPDATE bodies SET refs = 0", "is counted 0 times, but 1 messages have it"),
    ("UPDATE bodies SET refs = refs - 1 WHERE refs = 2", "is counted 1 times, but 2 messages have it"),
    ("INSERT INTO contents VALUES (999, 'x')", "the octets of body 999 belong to nothing"),
    ("INSERT INTO content_rests VALUES (999, 'x')", "the octets of body 999 belong to nothing"),
    (
        "INSERT INTO messages (mailbox, uid, flags, keywords, modseq, internal_date, size, body, thread)"
        " SELECT 99, 1, flags, keywords, modseq, 0, size, body, thread"
        " FROM messages WHERE uid = 1 LIMIT 1",
        "1 rows of messages belong to mailbox 99, which is not there",
    ),
    (
        "INSERT INTO vanished VALUES (98, 1, 1, 1)",
        "1 rows of vanished belong to mailbox 98, which is not there",
    ),
    (
        "INSERT INTO annotations VALUES (1, 98, 0, '/shared/x', 1, x'')",
        "1 annotations belong to mailbox 98 of account 1, which is not there",
    ),
    (
        "INSERT INTO acl VALUES (98, 'anyone', 'lr')",
        "1 identifiers have rights to mailbox 98, which is not there",
    ),
    (
        "UPDATE names SET octets = 5 WHERE kind = 'annotations'",
        "the number of annotations is wrong by 0, and their octets by ",
    ),
    ("UPDATE threads SET messages = 0", "is counted 0 times, but "),
    ("DELETE FROM threads WHERE id = (SELECT min(id) FROM threads)", "messages are in thread "),
    ("INSERT INTO thread_keys VALUES (5, 999)", "a key leads to thread 999, which is not there"),
)

LEFT = (
    ("DELETE FROM contents WHERE body = (SELECT min(body) FROM messages)", "has lost its content: body "),
    (
        "DELETE FROM bodies WHERE id = (SELECT min(body) FROM messages)",
        "message 1 in alice@example.org/INBOX has lost its content: no body ",
    ),
    (
        "UPDATE contents SET octets = CAST(octets || zeroblob(2024 - length(octets)) AS BLOB)"
        " WHERE body = (SELECT min(body) FROM messages)",
        "message 1 in alice@example.org/INBOX has 2024 octets, and not ",
    ),
    ("UPDATE messages SET size = size + 1 WHERE uid = 1", "message 1 in alice@example.org/INBOX has "),
    ("UPDATE mailboxes SET account = 99 WHERE name = 'Junk'", "'Junk' belongs to no account"),
    ("UPDATE mailboxes SET name = 'x' WHERE name = 'INBOX'", "account alice@example.org has no INBOX"),
)


class CheckTests(CheckCase):
    """A store with four messages in INBOX, one of them large, a copy, and a tombstone."""

    async def begin(self) -> None:
        await super().begin()
        self.account = await self.store.account(ALICE)
        self.inbox = await self.account.open("INBOX")
        await self.inbox.append([NewMessage(SMALL, frozenset({"\\Seen"})), NewMessage(BIG)])
        await self.store.deliver(SMALL, [Placement(ALICE)] * 2)
        await self.inbox.append([NewMessage(SMALL, frozenset({"\\Deleted"}))])
        await self.inbox.expunge()
        await self.inbox.copy([2], await self.account.open("Sent"))
        await self.account.annotate("Sent", {"/private/comment": b"mine", "/shared/comment": b"ours"})
        while self.store._database.long_changes._clearing is not None:
            await self.store._database.pause()
        await self.check()
        self.lines.clear()

    async def test_nothing_is_wrong(self) -> None:
        verifyObject(ICheckable, self.store)
        result = await self.check(repair=True)
        self.assertEqual((result.faults, result.repaired, self.lines), (0, 0, []))
        self.assertEqual(
            dict(result.counts),
            {
                "accounts": 1,
                "mailboxes": 6,
                "messages": 5,
                "queued": 0,
                "bodies": 3,
                "threads": 2,
                "summaries made anew": 0,
            },
        )

    async def test_what_can_be_mended(self) -> None:
        for statement, expected in MENDED:
            await self.begin()
            self.execute(statement)
            result = await self.check()
            self.assertTrue(result.faults, statement)
            self.assertEqual(result.repaired, 0)
            self.assertIn(expected, "\n".join(self.lines), statement)
            self.assertEqual(len(self.lines), result.faults)
            repaired = await self.check(repair=True)
            self.assertEqual((repaired.faults, repaired.repaired), (result.faults, result.faults), statement)
            await self.store.directory.add("after", "")
            self.lines.clear()
            await self.check()
            self.assertEqual(self.lines, [], statement)
            read = await self.inbox.read(range(1, 10), Part.CONTENT)
            self.assertEqual(
                [bytes(info.content or b"") for info in read], [SMALL, BIG, SMALL, SMALL], statement
            )
            await self.store.stop()

    async def test_repair_of_many_counts_loses_nothing(self) -> None:
        self.patch(_check, "_MENDED_AT_ONCE", 1)
        database = self.store._database
        for _ in range(30):
            await self.inbox.append([NewMessage(SMALL)])
        self.execute("UPDATE bodies SET refs = 0")
        self.execute("UPDATE mailboxes SET size = 3")
        result = await self.check(repair=True)
        self.assertEqual(result.repaired, result.faults)
        while database.long_changes._clearing is not None:
            await database.pause()
        self.assertEqual((await self.check()).faults, 0)

    async def test_a_start_and_an_end_clear_nothing_away(self) -> None:
        """A command that looks for faults is such a process: what is counted as unused may be needed."""
        path = self.store.path
        await self.store.stop()
        connection = sqlite3.connect(path)
        with connection:
            connection.execute("UPDATE bodies SET refs = 0")
        connection.close()
        reactor: Any = installed
        for repair in (False, True, False):
            self.store = SQLiteStore(path, reactor=reactor)
            await self.store.start()
            for _ in range(20):
                await self.store._database.pause()
            self.lines.clear()
            await self.check(repair=repair)
            await self.store.stop()
        self.assertEqual(self.lines, [])

    async def test_what_is_lost_stays_lost_and_is_told(self) -> None:
        for statement, expected in LEFT:
            await self.begin()
            self.execute(statement)
            for repair in (False, True):
                self.lines.clear()
                result = await self.check(repair=repair)
                self.assertIn(expected, "\n".join(self.lines), statement)
                self.assertGreater(result.faults, result.repaired)

    async def test_files(self) -> None:
        folder = Path(self.store.path + "-bodies")
        [name] = [path.name for path in folder.iterdir()]
        (folder / "new").write_bytes(b"a delivery under way")
        (folder / "old").write_bytes(b"what a crash left")
        hours_ago = time.time() - 7200
        os.utime(folder / "old", (hours_ago, hours_ago))
        result = await self.check()
        self.assertEqual((result.faults, self.lines), (1, ["no message has the file old"]))
        result = await self.check(repair=True)
        self.assertEqual((result.faults, result.repaired), (1, 1))
        self.assertEqual({path.name for path in folder.iterdir()}, {name, "new"})
        self.lines.clear()
        with (folder / name).open("ab") as file:
            file.write(b"more")
        await self.check()
        self.assertEqual(len(self.lines), 2)  # the message, and its copy
        self.assertIn(
            f"message 2 in alice@example.org/INBOX has {len(BIG) + 4} octets in {name}", self.lines[0]
        )
        self.lines.clear()
        (folder / name).unlink()
        await self.check()
        self.assertEqual(len(self.lines), 2)
        self.assertIn("message 2 in alice@example.org/INBOX has lost its content", self.lines[0])

    async def test_a_damaged_database(self) -> None:
        """Whatever is damaged: a line says so, and no exception."""
        reactor: Any = installed
        for table in (
            *("contents", "bodies", "messages", "messages_changed", "mailboxes", "accounts", "threads"),
            *("thread_keys", "vanished", "object_ids", "validity", "bodies_unused", "discarded"),
        ):
            await self.begin()
            self.execute("UPDATE bodies SET rendered = 0")
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            [[page]] = self.execute(f"SELECT rootpage FROM sqlite_master WHERE name = '{table}'")
            [[size]] = self.execute("PRAGMA page_size")
            await self.store.stop()
            with Path(self.store.path).open("r+b") as file:
                file.seek((page - 1) * size)
                file.write(b"\xff" * size)
            store = SQLiteStore(self.store.path, reactor=reactor)
            try:
                await store.start()
            except StoreUnusable as error:
                self.assertTrue(str(error).isprintable())
                continue
            self.lines.clear()
            result = await store.check(self.lines.append, repair=True)
            await store.stop()
            self.assertGreater(result.faults, result.repaired, table)
            self.assertIn("the database ", self.lines[0])
            self.assertTrue(all(line.isprintable() for line in self.lines))
            self.flushLoggedErrors()

    async def test_many_faults_of_a_kind_are_counted(self) -> None:
        self.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < 1499)"
            " INSERT INTO contents SELECT i, 'x' FROM n"
        )
        result = await self.check(repair=True)
        self.assertEqual((result.faults, result.repaired, len(self.lines)), (500, 500, SHOWN + 1))
        self.assertEqual(self.lines[-1], f"orphans: {500 - SHOWN} more")

    async def test_old_summaries_are_made_anew(self) -> None:
        self.execute(
            "UPDATE bodies SET envelope = 'old', body_structure = 'old', offsets = 'old', rendered = 0"
        )
        result = await self.check()
        self.assertEqual((result.faults, result.counts["summaries made anew"]), (0, 3))
        await self.store.directory.add("after", "")
        rows = self.execute("SELECT rendered, envelope, body_structure, offsets FROM bodies ORDER BY id")
        self.assertEqual(rows, [(RENDER_VERSION, *summarise(content)) for content in (SMALL, BIG, SMALL)])

    async def test_while_the_store_is_in_use(self) -> None:
        """Nothing that changes meanwhile is called a fault, or mended wrongly."""
        stop = False

        async def use() -> None:
            number = 0
            while not stop:
                number += 1
                await self.store.deliver(
                    SMALL if number % 9 else BIG, [Placement(ALICE), Placement(ALICE, "Sent")]
                )
                uids = [message.uid for message in (await self.inbox.changes_since(0)).changed]
                await self.inbox.store(uids[:1], FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
                await self.inbox.expunge()
                if not number % 5:
                    await self.inbox.move(uids[1:3], await self.account.open("Trash"))
                if not number % 7:
                    await self.account.create(f"box {number}")
                    await self.inbox.copy(uids, await self.account.open(f"box {number}"))
                    await self.account.delete(f"box {number}")

        using = Deferred.fromCoroutine(use())
        for _ in range(10):
            result = await self.check(repair=True)
            self.assertEqual((result.faults, self.lines), (0, []))
        # One that is there is mended by the difference, whatever happens at the same time.
        self.execute("UPDATE mailboxes SET messages = messages + 100 WHERE name = 'INBOX'")
        result = await self.check(repair=True)
        self.assertEqual((result.faults, result.repaired), (1, 1))
        self.lines.clear()
        result = await self.check()
        self.assertEqual((result.faults, self.lines), (0, []))
        stop = True
        await using
