"""APPEND (RFC 9051 6.3.12, RFC 4315): in two steps, since its message may be large."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailproto import maillog
from mailproto.errors import MailError, MessageTooLarge
from mailproto.imap.server._copy import open_target
from mailproto.imap.server._errors import SessionOver
from mailproto.imap.server._spool import Spool
from mailproto.imap.wire import Append, AppendLiteral, Command
from mailproto.model import NewMessage

if TYPE_CHECKING:
    from mailproto.imap.server._server import IMAPServer

__all__ = ["append", "begin"]


class EmptyMessage(MailError):
    """A message without any octet, which clients send by mistake (RFC 3502 4)."""

    default_text = "Message is empty"


async def begin(server: IMAPServer, literal: AppendLiteral) -> Spool:
    """See whether the message can be taken, before its octets come."""
    if literal.size > server.factory.max_message_size:
        raise MessageTooLarge
    if not literal.size:
        raise EmptyMessage
    await open_target(server, literal.arguments.mailbox)
    if not server.is_open:
        raise SessionOver
    return Spool(server.factory.spool_folder)


async def append(server: IMAPServer, command: Command[Append]) -> bytes:
    """Keep the message that has arrived."""
    arguments = command.arguments
    spool, server.spool = server.spool, None
    if spool is None:
        raise EmptyMessage
    content = spool.finish()
    # Opened again: the mailbox may have changed while a slow client sent.
    mailbox = await open_target(server, arguments.mailbox)
    [appended] = await mailbox.append([NewMessage(content, arguments.flags, arguments.internal_date)])
    maillog.appended(server.client, mailbox.name, appended.uid, len(content))
    return b"[APPENDUID %d %d] APPEND completed" % (mailbox.uid_validity, appended.uid)
