"""How many messages one command may be about (MESSAGELIMIT and SAVELIMIT, RFC 9738)."""

from __future__ import annotations

from collections.abc import Sequence

from mailproto.imap.server._errors import RefusedWithCode
from mailproto.imap.server._session import Session
from mailproto.imap.server._view import MailboxView
from mailproto.imap.wire import And, IMAPWireError, Numbers, SearchKey, Uids, encode_mailbox

__all__ = ["check_saved", "completed", "last_of", "left_out", "searched"]


def last_of(session: Session, view: MailboxView, indexes: Sequence[int]) -> tuple[Sequence[int], bytes]:
    """As many of some messages as a command may be about: those with the greatest UIDs.

    :param indexes: ascending.
    :returns: the second value is a response code if some are left out; or else empty.
    """
    most = session.limits.command_messages
    if most is None or len(indexes) <= most:
        return indexes, b""
    some = indexes[len(indexes) - most :]
    return some, b"MESSAGELIMIT %d %d" % (most, view.uids[some[0]])


async def searched(session: Session, view: MailboxView, key: SearchKey) -> tuple[Sequence[int] | None, bytes]:
    """The messages among which a search looks; None for all.  The second value is as in `last_of`."""
    if session.limits.command_messages is None:
        return None, b""
    indexes: Sequence[int] = range(len(view.uids))
    for each in key.keys if isinstance(key, And) else (key,):
        if isinstance(each, Uids | Numbers):
            try:
                named = await view.indexes(each.sequence, uid=isinstance(each, Uids))
            except IMAPWireError:  # a number of no message
                continue
            if len(named) < len(indexes):
                indexes = named
    some, code = last_of(session, view, indexes)
    return (some, code) if code else (None, b"")


def check_saved(session: Session, count: int, uids: Sequence[int] = ()) -> None:
    """Check the number of messages of COPY or APPEND: all of them are saved, or none.

    :param uids: those of the messages, ascending, if they have some.
    :raises RefusedWithCode: they are too many.
    """
    limits = [session.limits.command_messages, session.limits.saved_messages]
    most = min((limit for limit in limits if limit is not None), default=count)
    if count > most:
        code = f"MESSAGELIMIT {most}"
        raise RefusedWithCode(f"{code} {uids[-most]}" if uids else code, "Too many messages")


def completed(session: Session, code: bytes, command: str, text: bytes | None) -> bytes | None:
    """The text of the tagged OK of a command.

    :param code: see `last_of`.
    :param text: what else is to be told, response code included: then ``code`` is told before, because a
        response has one code (RFC 9738 3.1).
    """
    if not code:
        return text
    if text is None:
        return b"[%b] %b completed for the last messages" % (code, command.encode("ascii"))
    left_out(session, code)
    return text


def left_out(session: Session, code: bytes, mailbox: str = "") -> None:
    """Tell that some messages were left out, before a response with another code.

    :param mailbox: of which, if it may be another one than the selected one.
    """
    if code:
        of = b" of " + encode_mailbox(mailbox) if mailbox else b""
        session.respond(b"* NO [%b] Only the last messages%b\r\n" % (code, of))
