"""Parsing the fields of RFC 2045, 2183 and 3282 that BODYSTRUCTURE shows."""

from __future__ import annotations

import re

from mailproto.message._tokens import TOKEN_CHARACTERS, cached, unquote, without_comments

__all__ = [
    "STRUCTURED_LIMIT",
    "ContentType",
    "Parameter",
    "content_type",
    "disposition",
    "languages",
    "transfer_encoding",
]

Parameter = tuple[bytes, bytes]
"""The name as written, and the value unquoted."""

ContentType = tuple[bytes, bytes, tuple[Parameter, ...]]
"""Type, subtype and parameters."""

STRUCTURED_LIMIT = 1 << 14
"""How many octets of one of these fields are read."""

_W = rb"[ \t\r\n]*+"
_TOKEN = TOKEN_CHARACTERS + rb"++"
_TOKEN_OR_NONE = TOKEN_CHARACTERS + rb"*+"

_type = re.compile(rb"%b(%b)%b/%b(%b)%b(?=;|\Z)" % (_W, _TOKEN, _W, _W, _TOKEN, _W)).match
_loose_type = re.compile(rb'%b"?(%b)%b/%b(%b)[ \t\r\n",:]*+' % (_W, _TOKEN, _W, _W, _TOKEN)).match
_first_word = re.compile(rb'%b"?(%b)%b(?=[/;,:]|\Z)' % (_W, _TOKEN, _W)).match
_first_token = re.compile(rb"%b(%b)%b" % (_W, _TOKEN_OR_NONE, _W)).match
_parameter = re.compile(
    rb';%b(%b)%b=%b(?:"([^"\\]*+(?:\\.[^"\\]*+)*)"|(=[^; \t\r\n]*+)|((?!")%b))%b'
    % (_W, _TOKEN, _W, _W, _TOKEN_OR_NONE, _W),
    re.DOTALL,
).match
_unclosed_parameter = re.compile(rb';%b%b%b=%b"' % (_W, _TOKEN, _W, _W)).match
_extended_name = re.compile(rb"([^*]*)\*(?:([0-9]{1,9})(\*?)|\*?)").fullmatch
_language = re.compile(rb"%b([^\x00-\x20()<>@,;:\\\".\[\]\x7f]++)%b(,?)" % (_W, _W)).match


# Types without text and without parts; a value may be only one of these words.
_TYPES = frozenset((b"application", b"audio", b"example", b"font", b"image", b"message", b"model", b"video"))


@cached
def content_type(value: bytes) -> ContentType:
    """Parse a Content-Type (RFC 2045 5.1); the meaning of an invalid value is guessed (5.2)."""
    value = without_comments(value[:STRUCTURED_LIMIT])
    match = _type(value)
    if match is None:
        return _loose_content_type(value)
    at = match.end()
    return match[1], match[2], parameters(value, at) if at < len(value) else ()


def _loose_content_type(value: bytes) -> ContentType:
    """Guess the meaning of ``text/html charset=x``, ``text; charset=x`` or ``html``.

    Another type without a subtype is kept, with an empty subtype.  A multipart without a boundary has
    no parts, and is read as text.
    """
    if match := _loose_type(value):
        return match[1], match[2], parameters(b";" + value[match.end() :].lstrip(b";"), 0)
    found = parameters(b";" + value, 0)
    word = match[1] if (match := _first_word(value)) else b""
    name = word.lower()
    if name == b"multipart" and any(parameter.lower() == b"boundary" for parameter, _ in found):
        return word, b"mixed", found
    if name in _TYPES:
        return word, b"", found
    return b"text", b"html" if name == b"html" else b"plain", found


def disposition(values: list[bytes]) -> tuple[bytes, tuple[Parameter, ...]]:
    """Kind ("attachment") and parameters (RFC 2183) of the first field with parameters, or of the last."""
    shown: tuple[bytes, tuple[Parameter, ...]] = (b"", ())
    for value in values:
        shown = _disposition(value)
        if shown[1]:
            break
    return shown


def _disposition(value: bytes) -> tuple[bytes, tuple[Parameter, ...]]:
    value = without_comments(value[:STRUCTURED_LIMIT])
    match = _first_token(value)
    return (match[1], parameters(value, match.end())) if match else (b"", ())


def transfer_encoding(values: list[bytes]) -> bytes:
    """The token (RFC 2045 6.1) of the first field that is a single token; empty if there is none."""
    return next(filter(None, map(_transfer_encoding, values)), b"")


@cached
def _transfer_encoding(value: bytes) -> bytes:
    value = without_comments(value[:STRUCTURED_LIMIT])
    match = _first_token(value)
    return match[1] if match and match.end() == len(value) else b""


def languages(values: list[bytes]) -> list[bytes]:
    """Language tags (RFC 3282) of the first field that has any, up to the first that is not valid."""
    return next(filter(None, map(_languages, values)), [])


def _languages(value: bytes) -> list[bytes]:
    value = without_comments(value[:STRUCTURED_LIMIT])
    found, at = [], 0
    while match := _language(value, at):
        found.append(match[1])
        at = match.end()
        if not match[2]:
            break
    return found


def parameters(value: bytes, at: int) -> tuple[Parameter, ...]:
    """The parameters from ``at`` on; text that is not a parameter is skipped up to the next semicolon.

    Continuations are joined (RFC 2231 3): ``name*0*`` and ``name*1`` become one ``name*``.  These come
    last, sorted.  Charset and percent-encoding are kept (see `parameter_text`).
    """
    plain: list[Parameter] = []
    extended: list[tuple[bytes, int, bool, bytes]] = []
    while 0 <= at < len(value):
        match = _parameter(value, at)
        if match is None:
            if _unclosed_parameter(value, at):
                break
            at = value.find(b";", at + 1)
            continue
        at = match.end()
        name, quoted, odd, token = match.groups()
        text = unquote(quoted) if quoted is not None else (odd or token or b"")
        if b"*" in name and (parsed := _extended_name(name)):
            number = parsed[2]
            extended.append((parsed[1], int(number or 0), number is None or bool(parsed[3]), text))
        else:
            plain.append((name, text))
    if extended:
        plain += _joined(extended)
    return tuple(plain)


def _joined(extended: list[tuple[bytes, int, bool, bytes]]) -> list[Parameter]:
    """Join continuations with the numbers 0, 1, 2 and so on; the others are unchanged."""
    groups: dict[bytes, list[tuple[bytes, int, bool, bytes]]] = {}
    for item in sorted(extended, key=lambda item: item[:2]):
        groups.setdefault(item[0].lower(), []).append(item)
    result = []
    for group in groups.values():
        name = group[0][0]
        if [number for _, number, _, _ in group] != list(range(len(group))):
            result += [
                (b"%b*%d%b" % (own, number, b"*" if encoded else b""), text)
                for own, number, encoded, text in group
            ]
        elif any(encoded for _, _, encoded, _ in group):
            pieces = [text if encoded else text.replace(b"%", b"%25") for _, _, encoded, text in group]
            prefix = b"" if group[0][2] else b"''"
            result.append((name + b"*", prefix + b"".join(pieces)))
        else:
            result.append((name, b"".join(text for _, _, _, text in group)))
    return result
