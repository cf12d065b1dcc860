"""Reads the data of responses into values; what cannot be read is None."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mailproto.imap.client._fetched import flags_of
from mailproto.imap.client._mailbox_values import MailboxCounts, MailboxInfo, SearchResult
from mailproto.imap.client._uid_set import UidSet, ranges_of
from mailproto.imap.wire import _mutf7 as mutf7
from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._client_limits import IMAPClientLimits
from mailproto.imap.wire._values import BadValue, Value, ValueReader, number_of, octets_of, text_of
from mailproto.model import INBOX

__all__ = [
    "MOST_COPIED",
    "annotations_of",
    "counts_of",
    "esearch_of",
    "esearch_tag",
    "list_entry",
    "mailbox_name",
    "numbers_of",
    "ordered_uids",
    "rights_of",
    "search_result",
    "set_of",
    "status_of",
    "values_of",
]


def values_of(data: Data, limits: IMAPClientLimits) -> list[Value]:
    """The values of a response; none if they cannot be read."""
    try:
        return ValueReader.values_of(data, limits)
    except BadValue:
        return []


def mailbox_name(octets: bytes, *, utf8: bool) -> str:
    """A mailbox's name in Unicode: modified UTF-7, or UTF-8 of newer servers; else as it is, in Latin-1.

    :param utf8: whether UTF-8 was agreed on, so that nothing is modified UTF-7.
    """
    if octets.upper() == b"INBOX":
        return INBOX
    if octets.isascii():
        if utf8 or b"&" not in octets:
            return octets.decode("ascii")
        try:
            return mutf7.decode(octets)
        except ValueError:
            return octets.decode("ascii")
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def list_entry(data: Data, limits: IMAPClientLimits, *, utf8: bool) -> MailboxInfo | None:
    """Read LIST or LSUB (RFC 9051 7.3.1); ``utf8`` as in `mailbox_name`."""
    reader = ValueReader(data.text, data.literals, limits)
    try:
        attributes, delimiter = reader.value(), reader.value()
    except BadValue:
        return None
    if not isinstance(attributes, list):
        return None
    rest = reader.text[reader.position :].strip()
    try:
        values = reader.values()
    except BadValue:
        values = []
    extended = values.pop() if len(values) > 1 and isinstance(values[-1], list) else None
    if len(values) == 1:
        name = octets_of(values[0]) if values[0] is not None else b"NIL"
    else:  # it has spaces and is not quoted, or has quotes inside
        name = (rest[1:-1] if rest[:1] == rest[-1:] == b'"' else rest) or None
    if name is None:
        return None
    old_name = ""
    items = extended if isinstance(extended, list) else []
    for tag, value in zip(items[::2], items[1::2], strict=False):
        if text_of(tag).upper() == "OLDNAME" and isinstance(value, list) and value:
            old_name = mailbox_name(octets_of(value[0]) or b"", utf8=utf8)
    return MailboxInfo(
        mailbox_name(name, utf8=utf8), text_of(delimiter), flags_of(attributes), old_name=old_name
    )


def status_of(data: Data, limits: IMAPClientLimits, *, utf8: bool) -> tuple[str, MailboxCounts] | None:
    """Read STATUS: the mailbox's name, and what is told of it; ``utf8`` as in `mailbox_name`."""
    values = values_of(data, limits)
    if len(values) < 2 or not isinstance(values[-1], list):
        return None
    name = b" ".join(octets_of(each) or b"NIL" for each in values[:-1])
    return mailbox_name(name, utf8=utf8), counts_of(values[-1])


def rights_of(data: Data, limits: IMAPClientLimits, *, utf8: bool) -> tuple[str, str] | None:
    """Read MYRIGHTS (RFC 4314 3.8): the mailbox's name, and the rights; ``utf8`` as in `mailbox_name`."""
    values = values_of(data, limits)
    if len(values) < 2:
        return None
    return mailbox_name(octets_of(values[0]) or b"NIL", utf8=utf8), text_of(values[-1])


def annotations_of(
    data: Data, limits: IMAPClientLimits, *, utf8: bool
) -> tuple[str, Mapping[str, bytes | None]] | None:
    """Read METADATA with values (RFC 5464 4.4.1): the mailbox's name, and values by entry in lower case.

    :param utf8: as in `mailbox_name`.
    :returns: None for a response without values, which nobody has asked for.
    """
    values = values_of(data, limits)
    if len(values) != 2 or not isinstance(values[1], list):
        return None
    pairs = zip(values[1][::2], values[1][1::2], strict=False)
    told = {text_of(entry).lower(): octets_of(value) for entry, value in pairs}
    return mailbox_name(octets_of(values[0]) or b"", utf8=utf8), told


_COUNTS: dict[str, str] = {
    "MESSAGES": "messages",
    "RECENT": "recent",
    "UNSEEN": "unseen",
    "UIDNEXT": "uid_next",
    "UIDVALIDITY": "uid_validity",
    "HIGHESTMODSEQ": "modseq",
    "SIZE": "size",
    "DELETED": "deleted",
    "APPENDLIMIT": "append_limit",
}


