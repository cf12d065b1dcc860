"""LANGUAGE (RFC 5255 3): the language of texts for people, which is English here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from mailproto.connection.commands import State
from mailproto.errors import MailError
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.wire import ArgumentReader, Command, IMAPWireError

__all__ = ["EXTENSION"]

_LANGUAGES: Final = ("en", "i-default")
"""Texts in i-default are in English, too (RFC 2277 4.5)."""

_RANGES: Final = 100
"""The most language ranges of one command."""

_RANGE = re.compile(r"(?:\*|[A-Za-z]{1,8})(?:-(?:\*|[A-Za-z0-9]{1,8}))*")


class NoSuchLanguage(MailError):
    """None of the languages is spoken here."""

    default_text = "None of these languages is supported"


def _read(arguments: ArgumentReader) -> Sequence[str]:
    """``*(SP language-range)`` (RFC 4647 2)."""
    ranges: list[str] = []
    while not arguments.at_end():
        wanted = arguments.astring().decode("ascii", "replace")
        if not _RANGE.fullmatch(wanted):
            raise IMAPWireError("Expected a language range")
        if len(ranges) == _RANGES:
            raise IMAPWireError("Too many languages")
        ranges.append(wanted.lower())
    return ranges


def _found(ranges: Iterable[str]) -> str:
    """The first language that a range asks for, by RFC 4647 3.4: ``en-GB`` finds ``en``."""
    for wanted in ranges:
        if wanted in ("default", "*"):
            return _LANGUAGES[0]
        words = wanted.split("-")
        while words:
            tag = "-".join(words)
            if tag in _LANGUAGES:
                return tag
            words.pop()
    raise NoSuchLanguage


async def language(session: Session, command: Command[Sequence[str]]) -> None:
    """LANGUAGE: choose one, or tell which there are."""
    ranges = command.arguments
    languages = (_found(ranges),) if ranges else _LANGUAGES
    session.respond(b"* LANGUAGE (%b)\r\n" % b" ".join([b'"%b"' % each.encode() for each in languages]))


EXTENSION = Extension(
    "LANGUAGE",
    capabilities=("LANGUAGE",),
    commands=(CommandSpec("LANGUAGE", _read, language, State.ANY),),
)
