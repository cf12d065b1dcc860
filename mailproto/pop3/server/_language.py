"""LANG (RFC 6856 3): the language of texts for people, which is English here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from mailproto.errors import MailError
from mailproto.pop3.server._errors import BadCommand
from mailproto.pop3.wire import Command, multiline, ok

if TYPE_CHECKING:
    from mailproto.pop3.server._server import POP3Server

__all__ = ["lang"]

_LANGUAGES: Final = {"en": "English", "i-default": "English"}
"""Texts in i-default are in English, too (RFC 2277 4.5)."""

_RANGE: Final = re.compile(r"\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*")


def lang(connection: POP3Server, command: Command) -> None:
    """Choose a language, or tell which there are.

    :raises BadCommand: the argument is no language range (RFC 4647 2.1).
    :raises MailError: this language is not spoken here.
    """
    arguments = command.arguments
    if not arguments:
        connection.write(multiline("Languages", [f"{tag} {name}" for tag, name in _LANGUAGES.items()]))
        return
    wanted = arguments[0].decode("ascii", "replace")
    if len(arguments) > 1 or not _RANGE.fullmatch(wanted):
        raise BadCommand("LANG [language-range]")
    connection.write(ok(f"{_found(wanted.lower())} English it is"))


def _found(wanted: str) -> str:
    """The language that a range asks for, by RFC 4647 3.4: ``en-GB`` finds ``en``."""
    if wanted == "*":
        return "en"
    words = wanted.split("-")
    while words:
        if (tag := "-".join(words)) in _LANGUAGES:
            return tag
        words.pop()
    raise MailError("This language is not spoken here; LANG alone lists those that are")
