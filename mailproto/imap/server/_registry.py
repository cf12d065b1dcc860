"""The tables that all extensions of a server make together: commands, words, and what is announced.

They are built once, by the factory.  What a command needs is one look-up away.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

from zope.interface.interface import InterfaceClass

from mailproto.imap.server._extension import Extension
from mailproto.imap.server._keeping import PerServer
from mailproto.imap.server._matching import Conditions
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
from mailproto.imap.server._resources import Resources
from mailproto.imap.server._rows import FetchColumn
from mailproto.imap.server._sections import FetchPiece
from mailproto.imap.server._session import Session
from mailproto.imap.server._spec import CommandSpec, Updates
from mailproto.imap.server._view import MailboxView
from mailproto.imap.server._view_writer import ViewWriter
from mailproto.imap.wire import CommandSyntax, FetchAttribute, FetchItem, SearchKey, Syntax
from mailproto.model import MailboxStatus

__all__ = ["Tables", "set_tables", "tables_of"]

K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """What a server knows; `Extension` says what each is.

    :ivar syntax: the part of it that the wire reads commands with.
    :ivar commands: by full name.
    :ivar announced: the capabilities that do not depend on the session.
    :ivar announce: the core's are the last.
    """

    syntax: Syntax
    commands: Mapping[str, CommandSpec[Any]]
    announced: bytes
    announce: Sequence[Callable[[Session], Iterable[str]]]
    guards: Sequence[Callable[[Session, CommandSpec[Any]], None]]
    enables: Mapping[str, Callable[[Session], Awaitable[None]]]
    on_select: Sequence[Callable[[Session, ViewWriter, MailboxStatus], Awaitable[None]]]
    on_create: Sequence[Callable[[Session, str], Awaitable[bytes | None]]]
    on_fetch: Sequence[Callable[[Session, FetchRequest], Awaitable[None]]]
    on_store: Sequence[Callable[[Session, StoreRequest], Awaitable[None]]]
    on_search_keys: Sequence[Callable[[Session, SearchKey], Awaitable[SearchKey]]]
    on_keys_in: Sequence[Callable[[Session, MailboxView, SearchKey], Awaitable[SearchKey]]]
    on_search: Sequence[Callable[[Session, SearchKey, SearchFound], Awaitable[bytes]]]
    select_parameters: Mapping[str, SelectParameter[Any]]
    create_parameters: Mapping[str, CreateParameter[Any]]
    status_items: Mapping[str, StatusItem]
    list_selection: Mapping[str, ListSelection]
    list_returns: Mapping[str, ListReturn[Any]]
    fetch_columns: Mapping[str, FetchColumn]
    fetch_pieces: Mapping[type[FetchItem], FetchPiece[Any]]
    fetch_modifiers: Mapping[str, FetchModifier[Any]]
    store_modifiers: Mapping[str, StoreModifier[Any]]
    search_conditions: Conditions
    search_returns: Mapping[str, SearchReturn[Any]]
    append_data: Mapping[type[Any], AppendData[Any]]

    @classmethod
    def build(
        cls, extensions: Iterable[Extension], offered: frozenset[InterfaceClass] = frozenset()
    ) -> Tables:
        """Put the extensions together.

        :param offered: the add-ons of every account and mailbox; extensions that need others are left out.
        :raises ValueError: two of them bring the same.
        """
        used = _usable([extension for extension in extensions if extension.needs <= offered])

        def one(what: str, items: Callable[[Extension], Iterable[tuple[K, V]]]) -> dict[K, V]:
            table: dict[K, V] = {}
            for extension in used:
                for key, value in items(extension):
                    if key in table:
                        raise ValueError(f"{extension.name} brings {what} {key!r}, which is there already")
                    table[key] = value
            return table

        commands = one("the command", lambda brings: _commands(brings.commands))
        enables = one("ENABLE", lambda brings: brings.enables.items())
        select_parameters = one("the parameter", lambda brings: _named(brings.select_parameters))
        create_parameters = one("the parameter", lambda brings: _named(brings.create_parameters))
        status_items = one("the item", lambda brings: _named(brings.status_items))
        list_selection = one("the option", lambda brings: _named(brings.list_selection))
        list_returns = one("the option", lambda brings: _named(brings.list_returns))
        fetch_columns = one("the item", lambda brings: _named(brings.fetch_columns))
        fetch_modifiers = one("the modifier", lambda brings: _named(brings.fetch_modifiers))
        store_modifiers = one("the modifier", lambda brings: _named(brings.store_modifiers))
        search_returns = one("the option", lambda brings: _named(brings.search_returns))
        words = one("the capability", lambda brings: [(word.upper(), word) for word in brings.capabilities])
        syntax = Syntax(
            commands={
                name.encode("ascii"): CommandSyntax.of(name, spec.grammar) for name, spec in commands.items()
            },
            fetch_names=one("the item", _fetch_names),
            fetch_readers=one("the item", lambda brings: _all(each.readers for each in brings.fetch_pieces)),
            fetch_macros=one("the macro", lambda brings: brings.fetch_macros.items()),
            fetch_modifiers=fetch_modifiers,
            store_modifiers=store_modifiers,
            search_names=one(
                "the key",
                lambda brings: _all([brings.search_names, *(each.names for each in brings.search_keys)]),
            ),
            search_readers=one(
                "the key",
                lambda brings: _all([brings.search_readers, *(each.readers for each in brings.search_keys)]),
            ),
            search_returns=search_returns,
            status_items=frozenset(status_items),
            select_parameters=select_parameters,
            create_parameters=create_parameters,
            list_selection={name: option.chooses is not None for name, option in list_selection.items()},
            list_returns=list_returns,
            append_data=one(
                "APPEND's", lambda brings: [(each.word, each.read) for each in brings.append_data]
            ),
            append_messages=max((each.append_messages or 1 for each in used), default=1),
            unasked=min((each.unasked for each in used if each.unasked is not None), default=None),
        )
        return cls(
            syntax=syntax,
            commands=commands,
            announced=" ".join(words.values()).encode("ascii"),
            announce=[each.announce for each in reversed(used) if each.announce is not None],
            guards=[each.guard for each in used if each.guard is not None],
            enables=enables,
            on_select=[each.on_select for each in used if each.on_select is not None],
            on_create=[each.on_create for each in used if each.on_create is not None],
            on_fetch=[each.on_fetch for each in used if each.on_fetch is not None],
            on_store=[each.on_store for each in used if each.on_store is not None],
            on_search_keys=[each.on_search_keys for each in used if each.on_search_keys is not None],
            on_keys_in=[each.on_keys_in for each in used if each.on_keys_in is not None],
            on_search=[each.on_search for each in used if each.on_search is not None],
            select_parameters=select_parameters,
            create_parameters=create_parameters,
            status_items=status_items,
            list_selection=list_selection,
            list_returns=list_returns,
            fetch_columns=fetch_columns,
            fetch_pieces=one("items of", lambda brings: [(each.kind, each) for each in brings.fetch_pieces]),
            fetch_modifiers=fetch_modifiers,
            store_modifiers=store_modifiers,
            search_conditions=one(
                "keys of", lambda brings: [(each.kind, each.condition) for each in brings.search_keys]
            ),
            search_returns=search_returns,
            append_data=one("data of", lambda brings: [(each.kind, each) for each in brings.append_data]),
        )

    def capabilities(self, session: Session) -> bytes:
        """What CAPABILITY announces in the session's state, separated by spaces."""
        words = [word.encode("ascii") for announce in self.announce for word in announce(session)]
        return b" ".join([self.announced, *words])


