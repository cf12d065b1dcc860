"""IMAP responses, taken apart."""

from __future__ import annotations

import asyncio
import re
from typing import Any

__all__ = ["NIL", "Value", "numbers_of", "ranges", "read_response"]

Value = Any
"""bytes of an atom or a string, `NIL`, or a list of values."""

NIL = None

_LITERAL_END = re.compile(rb"\{(\d+)\}\r\n\Z")
_STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_LITERAL = re.compile(rb"~?\{(\d+)\}\r\n")
_ATOM = re.compile(rb"(?:[^ ()\[\]\"{]|\[[^\]]*\])+")


async def read_response(reader: asyncio.StreamReader) -> tuple[bytes, list[Value], bytes]:
    """The next response.

    :returns: its first word, which is a tag, ``*`` or ``+``; what follows; and all of its octets.
    :raises EOFError: the connection is closed.
    """
    octets = b""
    while True:
        line = await reader.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError
        octets += line
        literal = _LITERAL_END.search(line)
        if literal is None:
            break
        octets += await reader.readexactly(int(literal[1]))
    first, _, rest = octets[:-2].partition(b" ")
    words = rest.split(b" ", 2)
    if first != b"*" or words[0] in (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH"):
        status, _, text = rest.partition(b" ")
        return first, [status, text], octets
    values, _ = _values(rest, 0)
    return first, values, octets


def _values(octets: bytes, at: int) -> tuple[list[Value], int]:
    """The values up to the end or a closing parenthesis, and where what follows begins."""
    values: list[Value] = []
    while at < len(octets):
        character = octets[at : at + 1]
        if character == b" ":
            at += 1
        elif character == b")":
            return values, at + 1
        elif character == b"(":
            inner, at = _values(octets, at + 1)
            values.append(inner)
        elif (string := _STRING.match(octets, at)) is not None:
            values.append(re.sub(rb"\\(.)", rb"\1", string[1]))
            at = string.end()
        elif (literal := _LITERAL.match(octets, at)) is not None:
            at = literal.end() + int(literal[1])
            values.append(octets[literal.end() : at])
        elif (atom := _ATOM.match(octets, at)) is not None:
            values.append(NIL if atom[0] == b"NIL" else atom[0])
            at = atom.end()
        else:
            raise ValueError(f"not a response: {octets[at : at + 60]!r}")
    return values, at


def numbers_of(octets: bytes) -> list[int]:
    """The numbers of a set such as ``1:3,7``."""
    numbers: list[int] = []
    for part in octets.split(b","):
        first, _, last = part.partition(b":")
        bounds = sorted((int(first), int(last or first)))
        numbers.extend(range(bounds[0], bounds[1] + 1))
    return numbers


def ranges(numbers: list[int]) -> str:
    """A set of these numbers, as short as it can be."""
    parts: list[list[int]] = []
    for number in sorted(set(numbers)):
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in parts)
