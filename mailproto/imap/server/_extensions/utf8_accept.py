"""UTF8=ACCEPT (RFC 6855): UTF-8 in mailbox names, in strings, and in the headers of messages.

APPEND takes a header in UTF-8 also from clients that have not enabled it, which section 4 forbids: programs
that copy mailboxes would leave out what old programs have sent to one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from mailproto.content import Content
from mailproto.imap.server._append import spooled
from mailproto.imap.server._errors import BadCommand
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._in_lines import in_lines
from mailproto.imap.server._options import AppendData
from mailproto.imap.server._requests import FetchRequest
from mailproto.imap.server._roles import Sink
from mailproto.imap.server._rows import Batch, FetchColumn
from mailproto.imap.server._sections import FetchedMessage, FetchPiece
from mailproto.imap.server._session import Session
from mailproto.imap.wire import ArgumentReader, FetchAttribute, FetchItem, Steps
from mailproto.message import utf8_form
from mailproto.model import MessageInfo, Part

__all__ = ["EXTENSION"]

_AT_ONCE: Final = 1 << 14
"""Octets of values that are written anew in one batch of FETCH, in four milliseconds.  The others keep their
literals, which every client can read."""


async def _begin(session: Session) -> None:
    wire = session.wire
    wire.utf8 = True
    # RFC 6855 3: from now on, SEARCH has no CHARSET.
    wire.syntax = replace(wire.syntax, search_charset=False)


@dataclass(frozen=True, slots=True)
class InternationalLiteral:
    """A message whose header may be in UTF-8."""

    size: int


def _read(arguments: ArgumentReader) -> Steps[InternationalLiteral]:
    """``SP "(" literal8 ")"``, after UTF8."""
    arguments.open()
    size = yield from arguments.upload(None, binary=True)
    arguments.close()
    return InternationalLiteral(size)


async def _compose(session: Session, data: InternationalLiteral, uploads: Iterator[Sink]) -> Content:
    if not session.wire.utf8:
        raise BadCommand("Enable UTF8=ACCEPT first")
    return await in_lines(session, spooled(uploads))


# -- FETCH


@dataclass(frozen=True, slots=True)
class InternationalBody(FetchItem):
    """BODY with quoted strings in UTF-8."""


async def _render_body(message: FetchedMessage, item: InternationalBody) -> bytes:
    body = await message.body()
    return b"BODY %b" % (utf8_form(body) if len(body) <= _AT_ONCE else body)


def _column(name: str, value: Callable[[MessageInfo], bytes | None], part: Part) -> FetchColumn:
    def values(batch: Batch) -> Sequence[bytes]:
        left = _AT_ONCE
        written = []
        for info in batch.infos:
            rendered = value(info) or b""
            if (b"{" in rendered or b'*" "' in rendered) and len(rendered) <= left:
                left -= len(rendered)
                rendered = utf8_form(rendered)
            written.append(rendered)
        return written

    # No client can write a name with a space.
    return FetchColumn(f"UTF8 {name}", name.encode("ascii") + b" %b", values, part, is_long=True)


_COLUMNS = (
    _column("ENVELOPE", lambda info: info.envelope, Part.ENVELOPE),
    _column("BODYSTRUCTURE", lambda info: info.body_structure, Part.BODY_STRUCTURE),
)
_INSTEAD: Final[dict[FetchItem, FetchItem]] = {
    FetchAttribute("ENVELOPE"): FetchAttribute("UTF8 ENVELOPE"),
    FetchAttribute("BODYSTRUCTURE"): FetchAttribute("UTF8 BODYSTRUCTURE"),
    FetchAttribute("BODY"): InternationalBody(),
}


async def _prepare(session: Session, request: FetchRequest) -> None:
    if session.wire.utf8:
        request.items = tuple(_INSTEAD.get(item, item) for item in request.items)


EXTENSION = Extension(
    "UTF8=ACCEPT",
    capabilities=("UTF8=ACCEPT",),
    enables={"UTF8=ACCEPT": _begin},
    append_data=(AppendData(InternationalLiteral, "UTF8", _read, _compose),),
    on_fetch=_prepare,
    fetch_columns=_COLUMNS,
    fetch_pieces=(FetchPiece(InternationalBody, lambda item: Part.CONTENT | Part.OFFSETS, _render_body),),
)
