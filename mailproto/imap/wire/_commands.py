"""The arguments of commands: one frozen value class for each grammar.

Text is decoded.  Mailbox names are Unicode, and INBOX is always in upper case.  Keywords of the
protocol are in upper case.  System flags are spelled as in RFC 9051 2.3.2.  Search values are
decoded by their charset.  Secrets stay octets, and a repr never shows them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailproto.imap.wire._arguments import NO_OPTIONS, Options
from mailproto.imap.wire._search_keys import SearchKey
from mailproto.imap.wire._sequence_set import SequenceSet
from mailproto.message import Section
from mailproto.model import FlagChange

__all__ = [
    "NO_ARGUMENTS",
    "Append",
    "AppendMessage",
    "Authenticate",
    "Copy",
    "Create",
    "Enable",
    "Fetch",
    "FetchAttribute",
    "FetchItem",
    "FetchSection",
    "Id",
    "List",
    "Literal",
    "Login",
    "Lsub",
    "MailboxName",
    "NoArguments",
    "Rename",
    "Search",
    "Select",
    "Status",
    "Store",
    "UidExpunge",
]


@dataclass(frozen=True, slots=True)
class NoArguments:
    """CAPABILITY, NOOP, LOGOUT, STARTTLS, CHECK, CLOSE, UNSELECT, EXPUNGE, IDLE, NAMESPACE."""


NO_ARGUMENTS = NoArguments()


@dataclass(frozen=True, slots=True)
class Id:
    """ID (RFC 2971): the client's fields in its order; empty for NIL."""

    fields: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE (RFC 5161): capability names in upper case."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE (RFC 9051 6.2.2).

    :ivar mechanism: in upper case.
    :ivar initial: the initial response (RFC 4959) as it was sent: base64, or ``b"="`` for an
        empty one; None if there is none.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN (RFC 9051 6.2.3): octets as sent, in any charset."""

    user: bytes
    password: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT and EXAMINE.

    :ivar parameters: such as ``CONDSTORE`` (RFC 4466 2.4).
    """

    mailbox: str
    parameters: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class MailboxName:
    """DELETE, SUBSCRIBE, UNSUBSCRIBE."""

    mailbox: str


@dataclass(frozen=True, slots=True)
class Create:
    """CREATE.

    :ivar parameters: such as ``USE`` (RFC 4466 2.2).
    """

    mailbox: str
    parameters: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Rename:
    """RENAME."""

    old: str
    new: str


@dataclass(frozen=True, slots=True)
class List:
    """LIST, basic (RFC 3501 6.3.8) or extended (RFC 5258, RFC 5819, RFC 6154).

    :ivar patterns: the wildcards are ``*`` and ``%``.  Those that no mailbox can match, because they are not
        in the right form, are left out.
    :ivar selection: such as ``SUBSCRIBED`` and ``RECURSIVEMATCH``.
    :ivar returns: such as ``CHILDREN`` and ``STATUS``, whose value are its items.
    :ivar extended: whether the command had the form of RFC 5258.  In that form an empty pattern
        does not ask for the delimiter.
    """

    reference: str
    patterns: tuple[str, ...]
    selection: frozenset[str] = frozenset()
    returns: Options = NO_OPTIONS
    extended: bool = False


@dataclass(frozen=True, slots=True)
class Lsub:
    """LSUB (RFC 3501 6.3.9).

    :ivar patterns: one, or none, as in `List`.
    """

    reference: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """STATUS, with its items in the client's order, none twice."""

    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Literal:
    """A message that is one literal.

    :ivar size: its octets.
    :ivar binary: whether it is a literal8, which may have NUL.
    """

    size: int
    binary: bool = False


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """A message of APPEND, without its octets.

    :ivar internal_date: seconds since the epoch; None if the client gave none.
    :ivar data: where its octets are: a `Literal`, or what an extension reads.
    :ivar zone: in which the client gave the date, in minutes east of UTC.
    """

    flags: frozenset[str]
    internal_date: int | None
    data: object
    zone: int = 0


@dataclass(frozen=True, slots=True)
class Append:
    """APPEND, without the octets of the messages.

    :ivar messages: one at least; in the event of a literal, the one to which it belongs.
    """

    mailbox: str
    messages: tuple[AppendMessage, ...]


@dataclass(frozen=True, slots=True)
class Search:
    """SEARCH and UID SEARCH.

    :ivar charset: its name in upper case; the key's values are already decoded, unless it is none of
        `grammars.SEARCH_CHARSETS`.
    :ivar returns: None for SEARCH without RETURN; else such as ``MIN`` and ``COUNT`` (RFC 4731).  An empty
        list means ALL, and is given as ``ALL``.
    """

    charset: str | None
    key: SearchKey
    returns: Options | None = None


class FetchItem:
    """A data item of FETCH; extensions have classes of their own, which are hashable."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class FetchAttribute(FetchItem):
    """A data item without arguments.

    :ivar name: such as ``FLAGS`` or ``BODYSTRUCTURE``.
    """

    name: str


@dataclass(frozen=True, slots=True)
class FetchSection(FetchItem):
    """``BODY[...]``, ``RFC822``, ``RFC822.HEADER`` or ``RFC822.TEXT``.

    :ivar label: the item's name in the response, with ``<origin>`` if it is partial:
        ``BODY[HEADER.FIELDS (SUBJECT)]<0>``.
    :ivar peek: whether ``\\Seen`` is not set.
    :ivar partial: (origin, the most octets to send, at least 1), or None.
    """

    label: bytes
    section: Section
    peek: bool
    partial: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """FETCH and UID FETCH.

    :ivar items: in the client's order, with macros expanded, none twice.
    :ivar modifiers: such as ``CHANGEDSINCE`` (RFC 4466 2.4).
    """

    sequence: SequenceSet
    items: tuple[FetchItem, ...]
    modifiers: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Store:
    """STORE and UID STORE.

    :ivar modifiers: such as ``UNCHANGEDSINCE`` (RFC 4466 2.5).
    """

    sequence: SequenceSet
    change: FlagChange
    silent: bool = False
    modifiers: Options = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Copy:
    """COPY, MOVE (RFC 6851), and both with UID."""

    sequence: SequenceSet
    mailbox: str


@dataclass(frozen=True, slots=True)
class UidExpunge:
    """UID EXPUNGE (RFC 4315)."""

    sequence: SequenceSet
