"""Rendering BODY and BODYSTRUCTURE (RFC 9051 7.5.2) from the tree of parts.

A structure has a limited size, however many parts there are and whatever is in their headers: from
the first part on that does not fit, parts are shown as application/octet-stream, without the parts in
them.  Their octets can still be fetched.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from mailproto.content import Octets
from mailproto.message._envelope import SHOWN_TEXT_LIMIT, envelope_steps, shown_text
from mailproto.message._fields import REMEMBERED, Fields
from mailproto.message._heading import MESSAGE, MESSAGE_SUBTYPES, MULTIPART, OPAQUE, TEXT, remembered_heading
from mailproto.message._mime import Parameter, content_type, disposition, languages, transfer_encoding
from mailproto.message._quote import nstring_unfolded, string
from mailproto.message._scan import Part
from mailproto.message._steps import Steps
from mailproto.message._tokens import cached

__all__ = ["STRUCTURE_LIMIT", "decoded_structure", "structure_steps"]

STRUCTURE_LIMIT = 1 << 18
"""The most octets of a BODYSTRUCTURE; and not more than 90 for each part that does not fit into it."""

_OFTEN = 31  # a bit mask: there is a pause after 32 parts

_LARGE = 1 << 14
"""Octets of a header that is a step of its own."""

_DEFAULT_CHARSET = b'"charset" "us-ascii"'
_PLAIN_TEXT = b'"text" "plain" (%b)' % _DEFAULT_CHARSET
_EMPTY_BODY = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)'
_EMPTY_STRUCTURE = _EMPTY_BODY[:-1] + b" NIL NIL NIL NIL)"
_NO_EXTENSION = b" NIL NIL NIL"


def decoded_structure(content: Octets, part: Part, size: int, encoding: bytes) -> bytes:
    """Render the value of BODYSTRUCTURE for a part without parts, as if it had another encoding.

    :param size: its octets in that encoding.
    """
    return b"".join(_shown(content, part, True, b"", (encoding, size)))


def structure_steps(content: Octets, root: Part, *, extended: bool) -> Steps[bytes]:
    """Render the value of BODYSTRUCTURE if ``extended``, or else of BODY, parentheses included.

    :param root: the message, or a part of it.
    """
    rendered: list[bytes] = []
    room = STRUCTURE_LIMIT
    # What is still to be rendered, in reverse order: parts, and the ends of those that contain them.
    stack: list[Part | bytes] = [root]
    parts = 0
    shown: Part | None = None
    while stack:
        part = stack.pop()
        if isinstance(part, bytes):
            rendered.append(part)
            continue
        parts += 1
        header = part.children[0] if part.kind == MESSAGE else part
        if shown is not None and shown is not root:
            shown.forget()
        shown = part
        if not parts & _OFTEN or header.body - header.header >= _LARGE:
            yield
        if room:
            envelope = b""
            if part.kind == MESSAGE:
                envelope = yield from envelope_steps(header.fields(content), header.body - header.header)
            beginning, end = _shown(content, part, extended, envelope)
            room -= len(beginning) + len(end)
            if room > 0:
                rendered.append(beginning)
                if end:
                    stack.append(end)
                    stack += part.children[::-1]
                continue
            room = 0
        rendered.append(_as_octets(content, part, extended=extended))
    return b"".join(rendered)


def _shown(
    content: Octets,
    part: Part,
    extended: bool,
    envelope: bytes,
    decoded: tuple[bytes, int] | None = None,
) -> tuple[bytes, bytes]:
    """Render a part: what is before the parts in it, and what is after them.

    A multipart without parts, which IMAP cannot show, is shown with one empty text part.
    """
    if part.kind == MULTIPART:
        _, subtype, parameters = part.content_type(content)
        beginning = b"("
        if not part.children:
            beginning += _EMPTY_STRUCTURE if extended else _EMPTY_BODY
        end = b" " + string(subtype)
        if extended:
            end += b" " + _parameters(parameters) + _extension(part.fields(content))
        return beginning, end + b")"
    if decoded is None and not part.is_message and part.body - part.header <= REMEMBERED:
        frame = _remembered_frame(content[part.header : part.body], part.kind, extended)
    else:
        frame = _frame(part.fields(content), part.kind, extended, None if decoded is None else decoded[0])
    size, lines = (part.end - part.body, part.lines) if decoded is None else (decoded[1], 0)
    if part.kind == MESSAGE:
        return b"%b%d %b " % (frame.before, size, envelope), b" %d%b" % (lines, frame.after)
    if frame.is_text:
        return b"%b%d %d%b" % (frame.before, size, lines, frame.after), b""
    return b"%b%d%b" % (frame.before, size, frame.after), b""


class _Frame(NamedTuple):
    """What is shown of a part without parts, but for its size and its lines.

    :ivar before: what stands before its size.
    :ivar is_text: whether its lines follow the size.
    :ivar after: what stands at the end.
    """

    before: bytes
    is_text: bool
    after: bytes


def _frame(fields: Fields, kind: int, extended: bool, encoding: bytes | None = None) -> _Frame:
    """Render what is in the header of a part.

    :param encoding: what is shown for the encoding in the header.
    """
    values = fields.get(b"content-type")
    if kind == OPAQUE:
        shown = b'"application" "octet-stream" ' + _parameters(content_type(values[0])[2] if values else ())
    elif values:
        shown = _shown_type(values[0])
    else:
        shown = _PLAIN_TEXT if kind == TEXT else b'"message" "rfc822" NIL'  # in a digest
    if encoding is None:
        encoding = transfer_encoding(fields.get(b"content-transfer-encoding", [])) or b"7bit"
    before = b"(%b %b %b %b " % (
        shown,
        _first(fields, b"content-id"),
        _first(fields, b"content-description"),
        string(encoding),
    )
    after = b" " + _first(fields, b"content-md5") + _extension(fields) if extended else b""
    return _Frame(before, shown[:7].lower() == b'"text" ', after + b")")


@functools.lru_cache(2048)
def _remembered_frame(header: bytes, kind: int, extended: bool) -> _Frame:
    """As `_frame`, of a small header of a part."""
    return _frame(remembered_heading(header).fields, kind, extended)


_ENCODINGS = frozenset((b"7bit", b"8bit", b"binary", b"base64", b"quoted-printable"))


def _as_octets(content: Octets, part: Part, *, extended: bool) -> bytes:
    """Render a part without what is in its header, but for the encoding that its octets need."""
    encoding = transfer_encoding(part.fields(content).get(b"content-transfer-encoding", [])).lower()
    return b'("application" "octet-stream" NIL NIL NIL "%b" %d%b)' % (
        encoding if encoding in _ENCODINGS else b"7bit",
        part.end - part.body,
        b" NIL" + _NO_EXTENSION if extended else b"",
    )


@cached
def _shown_type(value: bytes) -> bytes:
    """Render type, subtype and parameters."""
    kind, subtype, parameters = content_type(value)
    if kind.lower() == b"text":
        return b"%b %b %b" % (string(kind), string(subtype), _text_parameters(parameters))
    if kind.lower() == b"message" and subtype.lower() in MESSAGE_SUBTYPES:
        kind, subtype = kind.lower(), subtype.lower()  # these names are part of the grammar
    return b"%b %b %b" % (string(kind), string(subtype), _parameters(parameters))


def _first(fields: Fields, name: bytes) -> bytes:
    values = fields.get(name)
    if not values:
        return b"NIL"
    value = values[0]
    return nstring_unfolded(value if len(value) <= SHOWN_TEXT_LIMIT else shown_text(value))


def _parameters(parameters: tuple[Parameter, ...]) -> bytes:
    if not parameters:
        return b"NIL"
    return b"(%b)" % b" ".join([b"%b %b" % (string(name), string(value)) for name, value in parameters])


def _text_parameters(parameters: tuple[Parameter, ...]) -> bytes:
    """As `_parameters`, with the default charset if there is none (RFC 2045 5.2)."""
    if not parameters:
        return b"(" + _DEFAULT_CHARSET + b")"
    text = _parameters(parameters)
    if any(name.lower() == b"charset" for name, _ in parameters):
        return text
    return text[:-1] + b" " + _DEFAULT_CHARSET + b")"


def _extension(fields: Fields) -> bytes:
    """Render disposition, language and location, each with a space before it."""
    found = fields.get(b"content-disposition")
    language = fields.get(b"content-language")
    if found is None and language is None and b"content-location" not in fields:
        return _NO_EXTENSION
    shown = b"NIL"
    if found is not None:
        kind, parameters = disposition(found)
        shown = b"(%b %b)" % (string(kind), _parameters(parameters))
    tags = languages(language) if language else []
    return b" %b %b %b" % (
        shown,
        b"(%b)" % b" ".join([string(tag) for tag in tags]) if tags else b"NIL",
        _first(fields, b"content-location"),
    )
