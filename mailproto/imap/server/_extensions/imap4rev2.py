"""IMAP4rev2 (RFC 9051), beside IMAP4rev1: what is another way for a client that has enabled it (RFC 9051 E).

Most of what is new in it are extensions of IMAP4rev1, and has files of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._registry import tables_of
from mailproto.imap.server._session import Session

__all__ = ["EXTENSION"]

_COMMANDS = frozenset({"ENABLE", "IDLE", "MOVE", "NAMESPACE", "UID EXPUNGE", "UNSELECT"})
_SEARCH_RETURNS = frozenset({"ALL", "COUNT", "MAX", "MIN", "SAVE"})
_FETCH_READERS = frozenset({b"BINARY.PEEK[", b"BINARY.SIZE[", b"BINARY["})


def _announce(session: Session) -> Iterable[str]:
    """Only a server that has all of the extensions that have become a part of it."""
    tables = tables_of(session)
    is_whole = (
        tables.commands.keys() >= _COMMANDS
        and tables.search_returns.keys() >= _SEARCH_RETURNS
        and tables.syntax.fetch_readers.keys() >= _FETCH_READERS
        and tables.list_returns.keys() >= {"STATUS", "SUBSCRIBED"}
        and tables.status_items.keys() >= {"SIZE"}
    )
    return ("IMAP4rev2",) if is_whole else ()


async def _enable(session: Session) -> None:
    manner = session.manner
    manner.recent, manner.extended = False, True
    session.wire.utf8 = True
    if session.view is not None:
        session.view.forget_recent()


EXTENSION = Extension("IMAP4rev2", announce=_announce, enables={"IMAP4REV2": _enable})
