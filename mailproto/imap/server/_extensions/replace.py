"""REPLACE (RFC 8508): a message takes the place of another one, in one step."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast

from mailproto.awaiting import settle
from mailproto.connection.commands import State
from mailproto.errors import NoSuchMessage, ReadOnly
from mailproto.imap.server._append import contents_of, receive_message
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._message_commands import open_target, uid_code
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import AppendMessage, ArgumentReader, Command, SequenceSet, Steps, Streamed, grammars
from mailproto.interfaces.add_ons import IReplacing
from mailproto.model import NewMessage
from mailproto.observing import Appended

__all__ = ["EXTENSION"]

_ONE = re.compile(rb"\*|[1-9][0-9]{0,9}+")


@dataclass(frozen=True, slots=True)
class Replace:
    """REPLACE and UID REPLACE.

    :ivar replaced: one message.
    :ivar mailbox: where the new one is put.
    """

    replaced: SequenceSet
    mailbox: str
    message: AppendMessage


def _read(arguments: ArgumentReader) -> Steps[Replace]:
    """``SP number SP mailbox append-message``."""
    arguments.space()
    replaced = SequenceSet.parse(arguments.expect(_ONE, "the number of one message")[0])
    mailbox = yield from arguments.wait(arguments.mailbox)
    message = yield from grammars.append_message(arguments, mailbox)
    return Replace(replaced, mailbox, message)


def _check_writable(session: Session) -> None:
    if session.selected.read_only:
        raise ReadOnly


async def replace(session: Session, command: Command[Replace]) -> None:
    """REPLACE: APPENDUID comes first, then EXISTS, and then EXPUNGE (RFC 8508 4.3)."""
    arguments = command.arguments
    view = session.selected
    uploads = session.take_uploads()
    try:
        [content] = await contents_of(session, [arguments.message], uploads)
        uids = view.present(await view.indexes(arguments.replaced, uid=command.uid))
        if not uids:
            raise NoSuchMessage
        target = await open_target(session, arguments.mailbox)
        message = arguments.message
        new = NewMessage(content, message.flags, message.internal_date, message.zone)
        appended = await settle(cast("IReplacing", view.mailbox).replace(uids[0], new, target))
    finally:
        for upload in uploads:
            upload.close()
        session.drop_uploads()  # what was made of them
    session.observer.appended(Appended(session.client, target.name, appended.uid, len(content)))
    code = await uid_code(session, target, b"APPENDUID %d %d" % (target.uid_validity, appended.uid))
    session.respond(b"* OK %bReplacement message ready\r\n" % code)
    await view.vanish(uids)
    session.has_put(target, [appended.uid])


EXTENSION = Extension(
    "REPLACE",
    capabilities=("REPLACE",),
    needs=frozenset({IReplacing}),
    commands=(
        CommandSpec(
            "REPLACE",
            Streamed(_read),
            replace,
            State.SELECTED,
            uid=True,
            precheck=_check_writable,
            receive=receive_message,
        ),
    ),
)
