"""The search index: built behind deliveries, exact, and never needed."""

from __future__ import annotations

import datetime
import os
import shutil
import sqlite3
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zstandard import ZstdDecompressor

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._search import _builder, _making, _pace, _texts, _words
from mailproto.message import Searchable, _search_texts, scan, search_key
from mailproto.model import (
    DELETED,
    ContentTest,
    FlagChange,
    FlagOperation,
    InAddresses,
    IndexState,
    InField,
    InText,
    NewMessage,
    SentOn,
    SortKey,
    SortOrder,
    ThreadAlgorithm,
)
from tests.backends.sqlite.indexing import PATIENCE, all_indexed

reactor: Any = installed


def mail(text: str, subject: str = "x") -> bytes:
    return f"Subject: {subject}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()


class IndexTestCase(TestCase):
    def setUp(self) -> None:
        for name in ("BEGIN_AFTER", "LOOK_INTERVAL", "SWEEP_INTERVAL"):
            self.patch(_builder, name, 0.01)
        self.patch(_pace, "BUSY_FOR", 0.01)
        self.path = self.mktemp()
        self.contents: dict[int, bytes] = {}
        self.stores: list[Any] = []

    async def opened(self, *, texts: bool = True, account: str = "ann") -> Any:
        """A store on the path, with its inbox."""
        store = SQLiteStore(self.path, reactor=reactor)
        store.use_index(texts=texts)
        await store.start()
        self.stores.append(store)
        self.addCleanup(self.stopped, store)
        if account not in await store.directory.names():
            await store.directory.add(account, "hash")
        self.inbox = await (await store.account(account)).open("INBOX")
        return store

    async def stopped(self, store: Any) -> None:
        """Stop a store, once."""
        if not getattr(store, "is_stopped", False):
            store.is_stopped = True
            await store.stop()

    async def add(self, *contents: bytes) -> None:
        appended = await self.inbox.append([NewMessage(content, frozenset(), 1) for content in contents])
        self.contents.update(zip((each.uid for each in appended), contents, strict=True))

    async def check(self, *texts: str, is_whole: bool = True) -> None:
        """Search for texts, and compare with what reading the messages finds."""
        uids = list(self.contents)
        for text in texts:
            for headers in (False, True):
                test = InText(search_key(text), headers)
                [found] = await self.inbox.find(uids, [test])
                right = [uid for uid in uids if self.has(self.contents[uid], test)]
                self.assertEqual(
                    list(found.passing), [uid for uid in right if uid not in found.unknown], text
                )
                if is_whole:
                    self.assertEqual(list(found.unknown), [], text)

    def has(self, content: bytes, test: InText) -> bool:
        searchable = Searchable(content, scan(content))
        return searchable.in_text(test.key) if test.headers else searchable.in_body(test.key)

    def vocabulary(self) -> set[str]:
        """All words in vocabularies."""
        packed = [row[0] for row in self.rows("SELECT packed FROM vocabularies")]
        return set(b"".join(map(ZstdDecompressor().decompress, packed)).decode().split())

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Read the index itself."""
        connection = sqlite3.connect(f"{self.path}/mail.sqlite3-search")
        try:
            return connection.execute(query).fetchall()
        finally:
            connection.close()


class BuildingTests(IndexTestCase):
    async def test_any_substring_is_found(self) -> None:
        store = await self.opened()
        texts = [
            "quotes \" and 'singles' AND NOT OR ( NEAR * ^ :",
            "明天 我们 去 北京, 明 天",
            "caf\u00e9 CAFE\u0301 stra\u00dfe \u0130",
            "\U0001f600\U0001f601 smiles \U0010ffff.",
            "a-b_c" * 300,
            "soft\u00adhyphen zero\u200bwidth",
            "lines\r\nthat   are \t broken",
            "nul\x00nul",
            "",
        ]
        await self.add(*(mail(text, f"number {place}") for place, text in enumerate(texts)))
        await self.check("quotes", "天", is_whole=False)
        await all_indexed(store)
        await self.check('" and', "*", "^ :", "'s", "NOT OR", "(", "明天", "天 我", "北京", "明", "é", "É")
        await self.check("STRASSE", "i\u0307", "\U0001f600\U0001f601", "\U0010ffff.", "b_ca-b_ca-b_ca-b_c")
        await self.check("softhyphen", "zerow", "that are broken", "lines that", "number 3", "ber", "8", "x")
        await self.check("hat  are\r\n", " quotes", "smiles \U0010ffff. ", "\U0010ffff")

    async def test_many_messages_share_a_dictionary(self) -> None:
        store = await self.opened()
        await self.add(*(mail(f"Dear colleague {number},\r\n" * 20) for number in range(_making.SAMPLES)))
        await all_indexed(store)
        await self.add(mail("Dear colleague afterwards"))
        await all_indexed(store)
        self.assertEqual(len(self.rows("SELECT id FROM dictionaries")), 1)
        await self.check("colleague 7", "colleague 199,", "afterwards", "eag", "e1")

    async def test_a_restart_goes_on(self) -> None:
        self.patch(_builder, "BEGIN_AFTER", 100)
        store = await self.opened()
        await self.add(*(mail(f"text {number}") for number in range(20)))
        await self.check("text 7", is_whole=False)
        await self.stopped(store)
        self.patch(_builder, "BEGIN_AFTER", 0)
        store = await self.opened()
        await all_indexed(store)
        await self.check("text 7", "t 1")

    async def test_only_one_process_builds_and_the_other_takes_over(self) -> None:
        first = await self.opened()
        second = await self.opened()
        await self.add(mail("one"))
        await all_indexed(second)
        await self.stopped(first)
        await self.add(mail("two"))
        await all_indexed(second)
        await self.check("one", "two")

    async def test_rebuilding(self) -> None:
        store = await self.opened()
        await self.add(*(mail(f"text {number}") for number in range(20)))
        await all_indexed(store)
        states: list[IndexState] = []
        await store.rebuild_index(states.append)
        self.assertEqual((states[-1].messages, states[-1].indexed), (20, 20))
        await self.check("text 7")

    async def test_what_is_removed_leaves_the_index(self) -> None:
        store = await self.opened()
        long = "http://ecret.example/" + "x" * 120
        await self.add(mail("remains here"), mail(f"secret \ufb01b {long}"), mail("remains there"))
        await all_indexed(store)
        for found in (
            secret := ("postings MATCH 'secret'", "postings MATCH '\"\x7ff\x7fib\"'", "grams MATCH 'ECR'")
        ):
            self.assertEqual(len(self.rows(f"SELECT 1 FROM {found.split()[0]} WHERE {found}")), 1, found)
        self.assertIn("SECRET", self.vocabulary())
        await self.inbox.store([2], FlagChange(FlagOperation.ADD, frozenset({DELETED})))
        await self.inbox.expunge()
        end = reactor.seconds() + PATIENCE
        while len(self.rows("SELECT body FROM headers")) > 2:
            self.assertLess(reactor.seconds(), end)
            await deferLater(reactor, 0.01)
        for found in (*secret, "grams MATCH 'TTP OR XXX'"):
            self.assertEqual(self.rows(f"SELECT 1 FROM {found.split()[0]} WHERE {found}"), [], found)
        self.assertEqual(len(self.rows("SELECT body FROM texts")), 2)
        self.contents.pop(2)
        await self.check("remains", "secret")

    async def test_words_of_what_is_removed_leave_the_vocabulary(self) -> None:
        store = await self.opened()
        await self.add(*(mail(f"word{number} remains") for number in range(8)))
        await all_indexed(store)
        removed = [1, 2, 3, 4, 5]
        await self.inbox.store(removed, FlagChange(FlagOperation.ADD, frozenset({DELETED})))
        await self.inbox.expunge()
        end = reactor.seconds() + PATIENCE
        while len(self.rows("SELECT body FROM headers")) > 3:
            self.assertLess(reactor.seconds(), end)
            await deferLater(reactor, 0.01)
        self.assertFalse({"WORD0", "WORD4"} & self.vocabulary())
        for uid in removed:
            del self.contents[uid]
        await self.check("word0", "word7", "remains")

    async def test_vocabularies_grow_to_a_limit(self) -> None:
        self.patch(_words, "MESSAGES", 8)
        store = await self.opened()
        for number in range(20):
            await self.add(mail(f"word{number} and"))
            await all_indexed(store)
        messages = [row[0] for row in self.rows("SELECT messages FROM vocabularies ORDER BY first")]
        self.assertEqual(sum(messages), 20)
        self.assertEqual(max(messages), 8)
        self.assertLess(len(messages), 6)
        await self.check("word7", "ord1", "1", "d a", "and")

    async def test_vocabularies_have_a_limit_of_octets(self) -> None:
        self.patch(_words, "OCTETS", 8000)
        store = await self.opened()
        await self.add(*(mail(" ".join(f"{number}x{other}" for other in range(50))) for number in range(40)))
        await all_indexed(store)
        sizes = [row[0] for row in self.rows("SELECT size FROM vocabularies")]
        self.assertLess(max(sizes), 8000)
        await self.check("7x7", "x49", "39x")

    async def test_keys_that_many_words_have(self) -> None:
        self.patch(_texts, "WORDS", 10)
        self.patch(_texts, "TOGETHER", 2)
        store = await self.opened()
        texts = [" ".join(f"word{number}{other}" for other in range(number % 8)) for number in range(60)]
        await self.add(*map(mail, texts))
        await all_indexed(store)
        await self.check("word", "word4", "rd44", "d44", "44", "4", "word44 word45", "d442 word443", "443 w")

    async def test_long_words_and_large_texts(self) -> None:
        store = await self.opened()
        long, sentence = "https://example.org/" + "ab/" * 50, "\u660e\u5929\u6211\u4eec\u53bb" * 5
        self.patch(_words, "LARGE", 5000)
        texts = (
            f"see {long}",
            sentence,
            f"{sentence} c",
            "Large " * 1000,
            "ab/ab",
            "c",
            "alarge ",
            "x" * 128,
        )
        await self.add(*map(mail, texts), mail("x" * 129), mail("x" * 127))
        await all_indexed(store)
        await self.check(
            "b/a", "ab", "/", "see http", "\u53bb\u660e\u5929\u6211", "\u53bb\u660e", "\u660e", "\u53bb c"
        )
        await self.check(
            "large", "large l", " large ", "x" * 127, "x" * 128, "x" * 129, "x" * 130, "/ab/ab/a", " c ", "c"
        )

    async def test_few_messages_among_many_others(self) -> None:
        self.patch(_texts, "_WORTH", 10)
        store = await self.opened()
        await self.add(*(mail(f"text{number} {number * 7}") for number in range(30)))
        await all_indexed(store)
        for uid in list(self.contents):
            if uid % 10:
                del self.contents[uid]
        await self.check("text9", "ext1", "9", "19 1")

    async def test_state(self) -> None:
        store = await self.opened()
        self.patch(_search_texts, "INDEXED_LIMIT", 100)
        await self.add(mail("short"), mail("long " * 50))
        state = await all_indexed(store)
        self.assertEqual((state.messages, state.indexed, state.left_out), (2, 2, 1))
        self.assertEqual(
            state.text_octets, len(" SUBJECT: X \n CONTENT-TYPE: TEXT/PLAIN; CHARSET=UTF-8 \n SHORT ")
        )
        self.assertGreater(state.index_octets, 10_000)
        self.assertTrue(state.has_texts)

    async def test_the_octets_of_the_index_are_those_on_the_disk(self) -> None:
        store = await self.opened()
        await self.add(*(mail(f"number {number} " * 100) for number in range(100)))
        for is_anew in (False, True):
            if is_anew:
                await store.rebuild_index(lambda _: None)
            told = (await all_indexed(store)).index_octets
            files = [name for name in os.listdir(self.path) if name.startswith("mail.sqlite3-search")]
            sizes = [os.path.getsize(os.path.join(self.path, name)) for name in files]
            self.assertEqual(told, sum(sizes))

    async def test_texts_that_are_left_out_are_read_for_each_search(self) -> None:
        store = await self.opened()
        self.patch(_search_texts, "INDEXED_LIMIT", 100)
        await self.add(mail("long"), mail("long " * 50), mail("short"))
        await all_indexed(store)
        await self.check("long", "ong lon", "short")

    async def test_other_fields_narrow_what_is_read(self) -> None:
        store = await self.opened()
        filler = b"X-Filler: " + b"=?utf-8?q?a?= " * 2500 + b"\r\n"
        await self.add(
            b"X-Mailer: Bench 7.5\r\n\r\n",
            b"Subject: 7.5\r\nX-Mailer: Bench 8\r\n\r\n",  # may have it
            b"X-Mailer: Bench 8\r\n\r\n7.5",
            b"Content-Type: message/rfc822\r\n\r\nX-Mailer: 7.5\r\n\r\n",
            filler + b"X-Mailer: 9\r\n\r\n",  # 35 KB
            b"Subject: x-mailer\r\n\r\n",
        )
        uids = list(self.contents)
        test = InField("x-mailer", search_key("7.5"))
        [early] = await self.inbox.find(uids, [test])
        self.assertTrue({1, 2, 5} <= {*early.passing, *early.unknown})
        await all_indexed(store)
        tests = [
            test,
            InField("x-mailer", ""),
            InField("x-mailer", search_key("bench 8")),
            InField("x-none", ""),
        ]
        found = [list(each.unknown) for each in await self.inbox.find(uids, tests)]
        self.assertEqual(found, [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6], [2, 3, 5], [5]])


class FailureTests(IndexTestCase):
    async def test_a_damaged_index_is_built_anew(self) -> None:
        store = await self.opened()
        await self.add(mail("one"))
        await all_indexed(store)
        await self.stopped(store)
        for damage in (b"x" * 100_000, b"", b"SQLite format 3\x00" + b"x" * 10_000):
            for end in ("-wal", "-shm"):
                if os.path.exists(path := f"{self.path}/mail.sqlite3-search{end}"):
                    os.unlink(path)
            with open(f"{self.path}/mail.sqlite3-search", "wb") as file:
                file.write(damage)
            store = await self.opened()
            await all_indexed(store)
            await self.check("one", "two")
            await self.stopped(store)

    async def test_an_index_that_cannot_be_made_does_not_matter(self) -> None:
        os.makedirs(f"{self.path}/mail.sqlite3-search")
        await self.opened()
        await self.add(mail("one", "b"), mail("two", "a"))
        [found] = await self.inbox.find([1, 2], [InText(search_key("one"), False)])
        self.assertEqual((list(found.passing), list(found.unknown)), ([1], []))
        self.assertEqual(list(await self.inbox.sort([1, 2], [SortOrder(SortKey.SUBJECT)])), [2, 1])
        threads = await self.inbox.thread([1, 2], ThreadAlgorithm.REFERENCES)
        self.assertEqual(list(threads.numbers), [1, 2])

    async def test_an_index_takes_no_room_that_mail_may_need(self) -> None:
        self.patch(_builder, "ROOM", 1 << 60)
        await self.opened()
        await self.add(mail("one"))
        await deferLater(reactor, 0.1)
        self.assertFalse(os.path.exists(f"{self.path}/mail.sqlite3-search"))

    async def test_a_store_that_was_replaced_by_an_older_copy(self) -> None:
        store = await self.opened()
        await self.add(mail("one"))
        await all_indexed(store)
        await self.stopped(store)
        shutil.copy(f"{self.path}/mail.sqlite3", f"{self.path}/copy")
        for texts in (("lost",), ("lost", "lost too")):
            store = await self.opened()
            await self.add(*map(mail, texts))
            await all_indexed(store)
            await self.stopped(store)
            for uid in list(self.contents)[1:]:
                del self.contents[uid]
            os.replace(f"{self.path}/mail.sqlite3", f"{self.path}/lost")
            shutil.copy(f"{self.path}/copy", f"{self.path}/mail.sqlite3")
            store = await self.opened()
            await self.add(mail("other"))
            await all_indexed(store)
            await self.check("one", "lost", "other")
            await self.stopped(store)
            del self.contents[2]
            shutil.copy(f"{self.path}/copy", f"{self.path}/mail.sqlite3")

    async def test_bodies_that_were_not_read(self) -> None:
        """Those that only the queue has."""
        store = await self.opened()
        await self.add(mail("one"), mail("two"))
        await all_indexed(store)
        await self.stopped(store)
        connection = sqlite3.connect(f"{self.path}/mail.sqlite3")
        with connection:
            connection.execute(
                "INSERT INTO bodies (id, refs, file, envelope, body_structure, offsets)"
                " SELECT min(unused), 1, NULL, x'', x'', x'' FROM (SELECT value AS unused FROM"
                " json_each('[1, 2, 3, 4]')) WHERE unused NOT IN (SELECT id FROM bodies)"
            )
        connection.close()
        store = await self.opened()
        await self.add(mail("three"))
        await all_indexed(store)
        await self.check("one", "two", "three")

    async def test_messages_without_octets(self) -> None:
        self.patch(_builder, "ROOM", 1 << 60)  # nothing is indexed
        await self.opened()
        await self.add(b"", b"")
        for key in SortKey:
            self.assertEqual(list(await self.inbox.sort([1, 2], [SortOrder(key)])), [1, 2])

    async def test_texts_can_be_turned_off_and_on(self) -> None:
        for texts in (True, False, True):
            store = await self.opened(texts=texts)
            await self.add(mail("one"))
            state = await all_indexed(store)
            self.assertEqual(state.has_texts, texts)
            self.assertEqual(state.text_octets > 0, texts)
            await self.check("one", "two")
            await self.stopped(store)


class OrderTests(IndexTestCase):
    async def test_answers_are_kept_only_for_the_same_messages(self) -> None:
        store = await self.opened()
        await self.add(mail("one", "b"), mail("two", "a"))
        for _ in range(2):
            for uids, right in (([1, 2], [2, 1]), ([1], [1]), ([1, 2], [2, 1])):
                found = await self.inbox.sort(uids, [SortOrder(SortKey.SUBJECT)])
                self.assertEqual(list(found), right)
            await all_indexed(store)
        await self.add(mail("three", "aa"))
        self.assertEqual(list(await self.inbox.sort([1, 2, 3], [SortOrder(SortKey.SUBJECT)])), [2, 3, 1])
        threads: Any = await self.inbox.thread([1, 2, 3], ThreadAlgorithm.ORDEREDSUBJECT)
        self.assertEqual(list(threads.numbers), [1, 2, 3])
        again = await self.inbox.thread([1, 2, 3], ThreadAlgorithm.ORDEREDSUBJECT)
        self.assertIs(threads, again)

    async def test_many_messages_that_are_not_indexed_yet(self) -> None:
        self.patch(_builder, "BEGIN_AFTER", 100)
        await self.opened()
        subjects = [f"s{number * 7 % 50:02}" for number in range(50)]
        await self.add(*(mail("text", subject) for subject in subjects))
        uids = list(self.contents)
        right = sorted(uids, key=lambda uid: subjects[uid - 1])
        for _ in range(2):
            self.assertEqual(list(await self.inbox.sort(uids, [SortOrder(SortKey.SUBJECT)])), right)

    async def test_answers_do_not_wait_for_the_index(self) -> None:
        self.patch(_builder, "BEGIN_AFTER", 100)
        await self.opened()
        odd = [
            b"From: Ann <ann@x>\r\nSubject: b\r\nDate: 2 Mar 2026 10:00 +0000\r\nMessage-ID: <1@x>\r\n\r\n1",
            b"From: caf\xe9 <e@x>\r\nSubject: Re: B\r\nReferences: <1@x>\r\n\r\n2",  # not plain
            b"From: bob@x\r\nSubject: a\r\nIn-Reply-To: <1@x>\r\nX: "
            + b"x" * 70_000
            + b"\r\n\r\n3",  # in a file
            b"From: c@x\r\nFrom: ann@y\r\nSubject: c\0d\r\nDate: Fri, 1 Mar 2026\r\n\r\n4",
            b"\r\n",
            b"Subject: =?utf-8?q?=E4=BC=9A=E8=AD=B0?=\nTo: x\n\n",
        ]
        await self.add(*odd, *(mail("text", f"s{number}") for number in range(20)))
        uids = list(self.contents)
        at_once = [await self.answers(uids), await self.answers(uids[1::2])]
        self.assertEqual(self.rows("SELECT count(*) FROM headers"), [(0,)])
        self.patch(_builder, "BEGIN_AFTER", 0.01)
        for store in list(self.stores):
            await self.stopped(store)
        await all_indexed(await self.opened())
        self.assertEqual([await self.answers(uids), await self.answers(uids[1::2])], at_once)
        self.assertEqual(at_once[0][0], [[1, 4], []])

    async def answers(self, uids: list[int]) -> list[Any]:
        """What the inbox answers to tests of headers, SORT and THREAD."""
        tests: list[ContentTest] = [InAddresses(name, search_key("ann")) for name in ("from", "to", "cc")]
        tests += [InField("subject", search_key(key)) for key in ("b", "", "\u4f1a")]
        tests += [InField("message-id", search_key("1@x")), SentOn("ON", datetime.date(2026, 3, 2))]
        found = [[list(each.passing), list(each.unknown)] for each in await self.inbox.find(uids, tests)]
        for key in SortKey:
            orders = [SortOrder(key), SortOrder(SortKey.DATE, reverse=True)]
            found += [list(await self.inbox.sort(uids, orders))]
        for algorithm in ThreadAlgorithm:
            threads = await self.inbox.thread(uids, algorithm)
            found += [[list(threads.numbers), list(threads.depths)]]
        return found
