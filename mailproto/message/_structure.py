"""Rendering BODY and BODYSTRUCTURE (RFC 9051 7.5.2) from the tree of parts."""

from __future__ import annotations

from mailproto.content import Octets
from mailproto.message._envelope import render_envelope
from mailproto.message._fields import Fields
from mailproto.message._mime import Parameter, content_type, disposition, languages, transfer_encoding
from mailproto.message._quote import nstring_unfolded, string
from mailproto.message._scan import MESSAGE, MESSAGE_SUBTYPES, MULTIPART, OPAQUE, TEXT, Part
from mailproto.message._tokens import cached

__all__ = ["render_structure"]

_DEFAULT_CHARSET = b'"charset" "us-ascii"'
_PLAIN_TEXT = b'"text" "plain" (%b)' % _DEFAULT_CHARSET
_EMPTY_BODY = b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)'
_EMPTY_STRUCTURE = _EMPTY_BODY[:-1] + b" NIL NIL NIL NIL)"
_NO_EXTENSION = b" NIL NIL NIL"


def render_structure(content: Octets, part: Part, *, extended: bool) -> bytes:
    """Render the value of BODYSTRUCTURE if ``extended``, or else of BODY, parentheses included.

    A multipart without parts, which IMAP cannot show, is shown with one empty text part.
    """
    fields = part.fields(content)
    values = fields.get(b"content-type")
    if part.kind == MULTIPART:
        pieces = [render_structure(content, child, extended=extended) for child in part.children]
        _, subtype, parameters = part.content_type(content)
        text = b"(%b %b" % (
            b"".join(pieces) or (_EMPTY_STRUCTURE if extended else _EMPTY_BODY),
            string(subtype),
        )
        if extended:
            text += b" " + _parameters(parameters) + _extension(fields)
        return text + b")"
    if part.kind == OPAQUE:
        shown = b'"application" "octet-stream" ' + _parameters(part.content_type(content)[2])
    elif values:
        shown = _shown_type(values[0])
    else:
        shown = _PLAIN_TEXT if part.kind == TEXT else b'"message" "rfc822" NIL'  # in a digest
    encoding = fields.get(b"content-transfer-encoding")
    text = b"(%b %b %b %b %d" % (
        shown,
        _first(fields, b"content-id"),
        _first(fields, b"content-description"),
        string((encoding and transfer_encoding(encoding)) or b"7bit"),
        part.end - part.body,
    )
    if shown[:7].lower() == b'"text" ':
        text += b" %d" % part.lines
    elif part.kind == MESSAGE:
        child = part.children[0]
        text += b" %b %b %d" % (
            render_envelope(child.fields(content)),
            render_structure(content, child, extended=extended),
            part.lines,
        )
    if extended:
        text += b" " + _first(fields, b"content-md5") + _extension(fields)
    return text + b")"


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
    return nstring_unfolded(values[0]) if values else b"NIL"


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
