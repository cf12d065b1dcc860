"""Servers with commands of a user's own, in memory, with one account: alice, whose password is secret."""

from __future__ import annotations

import contextlib
from typing import Any

from twisted.cred.checkers import InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.portal import Portal
from twisted.internet.task import Clock

from mailproto.auth import StoreRealm
from mailproto.backends import MemoryStore
from mailproto.delivery import FunctionDelivery
from mailproto.imap import IMAPServerFactory
from mailproto.pop3 import POP3ServerFactory
from mailproto.smtp import SMTPServerFactory
from mailproto.testing import Dialogue

__all__ = ["FACTORIES", "dialogue", "make"]


def _portal() -> Portal:
    store = MemoryStore()
    coroutine = store.directory.add("alice", "").__await__()
    with contextlib.suppress(StopIteration):
        next(coroutine)
    return Portal(StoreRealm(store), [InMemoryUsernamePasswordDatabaseDontUse(alice=b"secret")])


async def _take(envelope: object, content: object) -> None:
    """Take a message."""


def _smtp(**options: Any) -> SMTPServerFactory:
    return SMTPServerFactory(FunctionDelivery(_take), portal=_portal(), **options)


def _pop3(**options: Any) -> POP3ServerFactory:
    return POP3ServerFactory(_portal(), **options)


def _imap(**options: Any) -> IMAPServerFactory:
    return IMAPServerFactory(_portal(), **options)


FACTORIES: dict[str, Any] = {"smtp": _smtp, "pop3": _pop3, "imap": _imap}


def make(protocol: str, **options: Any) -> Any:
    """A factory of a protocol."""
    options.setdefault("clock", Clock())
    return FACTORIES[protocol](hostname="mx.example", **options)


def dialogue(protocol: str, **options: Any) -> Dialogue:
    """A dialogue with a new server; ``feed`` and ``actions`` are the dialogue's."""
    about = {name: options.pop(name) for name in ("feed", "actions") if name in options}
    factory = make(protocol, **options)
    return Dialogue(factory, clock=factory.clock, **about)
