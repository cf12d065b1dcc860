"""Mailbox names: which are valid, how they relate, how they are listed, and which ones a new account has."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from heapq import merge
from itertools import islice
from typing import overload
from weakref import ref

from mailproto.errors import InvalidMailboxName, LimitReached, UnsupportedSpecialUse
from mailproto.message import Steps, finish
from mailproto.model import DELIMITER, INBOX, MailboxEntry

__all__ = [
    "DEFAULT_MAILBOXES",
    "MAX_DEPTH",
    "MAX_MAILBOXES",
    "MAX_NAMES_OCTETS",
    "MAX_NAME_OCTETS",
    "MAX_RETIRED",
    "SPECIAL_USES",
    "Entries",
    "SortedNames",
    "check_length",
    "check_name",
    "check_names",
    "check_rename",
    "check_special_use",
    "entries",
    "entry_steps",
    "is_inferior",
    "superiors",
]

MAX_NAME_OCTETS = 1000
"""The most octets of a mailbox's full name in UTF-8; several of them fit into one command line."""

MAX_DEPTH = 32
"""The most levels of a mailbox's name, because creating a mailbox creates all its superiors."""

MAX_MAILBOXES = 10_000
"""The most mailboxes of an account, and the most subscriptions."""

MAX_NAMES_OCTETS = 1 << 20
"""The most octets of all names of an account's mailboxes in UTF-8, and of all its subscriptions."""

MAX_RETIRED = 10_000
"""The former names of mailboxes whose UIDVALIDITY an account remembers at least.

A mailbox that is renamed gets a new UIDVALIDITY if its new name may have been that of a later mailbox.
"""

