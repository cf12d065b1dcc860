"""Criteria of SEARCH: a small builder, and strings with proper quoting (RFC 9051 6.4.4)."""

from __future__ import annotations

import datetime
import re
from typing import Final, TypeAlias

from mailproto._arguments import check_type, check_whole, wrong_type, wrong_value
from mailproto.imap.client._command import Literal, Piece
from mailproto.imap.client._uid_set import Uids, set_texts

__all__ = ["SAVED", "Criteria", "Query", "criteria_pieces", "string_piece"]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_KEYWORD = re.compile(r"[^\x00-\x20\x7f-\uffff(){%*\"\\\]]+")
_FIELD = re.compile(r"[!-9;-~]+")
_RAW = re.compile(r'"([^"\\]*+(?:\\.[^"\\]*+)*)"|[^"]+')
_UNSAFE = re.compile(r"[\x00\r\n]")
_QUOTABLE = re.compile(rb"[^\x00\r\n\x80-\xff]*+")
_LONGEST_QUOTED = 1000

SAVED: Final = b"UID $"
"""The key for what the last search with ``save`` has found (RFC 5182)."""


class Query:
    """What to search for: conditions that are combined with ``&`` (and), ``|`` (or) and ``~`` (not)::

        client.search(Query.unseen() & (Query.from_("alice") | Query.subject("news")) & ~Query.larger(9999))

    Texts may be in any script; a server finds them in any case, anywhere in the field.
    """

    __slots__ = ("_pieces", "_single")

    def __init__(self, *pieces: Piece, single: bool = True) -> None:
        self._pieces = pieces
        self._single = single  # whether it is one key

    # -- combinations

    def __and__(self, other: Query) -> Query:
        _check(other)
        return Query(*self._pieces, b" ", *other._pieces, single=False)

    def __or__(self, other: Query) -> Query:
        _check(other)
        return Query(b"OR ", *self._key(), b" ", *other._key())

    def __invert__(self) -> Query:
        return Query(b"NOT ", *self._key())

    def _key(self) -> tuple[Piece, ...]:
        return self._pieces if self._single else (b"(", *self._pieces, b")")

    def __repr__(self) -> str:
        shown = [each if isinstance(each, bytes) else b"{...}" for each in self._pieces]
        return f"<Query {b''.join(shown).decode('ascii', 'replace')}>"

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """As a command has them."""
        return self._pieces

    # -- flags

    @classmethod
    def all(cls) -> Query:
        """Every message."""
        return cls(b"ALL")

    @classmethod
    def seen(cls) -> Query:
        """Read messages; ``~Query.seen()`` is `unseen`."""
        return cls(b"SEEN")

    @classmethod
    def unseen(cls) -> Query:
        """Unread messages."""
        return cls(b"UNSEEN")

    @classmethod
    def answered(cls) -> Query:
        """Messages that were answered."""
        return cls(b"ANSWERED")

    @classmethod
    def flagged(cls) -> Query:
        """Messages that were flagged."""
        return cls(b"FLAGGED")

    @classmethod
    def deleted(cls) -> Query:
        """Messages that are marked to be deleted."""
        return cls(b"DELETED")

    @classmethod
    def draft(cls) -> Query:
        """Drafts."""
        return cls(b"DRAFT")

    @classmethod
    def keyword(cls, keyword: str) -> Query:
        """Messages with a keyword."""
        check_type("keyword", keyword, str, "a str")
        if not _KEYWORD.fullmatch(keyword):
            raise wrong_value("keyword", keyword, "a keyword")
        return cls(b"KEYWORD " + keyword.encode("ascii"))

    # -- texts

    @classmethod
    def from_(cls, text: str) -> Query:
        """A text in the From field."""
        return cls(b"FROM ", string_piece(text))

    @classmethod
    def to(cls, text: str) -> Query:
        """A text in the To field."""
        return cls(b"TO ", string_piece(text))

    @classmethod
    def cc(cls, text: str) -> Query:
        """A text in the Cc field."""
        return cls(b"CC ", string_piece(text))

    @classmethod
    def bcc(cls, text: str) -> Query:
        """A text in the Bcc field."""
        return cls(b"BCC ", string_piece(text))

    @classmethod
    def subject(cls, text: str) -> Query:
        """A text in the subject."""
        return cls(b"SUBJECT ", string_piece(text))

    @classmethod
    def body(cls, text: str) -> Query:
        """A text in the body."""
        return cls(b"BODY ", string_piece(text))

    @classmethod
    def text(cls, text: str) -> Query:
        """A text in the header or the body."""
        return cls(b"TEXT ", string_piece(text))

    @classmethod
    def header(cls, name: str, text: str = "") -> Query:
        """A text in any header field; ``""`` for all messages that have the field."""
        check_type("name", name, str, "a str")
        if not _FIELD.fullmatch(name):
            raise wrong_value("name", name, "the name of a header field")
        return cls(b"HEADER ", string_piece(name), b" ", string_piece(text))

    # -- dates and numbers

    @classmethod
    def since(cls, date: datetime.date) -> Query:
        """Arrived on this day or later (INTERNALDATE without its time)."""
        return cls(b"SINCE " + _date(date))

    @classmethod
    def before(cls, date: datetime.date) -> Query:
        """Arrived before this day."""
        return cls(b"BEFORE " + _date(date))

    @classmethod
    def on(cls, date: datetime.date) -> Query:
        """Arrived on this day."""
        return cls(b"ON " + _date(date))

    @classmethod
    def sent_since(cls, date: datetime.date) -> Query:
        """Sent on this day or later (the Date field)."""
        return cls(b"SENTSINCE " + _date(date))

    @classmethod
    def sent_before(cls, date: datetime.date) -> Query:
        """Sent before this day."""
        return cls(b"SENTBEFORE " + _date(date))

    @classmethod
    def larger(cls, octets: int) -> Query:
        """More octets than this."""
        check_whole("octets", octets)
        return cls(b"LARGER %d" % octets)

    @classmethod
    def smaller(cls, octets: int) -> Query:
        """Fewer octets than this."""
        check_whole("octets", octets)
        return cls(b"SMALLER %d" % octets)

    @classmethod
    def uids(cls, uids: Uids) -> Query:
        """Only these messages, of which there must be at least one; ``"$"`` is what was saved last."""
        if uids == "$":
            return cls(SAVED)
        texts = set_texts(uids)
        if not texts:
            raise wrong_value("uids", uids, "at least one UID")
        query = cls(b"UID " + texts[0][0].encode("ascii"))
        for text, _ in texts[1:]:
            query |= cls(b"UID " + text.encode("ascii"))
        return query

    @classmethod
    def changed_since(cls, modseq: int) -> Query:
        """Changed, or with this mod-sequence or a later one (CONDSTORE)."""
        check_whole("modseq", modseq)
        return cls(b"MODSEQ %d" % modseq)

    @classmethod
    def raw(cls, text: str) -> Query:
        """Keys as IMAP writes them, such as ``UNSEEN FROM "alice"``; texts in quotes may be in any script.

        :raises ValueError: there is a line end in it.
        """
        return cls(*raw_pieces(text), single=False)


