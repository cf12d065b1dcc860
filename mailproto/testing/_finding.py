"""Tests of `IFinding`, if a store provides it (`IAddOns.add_ons`)."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

from mailproto.interfaces.add_ons import IFinding
from mailproto.message import Searchable, forest_pieces, scan, search_key
from mailproto.model import (
    ContentTest,
    Found,
    InAddresses,
    InField,
    InText,
    NewMessage,
    SentOn,
    SortKey,
    SortOrder,
    ThreadAlgorithm,
    Threads,
)
from mailproto.testing._fixture import StoreFixture, needs

__all__ = ["FindingConformance"]

_CONTENTS = (
    b"From: Ann Smith <ann@example.org>\r\nTo: bob@example.org\r\nSubject: Lunch\r\n"
    b"Date: Mon, 2 Mar 2026 12:00:00 +0000\r\nMessage-ID: <1@x>\r\n\r\nShall we meet in the canteen?\r\n",
    b"From: =?utf-8?q?J=C3=BCrgen?= <juergen@example.org>\r\nTo: Ann Smith <ann@example.org>\r\n"
    b"Cc: carl@example.org\r\nSubject: =?utf-8?b?UmU6IEx1bmNo?=\r\nDate: Tue, 3 Mar 2026 01:00:00 +0200\r\n"
    b"Message-ID: <2@x>\r\nIn-Reply-To: <1@x>\r\nContent-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGerne, im Caf=C3=A9.  Bis =E6=98=8E=E5=A4=A9.\r\n",
    b"From: zoe@example.org\r\nSubject: Zebra\r\nDate: never\r\nMessage-ID: <3@x>\r\n\r\n"
    b"Stripes\r\nand  more.\r\n",
    b"\r\nNo header at all\r\n",
    b'From: (nobody) "Carl" <carl@example.org>\r\nTo: ann@example.org\r\nSubject: lunch\r\n'
    b"Date: Mon, 2 Mar 2026 23:30:00 -0500\r\nReferences: <1@x> <2@x>\r\nMessage-ID: <5@x>\r\n\r\nNo.\r\n",
)
_ARRIVALS = (50, 40, 30, 20, 10)

_KEYS: tuple[str, ...] = (
    "",
    "lunch",
    "ANN",
    "example.org",
    "Jürgen",
    "é",
    "im Café",
    "明天",
    "明",
    "x",
    "s\t a",
    "<2@x>",
    "absent",
)


class _Message:
    """A message, and what SEARCH says of it when it reads it."""

    def __init__(self, content: bytes) -> None:
        self.searchable = Searchable(content, scan(content))

    def passes(self, test: ContentTest) -> bool:
        searchable = self.searchable
        match test:
            case InText(key, headers):
                return searchable.in_text(key) if headers else searchable.in_body(key)
            case InField(name, key):
                return searchable.in_header(name.encode(), key)
            case InAddresses(name, key):
                return searchable.in_addresses(name.encode(), key)
            case SentOn(op, date):
                sent = searchable.sent()
                if sent is None:
                    return False
                day = sent.date()
                return day < date if op == "BEFORE" else day == date if op == "ON" else day >= date


@needs(IFinding)
class FindingConformance(StoreFixture):
    """Tests finding, sorting and threads.

    Override `indexed` if the store builds an index behind deliveries: all tests run twice then.
    """

    async def found_mailbox(self) -> tuple[Any, list[int]]:
        """The inbox with five messages, and their UIDs."""
        inbox = await self.inbox()
        new = [
            NewMessage(content, frozenset(), date) for content, date in zip(_CONTENTS, _ARRIVALS, strict=True)
        ]
        appended = await inbox.append(new)
        self.assertTrue(IFinding.providedBy(inbox))
        return inbox, [each.uid for each in appended]

    async def check_found(self, mailbox: Any, uids: Sequence[int], tests: Sequence[ContentTest]) -> None:
        """Each message that is said to pass does, and each that passes is said to, or is unknown."""
        answers: Sequence[Found] = await mailbox.find(uids, tests)
        self.assertEqual(len(answers), len(tests))
        for test, answer in zip(tests, answers, strict=True):
            for some in answer:
                self.assertEqual(list(some), sorted(set(some)), test)
                self.assertLessEqual(set(some), set(uids), test)
            right = {
                uid for uid, content in zip(uids, _CONTENTS, strict=True) if _Message(content).passes(test)
            }
            self.assertLessEqual(set(answer.passing), right, test)
            self.assertLessEqual(right, set(answer.passing) | set(answer.unknown), test)

    async def test_what_is_found_is_what_reading_finds(self) -> None:
        mailbox, uids = await self.found_mailbox()
        tests: list[ContentTest] = []
        for text in _KEYS:
            key = search_key(text)
            tests += [InText(key, True), InText(key, False)]
            tests += [InField(name, key) for name in ("subject", "from", "message-id", "x-other", "date")]
            tests += [InAddresses(name, key) for name in ("from", "to", "cc", "bcc")]
        day = datetime.date(2026, 3, 2)
        tests += [SentOn("BEFORE", day), SentOn("ON", day), SentOn("SINCE", day)]
        for _ in range(2):
            await self.check_found(mailbox, uids, tests)
            for test in tests[:12]:
                await self.check_found(mailbox, uids, [test, test])
            await self.indexed()

    async def test_messages_that_are_not_there_are_unknown(self) -> None:
        mailbox, uids = await self.found_mailbox()
        tests = [InText(search_key("lunch"), True), InAddresses("from", search_key("ann"))]
        for _ in range(2):
            for answer in await mailbox.find([*uids, uids[-1] + 100], tests):
                self.assertIn(uids[-1] + 100, answer.unknown)
                self.assertNotIn(uids[-1] + 100, answer.passing)
            for answer in await mailbox.find(uids[1:3], tests):
                self.assertLessEqual({*answer.passing, *answer.unknown}, set(uids[1:3]))
            self.assertEqual(len(await mailbox.find([], tests)), 2)
            await self.indexed()

    async def test_sorting(self) -> None:
        mailbox, uids = await self.found_mailbox()
        first, second, third, fourth, fifth = uids
        for _ in range(2):
            for orders, right in (
                ([SortOrder(SortKey.ARRIVAL)], [fifth, fourth, third, second, first]),
                ([SortOrder(SortKey.DATE)], [fourth, third, first, second, fifth]),
                ([SortOrder(SortKey.DATE, True)], [fifth, second, first, third, fourth]),
                ([SortOrder(SortKey.SUBJECT)], [fourth, first, second, fifth, third]),
                ([SortOrder(SortKey.SUBJECT, True)], [third, first, second, fifth, fourth]),
                (
                    [SortOrder(SortKey.SUBJECT), SortOrder(SortKey.ARRIVAL)],
                    [fourth, fifth, second, first, third],
                ),
                ([SortOrder(SortKey.FROM)], [fourth, first, fifth, second, third]),
                ([SortOrder(SortKey.TO)], [third, fourth, second, fifth, first]),
                ([SortOrder(SortKey.CC, True)], [second, first, third, fourth, fifth]),
                ([SortOrder(SortKey.DISPLAYFROM)], [fourth, first, fifth, second, third]),
                ([SortOrder(SortKey.DISPLAYTO)], [third, fourth, second, fifth, first]),
            ):
                self.assertEqual(list(await mailbox.sort(uids, orders)), right, orders)
            sizes = sorted(uids, key=lambda uid: len(_CONTENTS[uids.index(uid)]))
            self.assertEqual(list(await mailbox.sort(uids, [SortOrder(SortKey.SIZE)])), sizes)
            some = [first, third, fourth, fifth + 100]
            self.assertEqual(
                list(await mailbox.sort(some, [SortOrder(SortKey.ARRIVAL)])), [fourth, third, first]
            )
            self.assertEqual(list(await mailbox.sort([], [SortOrder(SortKey.DATE)])), [])
            await self.indexed()

    async def test_threads(self) -> None:
        mailbox, uids = await self.found_mailbox()
        names = {uid: place for place, uid in enumerate(uids, start=1)}
        for _ in range(2):
            for algorithm, right in (
                (ThreadAlgorithm.ORDEREDSUBJECT, b"(4)(3)(1 (2)(5))"),
                (ThreadAlgorithm.REFERENCES, b"(4)(3)(1 2 5)"),
                (ThreadAlgorithm.REFS, b"(4)(3)(1 2 5)"),
            ):
                found = await mailbox.thread(uids, algorithm)
                self.assertEqual(_written(found, names), right, algorithm)
            found = await mailbox.thread([uids[1], uids[4], uids[4] + 100], ThreadAlgorithm.REFERENCES)
            self.assertEqual(_written(found, names), b"(2 5)")
            self.assertEqual(_written(await mailbox.thread([], ThreadAlgorithm.REFS), names), b"")
            await self.indexed()

    async def test_copies_and_what_comes_later(self) -> None:
        mailbox, uids = await self.found_mailbox()
        await self.indexed()
        work = await self.opened("work")
        pairs = await mailbox.copy(uids, work)
        copies = [there for _, there in pairs]
        [late] = await work.append([NewMessage(_CONTENTS[0], frozenset(), 60)])
        test = InText(search_key("canteen"), True)
        for _ in range(2):
            [answer] = await work.find([*copies, late.uid], [test])
            self.assertEqual(
                {*answer.passing, *answer.unknown} & {copies[0], late.uid}, {copies[0], late.uid}
            )
            ordered = await work.sort([*copies, late.uid], [SortOrder(SortKey.SUBJECT)])
            self.assertEqual(list(ordered), [copies[3], copies[0], copies[1], copies[4], late.uid, copies[2]])
            await self.indexed()


def _written(found: Threads, names: dict[int, int]) -> bytes:
    numbers = [names.get(uid, 0) for uid in found.numbers]
    return b"".join(forest_pieces(numbers, found.depths))
