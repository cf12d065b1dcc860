"""An extension: everything that it brings, in one object."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zope.interface.interface import InterfaceClass

from mailproto.imap.server._matching import SearchKeys
from mailproto.imap.server._options import (
    AppendData,
    CreateParameter,
    FetchModifier,
    ListReturn,
    ListSelection,
    SearchReturn,
    SelectParameter,
    StatusItem,
    StoreModifier,
)
from mailproto.imap.server._requests import FetchRequest, SearchFound, StoreRequest
from mailproto.imap.server._rows import FetchColumn
from mailproto.imap.server._sections import FetchPiece
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import FetchItem, KeyReader, SearchKey
from mailproto.model import MailboxStatus

__all__ = ["Extension"]


@dataclass(frozen=True, slots=True)
class Extension:
    """What an extension adds to the server.  All words are in upper case; none may be there twice.

    :ivar name: for error messages.
    :ivar capabilities: what CAPABILITY announces, always.
    :ivar announce: what it announces in the state of a session.
    :ivar needs: the add-ons that every account and mailbox must provide (`IAddOns`); without them, the
        extension is left out.
    :ivar needs_extensions: the names of extensions without which this one is left out, too.
    :ivar commands: see `CommandSpec`.
    :ivar guard: called before each command; raises to refuse it.
    :ivar enables: what ENABLE takes, and what is done then, once.
    :ivar on_select: called when a mailbox is selected and described, to tell more.
    :ivar on_create: called when a mailbox of that name was created; gives a response code, such as
        ``b"MAILBOXID (F1)"``, or None.  Only one of them is told.
    :ivar on_fetch: called before FETCH answers; it may change the request.
    :ivar on_store: called before STORE stores; it may change the request.
    :ivar on_search_keys: called with the keys of SEARCH before anything is looked for; gives those that take
        their place.
    :ivar on_keys_in: the same for the messages of a mailbox, in which they are looked for.
    :ivar on_search: called with what was looked for and found; gives what the answer says in addition, with a
        space before it.
    :ivar fetch_columns: items of FETCH that are one word, with values for many messages at a time.
    :ivar fetch_pieces: kinds of items that are made for each message.
    :ivar fetch_names: words for items of these kinds.
    :ivar fetch_macros: words for several items.
    :ivar search_keys: kinds of keys of SEARCH.
    :ivar search_names: words for keys of kinds that there are.
    :ivar search_readers: the same for keys with arguments.
    :ivar search_returns: they are answered in the order of the extensions.
    :ivar append_data: what may stand for the literal in APPEND.
    :ivar append_messages: how many messages one APPEND may have, if it may have several.
    :ivar unasked: the most octets of literals that are sent without being asked for, if they are limited.
    """

    name: str
    capabilities: Sequence[str] = ()
    announce: Callable[[Session], Iterable[str]] | None = None
    needs: frozenset[InterfaceClass] = frozenset()
    needs_extensions: frozenset[str] = frozenset()
    commands: Sequence[CommandSpec[Any]] = ()
    guard: Callable[[Session, CommandSpec[Any]], None] | None = None
    enables: Mapping[str, Callable[[Session], Awaitable[None]]] = field(default_factory=dict)
    on_select: Callable[[Session, ViewWriter, MailboxStatus], Awaitable[None]] | None = None
    on_create: Callable[[Session, str], Awaitable[bytes | None]] | None = None
    on_fetch: Callable[[Session, FetchRequest], Awaitable[None]] | None = None
    on_store: Callable[[Session, StoreRequest], Awaitable[None]] | None = None
    on_search_keys: Callable[[Session, SearchKey], Awaitable[SearchKey]] | None = None
    on_keys_in: Callable[[Session, MailboxView, SearchKey], Awaitable[SearchKey]] | None = None
    on_search: Callable[[Session, SearchKey, SearchFound], Awaitable[bytes]] | None = None
    select_parameters: Sequence[SelectParameter[Any]] = ()
    create_parameters: Sequence[CreateParameter[Any]] = ()
    status_items: Sequence[StatusItem] = ()
    list_selection: Sequence[ListSelection] = ()
    list_returns: Sequence[ListReturn[Any]] = ()
    fetch_columns: Sequence[FetchColumn] = ()
    fetch_pieces: Sequence[FetchPiece[Any]] = ()
    fetch_names: Mapping[bytes, FetchItem] = field(default_factory=dict)
    fetch_macros: Mapping[bytes, tuple[FetchItem, ...]] = field(default_factory=dict)
    fetch_modifiers: Sequence[FetchModifier[Any]] = ()
    store_modifiers: Sequence[StoreModifier[Any]] = ()
    search_keys: Sequence[SearchKeys[Any]] = ()
    search_names: Mapping[bytes, SearchKey] = field(default_factory=dict)
    search_readers: Mapping[bytes, Callable[[KeyReader], SearchKey]] = field(default_factory=dict)
    search_returns: Sequence[SearchReturn[Any]] = ()
    append_data: Sequence[AppendData[Any]] = ()
    append_messages: int | None = None
    unasked: int | None = None
