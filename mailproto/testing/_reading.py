"""Tests of what every account and mailbox must do, also those that clients only read."""

from __future__ import annotations

import re
from typing import Any

from zope.interface.verify import verifyObject

from mailproto.errors import InvalidMailboxName, NoSuchMailbox, ReadOnly
from mailproto.interfaces import IAccount, IBoundedReading, IMailbox, IMetadata
from mailproto.message import summarise
from mailproto.model import INBOX, Part
from mailproto.testing._fixture import StoreFixture, flag_change, new, provides
from mailproto.testing._settled import unwrapped

__all__ = ["ReadingConformance"]

_ALL = Part.INTERNAL_DATE | Part.SIZE | Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS | Part.CONTENT
_BARE_LF = re.compile(rb"(?<!\r)\n")
_GONE = 2**32 - 1


class ReadingConformance(StoreFixture):
    """Tests an account and its INBOX without changing them.

    A writable INBOX gets a few messages first.  One that is not writable is read as your store made it, so
    let it have some.
    """

    async def filled(self) -> Any:
        """INBOX, with a few messages."""
        mailbox = await self.account.open(INBOX)
        if mailbox.writable:
            await mailbox.append([new("\\Seen", "Label"), new("\\Deleted"), new(), new("\\Flagged")])
            await mailbox.expunge()
        return mailbox

    async def test_the_objects_have_what_their_interfaces_say(self) -> None:
        inbox = await self.filled()
        verifyObject(IAccount, unwrapped(self.account))
        verifyObject(IMailbox, unwrapped(inbox))
        self.assertEqual(inbox.name, INBOX)
        self.assertTrue(0 < inbox.uid_validity < 2**32)
        self.assertIsInstance(inbox.permanent_flags, frozenset)

    async def test_the_status_is_that_of_the_messages(self) -> None:
        inbox = await self.filled()
        status = await inbox.status()
        changes = await inbox.changes_since(0)
        messages = list(changes.changed)
        uids = [message.uid for message in messages]
        self.assertEqual(uids, sorted(set(uids)))
        self.assertEqual(list(changes.vanished), [])
        self.assertEqual(changes.modseq, status.modseq)
        self.assertTrue(all(1 <= message.modseq <= status.modseq for message in messages), messages)
        self.assertEqual(status.messages, len(messages))
        self.assertEqual(status.unseen, sum("\\Seen" not in message.flags for message in messages))
        self.assertEqual(status.deleted, sum("\\Deleted" in message.flags for message in messages))
        self.assertEqual(status.size, sum(info.size or 0 for info in await inbox.read(uids, Part.SIZE)))
        self.assertEqual(status.uid_validity, inbox.uid_validity)
        self.assertGreater(status.uid_next, max(uids, default=0))
        self.assertEqual(await self.account.status([INBOX, "no such mailbox"]), {INBOX: status})

    async def test_nothing_has_changed_since_now(self) -> None:
        inbox = await self.filled()
        now = (await inbox.status()).modseq
        changes = await inbox.changes_since(now)
        self.assertEqual((list(changes.changed), list(changes.vanished), changes.modseq), ([], [], now))

    async def test_each_message_is_described_as_it_is(self) -> None:
        inbox = await self.filled()
        for uid in await self.uids(inbox):
            [info] = await inbox.read([uid], _ALL)
            assert info.content is not None
            content = bytes(info.content)
            self.assertEqual((info.uid, info.size), (uid, len(content)))
            self.assertIsInstance(info.internal_date, int)
            self.assertIsNone(_BARE_LF.search(content), f"message {uid} has lines that do not end with CRLF")
            summary = summarise(content)
            described = (info.envelope, info.body_structure, info.offsets)
            self.assertEqual(described, (summary.envelope, summary.body_structure, summary.index))

    async def test_what_is_not_there_is_left_out(self) -> None:
        inbox = await self.filled()
        uids = await self.uids(inbox)
        for part in Part:
            self.assertEqual([info.uid for info in await inbox.read([*uids, _GONE], part)], uids)
        self.assertEqual(list(await inbox.read([_GONE], _ALL)), [])
        self.assertEqual(list(await inbox.read([], _ALL)), [])

    async def test_metadata_are_those_of_reading(self) -> None:
        inbox = await self.filled()
        if not provides(IMetadata, inbox):
            return
        uids = await self.uids(inbox)
        metadata = await inbox.metadata([*uids, _GONE])
        infos = await inbox.read(uids, Part.SIZE | Part.INTERNAL_DATE)
        self.assertEqual(list(metadata.uids), uids)
        self.assertEqual(list(metadata.sizes), [info.size for info in infos])
        self.assertEqual(list(metadata.internal_dates), [info.internal_date for info in infos])

    async def test_reading_some_is_reading_in_pieces(self) -> None:
        inbox = await self.filled()
        if not provides(IBoundedReading, inbox):
            return
        uids = await self.uids(inbox)
        for parts in (Part.SIZE, Part.ENVELOPE, Part.CONTENT, _ALL):
            expected = list(await inbox.read(uids, parts))
            for octets in (1, 1000, 1 << 40):
                found: list[Any] = []
                left = [*uids, _GONE]
                while piece := await inbox.read_some(left, parts, octets):
                    found += piece
                    left = [uid for uid in left if uid > found[-1].uid]
                self.assertEqual(found, expected)
            self.assertEqual(list(await inbox.read_some(uids, parts, 1 << 40)), expected)

    async def test_what_is_not_writable_cannot_be_changed(self) -> None:
        inbox = await self.filled()
        if inbox.writable:
            return
        uids, before = await self.uids(inbox), await inbox.status()
        for asked in (
            inbox.append([new()]),
            inbox.store(uids, flag_change("+", "\\Seen")),
            inbox.store(uids, flag_change("", "Label")),
            inbox.move(uids, inbox),
            inbox.copy(uids, inbox),
            inbox.expunge(),
            inbox.expunge(uids),
        ):
            await self.assert_raises(ReadOnly, asked)
        self.assertEqual(await inbox.status(), before)

    async def test_the_list_has_inbox_and_what_can_be_opened(self) -> None:
        entries = list(await self.account.list())
        names = [entry.name for entry in entries]
        self.assertIn(INBOX, names)
        self.assertEqual(names, sorted(set(names)))
        for entry in entries:
            if entry.selectable:
                self.assertEqual((await self.account.open(entry.name)).name, entry.name)
            else:
                await self.assert_raises(NoSuchMailbox, self.account.open(entry.name))
        await self.assert_raises(NoSuchMailbox, self.account.open("no such mailbox"))
        self.assertEqual((await self.account.open("inBox")).name, INBOX)

    async def test_fixed_mailboxes_are_fixed(self) -> None:
        """`IFixedMailboxes`: a client is told that it cannot be done, whatever the name."""
        if not self.has_fixed_mailboxes:
            return
        before = await self.account.list()
        for asked in (
            self.account.create("new"),
            self.account.create("new", "\\Sent"),
            self.account.create(INBOX),
            self.account.delete(INBOX),
            self.account.delete("none"),
            self.account.rename(INBOX, "new"),
            self.account.rename("none", "new"),
        ):
            await self.assert_raises(InvalidMailboxName, asked)
        self.assertEqual(list(await self.account.list()), list(before))

    async def test_subscriptions_are_kept(self) -> None:
        for subscribed in (False, False, True, True):
            await (self.account.subscribe if subscribed else self.account.unsubscribe)(INBOX)
            [entry] = [entry for entry in await self.account.list() if entry.name == INBOX]
            self.assertEqual(entry.subscribed, subscribed)
        await self.assert_raises(NoSuchMailbox, self.account.subscribe("no such mailbox"))

    async def test_a_watch_can_be_ended_twice(self) -> None:
        inbox = await self.filled()
        for watched in (inbox, self.account):
            end = watched.watch(lambda modseq: None)
            end()
            end()
