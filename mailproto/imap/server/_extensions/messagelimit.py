"""MESSAGELIMIT and SAVELIMIT (RFC 9738): about how many messages a command may be.

The limits are kept by the commands themselves; see `mailproto.imap.server._message_limit`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import All, IMAPWireError, KeyReader, Not, SearchKey, SequenceSet, Uids

__all__ = ["EXTENSION"]

_MAX_UID = (1 << 32) - 1


def _announce(session: Session) -> Iterable[str]:
    limits = session.limits
    if session.account is None:
        return ()
    if limits.command_messages is not None:
        return (f"MESSAGELIMIT={limits.command_messages}",)
    return () if limits.saved_messages is None else (f"SAVELIMIT={limits.saved_messages}",)


def _guard(session: Session, spec: CommandSpec[Any]) -> None:
    """Threads are of all messages or none (3.3)."""
    most = session.limits.command_messages
    view = session.view
    if most is None or view is None or len(view.uids) <= most:
        return
    if spec.name in {"THREAD", "UID THREAD"}:
        raise RefusedWithCode(f"MESSAGELIMIT {most}", "Too many messages for threads")


def _uid(keys: KeyReader) -> int:
    uid = keys.arguments.number()
    if not 0 < uid <= _MAX_UID:
        raise IMAPWireError("Expected a UID")
    return uid


def _between(first: int, last: int) -> SearchKey:
    return Uids(SequenceSet(((first, last),))) if first <= last else Not(All())


EXTENSION = Extension(
    "MESSAGELIMIT",
    announce=_announce,
    guard=_guard,
    search_readers={
        b"UIDAFTER": lambda keys: _between(_uid(keys) + 1, _MAX_UID),
        b"UIDBEFORE": lambda keys: _between(1, _uid(keys) - 1),
    },
)