Criteria: TypeAlias = Query | str
"""A `Query`, or keys as IMAP writes them."""


def criteria_pieces(criteria: Criteria) -> tuple[list[Piece], bool]:
    """The pieces of a command, and whether they need a charset, because they are not ASCII."""
    if isinstance(criteria, str):
        pieces = raw_pieces(criteria)
    elif isinstance(criteria, Query):
        pieces = list(criteria.pieces)
    else:
        raise wrong_type("criteria", criteria, "a Query, or keys such as 'UNSEEN FROM \"alice\"'")
    needs = any(isinstance(each, Literal) and not bytes(each.octets).isascii() for each in pieces)
    return pieces, needs


def raw_pieces(text: str) -> list[Piece]:
    """The pieces of keys that are written as IMAP writes them."""
    if not text.strip():
        raise wrong_value("criteria", text, "search keys such as 'UNSEEN'")
    if _UNSAFE.search(text):
        raise wrong_value("criteria", text, "search keys without line ends")
    pieces: list[Piece] = []
    for match in _RAW.finditer(text):
        if match[1] is not None:
            pieces.append(string_piece(re.sub(r"\\(.)", r"\1", match[1])))
        elif match[0].isascii() and "{" not in match[0]:
            pieces.append(match[0].encode("ascii"))
        else:
            raise wrong_value("criteria", text, "search keys in ASCII, with other text in quotes")
    if text.count('"') != sum(match[0].count('"') for match in _RAW.finditer(text)):
        raise wrong_value("criteria", text, "search keys with both quotes of each text")
    return pieces


def string_piece(text: str) -> Piece:
    """A text in quotes if that is possible, else as a literal."""
    check_type("text", text, str, "a str")
    octets = text.encode("utf-8", "replace")
    if len(octets) <= _LONGEST_QUOTED and _QUOTABLE.fullmatch(octets):
        return b'"%b"' % octets.replace(b"\\", rb"\\").replace(b'"', rb"\"")
    if b"\0" in octets:
        raise wrong_value("text", text, "a text without NUL")
    return Literal(octets)


def _date(date: datetime.date) -> bytes:
    if not isinstance(date, datetime.date):
        raise wrong_type("date", date, "a datetime.date")
    return f"{date.day}-{_MONTHS[date.month - 1]}-{date.year:04}".encode("ascii")


def _check(other: object) -> None:
    if not isinstance(other, Query):
        raise wrong_type("the other side", other, "a Query", "write Query.raw(text)")
