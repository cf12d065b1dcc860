"""IMAP4rev2 (RFC 9051), beside IMAP4rev1: what is another way for a client that has enabled it (RFC 9051 E).

Most of what is new in it are extensions of IMAP4rev1, and has files of its own.
"""

from __future__ import annotations

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session

__all__ = ["EXTENSION"]

_PARTS = frozenset(
    {"BINARY", "ENABLE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LIST-STATUS", "MOVE", "NAMESPACE", "SASL-IR"}
    | {"SEARCHRES", "SPECIAL-USE", "STATUS=SIZE", "UIDPLUS", "UNSELECT"}
)
"""Extensions of IMAP4rev1 that have become a part of it (RFC 9051 E, 2 and 3)."""


async def _enable(session: Session) -> None:
    manner = session.manner
    manner.recent, manner.extended = False, True
    session.wire.utf8 = True
    if session.view is not None:
        session.view.forget_recent()


EXTENSION = Extension(
    "IMAP4rev2", capabilities=("IMAP4rev2",), needs_extensions=_PARTS, enables={"IMAP4REV2": _enable}
)
