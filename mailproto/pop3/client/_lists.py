"""What the lines of a server's lists say (RFC 1939 5, 7; RFC 2449 3; RFC 6856 3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from mailproto.client.errors import ProtocolViolation
from mailproto.printable import printable

__all__ = ["parse_capabilities", "parse_size", "parse_stat", "parse_unique_id"]

# Some servers put more fields behind, blanks before them, and the size in parentheses.
_TWO_NUMBERS: Final = re.compile(r" *([0-9]{1,10})[ \t]+\(?([0-9]{1,18})(?:[ \t)].*)?", re.ASCII)
_NUMBER: Final = re.compile("[0-9]{1,10}", re.ASCII)

MAX_UNIQUE_ID: Final = 255
"""The most characters of a unique id.  RFC 1939 7 allows 70."""


def parse_stat(text: str) -> tuple[int, int]:
    """The number of messages and their octets.  :raises ProtocolViolation: there are none."""
    return _two_numbers("STAT", text)


def parse_size(line: str) -> tuple[int, int]:
    """A message's number and its size.  :raises ProtocolViolation: the line has none."""
    number, size = _two_numbers("LIST", line)
    return _checked("LIST", number, line), size


def parse_unique_id(line: str) -> tuple[int, str]:
    """A message's number and its unique id; "" if the server gives none.

    :raises ProtocolViolation: the line has no number, or something else than an id.
    """
    number, unique_id, *_ = [*line.split(), "", ""]
    if not _NUMBER.fullmatch(number) or len(unique_id) > MAX_UNIQUE_ID:
        raise _wrong("UIDL", line)
    return _checked("UIDL", int(number), line), unique_id


def parse_capabilities(lines: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """The capabilities by their names, with their parameters; what is there twice has all of them."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, *parameters = line.split() or [""]
        if name:
            found[name.upper()] = (*found.get(name.upper(), ()), *parameters)
    return found


def _two_numbers(command: str, text: str) -> tuple[int, int]:
    match = _TWO_NUMBERS.fullmatch(text)
    if match is None:
        raise _wrong(command, text)
    return int(match[1]), int(match[2])


def _checked(command: str, number: int, line: str) -> int:
    if not number:
        raise _wrong(command, line)
    return number


def _wrong(command: str, line: str) -> ProtocolViolation:
    return ProtocolViolation(f"The server answered {command} with {printable(line[:80])!r}")