def counts_of(items: list[Value]) -> MailboxCounts:
    """Read the items of a STATUS response."""
    found: dict[str, Any] = {}
    for tag, value in zip(items[::2], items[1::2], strict=False):
        name = text_of(tag).upper()
        if name == "MAILBOXID":
            found["mailbox_id"] = text_of(value[0] if isinstance(value, list) and value else value) or None
        elif (attribute := _COUNTS.get(name)) is not None:
            found[attribute] = number_of(value)
    return MailboxCounts(**found)


_SLICE = 1 << 16


def numbers_of(text: bytes, take: Callable[[Iterable[int]], object]) -> bytes:
    """Read numbers with spaces between them, some thousands at a time.

    :param take: called with some of them.
    :returns: what follows them.
    """
    start = 0
    while start < len(text):
        stop = len(text)
        if stop - start > _SLICE:
            stop = text.rfind(b" ", start, start + _SLICE)
            if stop <= start:
                return text[start:]
        words = text[start:stop].split()
        for place, word in enumerate(words):
            if not word.isdigit() or len(word) > 10:
                take(_uids(words[:place]))
                return b" ".join(words[place:]) + text[stop:]
        take(_uids(words))
        start = stop
    return b""


def _uids(words: list[bytes]) -> list[int]:
    return [uid for uid in map(int, words) if 0 < uid < 1 << 32]


def set_of(octets: bytes | None) -> UidSet:
    """A set that a server has written; empty for what is none."""
    return (UidSet.read(octets) if octets else None) or UidSet()


MOST_COPIED = 100_000
"""The most UIDs of APPENDUID and COPYUID that are read."""


def ordered_uids(octets: bytes, most: int = MOST_COPIED) -> tuple[int, ...]:
    """The UIDs of a set in the order in which it was written; empty for what is none, or has too many."""
    ranges = ranges_of(octets) or []
    if sum(abs(high - low) + 1 for low, high in ranges) > most:
        return ()
    found: list[int] = []
    for low, high in ranges:
        found += range(low, high + 1) if low <= high else range(low, high - 1, -1)
    return tuple(found)


class Esearch(NamedTuple):
    """An ESEARCH response (RFC 9051 7.3.4, RFC 7377 2.1).

    :ivar tag: of the command that it answers; ``""`` if it is not told.
    :ivar mailbox: in which was searched; None for the selected one.
    :ivar octets: the set that ALL or PARTIAL has; None if nothing was found.
    """

    tag: str
    mailbox: str | None
    uid_validity: int
    octets: bytes | None
    modseq: int | None


def esearch_of(data: Data, limits: IMAPClientLimits, *, utf8: bool = False) -> Esearch:
    """Read ESEARCH; ``utf8`` as in `mailbox_name`."""
    values = values_of(data, limits)
    about = _pairs(values.pop(0)) if values and isinstance(values[0], list) else {}
    while values and text_of(values[0]).upper() == "UID":
        del values[0]
    told = _pairs(values)
    partial = told.get("PARTIAL")
    found = partial[-1] if isinstance(partial, list) and len(partial) > 1 else told.get("ALL")
    name = octets_of(about.get("MAILBOX"))
    return Esearch(
        text_of(about.get("TAG")),
        None if name is None else mailbox_name(name, utf8=utf8),
        number_of(about.get("UIDVALIDITY")) or 0,
        octets_of(found),
        number_of(told.get("MODSEQ")),
    )


def _pairs(values: list[Value]) -> dict[str, Value]:
    return {text_of(name).upper(): value for name, value in zip(values[::2], values[1::2], strict=False)}


_TAG = re.compile(rb' ?\(TAG "?([A-Za-z0-9]+)"?[ )]', re.IGNORECASE)


def esearch_tag(data: Data, limits: IMAPClientLimits) -> str:
    """The tag of the command that an ESEARCH response answers; ``""`` if it is not told."""
    match = _TAG.match(data.text)
    return match[1].decode("ascii") if match else esearch_of(data, limits).tag


_MODSEQ = re.compile(rb"\(MODSEQ ([0-9]{1,19})\)", re.IGNORECASE)


def search_result(answers: list[Data], limits: IMAPClientLimits) -> SearchResult:
    """Read SEARCH and ESEARCH (RFC 9051 7.3.4); several answers are one."""
    uids, modseq, validity = UidSet(), None, 0
    numbers = array("I")
    for data in answers:
        if data.name == "SEARCH":
            match = _MODSEQ.search(numbers_of(data.text, numbers.extend))
            modseq = int(match[1]) if match else modseq
            continue
        told = esearch_of(data, limits)
        uids |= set_of(told.octets)
        modseq = told.modseq or modseq
        validity = told.uid_validity
    return SearchResult(uids | UidSet(numbers) if numbers else uids, modseq, validity)
