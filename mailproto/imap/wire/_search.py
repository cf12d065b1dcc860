"""The arguments of SEARCH: options, charset, and search keys (RFC 3501 6.4.4, RFC 4731)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal

from mailproto.imap.wire._arguments import ArgumentReader, Options
from mailproto.imap.wire._commands import Search
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
from mailproto.imap.wire._sequence_set import SAVED, SequenceSet
from mailproto.model import SYSTEM_FLAGS

__all__ = [
    "SEARCH_CHARSETS",
    "SEARCH_NAMES",
    "SEARCH_READERS",
    "KeyReader",
    "search",
    "search_charset",
    "search_keys",
    "search_program",
    "search_returns",
]

_RETURN = re.compile(rb" RETURN(?= \()", re.IGNORECASE)
_CHARSET = re.compile(rb" CHARSET(?= )", re.IGNORECASE)
_KEY = re.compile(rb"[A-Za-z]++")
_SET = re.compile(rb"[0-9*][0-9:,*]*+")

SEARCH_CHARSETS: Mapping[str, str] = {
    "US-ASCII": "ascii",
    "ASCII": "ascii",
    "UTF-8": "utf-8",
    "UTF8": "utf-8",
}
"""The charsets that are supported, with their codecs."""

SEARCH_NAMES: Mapping[bytes, SearchKey] = {
    b"ALL": All(),
    b"NEW": New(),
    b"OLD": Old(),
    b"RECENT": Recent(),
    **{flag[1:].upper().encode("ascii"): Flagged(flag, True) for flag in SYSTEM_FLAGS},
    **{b"UN" + flag[1:].upper().encode("ascii"): Flagged(flag, False) for flag in SYSTEM_FLAGS},
}
"""The keys of RFC 3501 that are one word."""


def search(arguments: ArgumentReader) -> Search:
    """``SP ["RETURN (" options ")" SP] ["CHARSET" SP charset SP] key *(SP key)``."""
    returns = search_returns(arguments)
    charset, key = search_program(arguments)
    return Search(charset, key, returns)


def search_returns(arguments: ArgumentReader) -> Options | None:
    """``[SP "RETURN (" options ")"]``; None if it is not there."""
    table = arguments.syntax.search_returns
    if not table or not arguments.match(_RETURN):
        return None
    return arguments.options(table, "return option") or _ALL


_ALL = Options({"ALL": None})


def search_program(arguments: ArgumentReader) -> tuple[str | None, SearchKey]:
    """``[SP "CHARSET" SP charset] 1*(SP key)``: the charset in upper case, and the keys as one."""
    charset = None
    if arguments.match(_CHARSET):
        if not arguments.syntax.search_charset:
            raise IMAPWireError("CHARSET is not for clients that have enabled UTF8=ACCEPT")
        charset = search_charset(arguments)
    return charset, search_keys(arguments, charset)


def search_charset(arguments: ArgumentReader) -> str:
    """``SP charset``, in upper case; it may be none of `SEARCH_CHARSETS`."""
    return arguments.astring().decode("ascii", "replace").upper()


def search_keys(arguments: ArgumentReader, charset: str | None) -> SearchKey:
    """``1*(SP key)``, as one key.

    The default charset is US-ASCII in RFC 3501 and UTF-8 in RFC 9051; UTF-8 includes US-ASCII.  With
    another charset, the keys are read all the same: an error in them comes first.
    """
    arguments.space()
    return KeyReader(arguments, SEARCH_CHARSETS.get(charset or "UTF-8")).all_keys()


class KeyReader:
    """Reads search keys, as many and as deep as the limits allow.

    :param codec: of the keys' values; None if their charset is not supported, and the values do not matter.
    :ivar arguments: where they are read; after a key's name, its arguments.
    :ivar decodes: whether the charset is supported.
    """

    __slots__ = ("_codec", "_depth", "_left", "_longest", "_names", "_readers", "arguments", "decodes")

    def __init__(self, arguments: ArgumentReader, codec: str | None) -> None:
        self.arguments = arguments
        self.decodes = codec is not None
        self._codec = codec or "latin-1"
        self._names: Mapping[bytes, SearchKey] = arguments.syntax.search_names
        self._readers: Mapping[bytes, Callable[[KeyReader], SearchKey]] = arguments.syntax.search_readers
        self._depth = arguments.limits.nesting  # how many more levels they may have
        self._left = arguments.limits.search_keys
        self._longest = arguments.limits.search_text

    def all_keys(self) -> SearchKey:
        """``key *(SP key)``, all of which must match."""
        keys = [self.key_here()]
        arguments = self.arguments
        # A space at the end may be followed by nothing (see `at_end`).
        while arguments.follows(b" ") and not arguments.at_end():
            arguments.position += 1
            keys.append(self.key_here())
        return keys[0] if len(keys) == 1 else And(tuple(keys))

    def key_here(self) -> SearchKey:
        """One key."""
        if self._depth < 0:
            raise IMAPWireError("Search keys are nested too deep", code="LIMIT", bad=False)
        self.count(1)
        arguments = self.arguments
        match = arguments.match(_KEY)
        if match is not None:
            name = match[0].upper()
            constant = self._names.get(name)
            if constant is not None:
                return constant
            read = self._readers.get(name)
            if read is None:
                raise IMAPWireError("Unknown search key")
            return read(self)
        if arguments.take(b"("):
            self._depth -= 1
            key = self.all_keys()
            self._depth += 1
            arguments.close()
            return key
        if arguments.take(b"$"):
            return Uids(SAVED)
        return Numbers(SequenceSet.parse(arguments.expect(_SET, "a search key")[0]))

    def count(self, keys: int) -> None:
        """Count as so many keys more."""
        self._left -= keys
        if self._left < 0:
            raise IMAPWireError("Too many search keys", code="LIMIT", bad=False)

    def inner(self) -> SearchKey:
        """``SP key``: a key that is an argument of this one."""
        self.arguments.space()
        self._depth -= 1
        key = self.key_here()
        self._depth += 1
        return key

    def value(self) -> str:
        """``SP astring`` in the command's charset."""
        self.arguments.space()
        octets = self.arguments.astring_here()
        if len(octets) > self._longest:
            raise IMAPWireError("Search text too long", code="LIMIT", bad=False)
        try:
            return octets.decode(self._codec)
        except UnicodeDecodeError:
            raise IMAPWireError("Search text is not in its charset") from None


