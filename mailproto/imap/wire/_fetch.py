"""The arguments of FETCH (RFC 3501 6.4.5)."""

from __future__ import annotations

import re

from mailproto.imap.wire._commands import Fetch, FetchAttribute, FetchItem, FetchSection
from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._responses import quoted_or_literal
from mailproto.message import Section

__all__ = ["fetch"]

_NAME = re.compile(rb"[A-Za-z0-9.]++\[?+")
# Part numbers have at most nine digits; no message has so many parts.
_SPECIFIER = re.compile(rb"(?:([1-9][0-9]{0,8}+(?:\.[1-9][0-9]{0,8}+)*)(\.?+))?([A-Za-z.]*+)")
_PLAIN_FIELDS = re.compile(rb" \(([A-Za-z0-9-]++(?: [A-Za-z0-9-]++)*)\)")
_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]++')
_END_OF_SECTION = re.compile(rb"\](?:<([0-9]{1,18})\.([1-9][0-9]{0,17})>)?")

_ITEMS: dict[bytes, FetchItem] = {
    name: FetchAttribute(name.decode("ascii"))
    for name in b"FLAGS ENVELOPE INTERNALDATE RFC822.SIZE UID BODYSTRUCTURE BODY".split()
}
_MACROS: dict[bytes, tuple[FetchItem, ...]] = {
    b"FAST": tuple(_ITEMS[name] for name in b"FLAGS INTERNALDATE RFC822.SIZE".split()),
    b"ALL": tuple(_ITEMS[name] for name in b"FLAGS INTERNALDATE RFC822.SIZE ENVELOPE".split()),
    b"FULL": tuple(_ITEMS[name] for name in b"FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY".split()),
}
_ITEMS[b"RFC822"] = FetchSection(b"RFC822", Section(), peek=False)
_ITEMS[b"RFC822.HEADER"] = FetchSection(b"RFC822.HEADER", Section(text="HEADER"), peek=True)
_ITEMS[b"RFC822.TEXT"] = FetchSection(b"RFC822.TEXT", Section(text="TEXT"), peek=False)

_PEEK = {b"BODY[": False, b"BODY.PEEK[": True}
_TEXTS = frozenset((b"", b"HEADER", b"TEXT", b"MIME"))
_FIELD_TEXTS = frozenset((b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"))


def fetch(cursor: Cursor) -> Fetch:
    """``SP set SP (macro / item / "(" items ")") [SP "(CHANGEDSINCE" SP modseq ")"]``."""
    sequence = cursor.sequence_set()
    cursor.space()
    items = _Items(cursor)
    return Fetch(sequence, items.several() if cursor.take(b"(") else items.one(), _modifiers(cursor))


class _Items:
    """Reads data items, as many and as long as the limits allow.

    :ivar room: octets of part numbers and of lists of header fields that may still come.
    """

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.room = cursor.limits.fetch_labels

    def one(self) -> tuple[FetchItem, ...]:
        """A macro or an item."""
        cursor = self.cursor
        before = cursor.position
        macro = _MACROS.get(cursor.expect(_NAME, "a data item")[0].upper())
        if macro is not None:
            return macro
        cursor.position = before
        return (self._item(),)

    def several(self) -> tuple[FetchItem, ...]:
        """A list of items, after its parenthesis; each of them once."""
        cursor = self.cursor
        found = [self._item()]
        most = cursor.limits.fetch_items
        while not cursor.take(b")"):
            cursor.space()
            if len(found) >= most:
                raise IMAPWireError("Too many data items")
            found.append(self._item())
        return tuple(dict.fromkeys(found))

    def _item(self) -> FetchItem:
        name = self.cursor.expect(_NAME, "a data item")[0].upper()
        peek = _PEEK.get(name)
        if peek is not None:
            return self._section(peek)
        item = _ITEMS.get(name)
        if item is None:
            raise IMAPWireError("Unknown data item")
        return item

    def _section(self, peek: bool) -> FetchSection:
        """Read a section, after ``BODY[``."""
        cursor = self.cursor
        match = cursor.expect(_SPECIFIER, "a section")
        part, dot, text = match[1] or b"", match[2] or b"", match[3].upper()
        fields: tuple[bytes, ...] = ()
        listed = b""
        if text in _FIELD_TEXTS:
            fields, listed = self._fields()
        elif text not in _TEXTS:
            raise IMAPWireError("Unknown section")
        if (part and bool(dot) != bool(text)) or (text == b"MIME" and not part):
            raise IMAPWireError("Invalid section")
        self.room -= len(part) + len(listed)
        if self.room < 0:
            raise _too_long()
        end = cursor.expect(_END_OF_SECTION, "the end of a section")
        label = b"BODY[%b%b%b%b]" % (part, dot, text, listed)
        partial = None
        if end[1]:
            partial = int(end[1]), int(end[2])
            label += b"<%d>" % partial[0]
        numbers = tuple(map(int, part.split(b"."))) if part else ()
        return FetchSection(label, Section(numbers, text.decode("ascii"), fields), peek, partial)

    def _fields(self) -> tuple[tuple[bytes, ...], bytes]:
        """Read the names of header fields; return them, and the list as the response shows it."""
        cursor = self.cursor
        plain = cursor.match(_PLAIN_FIELDS)
        if plain is not None:
            return tuple(plain[1].split(b" ")), plain[0]
        cursor.space()
        if not cursor.take(b"("):
            raise IMAPWireError("Expected a list of header fields")
        end = cursor.position + self.room
        fields = [cursor.astring()]
        while not cursor.take(b")"):
            cursor.space()
            if cursor.position > end:
                raise _too_long()
            fields.append(cursor.astring())
        listed = b" ".join(name if _ATOM.fullmatch(name) else quoted_or_literal(name) for name in fields)
        return tuple(fields), b" (%b)" % listed


def _too_long() -> IMAPWireError:
    return IMAPWireError("Data items too long")


def _modifiers(cursor: Cursor) -> tuple[tuple[str, int], ...]:
    """Read the modifiers (RFC 4466 2.4): only CHANGEDSINCE is known (RFC 7162)."""
    if not cursor.take(b" ("):
        return ()
    if cursor.atom() != "CHANGEDSINCE":
        raise IMAPWireError("Unknown modifier of FETCH")
    cursor.space()
    value = cursor.number()
    cursor.close()
    return (("CHANGEDSINCE", value),)
