"""Tests of `IStore.deliver`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred, gatherResults

from mailproto.backends import MAX_KEYWORD_LENGTH, MAX_KEYWORDS
from mailproto.content import Content
from mailproto.errors import MailError, NoSuchAccount, NoSuchMailbox, OverQuota
from mailproto.model import INBOX, AppendedMessage, Part, Placement
from mailproto.testing._fixture import ALICE, TEXT, Offer, StoreFixture, deferred, needs, new

__all__ = ["StoreDeliveryConformance"]

BOB, NOBODY = "bob@example.org", "nobody@example.org"


@needs(Offer.CHANGES)
class StoreDeliveryConformance(StoreFixture):
    """Tests `IStore.deliver`.  (`DeliveryConformance` tests an `IDelivery`.)"""

    @needs(Offer.NAMES)
    async def test_each_account_gets_it_or_says_why_not(self) -> None:
        await self.store.directory.add(BOB, "")
        outcomes = await self.store.deliver(
            TEXT, [Placement("ALICE@example.org"), Placement(NOBODY), Placement(BOB)]
        )
        self.assertEqual([type(each) for each in outcomes], [AppendedMessage, NoSuchAccount, AppendedMessage])
        for name in (ALICE, BOB):
            inbox = await (await self.store.account(name)).open(INBOX)
            [info] = await inbox.read([1], Part.CONTENT | Part.SIZE)
            self.assertEqual((bytes(info.content or b""), info.size), (TEXT, len(TEXT)))
            status = await inbox.status()
            self.assertEqual((status.messages, status.recent, status.unseen), (1, self.recent(1), 1))

    async def test_nobody(self) -> None:
        self.assertEqual(list(await self.store.deliver(TEXT, [])), [])
        [outcome] = await self.store.deliver(TEXT, [Placement(NOBODY)])
        self.assertIsInstance(outcome, NoSuchAccount)

    async def test_each_placement_has_an_outcome_of_its_own(self) -> None:
        """Names may have any spelling, each placement has its own flags, and a failure does not affect
        others."""
        await self.make_mailbox("caf\u00e9/Lists")
        await self.make_mailbox("x")
        placements: tuple[tuple[Placement, type[MailError] | set[str]], ...] = (
            (Placement(ALICE, "inbox", frozenset({"\\Seen"})), {"\\Seen"}),
            (Placement(ALICE, "cafe\u0301/Lists", frozenset({"Label", "\\Recent"})), {"Label"}),
            (Placement(ALICE, "none"), NoSuchMailbox),
            (Placement(ALICE, ""), NoSuchMailbox),
            (Placement(ALICE, "\ud800"), NoSuchMailbox),
            (Placement(ALICE, "x\0y"), NoSuchMailbox),
            (Placement(NOBODY, "none"), NoSuchAccount),
            (Placement("\ud800\0", "none"), NoSuchAccount),
            (Placement(ALICE, flags=frozenset({"x" * (MAX_KEYWORD_LENGTH + 1)})), OverQuota),
            (Placement(ALICE, flags=frozenset(f"k{n}" for n in range(MAX_KEYWORDS + 1))), OverQuota),
            (Placement(ALICE, "INBOX"), set()),
            (Placement("alice@EXAMPLE.org", INBOX), set()),
        )
        for content in (TEXT, TEXT + b"x" * 300_000):
            outcomes = await self.store.deliver(content, [placement for placement, _ in placements])
            inbox, lists = await self.inbox(), await self.account.open("caf\u00e9/Lists")
            for (placement, expected), outcome in zip(placements, outcomes, strict=True):
                if isinstance(outcome, MailError):
                    self.assertIsInstance(outcome, expected if isinstance(expected, type) else (), placement)
                    continue
                mailbox = lists if "/" in placement.mailbox else inbox
                found = {each.uid: each for each in (await mailbox.changes_since(0)).changed}
                message = found[outcome.uid]
                self.assertEqual((set(message.flags), message.modseq), (expected, outcome.modseq))
        self.assertEqual(await self.uids(inbox), [1, 2, 3, 4, 5, 6])
        self.assertEqual(await self.uids(lists), [1, 2])

    async def test_of_content_that_is_gone_nothing_comes(self) -> None:
        placements = [Placement(ALICE), Placement(ALICE, "Sent")]
        for size in (10, 300_000):
            try:
                outcomes = await self.store.deliver(Content.of_file(self.mktemp(), size), placements)
            except OSError:
                continue
            self.assertTrue(all(isinstance(outcome, MailError) for outcome in outcomes), outcomes)
        self.assertEqual((await (await self.inbox()).status()).messages, 0)

    async def test_a_flag_that_cannot_be_is_an_error_of_the_caller(self) -> None:
        for content in (TEXT, TEXT + b"x" * 300_000):
            with self.assertRaises(ValueError):
                await deferred(self.store.deliver(content, [Placement(ALICE, flags=frozenset({"a b"}))]))
        self.assertEqual((await (await self.inbox()).status()).messages, 0)

    async def test_flags_and_date_are_kept(self) -> None:
        await self.store.deliver(TEXT, [Placement(ALICE, INBOX, frozenset({"\\Flagged"}))], 1_000_000_000)
        inbox = await self.inbox()
        [flags] = (await inbox.changes_since(0)).changed
        [info] = await inbox.read([1], Part.INTERNAL_DATE)
        self.assertEqual((flags.flags, info.internal_date), (frozenset({"\\Flagged"}), 1_000_000_000))

    async def test_many_at_a_time(self) -> None:
        await self.there("Sent")
        places = [Placement(ALICE), Placement(NOBODY), Placement(ALICE, "Sent"), Placement(ALICE, "none")]
        outcomes = await gatherResults([deferred(self.store.deliver(TEXT, places)) for _ in range(50)])
        kinds = [AppendedMessage, NoSuchAccount, AppendedMessage, NoSuchMailbox]
        self.assertEqual([[type(each) for each in outcome] for outcome in outcomes], [kinds] * 50)
        self.assertEqual(await self.uids(await self.inbox()), list(range(1, 51)))
        self.assertEqual(await self.uids(await self.account.open("Sent")), list(range(1, 51)))

    async def test_watchers_are_told(self) -> None:
        updates: list[int] = []
        inbox = await self.inbox()
        inbox.watch(updates.append)
        await self.store.deliver(TEXT, [Placement(ALICE)])
        now = (await inbox.status()).modseq
        await self.eventually(lambda: updates[-1:] == [now])

    async def test_what_is_appended_meanwhile_has_numbers_of_its_own(self) -> None:
        inbox = await self.inbox()
        asked: list[Deferred[Sequence[Any]]] = [
            deferred(self.store.deliver(TEXT, [Placement(ALICE)]))
            if number % 2
            else deferred(inbox.append([new()]))
            for number in range(40)
        ]
        modseqs = [appended.modseq for [appended] in await gatherResults(asked)]
        self.assertEqual(len(set(modseqs)), 40)
        self.assertEqual(await self.uids(inbox), list(range(1, 41)))
