"""SPECIAL-USE and CREATE-SPECIAL-USE (RFC 6154): mailboxes for drafts, sent mail and the like."""

from __future__ import annotations

from mailproto.awaiting import settle
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import CreateParameter, ListReturn, ListSelection
from mailproto.imap.server._session import Session
from mailproto.imap.wire import grammars, no_value

__all__ = ["EXTENSION"]


async def _create(session: Session, name: str, use: str | None) -> None:
    await settle(session.signed_in.create(name, use))


EXTENSION = Extension(
    "SPECIAL-USE",
    capabilities=("SPECIAL-USE", "CREATE-SPECIAL-USE"),
    create_parameters=(CreateParameter("USE", grammars.special_use, _create),),
    list_selection=(ListSelection("SPECIAL-USE", lambda entry: bool(entry.special_use)),),
    list_returns=(ListReturn("SPECIAL-USE", no_value),),  # they are always told (RFC 6154 2)
)
