"""The arguments of commands about the session itself (RFC 9051 6.1, 6.2)."""

from __future__ import annotations

import re

from mailproto.imap.wire._commands import NO_ARGUMENTS, Authenticate, Enable, Id, Login, NoArguments
from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._errors import IMAPWireError

__all__ = ["authenticate", "enable", "identify", "login", "no_arguments"]

_INITIAL = re.compile(rb"[A-Za-z0-9+/]++=*+|=")
_NIL = re.compile(rb"NIL", re.IGNORECASE)

# RFC 2971 3.3: limits on the fields of ID.
_ID_FIELDS = 30
_ID_NAME = 30
_ID_VALUE = 1024


def no_arguments(cursor: Cursor) -> NoArguments:
    """A command without arguments."""
    return NO_ARGUMENTS


def authenticate(cursor: Cursor) -> Authenticate:
    """``SP mechanism [SP initial-response]`` (RFC 4959).

    An empty initial response is ``=``.  Dovecot's client writes a space and nothing else if it has no
    initial response.
    """
    cursor.space()
    mechanism = cursor.atom()
    has_initial = cursor.take(b" ") and not cursor.at_end()
    return Authenticate(mechanism, cursor.expect(_INITIAL, "base64")[0] if has_initial else None)


def login(cursor: Cursor) -> Login:
    """``SP user SP password``."""
    cursor.space()
    user = cursor.credential()
    cursor.space()
    return Login(user, cursor.credential())


def enable(cursor: Cursor) -> Enable:
    """``1*(SP capability)`` (RFC 5161)."""
    cursor.space()
    names = [cursor.atom()]
    while cursor.take(b" "):
        names.append(cursor.atom())
    return Enable(tuple(names))


def identify(cursor: Cursor) -> Id:
    """``SP (NIL / "(" name SP value ... ")")`` (RFC 2971)."""
    cursor.space()
    if cursor.match(_NIL):
        return Id(())
    if not cursor.take(b"("):
        raise IMAPWireError("Expected a list of parameters")
    fields: list[tuple[str, str | None]] = []
    while not cursor.take(b")"):
        if fields:
            cursor.space()
        name = cursor.string()
        cursor.space()
        value = None if cursor.match(_NIL) else cursor.string()
        if len(fields) == _ID_FIELDS or len(name) > _ID_NAME or len(value or b"") > _ID_VALUE:
            raise IMAPWireError("ID too long")
        fields.append(
            (name.decode("utf-8", "replace"), None if value is None else value.decode("utf-8", "replace"))
        )
    return Id(tuple(fields))
