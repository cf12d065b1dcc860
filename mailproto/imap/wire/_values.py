"""The values in a response: strings, atoms, numbers, NIL, and lists of them (RFC 9051 4).

One regular expression reads each token.  The text is all lines of a response, with ``{n}CRLF`` where a
literal was.  What servers often forget is allowed: spaces between values, and backslashes in strings.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final, TypeAlias

from mailproto.content import Content
from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._client_limits import IMAPClientLimits

__all__ = ["READINGS", "BadValue", "Value", "ValueReader", "number_of", "octets_of", "text_of"]

Value: TypeAlias = Any
"""None for NIL, bytes (or a `Content`) for strings and atoms, and lists of values."""

_END = rb'|([()])|~?+\{[0-9]{1,19}\+?\}\r?\n|([^\x00-\x20()"]++))'
_STOP = rb"(?=[ \t\r\n()]|\Z)"
_INSIDE = rb'"(?![ \t)\r\n("]|\Z)|"(?="{1,3}+(?:[ \t)\r\n(]|\Z))'
_STRICT = rb'"([^"\\]*+(?:\\.[^"\\]*+)*)"'
_READINGS: Final = tuple(
    re.compile(rb"[ \t\r\n]*+(?:" + string + _END, re.DOTALL)
    for string in (
        _STRICT + _STOP,
        rb'"([^"]*+(?:(?:' + _INSIDE + rb')[^"]*+)*)"',
        rb'"([^"\\]*+(?:(?:\\["\\]|\\(?!")|' + _INSIDE + rb')[^"\\]*+)*)"',
        _STRICT,
    )
)
READINGS: Final = range(len(_READINGS))
"""How strings can be read, the right way first.  A server may escape neither quotes (where no string can end)
nor backslashes; or only no quotes; or it forgets the space behind a string."""

_ESCAPED = re.compile(rb'\\(["\\])')
_DEFAULTS: Final = IMAPClientLimits()


class BadValue(Exception):
    """The text is no value here, or has too many, or they are nested too deep."""


class ValueReader:
    """A position in the text of a response, and the methods that read there.

    :param reading: one of `READINGS`.
    :ivar position: of the next value.
    :ivar taken: how many literals were read.
    """

    __slots__ = ("_left", "_limits", "_literals", "_match", "position", "taken", "text")

    def __init__(
        self,
        text: bytes,
        literals: Sequence[bytes | Content | None] = (),
        limits: IMAPClientLimits = _DEFAULTS,
        *,
        reading: int = 0,
    ) -> None:
        self.text = text
        self.position = 0
        self._match = _READINGS[reading].match
        self._literals = literals
        self.taken = 0
        self._limits = limits
        self._left = limits.values

    @classmethod
    def values_of(cls, data: Data, limits: IMAPClientLimits = _DEFAULTS) -> list[Value]:
        """All values of a response.

        :raises BadValue: there is something else in it.
        """
        for reading in READINGS[:-1]:
            try:
                return cls(data.text, data.literals, limits, reading=reading).values()
            except BadValue:
                pass
        return cls(data.text, data.literals, limits, reading=READINGS[-1]).values()

    def values(self) -> list[Value]:
        """All values up to the end."""
        found = []
        while not self.at_end():
            found.append(self.value())
        return found

    def at_end(self) -> bool:
        """Whether only white space is left."""
        return (
            not self.text[self.position : self.position + 64].strip()
            and not self.text[self.position :].strip()
        )

    def literal(self) -> bytes | Content | None:
        """The next literal, whose announcement was read."""
        if self.taken >= len(self._literals):
            raise BadValue("a literal is missing")
        self.taken += 1
        return self._literals[self.taken - 1]

    def value(self) -> Value:
        """The next value."""
        text, match_at, position = self.text, self._match, self.position
        stack: list[list[Value]] = []
        current: list[Value] | None = None
        left = self._left
        while True:
            match = match_at(text, position)
            if match is None:
                raise BadValue(f"no value at octet {position}")
            position = match.end()
            left -= 1
            if left < 0:
                raise BadValue("too many values")
            kind = match.lastindex
            value: Value
            if kind == 1:
                value = match[1]
                if b"\\" in value:
                    value = _ESCAPED.sub(rb"\1", value)
            elif kind == 3:
                value = match[3]
                if value == b"NIL" or (len(value) == 3 and value.upper() == b"NIL"):
                    value = None
            elif kind is None:
                value = self.literal()
            elif match[2] == b"(":
                new: list[Value] = []
                if current is not None:
                    if len(stack) >= self._limits.nesting:
                        raise BadValue("nested too deep")
                    current.append(new)
                    stack.append(current)
                current = new
                continue
            elif current is None:
                raise BadValue("a parenthesis too many")
            else:
                value = current
                if stack:
                    current = stack.pop()
                    continue
                current = None
            if current is None:
                self.position, self._left = position, left
                return value
            current.append(value)


def octets_of(value: Value) -> bytes | None:
    """A string's octets; None for NIL, and for what is no string."""
    if value.__class__ is bytes:
        return value
    return bytes(value) if isinstance(value, Content) else None


def text_of(value: Value) -> str:
    """A string as text, in UTF-8 or Latin-1; ``""`` for what is no string."""
    octets = octets_of(value)
    if octets is None:
        return ""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def number_of(value: Value) -> int | None:
    """A number; None for what is none."""
    if value.__class__ is bytes and value.isdigit() and len(value) <= 20:
        return int(value)
    return None
