"""Words that extensions add to commands of others: modifiers, parameters, items and options.

Each is described once: how it is read, and what it does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from mailproto.content import Content
from mailproto.imap.server._requests import FetchRequest, SearchAsked, SearchFound, StoreRequest
from mailproto.imap.server._roles import Sink
from mailproto.imap.server._session import Session
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import ArgumentReader, Option, Steps
from mailproto.model import MailboxEntry, MailboxStatus

__all__ = [
    "AppendData",
    "CreateParameter",
    "FetchModifier",
    "ListReturn",
    "ListSelection",
    "SearchReturn",
    "SelectParameter",
    "StatusItem",
    "StoreModifier",
]

D = TypeVar("D")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class SelectParameter(Option[V]):
    """A parameter of SELECT and EXAMINE.

    :ivar apply: called when the mailbox is selected and described, before the tagged OK.
    :ivar prepare: called before the mailbox is opened, while the previous one is still selected; raises to
        refuse the command.
    """

    apply: Callable[[Session, ViewWriter, MailboxStatus, V], Awaitable[None]]
    prepare: Callable[[Session, V], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class CreateParameter(Option[V]):
    """A parameter of CREATE.

    :ivar create: creates the mailbox of that name instead of `IAccount.create` with the name alone.
    """

    create: Callable[[Session, str, V], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FetchModifier(Option[V]):
    """A modifier of FETCH.

    :ivar apply: called before anything is answered; it may change the request.
    """

    apply: Callable[[Session, FetchRequest, V], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class StoreModifier(Option[V]):
    """A modifier of STORE.

    :ivar apply: called before anything is stored; it may change the request.
    """

    apply: Callable[[Session, StoreRequest, V], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SearchReturn(Option[V]):
    """What may be in SEARCH's ``RETURN (...)``.

    :ivar answer: writes its part of the ESEARCH response, with a space before it (`Session.respond`).
    :ivar is_silent: whether there is no ESEARCH response if only such options were given.
    :ivar only_selected: whether other mailboxes than the selected one cannot be searched with it.
    :ivar check: called before anything is looked for; raises to refuse the search.
    :ivar prepare: called before the answer is begun; what it gives is in `SearchFound.prepared`.
    :ivar finish: called when the answer is written, or when there is none because nothing was found.
    :ivar refused: called if the search fails.
    """

    answer: Callable[[Session, SearchFound, V], Awaitable[None]]
    is_silent: bool = False
    only_selected: bool = False
    check: Callable[[Session, SearchAsked], None] | None = None
    prepare: Callable[[Session, SearchFound, V], Awaitable[object]] | None = None
    finish: Callable[[Session, SearchFound, V], Awaitable[None]] | None = None
    refused: Callable[[Session], None] | None = None


@dataclass(frozen=True, slots=True)
class StatusItem:
    """An item of STATUS.

    :ivar name: in upper case.
    :ivar value: renders its value.
    :ivar look_up: finds what is no part of a status, by the mailbox's name, and is used instead of ``value``.
    :ivar prepare: called before the status is read.
    """

    name: str
    value: Callable[[Session, MailboxStatus], bytes] | None = None
    look_up: Callable[[Session, str], Awaitable[bytes]] | None = None
    prepare: Callable[[Session], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class ListSelection:
    """A selection option of LIST (RFC 5258 3.1).

    :ivar name: in upper case.
    :ivar chooses: whether it chooses a name; None if it chooses none by itself, as RECURSIVEMATCH.
    :ivar missing: whether it also chooses names whose mailboxes do not exist.
    """

    name: str
    chooses: Callable[[MailboxEntry], bool] | None = None
    missing: bool = False


@dataclass(frozen=True, slots=True)
class ListReturn(Option[V]):
    """A return option of LIST (RFC 5258 3.2).

    :ivar attributes: gives attributes that a name's LIST response has in addition.
    :ivar responses: gives responses that follow the LIST responses of some names.  Names that are only
        listed because of their inferiors (RECURSIVEMATCH) are left out.
    """

    attributes: Callable[[MailboxEntry], Iterable[str]] | None = None
    responses: Callable[[Session, Sequence[MailboxEntry], V], AsyncIterator[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class AppendData(Generic[D]):
    """What may stand for the literal of a message in APPEND (RFC 4466 2.3).

    :ivar kind: the class of what is read, `AppendMessage.data`.
    :ivar word: its first word, in upper case.
    :ivar read: reads what follows the word; it may ask for literals.
    :ivar compose: makes the message.  It takes as many of the sinks as ``read`` asked for literals.
    """

    kind: type[D]
    word: str
    read: Callable[[ArgumentReader], Steps[D]]
    compose: Callable[[Session, D, Iterator[Sink]], Awaitable[Content]]
