"""Messages with binary octets in the form in which mailboxes keep them: lines, without NULs."""

from __future__ import annotations

from mailproto.content import Content
from mailproto.errors import MailError, MessageTooLarge
from mailproto.imap.server._append import new_spool
from mailproto.imap.server._session import Session
from mailproto.message import NotConvertible, Steps, Working, scan_steps, seven_bit_form_steps

__all__ = ["in_lines"]


class NotKept(MailError):
    """The mailbox cannot keep these octets (RFC 3516 4.4)."""

    imap = "UNKNOWN-CTE"


async def in_lines(session: Session, content: Content) -> Content:
    """The message with its binary parts in base64 (RFC 3516 4.4); if it is in lines, it stays as it is.

    Without this, BODY[] would have to send NULs in a literal.  Octets above 127 may stay.

    :raises NotKept: there is no such form, because a header is binary, or a part that must not be encoded.
    """
    looking = Working(_is_in_lines_steps(content))
    for _ in looking:
        await session.yield_turn()
    if looking.result:
        return content
    scanning = Working(scan_steps(content))
    for _ in scanning:
        await session.yield_turn()
    spool = new_spool(session, binary=True)
    session.uploads.append(spool)  # whatever happens, it is closed with the others
    most, size = session.factory.max_message_size, 0

    def write(octets: bytes) -> None:
        nonlocal size
        size += len(octets)
        if size > most:
            raise MessageTooLarge
        if octets:
            spool.write(octets)

    try:
        for _ in seven_bit_form_steps(content, scanning.result, write, keeps_8bit=True):
            await session.yield_turn()
    except NotConvertible as error:
        raise NotKept(f"Mailboxes cannot keep this message: {error}") from None
    return spool.finish()


def _is_in_lines_steps(content: Content) -> Steps[bool]:
    last = b""
    for piece in content.chunks():
        octets = last + piece
        ends = octets.count(b"\r\n")
        last = b"\r" if octets.endswith(b"\r") else b""
        if b"\0" in octets or octets.count(b"\n") != ends or octets.count(b"\r") - len(last) != ends:
            return False
        yield
    return not last
