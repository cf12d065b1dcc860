"""A store under a load that says on standard output what it begins and what it was answered.

Run as a program: FOLDER SEED OPERATIONS.  Each line is a JSON object, written by one call, so that
a record of the system calls tells which writes came before which answer.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import sys
from collections.abc import Callable
from random import Random
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet import task
from twisted.internet.defer import Deferred, gatherResults

from mailproto.awaiting import Result, settle
from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite import _long_changes
from mailproto.backends.sqlite._bodies import LARGE
from mailproto.errors import MailError
from mailproto.interfaces import IMailbox
from mailproto.model import (
    AppendedMessage,
    FlagChange,
    FlagOperation,
    Lease,
    NewMessage,
    Part,
    Placement,
)
from mailproto.testing._queue_fixture import DOMAIN, NOW, message, sent, waiting

reactor: Any = installed

__all__ = ["ACCOUNTS", "BOX", "COPIES", "TREE", "content_of", "mark_of"]

ACCOUNTS = ("alice@example.org", "bob@example.org")
TREE = "carol@example.org"
"""Whose mailboxes are made and removed."""
BOX, COPIES = "Box", "Copies"

_DELETED = "\\Deleted"


def content_of(mark: str) -> bytes:
    """The message of this mark; some are files of their own."""
    choose = Random(mark)
    size = choose.choice((10, 400, 3000, 9000, LARGE - 100, LARGE + 1, LARGE + 50_000))
    seed = hashlib.sha256(mark.encode()).hexdigest().encode()
    body = (seed + b"\r\n") * (size // (len(seed) + 2) + 1)
    return f"Message-ID: <{mark}@x>\r\nSubject: {mark}\r\n\r\n".encode() + body


def mark_of(content: bytes) -> str:
    """The mark of a message, which must be whole."""
    match = re.match(rb"Message-ID: <(.*)@x>\r\n", content)
    if match is None or content != content_of(match[1].decode()):
        raise AssertionError(f"a message that was never sent: {content[:100]!r}, {len(content)} octets")
    return match[1].decode()


class Load:
    """Several clients at once, each one thing after another."""

    def __init__(self, store: SQLiteStore, seed: str, operations: int) -> None:
        self.store = store
        self.seed = seed
        self._left = itertools.count(operations, -1)
        self._numbers = itertools.count()

    def say(self, what: dict[str, Any]) -> None:
        os.write(1, json.dumps(what).encode() + b"\n")

    async def ask(self, work: Result[Any], describe: Callable[[Any], Any] = bool, **what: Any) -> Any:
        """Say that it begins and, when it has been answered, what the answer was."""
        number = next(self._numbers)
        self.say({"began": number, **what})
        try:
            result = await settle(work)
        except MailError as error:
            self.say({"refused": number, "error": str(error)})
            return None
        self.say({"answered": number, "result": describe(result)})
        return result

    def new_mark(self, name: str) -> str:
        return f"{self.seed}-{name}-{next(self._numbers)}"

    def goes_on(self) -> bool:
        return next(self._left) > 0

    async def run(self) -> None:
        clients = [self.deliver(f"deliver{number}") for number in range(2)]
        for account in ACCOUNTS:
            clients += [self.change(account, name) for name in ("INBOX", BOX)]
            clients.append(self.append(account))
        clients += [self.change_accounts(), self.change_tree(), self.queue()]
        await gatherResults([Deferred.fromCoroutine(client) for client in clients], consumeErrors=True)

    async def deliver(self, name: str) -> None:
        choose = Random(f"{self.seed} {name}")
        while self.goes_on():
            names = choose.choice(([ACCOUNTS[0]], [ACCOUNTS[1]], list(ACCOUNTS)))
            mark = self.new_mark(name)
            await self.ask(
                self.store.deliver(content_of(mark), [Placement(each) for each in names]),
                lambda outcomes: [isinstance(outcome, AppendedMessage) for outcome in outcomes],
                put=mark,
                boxes=[f"{each}/INBOX" for each in names],
            )

    async def queue(self) -> None:
        """Messages for other servers, some for a mailbox, too; each life of the process is much later."""
        choose = Random(f"{self.seed} queue")
        queue, now = self.store.queue, NOW + 1e6 * int(self.seed.rpartition("-")[2] or 0)
        while self.goes_on():
            now += 10
            mark = self.new_mark("queue")
            names = choose.choice(([], [ACCOUNTS[0]]))
            new = message(content=content_of(mark), placements=[Placement(name) for name in names])
            await self.ask(
                queue.add([new]),
                lambda placed: [isinstance(each, AppendedMessage) for each in placed[0]],
                queue=mark,
                put=mark,
                boxes=[f"{name}/INBOX" for name in names],
            )
            leases: list[Lease] = await self.ask(
                queue.lease(DOMAIN, now=now, until=now + 5, messages=choose.randrange(1, 4), recipients=1)
            )
            for lease in leases:
                tried = mark_of(bytes(lease.message.content or b""))
                if choose.random() < 0.6:
                    await self.ask(queue.settle(lease, sent(lease)), settle=tried)
                elif choose.random() < 0.5:
                    await self.ask(queue.settle(lease, waiting(lease, now + choose.randrange(30))))

    async def append(self, account: str) -> None:
        choose = Random(f"{self.seed} append {account}")
        box = await (await self.store.account(account)).open(BOX)
        while self.goes_on():
            marks = [self.new_mark("append") for _ in range(choose.choice((1, 1, 1, 3)))]
            flags = frozenset(choose.sample(("\\Seen", "\\Flagged", "kept"), choose.randrange(3)))
            await self.ask(
                box.append([NewMessage(content_of(mark), flags) for mark in marks]),
                lambda appended: [(one.uid, one.modseq) for one in appended],
                append=marks,
                box=f"{account}/{BOX}",
                flags=sorted(flags),
            )

    async def change(self, account: str, name: str) -> None:
        """Flags, copies and removals in a mailbox where nothing else does so."""
        choose = Random(f"{self.seed} change {account} {name}")
        opened = await self.store.account(account)
        box, copies = await opened.open(name), await opened.open(COPIES)
        where = f"{account}/{name}"
        while self.goes_on():
            changes = await box.changes_since(0)
            uids = [message.uid for message in changes.changed]
            some = sorted(choose.sample(uids, min(len(uids), choose.choice((1, 2, 5)))))
            marks = await _marks(box, some)
            flags = {message.uid: sorted(message.flags) for message in changes.changed if message.uid in some}
            self.say({"saw": where, "uids": marks, "flags": flags, "modseq": changes.modseq})
            if not some:
                await task.deferLater(reactor, 0.002)
            elif choose.random() < 0.4:
                await self.remove(box, where, marks)
            elif choose.random() < 0.3:
                await self.ask(box.copy(some, copies), list, copy=marks, box=f"{account}/{COPIES}")
            elif choose.random() < 0.3:
                await self.ask(
                    box.move(some, copies), list, move=marks, source=where, box=f"{account}/{COPIES}"
                )
            else:
                await self.store_flags(box, where, marks, choose)

    async def store_flags(self, box: IMailbox, where: str, marks: dict[int, str], choose: Random) -> None:
        flags = frozenset(choose.sample(("\\Seen", "\\Flagged", "\\Answered", "a", "b"), 2))
        await self.ask(
            box.store(list(marks), FlagChange(FlagOperation.SET, flags)),
            lambda stored: [(one.uid, one.modseq) for one in stored.changed],
            flag=sorted(flags),
            uids=marks,
            box=where,
        )

    async def remove(self, box: IMailbox, where: str, marks: dict[int, str]) -> None:
        uids = list(marks)
        await self.ask(
            box.store(uids, FlagChange(FlagOperation.SET, frozenset({_DELETED}))),
            lambda stored: [(one.uid, one.modseq) for one in stored.changed],
            flag=[_DELETED],
            uids=marks,
            box=where,
        )
        await self.ask(box.expunge(uids), list, expunge=marks, box=where)

    async def change_accounts(self) -> None:
        choose = Random(f"{self.seed} accounts")
        directory = self.store.directory
        records: dict[str, str] = {}
        for name in await directory.names():
            if name.startswith("u"):
                records[name] = await directory.password_hash(name)
        while self.goes_on():
            name = f"u{choose.randrange(4)}@example.org"
            record = self.new_mark("hash")
            if name not in records:
                work, becomes = directory.add(name, record), {**records, name: record}
            elif choose.random() < 0.5:
                work, becomes = directory.set_password_hash(name, record), {**records, name: record}
            else:
                work = directory.delete(name)
                becomes = {key: value for key, value in records.items() if key != name}
            await self.ask(work, accounts=becomes)
            records = becomes

    async def change_tree(self) -> None:
        choose = Random(f"{self.seed} tree")
        account = await self.store.account(TREE)
        entries = await account.list()
        tree: set[str] = {entry.name for entry in entries if entry.name.startswith("t")}
        while self.goes_on():
            name, other = f"t{choose.randrange(3)}", f"t{choose.randrange(3, 6)}"
            if name not in tree:
                work, becomes = account.create(name), tree | {name}
            elif other not in tree and choose.random() < 0.5:
                work, becomes = account.rename(name, other), tree - {name} | {other}
            else:
                gone = name if choose.random() < 0.5 or other not in tree else other
                work, becomes = account.delete(gone), tree - {gone}
            await self.ask(work, tree=sorted(becomes))
            tree = becomes
            for each in sorted(tree):
                self.say({"validity": each, "is": (await account.open(each)).uid_validity})


async def _marks(box: IMailbox, uids: list[int]) -> dict[int, str]:
    infos = await box.read(uids, Part.CONTENT)
    return {info.uid: mark_of(bytes(info.content or b"")) for info in infos}


async def main(folder: str, seed: str, operations: str) -> None:
    if Random(seed).random() < 0.5:
        # The few messages of the load are many, and changed in slices.
        _long_changes.SLICE, _long_changes.BODIES = 2, 2
    store = SQLiteStore(folder, reactor=reactor)
    await store.start()
    load = Load(store, seed, int(operations))
    load.say({"started": seed})
    if not await store.directory.names():
        for name in (*ACCOUNTS, TREE):
            await load.ask(store.directory.add(name, "hash"), made=name)
            for box in (BOX, COPIES):
                await load.ask((await store.account(name)).create(box), made=f"{name}/{box}")
    await load.run()
    await store.stop()
    load.say({"stopped": seed})


if __name__ == "__main__":
    task.react(lambda _: Deferred.fromCoroutine(main(*sys.argv[1:])))
