"""Puts messages into the queue of a server that is not running: FOLDER MESSAGES DOMAINS.

They wait for servers that are dead, at domains as `relay_servers.Names` has them.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

if __name__ == "__main__":
    # Not this folder but the one above, as for the programs: `_parts` is found, and no name
    # in here hides a package.
    sys.path[0] = os.path.dirname(sys.path[0])

from twisted.internet.defer import ensureDeferred, gatherResults
from twisted.internet.task import react

from mailproto.awaiting import settle
from mailproto.backends import SQLiteStore
from mailproto.model import Address, Envelope, NewQueued, Recipient, Session
from mailproto.relay import Routes

BATCH = 500
BODY = b"Subject: one of very many\r\n\r\n" + b"The quick brown fox jumps over the lazy dog.\r\n" * 20


async def main(reactor: Any, folder: str, messages: str, domains: str) -> None:
    store = SQLiteStore(folder, reactor=reactor)
    await settle(store.start())
    numbers = iter(range(0, int(messages), BATCH))
    sender = Address("sender", "relay.example")
    session = Session("ESMTP", "relay.example", "127.0.0.1", "127.0.0.1")
    key = Routes("mx").key
    now = time.time()

    def new(number: int) -> NewQueued:
        domain = f"dead{number % int(domains)}.example"
        recipients = (Recipient(Address("user", domain)),)
        envelope = Envelope(f"F{number}", sender, recipients, session)
        return NewQueued(BODY, envelope, (key(domain),), now, now + 400_000, share=f"share{number % 20}")

    async def some() -> None:
        for first in numbers:
            await settle(store.queue.add([new(at) for at in range(first, min(first + BATCH, int(messages)))]))

    await gatherResults([ensureDeferred(some()) for _ in range(4)])
    await settle(store.stop())


if __name__ == "__main__":
    react(lambda reactor: ensureDeferred(main(reactor, *sys.argv[1:])))
