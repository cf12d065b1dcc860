"""ENVELOPE and BODYSTRUCTURE for clients that have enabled UTF-8 (IMAP4rev2, RFC 6855).

The stored form is for all clients.  Clients with UTF-8 get strings in UTF-8 quoted, not as literals,
and the values of extended parameters (``filename*``) decoded (RFC 9051 7.5.2).
"""

from __future__ import annotations

import re

from mailproto.message._encoded_words import parameter_text
from mailproto.message._quote import escaped

__all__ = ["utf8_form"]

_token = re.compile(rb'"((?:[^"\\]|\\.)*)"|\{([0-9]+)\}\r\n|(\()|([^ ()"{]+|[ )])', re.DOTALL).match
_escaped = re.compile(rb"\\(.)", re.DOTALL).sub


def utf8_form(rendered: bytes) -> bytes:
    """Change an ENVELOPE, BODY or BODYSTRUCTURE value to the form of IMAP4rev2."""
    if b"{" not in rendered and b'*" "' not in rendered:
        return rendered
    pieces: list[bytes] = []
    strings = 0  # in the list so far, -1 after anything else; a list of pairs is parameters
    name = b""
    at = 0
    while match := _token(rendered, at):
        at = match.end()
        quoted, length, opening, _ = match.groups()
        if opening is not None:
            strings = 0
        elif quoted is not None or length is not None:
            if quoted is not None:
                value = _escaped(rb"\1", quoted)
            else:
                value, at = rendered[at : at + int(length)], at + int(length)
            if strings > 0 and strings % 2 and name.endswith(b"*"):
                value = parameter_text(name, value).encode("utf-8", "replace")
            name, strings = value, strings + 1 if strings >= 0 else strings
            pieces.append(_string(value))
            continue
        elif match[0] != b" ":
            strings = -1
        pieces.append(match[0])
    return b"".join(pieces)


def _string(value: bytes) -> bytes:
    value = value.replace(b"\0", "\N{REPLACEMENT CHARACTER}".encode())
    try:
        value.decode()
    except UnicodeDecodeError:
        return b"{%d}\r\n%b" % (len(value), value)
    if b"\r" in value or b"\n" in value:
        return b"{%d}\r\n%b" % (len(value), value)
    return b'"%b"' % escaped(value)
