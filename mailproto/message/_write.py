"""Writing header fields to put before a message: folded, and safe against injection."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from mailproto.message._dates import date_text

__all__ = ["check_field_name", "fold", "received"]

_LINE = 78  # RFC 5322 2.1.1, SHOULD
_LINE_MAX = 998  # RFC 5322 2.1.1, MUST
_field_name = re.compile(rb"[\x21-\x39\x3b-\x7e]{1,70}").fullmatch
_unsafe = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]+").sub
_comment_unsafe = re.compile(r"[()\\]").sub


def check_field_name(name: bytes) -> None:
    """Check that ``name`` is a field's name (RFC 5322 3.6.8) of at most 70 octets.

    :raises ValueError: it is not.
    """
    if not _field_name(name):
        raise ValueError(f"not a header field's name: {name!r}")


def fold(name: bytes, value: bytes) -> bytes:
    """One header field, CRLF included, in lines of at most 78 octets if there are blanks.

    Control characters in ``value``, such as line ends and NUL, become single blanks, so that no value
    can begin a second field.  No line is longer than 998 octets.

    :raises ValueError: ``name`` is not a field's name (RFC 5322 3.6.8).
    """
    check_field_name(name)
    lines: list[bytes] = []
    line = name + b":"
    for word in _unsafe(b" ", value).split():
        while len(word) >= _LINE_MAX:  # without blanks: break it here, before the transport does
            lines.append(line)
            line, word = b" " + word[: _LINE_MAX - 1], word[_LINE_MAX - 1 :]
        if len(line) + 1 + len(word) > _LINE and (lines or len(line) > len(name) + 1):
            lines.append(line)
            line = b""
        line += b" " + word
    lines.append(line)
    return b"\r\n".join(lines) + b"\r\n"


def received(
    *,
    helo: str,
    peer: str,
    by: str,
    protocol: str,
    identifier: str,
    date: datetime,
    recipient: str = "",
    details: Sequence[str] = (),
) -> bytes:
    """A Received field (RFC 5321 4.4), CRLF included.

    :param helo: the client's name in EHLO; "" is shown as ``unknown``.
    :param peer: the client's address; "" if it has none.
    :param by: this server's name.
    :param protocol: for the WITH clause: ``ESMTPSA``, ``LMTP``, ... (RFC 3848).
    :param identifier: for the ID clause; the log should have it, too.
    :param recipient: for the FOR clause; leave it out if there are several (RFC 5321 7.2).
    :param details: comments after the WITH clause, such as the TLS version.
    """
    peer = peer.partition("%")[0]  # a zone means nothing on other machines (RFC 4007 11.2)
    literal = f"[IPv6:{peer}]" if ":" in peer else f"[{peer}]"
    pieces = [f"from {_atom(helo) or 'unknown'}"]
    if peer:
        pieces.append(f"({_comment(literal)})")
    pieces.append(f"by {_atom(by)} with {_atom(protocol)}")
    pieces += [f"({_comment(detail)})" for detail in details]
    pieces.append(f"id {_atom(identifier)}")
    if recipient:
        pieces.append(f"for <{recipient.translate(_NO_BRACKETS)}>")
    return fold(b"Received", f"{' '.join(pieces)}; {date_text(date)}".encode())


_NO_BRACKETS = str.maketrans("", "", "<>\r\n\0")


def _atom(text: str) -> str:
    """``text`` without characters that would end a clause of the field."""
    return "".join(
        [character for character in text if character.isprintable() and character not in ' ()<>;,"\\']
    )


def _comment(text: str) -> str:
    return _comment_unsafe("", text)
