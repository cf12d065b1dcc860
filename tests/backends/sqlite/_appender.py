"""Appends to a store for ever and prints each UID when it is acknowledged: to be killed."""

import sys
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet import task
from twisted.internet.defer import DeferredList, ensureDeferred

from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._bodies import LARGE
from mailproto.model import NewMessage

reactor: Any = installed


async def client(inbox, number):
    for count in range(10**9):
        mark = f"{number}-{count}"
        # Every twentieth is a file of its own.
        content = f"Message-ID: <{mark}@x>\r\n\r\n".encode() + b"x" * (LARGE if count % 20 == 19 else 100)
        [appended] = await inbox.append([NewMessage(content)])
        sys.stdout.write(f"{appended.uid} {mark}\n")
        sys.stdout.flush()


async def main(folder, name):
    store = SQLiteStore(folder, reactor=reactor)
    await store.start()
    inbox = await (await store.account(name)).open("INBOX")
    await DeferredList([ensureDeferred(client(inbox, number)) for number in range(8)], fireOnOneErrback=True)


if __name__ == "__main__":
    task.react(lambda _: ensureDeferred(main(*sys.argv[1:])))
