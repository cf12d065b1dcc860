"""Parsing a command's text into a `Command`, by the table of a `Syntax`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mailproto.imap.wire._arguments import ArgumentReader, CommandSyntax, Syntax, own_arguments
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._events import Command
from mailproto.imap.wire._limits import IMAPWireLimits

__all__ = ["begin_command", "parse_command", "read_tag"]

# RFC 3501 9: a tag is made of ASTRING-CHARs without "+".
_TAG = re.compile(
    rb'([^\x00-\x20\x7f-\xff(){%*"\\+]++)(?: ((?:UID )?[A-Za-z][A-Za-z0-9.\-_]*+))?', re.IGNORECASE
)


def read_tag(text: bytes) -> str | None:
    """The tag at the beginning of ``text``; None if there is none, or if its end is missing."""
    match = _TAG.match(text)
    if match is None or text[match.end(1) : match.end(1) + 1] not in (b" ", b"\r", b"\n"):
        return None
    return match[1].decode("ascii")


def begin_command(
    text: bytes, literals: Sequence[bytes], *, limits: IMAPWireLimits, utf8: bool, syntax: Syntax
) -> tuple[str, CommandSyntax, ArgumentReader]:
    """Read a command's tag and name.

    :param text: the command's lines without the last CRLF; or its beginning, up to the announcement
        of a literal that is not in ``literals`` yet.
    :returns: the tag, what the name means, and what reads the arguments.
    :raises IMAPWireError: the text does not begin with a tag and a name; it has the tag, if there is one.
    """
    match = _TAG.match(text)
    if match is None or text[match.end(1) : match.end(1) + 1] not in (b" ", b""):
        raise IMAPWireError("Expected a tag")
    tag = match[1].decode("ascii")
    try:
        command = syntax.commands[(match[2] or b"").upper()]
    except KeyError:
        raise IMAPWireError("Unknown command" if match[2] else "Expected a command", tag=tag) from None
    return tag, command, ArgumentReader(text, literals, match.end(), limits=limits, utf8=utf8, syntax=syntax)


def parse_command(
    text: bytes, literals: Sequence[bytes], *, limits: IMAPWireLimits, utf8: bool, syntax: Syntax
) -> Command[Any]:
    """Parse a command; the parameters are those of `begin_command`.

    :raises LiteralWanted: the text is valid so far, but the last literal is missing.
    :raises IMAPWireError: the text is not valid; it has the tag, if there is one.
    """
    tag, command, arguments = begin_command(text, literals, limits=limits, utf8=utf8, syntax=syntax)
    name, uid, _, grammar, _ = command
    try:
        read = grammar(arguments)
        if grammar is not own_arguments:
            arguments.end()
    except IMAPWireError as error:
        error.tag = tag
        raise
    return Command(tag, name, uid, read)
