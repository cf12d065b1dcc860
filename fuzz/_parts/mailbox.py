"""A server over a mailbox in memory, for the targets that read mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock

from mailproto.auth import StoreRealm
from mailproto.awaiting import settle
from mailproto.backends import MemoryStore
from mailproto.model import NewMessage
from mailproto.testing import MemoryTransport

__all__ = ["in_pieces", "portal", "serve"]

_MESSAGES = (
    b"Subject: one\r\n\r\n.a dot\r\nend",
    b"From: Alice <alice@example.org>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--\r\n",
    b"",
)


def portal(messages: Sequence[bytes] = _MESSAGES) -> Portal:
    """Lets alice in, whose password is ``secret``; her INBOX has a few messages."""
    store = MemoryStore()

    async def fill() -> None:
        await store.directory.add("alice", "")
        inbox = await settle((await settle(store.account("alice"))).open("INBOX"))
        await settle(inbox.append([NewMessage(octets) for octets in messages]))

    failures: list[Any] = []
    ensureDeferred(fill()).addErrback(failures.append)
    assert not failures, failures
    checker = InMemoryUsernamePasswordDatabaseDontUse()
    checker.users = {b"alice": b"secret"}
    return Portal(StoreRealm(store), [checker])


def in_pieces(octets: bytes, sizes: bytes) -> Iterator[bytes]:
    """``octets``, cut as ``sizes`` say, again and again."""
    at = turn = 0
    while at < len(octets):
        size = 1 + (sizes[turn % len(sizes)] if sizes else len(octets))
        yield octets[at : at + size]
        at += size
        turn += 1


def serve(factory: Any, clock: Clock, before: bytes, octets: bytes, sizes: bytes) -> bytes:
    """All that a server says to ``before`` and to ``octets`` in pieces; it must end with a line's end.

    When the client is gone, nothing may be left to be done.
    """
    transport = MemoryTransport(factory.buildProtocol(None), capacity=1 << 24)
    transport.send(before)
    written = transport.read()
    for piece in in_pieces(octets, sizes):
        transport.send(piece)
        clock.advance(0)
        written += transport.read()
    clock.advance(60)
    written += transport.read()
    transport.drop()
    clock.advance(0)
    assert not clock.getDelayedCalls(), clock.getDelayedCalls()
    assert not factory.connections
    assert not written or written.endswith(b"\r\n"), written[-100:]
    return written
