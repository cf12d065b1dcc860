"""Texts that the index does not have yet are searched in a thread, exactly."""

from __future__ import annotations

import os

from twisted.internet.defer import ensureDeferred, gatherResults

from mailproto.backends.sqlite._search import _builder, _scanning
from mailproto.message import search_key
from mailproto.model import InText
from tests.backends.sqlite.indexing import all_indexed
from tests.backends.sqlite.test_search_index import IndexTestCase, mail

LARGE = 80_000  # octets of a message in a file


class TextScanTests(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(_builder, "BEGIN_AFTER", 100)

    async def test_nothing_is_indexed(self) -> None:
        await self.opened()
        html = b"Content-Type: text/html\r\n\r\n<p>s<b>ou</b>ght</p><p>caf&eacute;<br>or&shy;dinary</p>\r\n"
        await self.add(
            mail("sought", "=?utf-8?q?caf=C3=A9_sought?="),
            html,
            mail("x " * LARGE + "sought"),
            b"no header",
            b"",
            *(mail(f"text {number}, caf\u00e9 \ufb01ne") for number in range(_scanning._AT_ONCE)),
        )
        await self.check(
            "sought", "cafe", "café", "ordinary", "text 7", "fine", "x", " ", "\0", "header", "plain"
        )
        tests = [InText(search_key(key), headers) for key in ("sought", "cafe") for headers in (False, True)]
        found = await self.inbox.find(list(self.contents), tests)
        right = [[uid for uid, content in self.contents.items() if self.has(content, test)] for test in tests]
        self.assertEqual([list(each.passing) for each in found], right)
        self.assertEqual([list(each.unknown) for each in found], [[]] * 4)

    async def test_some_are_indexed(self) -> None:
        self.patch(_builder, "BEGIN_AFTER", 0)
        store = await self.opened()
        await self.add(mail("sought"), mail("other"))
        await all_indexed(store)
        self.patch(_builder, "BEGIN_AFTER", 100)
        await self.stopped(store)
        await self.opened()
        await self.add(mail("sought"), mail("other"))
        await self.check("sought", "other", "ought other")

    async def test_the_same_search_is_answered_at_once(self) -> None:
        await self.opened()
        await self.add(mail("sought"), mail("other"))
        test = InText(search_key("sought"), headers=False)
        [first] = await self.inbox.find([1, 2], [test])
        [again] = await self.inbox.find([1, 2], [test])
        self.assertIs(again, first)

    async def test_others_have_their_turn(self) -> None:
        self.patch(_scanning, "SECONDS_AT_ONCE", 0)
        await self.opened()
        await self.add(*(mail("text") for _ in range(20 * _scanning._AT_ONCE)))
        over: list[int] = []

        async def search(uids: list[int]) -> None:
            [found] = await self.inbox.find(uids, [InText(search_key("ext"), headers=False)])
            self.assertEqual(list(found.passing), uids)
            over.append(len(uids))

        uids = list(self.contents)
        await gatherResults([ensureDeferred(search(some)) for some in (uids, uids[1:], uids[:1])])
        self.assertEqual(over[0], 1)

    async def test_a_message_that_is_lost_is_unknown(self) -> None:
        await self.opened()
        await self.add(mail("sought"), mail("x " * LARGE))
        [name] = os.listdir(f"{self.path}/mail.sqlite3-bodies")
        os.unlink(f"{self.path}/mail.sqlite3-bodies/{name}")
        [found] = await self.inbox.find([1, 2], [InText(search_key("sought"), headers=False)])
        self.assertEqual((list(found.passing), list(found.unknown)), ([1], [2]))
