"""Tests of `ISaveDates`, if a store provides it."""

from __future__ import annotations

import time
from typing import Any

from mailproto.interfaces.add_ons import ISaveDates
from mailproto.model import Part, Placement
from mailproto.testing._fixture import ALICE, TEXT, Offer, StoreFixture, needs, new

__all__ = ["SaveDateConformance"]

OLD = 1_000_000_000


@needs(ISaveDates, Offer.CHANGES)
class SaveDateConformance(StoreFixture):
    """Tests when messages came into their mailboxes."""

    async def assert_saved_now(self, mailbox: Any, *uids: int) -> None:
        """Check that messages came just now, and that reading other parts does not change that."""
        self.assertTrue(ISaveDates.providedBy(mailbox))
        for parts in (Part.SAVE_DATE, Part.SAVE_DATE | Part.CONTENT, Part.SAVE_DATE | Part.IDS):
            found = await mailbox.read(list(uids), parts)
            self.assertEqual([info.uid for info in found], list(uids))
            for info in found:
                self.assertLess(abs(time.time() - (info.save_date or 0)), 60)

    async def test_save_dates_of_what_comes(self) -> None:
        inbox = await self.inbox(new(date=OLD), new())
        await self.store.deliver(TEXT, [Placement(ALICE)], OLD)
        await self.assert_saved_now(inbox, 1, 2, 3)
        dates = [info.internal_date for info in await inbox.read([1, 3], Part.INTERNAL_DATE)]
        self.assertEqual(dates, [OLD, OLD])

    @needs(Offer.NAMES)
    async def test_save_dates_of_copies(self) -> None:
        inbox = await self.inbox(new(date=OLD), new(date=OLD))
        work = await self.opened("work")
        await inbox.copy([1], work)
        await inbox.move([1, 2], work)
        await self.assert_saved_now(work, 1, 2, 3)
        await self.account.rename("work", "play")
        await self.assert_saved_now(await self.account.open("play"), 1, 2, 3)
