"""The arguments of FETCH (RFC 3501 6.4.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mailproto.imap.wire._arguments import NO_OPTIONS, ArgumentReader
from mailproto.imap.wire._commands import Fetch, FetchAttribute, FetchItem, FetchSection
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._responses import quoted_or_literal
from mailproto.message import Section

__all__ = ["FETCH_MACROS", "FETCH_NAMES", "body", "body_peek", "fetch", "fetch_items"]

_NAME = re.compile(rb"[A-Za-z0-9.]++\[?+")
# Part numbers have at most nine digits; no message has so many parts.
_SPECIFIER = re.compile(rb"(?:([1-9][0-9]{0,8}+(?:\.[1-9][0-9]{0,8}+)*)(\.?+))?([A-Za-z.]*+)")
_PLAIN_FIELDS = re.compile(rb" \(([A-Za-z0-9-]++(?: [A-Za-z0-9-]++)*)\)")
_ATOM = re.compile(rb'[^\x00-\x20\x7f-\xff(){%*"\\]++')
_END_OF_SECTION = re.compile(rb"\](?:<([0-9]{1,18})\.([1-9][0-9]{0,17})>)?")

FETCH_NAMES: Mapping[bytes, FetchItem] = {
    **{
        name: FetchAttribute(name.decode("ascii"))
        for name in b"FLAGS ENVELOPE INTERNALDATE RFC822.SIZE UID BODYSTRUCTURE BODY".split()
    },
    b"RFC822": FetchSection(b"RFC822", Section(), peek=False),
    b"RFC822.HEADER": FetchSection(b"RFC822.HEADER", Section(text="HEADER"), peek=True),
    b"RFC822.TEXT": FetchSection(b"RFC822.TEXT", Section(text="TEXT"), peek=False),
}
"""The items of RFC 3501 that are one word."""

FETCH_MACROS: Mapping[bytes, tuple[FetchItem, ...]] = {
    name: tuple(FETCH_NAMES[item] for item in items)
    for name, items in {
        b"FAST": b"FLAGS INTERNALDATE RFC822.SIZE".split(),
        b"ALL": b"FLAGS INTERNALDATE RFC822.SIZE ENVELOPE".split(),
        b"FULL": b"FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY".split(),
    }.items()
}
"""Words that stand for several items."""

_TEXTS = frozenset((b"", b"HEADER", b"TEXT", b"MIME"))
_FIELD_TEXTS = frozenset((b"HEADER.FIELDS", b"HEADER.FIELDS.NOT"))


def fetch(arguments: ArgumentReader) -> Fetch:
    """``SP set SP (macro / item / "(" items ")") [SP "(" modifiers ")"]``."""
    sequence = arguments.sequence_set()
    arguments.space()
    items = _several(arguments) if arguments.take(b"(") else _one(arguments)
    modifiers = NO_OPTIONS
    if arguments.follows(b" ("):
        modifiers = arguments.options(arguments.syntax.fetch_modifiers, "modifier of FETCH", least=1)
    return Fetch(sequence, items, modifiers)


def fetch_items(arguments: ArgumentReader) -> tuple[FetchItem, ...]:
    """``SP "(" items ")"``."""
    arguments.space()
    if not arguments.take(b"("):
        raise IMAPWireError("Expected a list of data items")
    return _several(arguments)


def _one(arguments: ArgumentReader) -> tuple[FetchItem, ...]:
    """A macro or an item."""
    before = arguments.position
    macro = arguments.syntax.fetch_macros.get(arguments.expect(_NAME, "a data item")[0].upper())
    if macro is not None:
        return macro
    arguments.position = before
    return (_item(arguments),)


def _several(arguments: ArgumentReader) -> tuple[FetchItem, ...]:
    """A list of items, after its parenthesis; each of them once."""
    found = [_item(arguments)]
    most = arguments.limits.fetch_items
    while not arguments.take(b")"):
        arguments.space()
        if len(found) >= most:
            raise IMAPWireError("Too many data items")
        found.append(_item(arguments))
    return tuple(dict.fromkeys(found))


def _item(arguments: ArgumentReader) -> FetchItem:
    name = arguments.expect(_NAME, "a data item")[0].upper()
    syntax = arguments.syntax
    item: FetchItem | None = syntax.fetch_names.get(name)
    if item is not None:
        return item
    read: Callable[[ArgumentReader], FetchItem] | None = syntax.fetch_readers.get(name)
    if read is None:
        raise IMAPWireError("Unknown data item")
    return read(arguments)


def body(arguments: ArgumentReader) -> FetchSection:
    """What follows ``BODY[``."""
    return _section(arguments, peek=False)


def body_peek(arguments: ArgumentReader) -> FetchSection:
    """What follows ``BODY.PEEK[``."""
    return _section(arguments, peek=True)


def _section(arguments: ArgumentReader, *, peek: bool) -> FetchSection:
    match = arguments.expect(_SPECIFIER, "a section")
    part, dot, text = match[1] or b"", match[2] or b"", match[3].upper()
    fields: tuple[bytes, ...] = ()
    listed = b""
    if text in _FIELD_TEXTS:
        fields, listed = _fields(arguments)
    elif text not in _TEXTS:
        raise IMAPWireError("Unknown section")
    if (part and bool(dot) != bool(text)) or (text == b"MIME" and not part):
        raise IMAPWireError("Invalid section")
    arguments.labels -= len(part) + len(listed)
    if arguments.labels < 0:
        raise _too_long()
    end = arguments.expect(_END_OF_SECTION, "the end of a section")
    label = b"BODY[%b%b%b%b]" % (part, dot, text, listed)
    partial = None
    if end[1]:
        partial = int(end[1]), int(end[2])
        label += b"<%d>" % partial[0]
    numbers = tuple(map(int, part.split(b"."))) if part else ()
    return FetchSection(label, Section(numbers, text.decode("ascii"), fields), peek, partial)


def _fields(arguments: ArgumentReader) -> tuple[tuple[bytes, ...], bytes]:
    """Read the names of header fields; return them, and the list as the response shows it."""
    plain = arguments.match(_PLAIN_FIELDS)
    if plain is not None:
        return tuple(plain[1].split(b" ")), plain[0]
    arguments.space()
    if not arguments.take(b"("):
        raise IMAPWireError("Expected a list of header fields")
    end = arguments.position + arguments.labels
    fields = [arguments.astring_here()]
    while not arguments.take(b")"):
        arguments.space()
        if arguments.position > end:
            raise _too_long()
        fields.append(arguments.astring_here())
    listed = b" ".join(name if _ATOM.fullmatch(name) else quoted_or_literal(name) for name in fields)
    return tuple(fields), b" (%b)" % listed


def _too_long() -> IMAPWireError:
    return IMAPWireError("Data items too long")
