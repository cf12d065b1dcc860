"""CATENATE (RFC 4469): APPEND of a message that is put together of texts and of parts of other messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from mailproto.awaiting import settle
from mailproto.content import Content
from mailproto.errors import MessageTooLarge
from mailproto.imap.server._append import EmptyMessage, new_spool, spooled
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._in_lines import in_lines
from mailproto.imap.server._options import AppendData
from mailproto.imap.server._roles import Sink
from mailproto.imap.server._sections import FetchedMessage
from mailproto.imap.server._session import Session
from mailproto.imap.server._urlauth import open_url, refused
from mailproto.imap.wire import ArgumentReader, IMAPWireError, MessageURL, Steps, Upload, message_url
from mailproto.model import Part

__all__ = ["EXTENSION"]


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a message in their order; None for a literal."""

    parts: tuple[MessageURL | None, ...]


def _read(arguments: ArgumentReader) -> Steps[Parts]:
    """``SP "(" part *(SP part) ")"``: a part is ``TEXT SP literal``, ``UTF8 SP "(" literal8 ")"`` or ``URL SP
    astring``."""
    arguments.open()
    parts: list[MessageURL | None] = []
    most = arguments.limits.literals
    while not arguments.closes():
        kind = arguments.atom()
        if len(parts) == most:
            raise IMAPWireError("Too many parts", code="LIMIT", bad=False)
        if kind == "URL":
            parts.append(message_url((yield from arguments.wait(arguments.astring)), arguments))
        elif kind == "TEXT":
            arguments.space()
            size, binary = arguments.announced_here(binary="~" in arguments.syntax.append_data)
            yield Upload(None, size, binary)
            parts.append(None)
        elif kind == "UTF8" and kind in arguments.syntax.append_data:  # RFC 6855 4
            arguments.open()
            yield from arguments.upload(None, binary=True)
            arguments.close()
            parts.append(None)
        else:
            raise IMAPWireError("Expected TEXT or URL")
    if not parts:
        raise IMAPWireError("Expected TEXT or URL")
    return Parts(tuple(parts))


async def _compose(session: Session, data: Parts, uploads: Iterator[Sink]) -> Content:
    """Put the parts together; what comes of that counts as what has arrived."""
    spool = new_spool(session, binary=True)
    session.uploads.append(spool)  # whatever happens, it is closed with the others
    most, size = session.factory.max_message_size, 0
    for url in data.parts:
        async for piece in _pieces(session, url, uploads):
            size += len(piece)
            if size > most:
                raise MessageTooLarge
            if piece:
                spool.write(piece)
            await session.yield_turn()
    if not size:
        raise EmptyMessage
    return await in_lines(session, spool.finish())


async def _pieces(session: Session, url: MessageURL | None, uploads: Iterator[Sink]) -> AsyncIterator[bytes]:
    if url is None:
        for piece in spooled(uploads).chunks():
            yield piece
        return
    mailbox = await open_url(session, url)
    infos = await settle(mailbox.read([url.uid], Part.CONTENT | Part.OFFSETS))
    if not infos:
        raise refused(url)
    message = FetchedMessage(session, infos[0])
    try:
        octets = await message.section(url.section)
        if octets is None:
            raise refused(url)
        start, stop = url.range(len(octets))
        for piece in octets.chunks(start, stop):
            yield piece
    except OSError:
        raise refused(url) from None
    finally:
        message.close()


EXTENSION = Extension(
    "CATENATE", capabilities=("CATENATE",), append_data=(AppendData(Parts, "CATENATE", _read, _compose),)
)
