"""The arguments of SEARCH: options, charset, and search keys (RFC 3501 6.4.4, RFC 4731)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from mailproto.imap.wire._commands import Search
from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._dates import date
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._flags import flag_keyword
from mailproto.imap.wire._search_keys import (
    Address,
    All,
    And,
    Body,
    DateKey,
    Flagged,
    Header,
    New,
    Not,
    Numbers,
    Old,
    Or,
    Recent,
    SearchKey,
    Size,
    Text,
    Uids,
)
from mailproto.imap.wire._sequence_set import SequenceSet
from mailproto.model import SYSTEM_FLAGS

__all__ = ["search"]

_RETURN = re.compile(rb"RETURN \(([A-Za-z]++(?: [A-Za-z]++)*)?\) ", re.IGNORECASE)
_CHARSET = re.compile(rb"CHARSET ", re.IGNORECASE)
_KEY = re.compile(rb"[A-Za-z]++")
_SET = re.compile(rb"[0-9*][0-9:,*]*+")

_RETURN_OPTIONS = frozenset(("MIN", "MAX", "ALL", "COUNT"))
_CODECS = {"US-ASCII": "ascii", "ASCII": "ascii", "UTF-8": "utf-8"}

_CONSTANTS: dict[bytes, SearchKey] = {b"ALL": All(), b"NEW": New(), b"OLD": Old(), b"RECENT": Recent()}
for _flag in SYSTEM_FLAGS:
    _name = _flag[1:].upper().encode("ascii")
    _CONSTANTS[_name] = Flagged(_flag, True)
    _CONSTANTS[b"UN" + _name] = Flagged(_flag, False)


def search(cursor: Cursor) -> Search:
    """``SP ["RETURN (" options ")" SP] ["CHARSET" SP charset SP] key *(SP key)``."""
    cursor.space()
    match = cursor.match(_RETURN)
    returns = _returns(match[1] or b"") if match else None
    charset = None
    if cursor.match(_CHARSET):
        charset = cursor.astring().decode("ascii", "replace").upper()
        if charset not in _CODECS:
            raise IMAPWireError("Charset not supported", code="BADCHARSET (US-ASCII UTF-8)", bad=False)
        cursor.space()
    # The default charset is US-ASCII in RFC 3501 and UTF-8 in RFC 9051; UTF-8 includes US-ASCII.
    key = _Keys(cursor, _CODECS[charset or "UTF-8"]).all_keys(cursor.limits.nesting)
    return Search(charset, key, returns)


def _returns(text: bytes) -> tuple[str, ...]:
    options = dict.fromkeys(text.decode("ascii").upper().split())
    if not options.keys() <= _RETURN_OPTIONS:
        raise IMAPWireError("Unknown return option")
    return tuple(options) or ("ALL",)


class _Keys:
    """Reads search keys; ``depth`` is how many more levels they may have."""

    __slots__ = ("_codec", "_cursor", "_left", "_longest")

    def __init__(self, cursor: Cursor, codec: str) -> None:
        self._cursor = cursor
        self._codec = codec
        self._left = cursor.limits.search_keys
        self._longest = cursor.limits.search_text

    def all_keys(self, depth: int) -> SearchKey:
        """``key *(SP key)``, all of which must match."""
        keys = [self.key(depth)]
        cursor = self._cursor
        while not cursor.at_end() and not cursor.text.startswith(b")", cursor.position):
            cursor.space()
            keys.append(self.key(depth))
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def key(self, depth: int) -> SearchKey:
        """One key."""
        if depth < 0:
            raise IMAPWireError("Search keys are nested too deep", code="LIMIT", bad=False)
        self._left -= 1
        if self._left < 0:
            raise IMAPWireError("Too many search keys", code="LIMIT", bad=False)
        cursor = self._cursor
        match = cursor.match(_KEY)
        if match is not None:
            name = match[0].upper()
            constant = _CONSTANTS.get(name)
            if constant is not None:
                return constant
            read = _READERS.get(name)
            if read is None:
                raise IMAPWireError("Unknown search key")
            return read(self, depth)
        if cursor.take(b"("):
            key = self.all_keys(depth - 1)
            cursor.close()
            return key
        return Numbers(SequenceSet.parse(cursor.expect(_SET, "a search key")[0]))

    def negated(self, depth: int) -> SearchKey:
        """NOT."""
        self._cursor.space()
        return Not(self.key(depth - 1))

    def either(self, depth: int) -> SearchKey:
        """OR."""
        self._cursor.space()
        left = self.key(depth - 1)
        self._cursor.space()
        return Or(left, self.key(depth - 1))

    def value(self) -> str:
        """``SP astring`` in the command's charset."""
        self._cursor.space()
        octets = self._cursor.astring()
        if len(octets) > self._longest:
            raise IMAPWireError("Search text too long", code="LIMIT", bad=False)
        try:
            return octets.decode(self._codec)
        except UnicodeDecodeError:
            raise IMAPWireError("Search text is not in its charset") from None

    def header(self, depth: int) -> SearchKey:
        """HEADER."""
        name = self.value()
        return Header(name.lower(), self.value())

    def keyword(self, present: bool) -> SearchKey:
        """KEYWORD, UNKEYWORD."""
        self._cursor.space()
        return Flagged(flag_keyword(self._cursor), present)

    def size(self, op: Literal["LARGER", "SMALLER"]) -> SearchKey:
        """LARGER, SMALLER."""
        self._cursor.space()
        return Size(op, self._cursor.number())

    def date(self, field: Literal["INTERNAL", "SENT"], op: Literal["BEFORE", "ON", "SINCE"]) -> SearchKey:
        """BEFORE, ON, SINCE, and with SENT before it."""
        self._cursor.space()
        return DateKey(field, op, date(self._cursor))

    def uids(self, depth: int) -> SearchKey:
        """UID."""
        return Uids(self._cursor.sequence_set())


_READERS: dict[bytes, Callable[[_Keys, int], SearchKey]] = {
    b"NOT": _Keys.negated,
    b"OR": _Keys.either,
    b"FROM": lambda keys, _: Address("from", keys.value()),
    b"TO": lambda keys, _: Address("to", keys.value()),
    b"CC": lambda keys, _: Address("cc", keys.value()),
    b"BCC": lambda keys, _: Address("bcc", keys.value()),
    b"SUBJECT": lambda keys, _: Header("subject", keys.value()),
    b"HEADER": _Keys.header,
    b"BODY": lambda keys, _: Body(keys.value()),
    b"TEXT": lambda keys, _: Text(keys.value()),
    b"KEYWORD": lambda keys, _: keys.keyword(True),
    b"UNKEYWORD": lambda keys, _: keys.keyword(False),
    b"LARGER": lambda keys, _: keys.size("LARGER"),
    b"SMALLER": lambda keys, _: keys.size("SMALLER"),
    b"BEFORE": lambda keys, _: keys.date("INTERNAL", "BEFORE"),
    b"ON": lambda keys, _: keys.date("INTERNAL", "ON"),
    b"SINCE": lambda keys, _: keys.date("INTERNAL", "SINCE"),
    b"SENTBEFORE": lambda keys, _: keys.date("SENT", "BEFORE"),
    b"SENTON": lambda keys, _: keys.date("SENT", "ON"),
    b"SENTSINCE": lambda keys, _: keys.date("SENT", "SINCE"),
    b"UID": _Keys.uids,
}
