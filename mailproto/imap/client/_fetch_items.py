"""The items of a FETCH response, by name (RFC 9051 7.5.2).

Nearly all responses are in the form that most servers write: one regular expression takes them apart at once.
What is in any other form is read token by token.
"""

from __future__ import annotations

import re
from typing import Final

from mailproto.content import Content
from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._values import READINGS, BadValue, Value, ValueReader, octets_of

__all__ = ["items_of", "raw_item", "usual_items"]

_USUAL: Final = re.compile(
    rb'"([^"\\\x00]*+)"(?=[ ()]|\Z)|([()])'
    rb'|(\\?[^\x00-\x20()"{\[\\]++(?:\[[^\]"{\x00]*+\](?:<[0-9]++>)?)?)(?=[ ()]|\Z)'
    rb"|(\{[0-9]{1,19}\}\r\n)|([^ ])"
)
_USUAL_OCTETS: Final = 1 << 16

_NAME: Final = re.compile(rb"[A-Za-z0-9.\-/_]++(?:\[.*\](?:<[0-9]++>)?)?")
_ITEM: Final = re.compile(
    rb"[ \t\r\n]*+([A-Za-z0-9.\-/_]++)"
    rb"(\[(?:[^\]\"{]++|\"[^\"]*+\"|\{[0-9]+\}\r?\n)*\])?(<[0-9]++>)?"
)
_LITERAL: Final = re.compile(rb"~?\{[0-9]+\+?\}\r?\n")


def items_of(data: Data, limits: IMAPClientLimits) -> dict[str, Value]:
    """The items of a FETCH response, by name; those after the first that cannot be read are left out."""
    usual = usual_items(data, limits)
    return _unusual_items(data, limits) if usual is None else usual


def usual_items(data: Data, limits: IMAPClientLimits) -> dict[str, Value] | None:
    """The items of a response in the usual form; None for any other, whose items may be read nevertheless."""
    if len(data.text) > _USUAL_OCTETS:
        return None  # the tokens of `findall` take a hundred times as much
    tokens = _USUAL.findall(data.text)
    if len(tokens) < 2 or tokens[0][1] != b"(" or tokens[-1][1] != b")" or len(tokens) > limits.values:
        return None
    literals = iter(data.literals)
    items: dict[str, Value] = {}
    name = ""
    stack: list[list[Value]] = []
    current: list[Value] | None = None
    del tokens[-1], tokens[0]
    for quoted, parenthesis, atom, literal, other in tokens:
        value: Value
        if not name:
            if not atom or not _NAME.fullmatch(atom):
                return None
            name = atom.decode("ascii", "replace").upper()
            continue
        if quoted:
            value = quoted
        elif atom:
            if b"[" in atom:
                return None
            value = None if len(atom) == 3 and atom.upper() == b"NIL" else atom
        elif parenthesis == b"(":
            new: list[Value] = []
            if current is not None:
                if len(stack) >= limits.nesting:
                    return None
                current.append(new)
                stack.append(current)
            current = new
            continue
        elif parenthesis:
            if current is None:
                return None
            if stack:
                current = stack.pop()
                continue
            value, current = current, None
        elif literal:
            value = next(literals, None)
        elif other:
            return None
        else:
            value = b""
        if current is None:
            items[name] = value
            name = ""
        else:
            current.append(value)
    return None if name or current is not None else items


def _unusual_items(data: Data, limits: IMAPClientLimits) -> dict[str, Value]:
    """What can be read: in the first way that reads all, or else in the one that finds most."""
    most: dict[str, Value] = {}
    for reading in READINGS:
        items: dict[str, Value] = {}
        if _read(ValueReader(data.text, data.literals, limits, reading=reading), items):
            return items
        if len(items) > len(most):
            most = items
    return most


def raw_item(data: Data, limits: IMAPClientLimits, item: str) -> bytes | None:
    """The octets of an item's value, with those of its literals; None if it is not there."""
    for reading in READINGS:
        places: dict[str, tuple[int, int, int]] = {}
        _read(ValueReader(data.text, data.literals, limits, reading=reading), {}, places)
        if item in places:
            start, stop, first = places[item]
            return _with_literals(data.text[start:stop], data.literals[first:]).strip()
    return None


def _with_literals(text: bytes, literals: list[bytes | Content | None]) -> bytes:
    left = iter(literals)
    return _LITERAL.sub(lambda mark: mark[0] + bytes(next(left) or b""), text)


def _read(
    reader: ValueReader, items: dict[str, Value], places: dict[str, tuple[int, int, int]] | None = None
) -> bool:
    """Read all items; False if something is none, or their end is missing.

    :param places: takes where the value of each begins and ends, and the number of its first literal.
    """
    text = reader.text
    reader.position = len(text) - len(text.lstrip(b" \t\r\n"))
    if not text.startswith(b"(", reader.position):
        return False
    reader.position += 1
    while True:
        match = _ITEM.match(text, reader.position)
        if match is None:
            rest = text[reader.position : reader.position + 64].strip()
            if not rest.startswith(b"("):
                return text[reader.position :].strip() == b")"
            try:
                reader.value()  # one that no item has: Mail.ru's second structure
            except BadValue:
                return False
            continue
        reader.position = match.end()
        name = match[1].decode("ascii").upper()
        try:
            if match[2] is not None:
                name += _section(match[2], reader)
            if match[3] is not None:
                name += match[3].decode("ascii")
            start, literal = reader.position, reader.taken
            items[name] = reader.value()
            if places is not None:
                places[name] = (start, reader.position, literal)
        except BadValue:
            return False


def _section(octets: bytes, reader: ValueReader) -> str:
    """A section with its brackets; a field's name may be a literal in it."""

    def whole(_: re.Match[bytes]) -> bytes:
        return octets_of(reader.literal()) or b""

    return _LITERAL.sub(whole, octets).decode("latin-1").replace('"', "").upper()
