"""APPENDLIMIT (RFC 7889): how large a message of APPEND may be; the same for all mailboxes."""

from __future__ import annotations

from collections.abc import Iterable

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._options import StatusItem
from mailproto.imap.server._session import Session
from mailproto.model import MailboxStatus

__all__ = ["EXTENSION"]


def _announce(session: Session) -> Iterable[str]:
    return (f"APPENDLIMIT={session.factory.max_message_size}",) if session.account is not None else ()


def _value(session: Session, status: MailboxStatus) -> bytes:
    return b"%d" % session.factory.max_message_size


EXTENSION = Extension("APPENDLIMIT", announce=_announce, status_items=(StatusItem("APPENDLIMIT", _value),))
