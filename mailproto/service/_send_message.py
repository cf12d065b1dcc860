"""The message of ``mailproto send``: read as sendmail reads it, with the fields and domains that it lacks."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import BinaryIO

from mailproto.message import date_text, fold, header_fields
from mailproto.model import Address
from mailproto.service._command_error import CommandError
from mailproto.smtp.client._header import addresses_of, write_fields
from mailproto.smtp.client._header._structured import COMMENT, SPECIAL, WORD, Lexeme, lexemes

__all__ = ["read_message", "recipients_of", "with_domains", "with_header"]

_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_PHRASE = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?: [\w!#$%&'*+/=?^`{|}~-]+)*")
"""A name that needs no quotes (RFC 5322 3.2.5)."""

_RECIPIENTS = (b"to", b"cc", b"bcc")
_RESENT = b"resent-"
_ADDRESSES = frozenset({*_RECIPIENTS, b"from", b"sender", b"reply-to"})


def read_message(stream: BinaryIO, *, to_the_end: bool, limit: int) -> bytes:
    """The message, with CRLF line ends.

    :param to_the_end: whether a line with one dot is a line, and not the end.
    :param limit: the most octets.
    :raises CommandError: it is too long.
    """
    octets = stream.read(limit + 1)
    if len(octets) > limit:
        raise CommandError(f"the message has more than {limit} octets", status=os.EX_DATAERR)
    octets = b"\r\n".join(octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"))
    if not to_the_end and (end := _dot(octets)) >= 0:
        octets = octets[:end]
    if octets.startswith((b"From ", b">From ")):  # of a file in mbox form
        octets = octets.partition(b"\r\n")[2]
    if octets and not octets.endswith(b"\r\n"):
        octets += b"\r\n"
    return octets


def _dot(octets: bytes) -> int:
    """Where a line with one dot alone begins; -1 if there is none."""
    if octets.startswith(b".\r\n"):
        return 0
    at = octets.find(b"\r\n.\r\n")
    return at + 2 if at >= 0 else -1


def with_header(octets: bytes, *, sender: str, name: str, now: float, host: str) -> bytes:
    """The message with the fields that it must have (RFC 5322 3.6), and a line that tells where it began.

    :param octets: with CRLF; if it does not begin with a field, all of it is the text.
    """
    first = octets.partition(b"\r\n")[0]
    if octets and first and not _FIELD.match(first):
        octets = b"\r\n" + octets
    there = {field.name.lower() for field in header_fields(octets)}
    date = date_text(datetime.fromtimestamp(int(now)).astimezone())
    made: list[tuple[bytes, bytes]] = [
        (b"Received", f"by {host} (mailproto, from userid {os.getuid()});\t{date}".encode())
    ]
    if b"from" not in there:
        made.append((b"From", _from(name, sender)))
    if b"date" not in there:
        made.append((b"Date", date.encode()))
    if b"message-id" not in there:
        made.append((b"Message-ID", f"<{uuid.uuid4().hex}@{host}>".encode()))
    return b"".join([fold(field, value) for field, value in made]) + octets


def _from(name: str, sender: str) -> bytes:
    """The value of From: whatever the name has, it is the name of the one author."""
    words = " ".join(name.encode("utf-8", "replace").decode().split())  # a surrogate is no character
    if not words:
        return sender.encode()
    quoted = re.sub(r'[\\"]', r"\\\g<0>", words)
    phrase = words if _PHRASE.fullmatch(words) else f'"{quoted}"'
    [field] = write_fields("From", f"{phrase} <{sender}>", utf8=not sender.isascii())
    return b"".join(field.split(b"\r\n"))[len("From: ") :]


def with_domains(octets: bytes, domain: str) -> bytes:
    """The message with a domain for each address of its header that has none, as cron writes ``To: root``."""
    pieces, at = [], 0
    for field in header_fields(octets):
        if field.name.lower().removeprefix(_RESENT) not in _ADDRESSES:
            continue
        value = b" ".join(field.value.split())
        whole = b"".join(space + text for space, text in _with_domains(value, domain.encode()))
        if whole != value:
            pieces += [octets[at : field.start], fold(field.name, whole)]
            at = field.stop
    return b"".join([*pieces, octets[at:]])


def _with_domains(value: bytes, domain: bytes) -> list[tuple[bytes, bytes]]:
    pieces: list[tuple[bytes, bytes]] = []
    element: list[Lexeme] = []
    in_angle = False
    for lexeme in (*lexemes(value), Lexeme(b"", SPECIAL, b"")):
        if lexeme.kind == SPECIAL:
            in_angle = lexeme.text == b"<" or (in_angle and lexeme.text != b">")
            if not lexeme.text or (lexeme.text in b",;:" and not in_angle):
                pieces += _qualified(element, domain, is_group=lexeme.text == b":")
                pieces.append((lexeme.space, lexeme.text))
                element = []
                continue
        element.append(lexeme)
    return pieces


def _qualified(element: Sequence[Lexeme], domain: bytes, *, is_group: bool) -> list[tuple[bytes, bytes]]:
    """One element of a list: with a domain, if its address is one word."""
    pieces = [(lexeme.space, lexeme.text) for lexeme in element]
    texts = [lexeme.text for lexeme in element if lexeme.kind == SPECIAL]
    words = [index for index, lexeme in enumerate(element) if lexeme.kind not in (SPECIAL, COMMENT)]
    if texts == [b"<", b">"]:
        begin = next(index for index, lexeme in enumerate(element) if lexeme[1:] == (SPECIAL, b"<"))
        words = [index for index in words if index > begin]
        texts = []
    if is_group or texts or len(words) != 1:
        return pieces
    space, text = pieces[words[0]]
    if element[words[0]].kind == WORD and text[:1] in b'("':  # it is not closed
        return pieces
    pieces[words[0]] = space, text + b"@" + domain
    return pieces


def recipients_of(octets: bytes) -> list[Address]:
    """The addresses in To, Cc and Bcc; if the message was resent, in those of the last time (RFC 5322 3.6.6).

    :raises ValueError: something in them is no address.
    """
    fields = [(field.name.lower(), field.value) for field in header_fields(octets)]
    resent: dict[bytes, bytes] = {}
    for name, value in fields:
        if name.startswith(_RESENT):
            if name in resent:  # of an earlier time
                break
            resent[name] = value
    again = [(name.removeprefix(_RESENT), value) for name, value in resent.items()]
    if any(name in _RECIPIENTS for name, _ in again):
        fields = again
    return [
        address
        for wanted in _RECIPIENTS
        for name, value in fields
        if name == wanted
        for address in addresses_of(value)
    ]
