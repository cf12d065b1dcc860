"""The tokens of arguments: reads a command's text from left to right, with a regular expression for each.

The text is all lines of a command, with ``{n}CRLF`` where a literal was.  The literals' octets are
kept separately, so that nothing in a literal is ever taken for syntax.  The patterns are possessive:
they do not backtrack, so each octet is read once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Self

from mailproto.imap.wire import _mutf7 as mutf7
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._sequence_set import SAVED, SequenceSet
from mailproto.model import canonical_mailbox_name

__all__ = ["Cursor", "LiteralWanted", "Respelled"]

_QUOTED = rb'"([^"\\\r\n\x00]*+(?:\\["\\][^"\\\r\n\x00]*+)*)"'
_LITERAL = rb"\{[0-9]+\+?+\}\r\n"
_STRING = re.compile(_QUOTED + rb"|" + _LITERAL)
_ASTRING = re.compile(_QUOTED + rb'|([^\x00-\x20\x7f-\xff(){%*"\\]++)|' + _LITERAL)
_CREDENTIAL = re.compile(_QUOTED + rb'|([^\x00-\x20\x7f(){%*"\\]++)|' + _LITERAL)
_LIST_MAILBOX = re.compile(_QUOTED + rb'|([^\x00-\x20\x7f-\xff(){"\\]++)|' + _LITERAL)
_BINARY = re.compile(rb"~\{[0-9]+\+?+\}\r\n")
_ANNOUNCED = re.compile(rb"(~?+)\{([0-9]+)\+?+\}\r\n")
_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\\]]++')
_NUMBER = re.compile(rb"[0-9]{1,19}+(?![0-9])")
_NIL = re.compile(rb"NIL(?=[ )]|\Z)", re.IGNORECASE)
_TRAILING_SPACE = re.compile(rb" *+\Z")

_SEQUENCE_SET = re.compile(rb"[0-9:,*]++")
_MAX_NUMBER = (1 << 63) - 1
"""number64 (RFC 9051 9)."""


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


class LiteralWanted(Exception):
    """The text is valid so far, and ends where a literal begins."""


class Respelled(str):
    """A mailbox's name that the client has spelled otherwise, such as ``inbox``.

    :ivar written: as the client wrote it.
    """

    __slots__ = ("written",)

    def __new__(cls, name: str, written: str) -> Self:
        """Make a name of its two spellings."""
        made = super().__new__(cls, name)
        made.written = written
        return made

    written: str


class Cursor:
    """A position in a command's text.

    Each reading method moves the position past what it has read, or raises `IMAPWireError`.  Methods that
    read strings raise `LiteralWanted` if the text ends with the announcement of a literal.

    :ivar limits: of what is read here.
    :ivar utf8: whether mailbox names are in UTF-8 (RFC 6855).
    :ivar literals: those that have arrived; the first ``taken`` were read.
    """

    __slots__ = ("_patterns", "limits", "literals", "octets", "position", "taken", "utf8")

    def __init__(
        self, octets: bytes, literals: Sequence[bytes], position: int, *, limits: IMAPWireLimits, utf8: bool
    ) -> None:
        self.octets = octets
        self.position = position
        self.limits = limits
        self.utf8 = utf8
        self.literals = literals
        self.taken = 0
        self._patterns = 0  # octets that were read of them

    def follows(self, token: bytes) -> bool:
        """Whether ``token`` is next."""
        return self.octets.startswith(token, self.position)

    def take(self, token: bytes) -> bool:
        """Read ``token`` if it is next."""
        if self.octets.startswith(token, self.position):
            self.position += len(token)
            return True
        return False

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """Read what ``pattern`` matches here; None if it does not match."""
        match = pattern.match(self.octets, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def expect(self, pattern: re.Pattern[bytes], what: str) -> re.Match[bytes]:
        """Read what ``pattern`` matches; ``what`` names it in the error."""
        match = pattern.match(self.octets, self.position)
        if match is None:
            raise IMAPWireError(f"Expected {what}")
        self.position = match.end()
        return match

    def space(self) -> None:
        """Read the one space between arguments."""
        if not self.take(b" "):
            at_end = self.position >= len(self.octets)
            raise IMAPWireError("Missing argument" if at_end else "Expected a space")

    def close(self) -> None:
        """Read a closing parenthesis."""
        if not self.take(b")"):
            raise IMAPWireError("Expected a closing parenthesis")

    def at_end(self) -> bool:
        """Whether only spaces are left; some clients that join lists leave one."""
        return _TRAILING_SPACE.match(self.octets, self.position) is not None

    def end(self) -> None:
        """Check that nothing is left."""
        if not self.at_end():
            raise IMAPWireError("Unexpected characters after the arguments")

    def atom_here(self) -> str:
        """An ``atom``, in upper case."""
        return self.expect(_ATOM, "an atom")[0].decode("ascii").upper()

    def number_here(self) -> int:
        """A number, at most 2**63 - 1."""
        value = int(self.expect(_NUMBER, "a number")[0])
        if value > _MAX_NUMBER:
            raise IMAPWireError("Number too large")
        return value

    def set_here(self) -> SequenceSet:
        """A ``sequence-set``; ``$`` is `SAVED`."""
        if self.take(b"$"):
            return SAVED
        return SequenceSet.parse(self.expect(_SEQUENCE_SET, "a sequence set")[0])

    def nil(self) -> bool:
        """Read ``NIL`` if it is next."""
        return self.match(_NIL) is not None

    def string_here(self) -> bytes:
        """A quoted string or a literal."""
        return self._value(self.expect(_STRING, "a string"))

    def astring_here(self) -> bytes:
        """An atom (``]`` allowed), a quoted string, or a literal.

        Quoted strings may have octets above 0x7f, because clients send such passwords and search
        texts.  The argument decides what they mean.
        """
        return self._value(self.expect(_ASTRING, "a string"))

    def credential_here(self) -> bytes:
        """An ``astring`` of LOGIN; also atoms that are not ASCII, which Cyrus' imtest sends."""
        return self._value(self.expect(_CREDENTIAL, "a string"))

    def _value(self, match: re.Match[bytes]) -> bytes:
        kind = match.lastindex
        if kind == 2:
            return match[2]
        if kind == 1:
            data = match[1]
            if self.utf8 and not data.isascii() and not _is_utf8(data):
                raise IMAPWireError("Expected UTF-8")
            if b"\\" not in data:
                return data
            # Only a quotation mark or another backslash follows a backslash.
            return b"\\".join([piece.replace(b"\\", b"") for piece in data.split(b"\\\\")])
        return self._literal()

    def binary_here(self) -> bytes:
        """A quoted string, a literal, or a literal8."""
        return self._literal() if self.match(_BINARY) else self.string_here()

    def _literal(self) -> bytes:
        if self.taken >= len(self.literals):
            raise LiteralWanted
        self.taken += 1
        return self.literals[self.taken - 1]

    def announced_here(self, *, binary: bool = False) -> tuple[int, bool]:
        """The announcement of a literal that is no argument: its octets, and whether it is a literal8.

        :param binary: whether it may be a literal8, which may have NUL.
        """
        match = self.expect(_ANNOUNCED, "a literal")
        if match[1] and not binary:
            self.position = match.start()
            raise IMAPWireError("Expected a literal")
        return int(match[2]), bool(match[1])

    def mailbox_here(self) -> str:
        """A mailbox name, decoded."""
        name = self._name(self.astring_here())
        if name is None:
            form = "UTF-8" if self.utf8 else "modified UTF-7"
            raise IMAPWireError(f"Mailbox name is not {form}", code="CANNOT", bad=False)
        return name

    def reference_here(self) -> str | None:
        """The reference of LIST; see `list_mailbox`."""
        return self._pattern(self.astring_here())

    def list_mailbox_here(self) -> str | None:
        """A mailbox name that may have the wildcards ``%`` and ``*``, decoded.

        None instead of a name that no mailbox can have, because it is not in the right form.
        """
        return self._pattern(self._value(self.expect(_LIST_MAILBOX, "a mailbox pattern")))

    def _pattern(self, data: bytes) -> str | None:
        self._patterns += len(data)
        if self._patterns > self.limits.patterns:
            raise IMAPWireError("Mailbox patterns too long", code="LIMIT", bad=False)
        return self._name(data)

    def _name(self, data: bytes) -> str | None:
        if len(data) > self.limits.mailbox:
            raise IMAPWireError("Mailbox name too long", code="CANNOT", bad=False)
        try:
            name = data.decode("utf-8") if self.utf8 else mutf7.decode(data)
        except ValueError:
            return None
        canonical = canonical_mailbox_name(name)
        return name if name == canonical else Respelled(canonical, name)
