"""The arguments of commands about the session itself (RFC 9051 6.1, 6.2)."""

from __future__ import annotations

import re

from mailproto.imap.wire._arguments import ArgumentReader
from mailproto.imap.wire._commands import NO_ARGUMENTS, Authenticate, Enable, Id, Login, NoArguments
from mailproto.imap.wire._errors import IMAPWireError

__all__ = ["authenticate", "enable", "identify", "login", "no_arguments"]

_INITIAL = re.compile(rb"[A-Za-z0-9+/]++=*+|=")
_NIL = re.compile(rb"NIL", re.IGNORECASE)

# RFC 2971 3.3: limits on the fields of ID.
_ID_FIELDS = 30
_ID_NAME = 30
_ID_VALUE = 1024

_ENABLED = 100
"""The most names of ENABLE."""


def no_arguments(arguments: ArgumentReader) -> NoArguments:
    """A command without arguments."""
    return NO_ARGUMENTS


def authenticate(arguments: ArgumentReader) -> Authenticate:
    """``SP mechanism [SP initial-response]`` (RFC 4959).

    An empty initial response is ``=``.  Dovecot's client writes a space and nothing else if it has no
    initial response.
    """
    arguments.space()
    mechanism = arguments.atom_here()
    has_initial = arguments.take(b" ") and not arguments.at_end()
    return Authenticate(mechanism, arguments.expect(_INITIAL, "base64")[0] if has_initial else None)


def login(arguments: ArgumentReader) -> Login:
    """``SP user SP password``."""
    arguments.space()
    user = arguments.credential_here()
    arguments.space()
    return Login(user, arguments.credential_here())


def enable(arguments: ArgumentReader) -> Enable:
    """``1*(SP capability)`` (RFC 5161)."""
    arguments.space()
    names = [arguments.atom_here()]
    while arguments.take(b" "):
        if len(names) == _ENABLED:
            raise IMAPWireError("Too many names")
        names.append(arguments.atom_here())
    return Enable(tuple(names))


def identify(arguments: ArgumentReader) -> Id:
    """``SP (NIL / "(" name SP value ... ")")`` (RFC 2971)."""
    arguments.space()
    if arguments.match(_NIL):
        return Id(())
    if not arguments.take(b"("):
        raise IMAPWireError("Expected a list of parameters")
    fields: list[tuple[str, str | None]] = []
    while not arguments.take(b")"):
        if fields:
            arguments.space()
        name = arguments.string_here()
        arguments.space()
        value = None if arguments.match(_NIL) else arguments.string_here()
        if len(fields) == _ID_FIELDS or len(name) > _ID_NAME or len(value or b"") > _ID_VALUE:
            raise IMAPWireError("ID too long")
        fields.append(
            (name.decode("utf-8", "replace"), None if value is None else value.decode("utf-8", "replace"))
        )
    return Id(tuple(fields))
