"""UIDONLY (RFC 9586): a client that uses UIDs alone, and is told of messages by UIDs alone."""

from __future__ import annotations

from typing import Any

from mailproto.imap.server._errors import UIDRequired
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._matching import mentions
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import Numbers, SearchKey

__all__ = ["EXTENSION"]


async def _enable(session: Session) -> None:
    session.manner.uids_only = True


def _guard(session: Session, spec: CommandSpec[Any]) -> None:
    """Refuse commands with message numbers: those that are there with UID, too."""
    if session.manner.uids_only and spec.uid and not spec.name.startswith("UID "):
        raise UIDRequired


async def _check_keys(session: Session, key: SearchKey) -> SearchKey:
    """Refuse numbers among the keys; ``$`` is none."""
    if session.manner.uids_only and mentions(key, lambda each: isinstance(each, Numbers)):
        raise UIDRequired
    return key


EXTENSION = Extension(
    "UIDONLY",
    capabilities=("UIDONLY",),
    needs_extensions=frozenset({"ENABLE"}),
    enables={"UIDONLY": _enable},
    guard=_guard,
    on_search_keys=_check_keys,
)
