"""How fast the embedded store takes and gives mail.

One process, messages of 5 KB with three parts, on the disk of FOLDER (the current one by
default, not the system's temporary folder: what is in memory tells nothing about syncs).
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from _parts.program import Options, Table, expect, run
from twisted.internet.defer import Deferred, ensureDeferred, gatherResults

from mailproto.awaiting import settle
from mailproto.backends import SQLiteStore
from mailproto.content import CHUNK, Content
from mailproto.interfaces import IMailbox
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part, Placement

BATCH = 500
SUMMARY = Part.INTERNAL_DATE | Part.SIZE | Part.ENVELOPE | Part.BODY_STRUCTURE


def message(number: int) -> bytes:
    """5 KB: text, HTML and a small attachment."""
    head = (
        f"Received: from client.example ([192.0.2.1]) by mail.example with ESMTP id {number:012};"
        " Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        f"From: Bob Sender <bob@example.org>\r\nTo: Alice <alice@example.org>, carol@example.net\r\n"
        f"Subject: Figures of the week, part {number}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{number}@example.org>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="frontier"\r\n\r\n'
    )
    parts = [
        (
            "text/plain; charset=utf-8",
            "The quick brown fox jumps over the lazy dog, and then again.\r\n" * 20,
        ),
        ("text/html; charset=utf-8", "<p>The quick brown fox jumps over the lazy dog.</p>\r\n" * 22),
        (
            'application/octet-stream; name="a.bin"',
            "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9w\r\n" * 28,
        ),
    ]
    body = "".join(f"--frontier\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts)
    return (head + body + "--frontier--\r\n").encode()


class Benchmark:
    """The store, and the table that grows."""

    def __init__(self, store: SQLiteStore, given: argparse.Namespace) -> None:
        self._store = store
        self._messages: int = given.messages
        self._large: int = given.large
        self._table = Table("", "ms", "a second", width=58)

    def _report(self, what: str, seconds: float, count: int) -> None:
        self._table.row(what, f"{seconds * 1000:,.1f}", f"{count / seconds:,.0f}")

    async def run(self) -> None:
        """Measure everything."""
        texts = [message(number) for number in range(self._messages)]
        await self.deliveries(texts)
        await self.reads(texts)
        await self.changes()
        await self.large()

    async def deliveries(self, texts: Sequence[bytes]) -> None:
        """One account for each number of clients."""
        for outstanding in (1, 20, 64):
            name = f"alice{outstanding}@example.org"
            await self._store.directory.add(name, "")
            count = len(texts) if outstanding > 1 else max(len(texts) // 5, 1)

            def deliver(number: int, name: str = name) -> Deferred[Any]:
                return ensureDeferred(self._store.deliver(texts[number], [Placement(name)]))

            seconds = await each_of(count, outstanding, deliver)
            self._report(f"deliver, {outstanding} at a time", seconds, count)
            inbox = await self._open(name, "INBOX")
            expect(f"messages of {name}", (await settle(inbox.status())).messages, count)

    async def reads(self, texts: Sequence[bytes]) -> None:
        """Of the account whose INBOX is full."""
        count = len(texts)
        inbox = await self._open("alice64@example.org", "INBOX")
        uids = range(1, count + 1)
        parts = {"envelope and structure": SUMMARY, "content": Part.CONTENT, "size": Part.SIZE}
        for what, part in parts.items():
            began = time.perf_counter()
            found = [await settle(inbox.read(uids[at : at + BATCH], part)) for at in range(0, count, BATCH)]
            self._report(f"read {what}, {BATCH} at a time", time.perf_counter() - began, count)
            rows = [row for batch in found for row in batch]
            expect(f"UIDs of {what}", [row.uid for row in rows], list(uids))
            if part is Part.CONTENT:
                expect("contents", sorted(bytes(row.content or b"") for row in rows), sorted(texts))
            elif part is Part.SIZE:
                expect("sizes", sum(row.size or 0 for row in rows), sum(map(len, texts)))
            else:
                expect(
                    "envelopes", all(b"Figures of the week" in (row.envelope or b"") for row in rows), True
                )
        began = time.perf_counter()
        changes = await settle(inbox.changes_since(0))
        self._report("changes_since(0)", time.perf_counter() - began, len(changes.changed))
        expect("changes since 0", len(changes.changed), count)
        began = time.perf_counter()
        for _ in range(1000):
            last = await settle(inbox.changes_since(changes.modseq))
        self._report("changes_since(the last)", time.perf_counter() - began, 1000)
        expect("changes since the last", len(last.changed), 0)
        began = time.perf_counter()
        for _ in range(1000):
            await settle(inbox.status())
        self._report("status", time.perf_counter() - began, 1000)

    async def changes(self) -> None:
        """Of all messages at once."""
        count = self._messages
        inbox = await self._open("alice64@example.org", "INBOX")
        trash = await self._open("alice64@example.org", "Trash")
        uids = range(1, count + 1)
        for flags in ({"\\Seen"}, {"$Forwarded", "\\Deleted"}):
            change = FlagChange(FlagOperation.ADD, frozenset(flags))
            began = time.perf_counter()
            await settle(inbox.store(uids, change))
            self._report(f"store {' '.join(sorted(flags))}", time.perf_counter() - began, count)
        expect("unseen messages", (await settle(inbox.status())).unseen, 0)
        began = time.perf_counter()
        await settle(inbox.copy(uids, trash))
        self._report("copy", time.perf_counter() - began, count)
        expect("messages in Trash", (await settle(trash.status())).messages, count)
        began = time.perf_counter()
        await settle(inbox.expunge())
        self._report("expunge (copies remain)", time.perf_counter() - began, count)
        expect("messages in INBOX", (await settle(inbox.status())).messages, 0)
        [kept] = await settle(trash.read([1], Part.CONTENT))
        expect("octets of a copy", bytes(kept.content or b"")[:9], b"Received:")
        began = time.perf_counter()
        await settle(trash.expunge())
        self._report("expunge (the last copy)", time.perf_counter() - began, count)
        expect("messages left in Trash", (await settle(trash.status())).messages, 0)

    async def large(self) -> None:
        """One message that is a file."""
        inbox = await self._open("alice1@example.org", "INBOX")
        size = self._large * 1_000_000
        with tempfile.NamedTemporaryFile() as spool:
            line = b"x" * 76 + b"\r\n"
            spool.write(b"Subject: large\r\n\r\n")
            for _ in range(size // CHUNK + 1):
                spool.write((line * (CHUNK // len(line) + 1))[:CHUNK])
            spool.flush()
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            began = time.perf_counter()
            [appended] = await settle(inbox.append([NewMessage(Content.of_file(spool.name, size))]))
            self._report(f"append of {self._large} MB from a file", time.perf_counter() - began, 1)
            began = time.perf_counter()
            [info] = await settle(inbox.read([appended.uid], Part.CONTENT))
            content = info.content
            assert content is not None
            read = sum(map(len, content.chunks() if isinstance(content, Content) else [content]))
            self._report(f"read of {self._large} MB by chunks", time.perf_counter() - began, 1)
            expect("octets of the large message", read, size)
            after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(f"the most memory grew by {(after - before) / 1024:.1f} MiB")

    async def _open(self, name: str, mailbox: str) -> IMailbox:
        account = await self._store.account(name)
        return await settle(account.open(mailbox))


async def each_of(count: int, outstanding: int, begin: Callable[[int], Deferred[Any]]) -> float:
    """Seconds for ``count`` requests, so many at a time."""
    numbers = iter(range(count))
    began = time.perf_counter()

    async def one_client() -> None:
        for number in numbers:
            await begin(number)

    await gatherResults([ensureDeferred(one_client()) for _ in range(outstanding)], consumeErrors=True)
    return time.perf_counter() - began


def main() -> None:
    """Measure in a new store."""
    options = Options(__doc__)
    options.add_number("messages", 10_000, quick=300, help="of 5 KB")
    options.add_number("large", 50, quick=2, help="megabytes of the large message")
    options.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="where the store is made")
    given = options.parse()
    if not Path(given.folder).is_dir():
        options.error(f"{given.folder} is no folder")
    failures: list[Any] = []

    async def measure(folder: str) -> None:
        store = SQLiteStore(folder, reactor=reactor)
        await store.start()
        try:
            await Benchmark(store, given).run()
        finally:
            await store.stop()

    from twisted.internet import reactor as installed

    reactor: Any = installed
    with tempfile.TemporaryDirectory(dir=given.folder) as temporary:

        def begin() -> None:
            measured = ensureDeferred(measure(temporary)).addErrback(failures.append)
            measured.addBoth(lambda _: reactor.stop())

        reactor.callWhenRunning(begin)
        reactor.run()
    if failures:
        failures[0].raiseException()


if __name__ == "__main__":
    run(main)
