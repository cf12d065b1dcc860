"""Tests of `INearWords`, if a store provides it (`IAddOns.add_ons`)."""

from __future__ import annotations

from mailproto.interfaces.add_ons import INearWords
from mailproto.message import search_key
from mailproto.model import NewMessage
from mailproto.testing._fixture import StoreFixture, needs

__all__ = ["NearWordsConformance"]

_TEXTS = ("Your invoice, please: caf\u00e9 (conference)", "mouse or house")


@needs(INearWords)
class NearWordsConformance(StoreFixture):
    """Tests that words with typing errors lead to those that messages have.

    Override `indexed` if the store builds an index behind deliveries.
    """

    async def test_words_with_typing_errors(self) -> None:
        inbox = await self.inbox()
        self.assertTrue(INearWords.providedBy(inbox))
        contents = [f"Subject: {text}\r\n\r\n{text}.\r\n".encode() for text in _TEXTS]
        appended = await inbox.append([NewMessage(content, frozenset(), 1) for content in contents])
        uids = [each.uid for each in appended]
        await self.indexed()
        wrong = [
            search_key(word)
            for word in ("invioce", "invoce", "innvoice", "invoise", "cof\u00e9", "cnferense")
        ]
        found = [list(each)[:1] for each in await inbox.near_words(uids, wrong)]
        right = [search_key(word) for word in (*["invoice"] * 4, "caf\u00e9", "conference")]
        self.assertEqual(found, [[word] for word in right])
        # A message has the word, or it is a part of one; or it is too short, or too different.
        others = [search_key(word) for word in ("house", "voice", "hus", "hxxse", "", "x" * 500, "a b")]
        self.assertEqual([list(each) for each in await inbox.near_words(uids, others)], [[]] * len(others))
        self.assertEqual([list(each) for each in await inbox.near_words([], wrong)], [[]] * len(wrong))
        await inbox.expunge(uids)
