"""Answers are exact whatever a killed process has left of the index, and while several processes use it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import threading
from typing import Any

from twisted.internet.task import deferLater

from mailproto.backends.sqlite._search import _builder, _index, _making, _schema
from mailproto.message import search_key
from mailproto.model import (
    DELETED,
    ContentTest,
    FlagChange,
    FlagOperation,
    InAddresses,
    InField,
    InText,
    SortKey,
    SortOrder,
)
from tests.backends.sqlite.indexing import PATIENCE, all_indexed
from tests.backends.sqlite.test_search_index import IndexTestCase, mail, reactor

_KEYS = ("lazy", "la", "la z", "\u4f1a\u8b70", "x", "zy")

_NEVER = 100.0


class Killed:
    """Keeps what a kill would leave at each instant at which the index is about to change.

    :ivar left: folders.
    """

    def __init__(self, path: str, folder: str) -> None:
        self.left: list[str] = []
        self._path = path
        self._folder = folder
        self._known: set[bytes] = set()
        self._lock = threading.Lock()

    def open_index(self, path: str, **arguments: Any) -> sqlite3.Connection:
        """As `_schema.open_index`; notes each statement."""
        connection = _schema.open_index(path, **arguments)
        connection.set_trace_callback(self._before)
        return connection

    def _before(self, statement: str) -> None:
        if statement.startswith("--"):  # what FTS5 does itself
            return
        with self._lock:
            files = [
                name for name in sorted(os.listdir(self._path)) if name.startswith("mail.sqlite3-search")
            ]
            digest = hashlib.sha256()
            for name in files:
                if not name.endswith("-shm"):
                    with open(os.path.join(self._path, name), "rb") as file:
                        digest.update(file.read())
            if digest.digest() not in self._known:
                self._known.add(digest.digest())
                left = os.path.join(self._folder, str(len(self.left)))
                shutil.copytree(self._path, left, ignore=shutil.ignore_patterns("*-reserve", "*-peers"))
                self.left.append(left)


class CrashTests(IndexTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.patch(_builder, "AT_ONCE", 2)
        self.patch(_builder, "HEADERS_AT_ONCE", 2)
        self.patch(_making, "SAMPLES", 2)

    def questions(self) -> list[ContentTest]:
        found: list[ContentTest] = [
            InText(search_key(key), headers) for key in _KEYS for headers in (False, True)
        ]
        found += [InAddresses("from", search_key("ann")), InField("subject", search_key("s1"))]
        return found

    async def check_all(self, inbox: Any) -> None:
        """Compare answers with what reading the messages finds."""
        uids = list((await inbox.changes_since(0)).changed.uids)
        for test, found in zip(self.questions(), await inbox.find(uids, self.questions()), strict=True):
            unknown = set(found.unknown)
            right = [uid for uid in uids if self.passes(self.contents[uid], test) and uid not in unknown]
            self.assertEqual([uid for uid in found.passing if uid not in unknown], right, test)
        right = sorted(uids, key=lambda uid: (self.contents[uid].split(b"\r\n")[0], uid))
        self.assertEqual(list(await inbox.sort(uids, [SortOrder(SortKey.SUBJECT)])), right)

    def passes(self, content: bytes, test: ContentTest) -> bool:
        if isinstance(test, InText):
            return self.has(content, test)
        if isinstance(test, InAddresses):
            return b"From: Ann" in content
        return b"Subject: s1" in content

    def mails(self, first: int, count: int) -> list[bytes]:
        texts = ("the lazy dog", "\u4f1a\u8b70 la", "zyzzyva", "x" * 2000 + " la zy")
        made = []
        for at in range(first, first + count):
            sender = b"\r\nFrom: Ann <ann@x>\r\n" if at % 3 else b"\r\n"
            made.append(mail(texts[at % 4], f"s{at}").replace(b"\r\n", sender, 1))
        return made

    async def test_a_kill_at_any_instant(self) -> None:
        killed = Killed(self.path, self.mktemp())
        self.patch(_builder, "open_index", killed.open_index)
        self.patch(_index, "open_index", killed.open_index)
        store = await self.opened()
        for first in (0, 5):
            await self.add(*self.mails(first, 5))
            await all_indexed(store)
        await self.inbox.store([1, 7], FlagChange(FlagOperation.ADD, frozenset({DELETED})))
        await self.inbox.expunge([1, 7])
        end = reactor.seconds() + PATIENCE
        while self.rows("SELECT count(*) FROM headers") != [(8,)]:  # what is gone is swept
            self.assertLess(reactor.seconds(), end)
            await deferLater(reactor, 0.01)
        await store.rebuild_index(lambda state: None)
        await self.stopped(store)
        self.assertGreater(len(killed.left), 15)
        self.patch(_builder, "open_index", _schema.open_index)
        self.patch(_index, "open_index", _schema.open_index)
        for left in killed.left:
            for is_built in (False, True):
                self.path = left
                self.patch(_builder, "BEGIN_AFTER", 0.001 if is_built else _NEVER)
                store = await self.opened()
                if is_built:
                    await all_indexed(store)
                await self.check_all(self.inbox)
                await self.stopped(store)

    async def test_two_processes(self) -> None:
        first = await self.opened()
        inboxes = [self.inbox]
        await self.opened()
        inboxes.append(self.inbox)
        for round_ in range(8):
            self.inbox = inboxes[round_ % 2]
            await self.add(*self.mails(5 * round_, 5))
            if round_ == 4:
                building = first.rebuild_index(lambda state: None)
            if round_ == 6:
                await building
            if round_ == 7:
                await self.stopped(first)
                del inboxes[0]
            for inbox in inboxes:
                await self.check_all(inbox)