DEFAULT_MAILBOXES: tuple[tuple[str, str | None], ...] = (
    (INBOX, None),
    ("Archive", "\\Archive"),
    ("Drafts", "\\Drafts"),
    ("Junk", "\\Junk"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
)
"""The mailboxes of a new account, all subscribed: each name with its special use (RFC 6154)."""

# Wildcards, C0 and C1 controls, lone surrogates, and the line separators of RFC 5198.
_FORBIDDEN = re.compile("[%*\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")

SPECIAL_USES = {use.casefold(): use for _, use in DEFAULT_MAILBOXES if use}
"""The special uses that a new mailbox may have; the others of RFC 6154 are for virtual mailboxes."""


def check_name(name: str) -> None:
    """Check the canonical name of a mailbox.

    :raises InvalidMailboxName: the name has an empty level, ``%``, ``*``, a control character or a line
        separator, is not Unicode text, or is too long or too deep.
    """
    if not all(name.split(DELIMITER)) or _FORBIDDEN.search(name):
        raise InvalidMailboxName
    check_length(name.count(DELIMITER), len(name.encode()))


def check_length(delimiters: int, octets: int) -> None:
    """Check a valid name's number of delimiters and its octets in UTF-8.

    :raises InvalidMailboxName: it is too deep or too long.
    """
    if delimiters >= MAX_DEPTH or octets > MAX_NAME_OCTETS:
        raise InvalidMailboxName("Mailbox name too long")


def check_names(number: int, octets: int) -> None:
    """Check how many mailboxes an account has after a change that adds some; or how many subscriptions.

    :param octets: of all their names in UTF-8.
    :raises LimitReached: they are too many.
    """
    if number > MAX_MAILBOXES or octets > MAX_NAMES_OCTETS:
        raise LimitReached


def check_special_use(special_use: str | None) -> str | None:
    """Return the special use in its usual spelling.

    :raises UnsupportedSpecialUse: mailboxes cannot have this special use (RFC 6154 3).
    """
    if special_use is None:
        return None
    try:
        return SPECIAL_USES[special_use.casefold()]
    except KeyError:
        raise UnsupportedSpecialUse from None


def check_rename(old: str, new: str, moving: Iterable[str]) -> dict[str, str]:
    """The new names of the mailboxes ``moving``: ``old`` and its inferiors.

    :raises InvalidMailboxName: a new name is not valid, or ``new`` is below ``old``.
    """
    check_name(new)
    if is_inferior(new, old):
        raise InvalidMailboxName("A mailbox cannot go below itself")
    moves = {name: new + name[len(old) :] for name in moving}
    for name in moves.values():
        check_length(name.count(DELIMITER), len(name.encode()))  # the rest of the name has been checked
    return moves


def is_inferior(name: str, superior: str) -> bool:
    """Whether ``name`` is below ``superior``, at any depth."""
    return name.startswith(superior + DELIMITER)


def superiors(name: str) -> Iterator[str]:
    """The names above ``name``, from the top."""
    at = name.find(DELIMITER)
    while at >= 0:
        yield name[:at]
        at = name.find(DELIMITER, at + 1)


class SortedNames:
    """Names in order, so that those below another one are found without looking at all.

    They are sorted only when their order is asked for, because many changes may come first.

    :ivar octets: of all names in UTF-8.
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}
        self._sorted: list[str] | None = None
        self.octets = 0

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._in_order())

    def add(self, name: str) -> None:
        """Add a name that is not there."""
        self._names[name] = None
        self._sorted = None
        self.octets += len(name.encode())

    def remove(self, name: str) -> None:
        """Remove a name that is there."""
        del self._names[name]
        self._sorted = None
        self.octets -= len(name.encode())

    def below(self, name: str) -> list[str]:
        """The names below ``name``, at any depth."""
        names = self._in_order()
        first, after = name + DELIMITER, name + chr(ord(DELIMITER) + 1)
        return names[bisect_left(names, first) : bisect_left(names, after)]

    def _in_order(self) -> list[str]:
        if self._sorted is None:
            self._sorted = sorted(self._names)
            self._names = dict.fromkeys(self._sorted)  # to sort them again is fast
        return self._sorted


_AT_ONCE = 2000
"""Names of the result of `IAccount.list` that are put in order in one step: less than 1 ms."""


def entries(mailboxes: Mapping[str, str | None], subscribed: Set[str]) -> Sequence[MailboxEntry]:
    """The result of `IAccount.list`, at once; see `entry_steps`."""
    return finish(entry_steps(mailboxes, subscribed))


def entry_steps(
    mailboxes: Mapping[str, str | None], subscribed: Set[str], closed: Set[str] = frozenset()
) -> Steps[Entries]:
    """The result of `IAccount.list`, in steps.

    :param mailboxes: the mailboxes, each with its special use or None; it is fastest if they are sorted.
    :param subscribed: the subscribed names; their mailboxes need not exist.
    :param closed: mailboxes that cannot be selected, although they exist.
    """
    found = Entries(mailboxes, subscribed, closed)
    yield from found.put_in_order()
    return found


class Entries(Sequence[MailboxEntry]):
    """Makes each entry only when it is looked at, because objects for all at once take time and memory.

    A name that only holds inferiors is kept as the beginning of another one: as texts of their own, such
    names could have thirty times as many octets as the mailboxes.

    :ivar source: what the list was made of, for stores that share it.
    :ivar joined: the list that was made of this one and of others' mailboxes, while some session uses it.
    :ivar is_joining: whether it is being made.
    """

    source: object = None
    joined: ref[Entries] | None = None
    is_joining = False

    def __init__(self, mailboxes: Mapping[str, str | None], subscribed: Set[str], closed: Set[str]) -> None:
        self._mailboxes = mailboxes
        self._closed = closed
        self._subscribed = frozenset(subscribed)  # later changes do not count
        self._existing = sorted(mailboxes)
        self._names = sorted({*mailboxes, *subscribed})
        # For each entry, the index of a name, and how much of it is the entry's: `_ALL`, or a beginning.  All
        # names between a beginning and what is below it begin so, too: these numbers have the names' order.
        self._order = array("Q", [at << _SHIFT | _ALL for at in range(len(self._names))])

    def put_in_order(self) -> Steps[None]:
        """Find the names that only hold inferiors."""
        names, mailboxes, subscribed = self._names, self._mailboxes, self._subscribed
        holders, early = array("Q"), array("Q")  # in their order, and those that come before
        before = ""
        latest, left = 0, _AT_ONCE
        for number, name in enumerate(self._existing, 1):
            if left < 0 or not number % _AT_ONCE:
                yield
                left = _AT_ONCE
            above: list[int] = []
            at = name.rfind(DELIMITER)
            while at >= 0 and not before.startswith(name[: at + 1]):
                superior = name[:at]
                if superior not in mailboxes and superior not in subscribed:
                    above.append(bisect_left(names, superior) << _SHIFT | at)
                at = name.rfind(DELIMITER, 0, at)
                left -= 1
            for place in reversed(above):
                (holders if place > latest else early).append(place)
                latest = max(latest, place)
            before = name
        if holders:  # the first one is among them
            yield from self._merge(holders, array("Q", sorted(early)))

    def _merge(self, *holders: array[int]) -> Steps[None]:
        merged = array("Q")
        ordered = merge(self._order, *holders)
        while some := array("Q", islice(ordered, _AT_ONCE)):
            if merged:
                yield
            merged += some
        self._order = merged

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[MailboxEntry]:
        return map(self._entry, self._order)

    @overload
    def __getitem__(self, at: int) -> MailboxEntry: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[MailboxEntry]: ...
    def __getitem__(self, at: int | slice) -> MailboxEntry | Sequence[MailboxEntry]:
        if isinstance(at, slice):
            return list(map(self._entry, self._order[at]))
        return self._entry(self._order[at])

    def _entry(self, place: int) -> MailboxEntry:
        name, length = self._names[place >> _SHIFT], place & _ALL
        if length != _ALL:
            return MailboxEntry(name[:length], selectable=False)
        is_mailbox = name in self._mailboxes
        use = self._mailboxes[name] if is_mailbox else None
        return MailboxEntry(
            name,
            selectable=is_mailbox and name not in self._closed,
            subscribed=name in self._subscribed,
            exists=is_mailbox or self._holds(name),
            special_use=frozenset({use}) if use else frozenset(),
        )

    def _holds(self, name: str) -> bool:
        """Whether a mailbox is below ``name``."""
        at = bisect_left(self._existing, name + DELIMITER)
        return at < len(self._existing) and is_inferior(self._existing[at], name)


_SHIFT = 32
_ALL = (1 << _SHIFT) - 1
