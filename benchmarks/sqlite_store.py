"""How fast the embedded store takes and gives mail: ``python benchmarks/sqlite_store.py [FOLDER]``.

One process, messages of 5 KB with three parts, on the disk of FOLDER (a temporary folder
beside the program by default: what is in memory tells nothing about syncs).
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor, task
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred

from mailproto.backends import SQLiteStore
from mailproto.content import CHUNK, FileContent
from mailproto.model import FlagChange, FlagOperation, NewMessage, Part

MESSAGES = 10_000
BATCH = 500
SUMMARY = Part.INTERNAL_DATE | Part.SIZE | Part.ENVELOPE | Part.BODY_STRUCTURE
LARGE = 50_000_000


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


def report(what: str, seconds: float, count: int) -> None:
    print(f"{what:<58} {seconds * 1000:9.1f} ms {count / seconds:12,.0f} /s", flush=True)


async def each_of(count: int, outstanding: int, begin: Callable[[int], Deferred[Any]]) -> float:
    """Seconds for ``count`` requests, so many at a time."""
    numbers = iter(range(count))
    began = time.perf_counter()

    async def one_client() -> None:
        for number in numbers:
            await begin(number)

    await DeferredList([ensureDeferred(one_client()) for _ in range(outstanding)], fireOnOneErrback=True)
    return time.perf_counter() - began


async def deliveries(store: SQLiteStore) -> None:
    texts = [message(number) for number in range(MESSAGES)]
    for outstanding in (1, 20, 64):
        name = f"alice{outstanding}@example.org"
        await store.directory.add(name, "")
        count = MESSAGES if outstanding > 1 else 2_000
        seconds = await each_of(
            count, outstanding, lambda number, name=name: store.deliver([name], NewMessage(texts[number]))
        )
        report(f"deliver, {outstanding} at a time", seconds, count)


async def reads(store: SQLiteStore) -> None:
    inbox = await (await store.account("alice64@example.org")).open("INBOX")
    uids = range(1, MESSAGES + 1)
    for what, parts in [("envelope and structure", SUMMARY), ("content", Part.CONTENT), ("size", Part.SIZE)]:
        began = time.perf_counter()
        for at in range(0, MESSAGES, BATCH):
            assert len(await inbox.read(uids[at : at + BATCH], parts)) == BATCH
        report(f"read {what}, {BATCH} at a time", time.perf_counter() - began, MESSAGES)
    began = time.perf_counter()
    changes = await inbox.changes_since(0)
    report("changes_since(0)", time.perf_counter() - began, len(changes.changed))
    began = time.perf_counter()
    for _ in range(1000):
        await inbox.changes_since(changes.modseq - 1)
    report("changes_since(the last)", time.perf_counter() - began, 1000)
    began = time.perf_counter()
    for _ in range(1000):
        await inbox.status()
    report("status", time.perf_counter() - began, 1000)


async def changes(store: SQLiteStore) -> None:
    account = await store.account("alice64@example.org")
    inbox, trash = await account.open("INBOX"), await account.open("Trash")
    uids = range(1, MESSAGES + 1)
    for flags in ({"\\Seen"}, {"$Forwarded", "\\Deleted"}):
        change = FlagChange(FlagOperation.ADD, frozenset(flags))
        began = time.perf_counter()
        await inbox.store(uids, change)
        report(f"store {' '.join(sorted(flags))}", time.perf_counter() - began, MESSAGES)
    began = time.perf_counter()
    await inbox.copy(uids, trash)
    report("copy", time.perf_counter() - began, MESSAGES)
    began = time.perf_counter()
    await inbox.expunge()
    report("expunge (copies remain)", time.perf_counter() - began, MESSAGES)
    began = time.perf_counter()
    await trash.expunge()
    report("expunge (the last copy)", time.perf_counter() - began, MESSAGES)


async def large(store: SQLiteStore) -> None:
    inbox = await (await store.account("alice1@example.org")).open("INBOX")
    with tempfile.NamedTemporaryFile() as spool:
        line = b"x" * 76 + b"\r\n"
        spool.write(b"Subject: large\r\n\r\n")
        for _ in range(LARGE // CHUNK + 1):
            spool.write((line * (CHUNK // len(line) + 1))[:CHUNK])
        spool.flush()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        [appended] = await inbox.append([NewMessage(FileContent(spool.name, LARGE))])
        report("append of 50 MB from a file", time.perf_counter() - began, 1)
        began = time.perf_counter()
        [info] = await inbox.read([appended.uid], Part.CONTENT)
        assert isinstance(info.content, FileContent)
        assert sum(map(len, info.content.chunks())) == LARGE
        report("read of 50 MB by chunks", time.perf_counter() - began, 1)
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"{'the most memory grew by':<58} {(after - before) / 1024:9.1f} MiB")


async def main(folder: str) -> None:
    store = SQLiteStore(folder, reactor=reactor)  # type: ignore[arg-type]  # the module is a reactor
    await store.start()
    await deliveries(store)
    await reads(store)
    await changes(store)
    await large(store)
    await store.stop()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else ".") as temporary:
        task.react(lambda _: ensureDeferred(main(temporary)))