def _keyword(keys: KeyReader, present: bool) -> SearchKey:
    keys.arguments.space()
    return Flagged(flag_keyword(keys.arguments), present)


def _date(
    keys: KeyReader, field: Literal["INTERNAL", "SENT"], op: Literal["BEFORE", "ON", "SINCE"]
) -> SearchKey:
    keys.arguments.space()
    return DateKey(field, op, date(keys.arguments))


SEARCH_READERS: Mapping[bytes, Callable[[KeyReader], SearchKey]] = {
    b"NOT": lambda keys: Not(keys.inner()),
    b"OR": lambda keys: Or(keys.inner(), keys.inner()),
    b"FROM": lambda keys: Address("from", keys.value()),
    b"TO": lambda keys: Address("to", keys.value()),
    b"CC": lambda keys: Address("cc", keys.value()),
    b"BCC": lambda keys: Address("bcc", keys.value()),
    b"SUBJECT": lambda keys: Header("subject", keys.value()),
    b"HEADER": lambda keys: Header(keys.value().lower(), keys.value()),
    b"BODY": lambda keys: Body(keys.value()),
    b"TEXT": lambda keys: Text(keys.value()),
    b"KEYWORD": lambda keys: _keyword(keys, True),
    b"UNKEYWORD": lambda keys: _keyword(keys, False),
    b"LARGER": lambda keys: Size("LARGER", keys.arguments.number()),
    b"SMALLER": lambda keys: Size("SMALLER", keys.arguments.number()),
    b"BEFORE": lambda keys: _date(keys, "INTERNAL", "BEFORE"),
    b"ON": lambda keys: _date(keys, "INTERNAL", "ON"),
    b"SINCE": lambda keys: _date(keys, "INTERNAL", "SINCE"),
    b"SENTBEFORE": lambda keys: _date(keys, "SENT", "BEFORE"),
    b"SENTON": lambda keys: _date(keys, "SENT", "ON"),
    b"SENTSINCE": lambda keys: _date(keys, "SENT", "SINCE"),
    b"UID": lambda keys: Uids(keys.arguments.sequence_set()),
}
"""The keys of RFC 3501 that have arguments."""