def _usable(extensions: list[Extension]) -> list[Extension]:
    """Those extensions that have all others which they need."""
    while True:
        names = {extension.name for extension in extensions}
        usable = [extension for extension in extensions if extension.needs_extensions <= names]
        if len(usable) == len(extensions):
            return usable
        extensions = usable


def _named(items: Iterable[NamedT]) -> Iterator[tuple[str, NamedT]]:
    return ((item.name, item) for item in items)


def _all(tables: Iterable[Mapping[K, V]]) -> Iterator[tuple[K, V]]:
    return (item for table in tables for item in table.items())


def _fetch_names(brings: Extension) -> Iterator[tuple[bytes, FetchItem]]:
    yield from brings.fetch_names.items()
    for piece in brings.fetch_pieces:
        yield from piece.names.items()
    for column in brings.fetch_columns:
        name = column.name.encode("ascii")
        if name not in brings.fetch_names:
            yield name, FetchAttribute(column.name)


def _commands(specs: Iterable[CommandSpec[Any]]) -> Iterator[tuple[str, CommandSpec[Any]]]:
    for spec in specs:
        yield spec.name, spec
        if spec.uid:
            updates = Updates.ALL if spec.updates is Updates.NO_EXPUNGES else spec.updates
            yield f"UID {spec.name}", replace(spec, name=f"UID {spec.name}", updates=updates)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


NamedT = TypeVar("NamedT", bound=_Named)


def tables_of(session: Session) -> Tables:
    """The tables of the session's server."""
    return _TABLES.of(session)


def set_tables(factory: Resources, tables: Tables) -> None:
    """Give the sessions of a factory their tables, before there are any."""
    factory.kept[_TABLES] = tables


def _no_tables(factory: Resources) -> Tables:
    return Tables.build(())


_TABLES = PerServer(_no_tables)
