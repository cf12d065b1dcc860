"""LIST responses without a LIST command (RFC 9051 6.3.9.7): of the selected mailbox, and of changed names.

They are for clients that have enabled IMAP4rev2.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from mailproto.awaiting import settle
from mailproto.imap.server._listing import attributes_of
from mailproto.imap.server._session import Session
from mailproto.imap.wire import Respelled
from mailproto.model import DELIMITER, MailboxEntry

__all__ = ["announce", "announce_deleted"]


async def announce(session: Session, name: str, old: str | None = None) -> None:
    """Tell of a mailbox, with its attributes.

    :param old: the name that it had; by default, the client's own spelling of ``name``, if that is another.
    """
    if not session.manner.extended:
        return
    entries = await settle(session.signed_in.list())
    at = bisect_left(range(len(entries)), name, key=lambda at: entries[at].name)
    entry = entries[at] if at < len(entries) else None
    if entry is None or entry.name != name:
        return
    attributes = attributes_of(entry, _has_inferiors(entries, at), True)
    _respond(session, " ".join(attributes), name, _written(name) if old is None else _written(old) or old)


def announce_deleted(session: Session, name: str) -> None:
    """Tell that a mailbox does not exist any more, if the client has spelled its name otherwise."""
    if session.manner.extended and (old := _written(name)):
        _respond(session, "\\NonExistent", name, old)


def _respond(session: Session, attributes: str, name: str, old: str | None) -> None:
    info = b"" if old is None else b' ("OLDNAME" (%b))' % session.encoded(old)
    words = attributes.encode("ascii"), DELIMITER.encode("ascii"), session.encoded(name), info
    session.respond(b'* LIST (%b) "%b" %b%b\r\n' % words)


def _written(name: str) -> str | None:
    return name.written if isinstance(name, Respelled) else None


def _has_inferiors(entries: Sequence[MailboxEntry], at: int) -> bool:
    """Whether there is a mailbox below the name."""
    beginning = entries[at].name + DELIMITER
    for below in range(
        bisect_left(range(len(entries)), beginning, key=lambda at: entries[at].name), len(entries)
    ):
        entry = entries[below]
        if not entry.name.startswith(beginning):
            return False
        if entry.exists:
            return True
    return False
