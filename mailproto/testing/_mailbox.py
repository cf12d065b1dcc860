"""Tests of `IMailbox`: messages are appended, read, copied and removed."""

from __future__ import annotations

import os
import time

from zope.interface.verify import verifyObject

from mailproto.content import Content
from mailproto.errors import NoSuchMailbox
from mailproto.interfaces import IMailbox, IMetadata
from mailproto.message import summarise
from mailproto.model import INBOX, AppendedMessage, MessageInfo, NewMessage, Part, Placement
from mailproto.testing._fixture import (
    TEXT,
    Offer,
    StoreFixture,
    flag_change,
    flags_by_uid,
    needs,
    new,
    provides,
)

__all__ = ["MailboxConformance"]

DAY = 1_000_000_000
"""A date, in seconds since the epoch."""

_ALL = Part.INTERNAL_DATE | Part.SIZE | Part.ENVELOPE | Part.BODY_STRUCTURE | Part.OFFSETS | Part.CONTENT


@needs(Offer.CHANGES)
class MailboxConformance(StoreFixture):
    """Tests append, read, copy, move, expunge and delete in one mailbox."""

    async def test_interface(self) -> None:
        """The object has the methods and attributes of its interface."""
        inbox = await self.inbox()
        verifyObject(IMailbox, inbox)
        self.assertEqual(inbox.name, INBOX)
        self.assertTrue(inbox.writable)
        self.assertTrue(0 < inbox.uid_validity < 2**32)
        self.assertIn("\\*", inbox.permanent_flags)

    async def test_an_empty_mailbox(self) -> None:
        inbox = await self.inbox()
        status = await inbox.status()
        self.assertEqual(
            (status.messages, status.unseen, status.recent, status.deleted, status.size), (0,) * 5
        )
        self.assertEqual((status.uid_next, status.uid_validity), (1, inbox.uid_validity))
        self.assertGreaterEqual(status.modseq, 1)
        self.assertEqual(await self.uids(inbox), [])
        self.assertEqual(list(await inbox.append([])), [])
        self.assertEqual(await inbox.status(), status)

    async def test_status_counts(self) -> None:
        inbox = await self.inbox(
            new("\\Seen"), new("\\Deleted"), new("\\Seen", "\\Deleted", content=TEXT * 2)
        )
        status = await inbox.status()
        self.assertEqual((status.messages, status.unseen, status.deleted), (3, 1, 2))
        self.assertEqual((status.recent, status.uid_next, status.size), (self.recent(3), 4, 4 * len(TEXT)))
        await inbox.store([1, 2], flag_change("", "\\Flagged"))
        await inbox.expunge()
        status = await inbox.status()
        self.assertEqual((status.messages, status.unseen, status.deleted), (2, 2, 0))
        self.assertEqual((status.recent, status.uid_next, status.size), (self.recent(2), 4, 2 * len(TEXT)))

    async def test_read_gives_what_was_appended(self) -> None:
        inbox = await self.inbox(new(date=1_000_000_000), new(content=b""))
        summary = summarise(TEXT)
        first, second = await inbox.read([1, 2], _ALL)
        self.assertEqual(
            first, MessageInfo(1, 1_000_000_000, len(TEXT), *summary, first.content, *first[-4:])
        )
        self.assertEqual(bytes(first.content or b""), TEXT)
        self.assertEqual((second.uid, second.size, second.content), (2, 0, b""))
        self.assertLess(abs((second.internal_date or 0) - time.time()), 60)

    async def test_read_leaves_out_what_is_not_there(self) -> None:
        inbox = await self.inbox(*[new()] * 4)
        await inbox.store([2], flag_change("+", "\\Deleted"))
        await inbox.expunge()
        found = await inbox.read([1, 2, 4, 9, 2**32 - 1], Part.SIZE)
        self.assertEqual([info.uid for info in found], [1, 4])
        self.assertEqual(list(await inbox.read([], Part.SIZE)), [])
        for part in Part:
            self.assertEqual([info.uid for info in await inbox.read(range(3, 6), part)], [3, 4])

    async def test_read_of_each_part_alone(self) -> None:
        inbox = await self.inbox(new())
        [whole] = await inbox.read([1], _ALL)
        for part, attribute in (
            (Part.INTERNAL_DATE, "internal_date"),
            (Part.SIZE, "size"),
            (Part.ENVELOPE, "envelope"),
            (Part.BODY_STRUCTURE, "body_structure"),
            (Part.OFFSETS, "offsets"),
            (Part.CONTENT, "content"),
        ):
            [info] = await inbox.read([1], part)
            self.assertEqual(getattr(info, attribute), getattr(whole, attribute))

    async def test_large_content_comes_and_goes_as_a_file(self) -> None:
        head, size = b"Subject: large\r\n\r\n", 300_000
        path = self.mktemp()
        with open(path, "wb") as spool:
            spool.write(b"0123456789" * (size // 10))
        content = Content.of_file(path, size, prefix=head)
        inbox = await self.inbox(NewMessage(content), new(content=head + b"x" * size))
        [delivered] = await self.store.deliver(content, [Placement(self.account.name)])
        self.assertIsInstance(delivered, AppendedMessage)
        content.close()
        os.unlink(path)  # the caller owned the file
        for info in await inbox.read([1, 3], _ALL):
            assert info.content is not None
            self.assertEqual((info.size, len(info.content)), (len(head) + size,) * 2)
            self.assertEqual(info.content[10:40], head[10:] + b"0123456789012345678901"[: 40 - len(head)])
            self.assertEqual(bytes(info.content), head + b"0123456789" * (size // 10))
            self.assertIn(b'"large"', info.envelope or b"")
        self.assertEqual(len((await inbox.read([2], Part.CONTENT))[0].content or b""), len(head) + size)

    async def test_append_is_all_or_nothing(self) -> None:
        inbox = await self.inbox()
        gone = Content.of_file(self.mktemp(), 200_000)
        before = await inbox.status()
        try:
            await inbox.append([new(), NewMessage(gone), new()])
        except Exception as error:
            self.assertNotIsInstance(error, AssertionError)
        else:
            self.fail("content that cannot be read was taken")
        self.assertEqual(await inbox.status(), before)

    async def test_uids_ascend_and_never_return(self) -> None:
        inbox = await self.inbox(*[new("\\Deleted")] * 3)
        self.assertEqual(list(await inbox.expunge()), [1, 2, 3])
        [appended] = await inbox.append([new()])
        self.assertEqual(appended.uid, 4)
        self.assertEqual((await inbox.status()).uid_next, 5)

    async def test_append_tells_uid_and_modseq(self) -> None:
        inbox = await self.inbox(new())
        appended = await inbox.append([new(), new("Label")])
        changed = (await inbox.changes_since(0)).changed[1:]
        self.assertEqual([(a.uid, a.modseq) for a in appended], [(m.uid, m.modseq) for m in changed])

    async def test_expunge_removes_only_what_is_deleted(self) -> None:
        inbox = await self.inbox(new("\\Deleted"), new(), new("\\Deleted"), new("\\Deleted"))
        self.assertEqual(list(await inbox.expunge([2, 3, 9])), [3])
        self.assertEqual(await self.uids(inbox), [1, 2, 4])
        self.assertEqual(list(await inbox.expunge([])), [])
        self.assertEqual(list(await inbox.expunge()), [1, 4])
        self.assertEqual(await self.uids(inbox), [2])
        before = await inbox.status()
        self.assertEqual(list(await inbox.expunge()), [])
        self.assertEqual(await inbox.status(), before)

    async def test_copy_keeps_flags_dates_and_content(self) -> None:
        inbox = await self.inbox(new("\\Seen", "Label", date=1_000_000_000), new(), new("\\Deleted"))
        target = await self.opened("copies")
        await target.append([new()])
        self.assertEqual(list(await inbox.copy([1, 3, 9], target)), [(1, 2), (3, 3)])
        self.assertEqual(
            flags_by_uid((await target.changes_since(0)).changed),
            {1: set(), 2: {"\\Seen", "Label"}, 3: {"\\Deleted"}},
        )
        [info] = await target.read([2], _ALL)
        [source] = await inbox.read([1], _ALL)
        self.assertEqual(info, source._replace(uid=2, content=info.content))
        self.assertEqual(bytes(info.content or b""), TEXT)
        status = await target.status()
        self.assertEqual(
            (status.messages, status.recent, status.unseen, status.deleted), (3, self.recent(3), 2, 1)
        )
        self.assertEqual(status.size, 3 * len(TEXT))
        self.assertEqual(await self.uids(inbox), [1, 2, 3])

    async def test_copies_live_by_themselves(self) -> None:
        inbox = await self.inbox(new("\\Deleted", content=TEXT + b"x" * 200_000))
        target = await self.opened("copies")
        await inbox.copy([1], target)
        await inbox.copy([1], inbox)
        await inbox.expunge()
        await target.store([1], flag_change("+", "\\Seen"))
        [info] = await target.read([1], Part.CONTENT)
        self.assertEqual(bytes(info.content or b"")[: len(TEXT)], TEXT)
        [flags] = (await target.changes_since(0)).changed
        self.assertEqual(flags.flags, frozenset({"\\Deleted", "\\Seen"}))

    async def test_move_is_copy_and_removal(self) -> None:
        inbox = await self.inbox(new("\\Seen"), new(), new("Label"))
        target = await self.opened("moved")
        before = (await inbox.status()).modseq
        self.assertEqual(list(await inbox.move([1, 3, 9], target)), [(1, 1), (3, 2)])
        self.assertEqual(flags_by_uid((await target.changes_since(0)).changed), {1: {"\\Seen"}, 2: {"Label"}})
        self.assertEqual(await self.uids(inbox), [2])
        self.assertEqual(list((await inbox.changes_since(before)).vanished), [1, 3])
        status = await inbox.status()
        self.assertEqual((status.messages, status.unseen, status.size), (1, 1, len(TEXT)))
        self.assertEqual([info.uid for info in await target.read([1, 2], _ALL)], [1, 2])

    async def test_copy_and_move_to_itself(self) -> None:
        inbox = await self.inbox(new("Label"), new())
        self.assertEqual(list(await inbox.copy([1], inbox)), [(1, 3)])
        self.assertEqual(list(await inbox.move([1, 2], inbox)), [(1, 4), (2, 5)])
        self.assertEqual(
            flags_by_uid((await inbox.changes_since(0)).changed), {3: {"Label"}, 4: {"Label"}, 5: set()}
        )

    @needs(Offer.NAMES)
    async def test_nothing_is_copied_or_moved_to_a_mailbox_that_is_gone(self) -> None:
        inbox = await self.inbox(new())
        target = await self.opened("gone")
        await self.account.delete("gone")
        before = await inbox.status()
        await self.assert_raises(NoSuchMailbox, inbox.copy([1], target))
        await self.assert_raises(NoSuchMailbox, inbox.move([1], target))
        self.assertEqual(await inbox.status(), before)

    @needs(Offer.NAMES)
    async def test_a_deleted_mailbox_is_gone_for_who_has_it_open(self) -> None:
        mailbox = await self.opened("gone")
        await mailbox.append([new()])
        other = await self.inbox()
        await self.account.delete("gone")
        await self.account.create("gone")
        for asked in (
            mailbox.status(),
            mailbox.changes_since(0),
            mailbox.read([1], Part.SIZE),
            mailbox.append([new()]),
            mailbox.store([1], flag_change("+", "\\Seen")),
            mailbox.copy([1], other),
            mailbox.move([1], other),
            mailbox.expunge(),
            mailbox.expunge([1]),
        ):
            await self.assert_raises(NoSuchMailbox, asked)
        with self.assertRaises(NoSuchMailbox):
            mailbox.watch(print)

    async def test_two_openings_are_one_mailbox(self) -> None:
        first, second = await self.inbox(new()), await self.account.open("inbox")
        await second.store([1], flag_change("+", "\\Seen"))
        self.assertEqual(flags_by_uid((await first.changes_since(0)).changed), {1: {"\\Seen"}})
        self.assertEqual(await first.status(), await second.status())

    async def test_metadata_are_those_of_read(self) -> None:
        inbox = await self.inbox(*[new()] * 30)
        if not provides(IMetadata, inbox):
            return
        await inbox.store([7, 8], flag_change("+", "\\Deleted"))
        await inbox.expunge()
        for uids in ([], [1], [7], [3, 7, 8, 9, 40], list(range(1, 31)), [1, 15, 30], [2**32 - 1]):
            metadata = await inbox.metadata(uids)
            infos = await inbox.read(uids, Part.SIZE | Part.INTERNAL_DATE)
            self.assertEqual(
                list(zip(metadata.uids, metadata.sizes, metadata.internal_dates, strict=True)),
                [(info.uid, info.size, info.internal_date) for info in infos],
            )

    async def test_zones_of_dates_are_kept_or_utc(self) -> None:
        given = [0, 120, -480, 5 * 60 + 45, -5999]
        inbox = await self.inbox(*[NewMessage(TEXT, internal_date=DAY, zone=zone) for zone in given])
        await inbox.copy(range(1, 6), inbox)
        infos = await inbox.read(range(1, 11), Part.INTERNAL_DATE)
        self.assertEqual([info.internal_date for info in infos], [DAY] * 10)
        zones = [info.zone or 0 for info in infos]
        self.assertIn(zones, ([*given, *given], [0] * 10))
        if provides(IMetadata, inbox):
            metadata = await inbox.metadata(range(1, 11))
            self.assertEqual(list(metadata.zones) or [0] * 10, zones)

    async def test_no_changes_since_now(self) -> None:
        inbox = await self.inbox(new())
        now = (await inbox.status()).modseq
        changes = await inbox.changes_since(now)
        self.assertEqual((list(changes.changed), list(changes.vanished), changes.modseq), ([], [], now))
