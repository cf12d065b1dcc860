"""The tables of extensions: all that they bring, once, if the backend provides for it."""

from __future__ import annotations

from typing import Any, get_args, get_origin, get_type_hints

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface

from mailproto.connection.commands import State
from mailproto.imap.extensions import (
    CORE,
    STANDARD,
    CommandSpec,
    Extension,
    FetchColumn,
    Session,
    StatusItem,
    Tables,
    Updates,
)
from mailproto.imap.wire import Command, NoArguments, Streamed, grammars


def _union(annotation: Any) -> set[Any]:
    return {annotation} if get_origin(annotation) is None else set(get_args(annotation))


class IShelf(Interface):
    """An add-on."""


async def shelve(session: Session, command: Command[NoArguments]) -> None:
    """A command that does nothing."""


SHELF = Extension(
    "XSHELF",
    capabilities=("XSHELF",),
    commands=(CommandSpec("XSHELF", grammars.no_arguments, shelve, updates=Updates.NO_EXPUNGES, uid=True),),
    status_items=(StatusItem("XSHELVES", lambda session, status: b"1"),),
    fetch_columns=(FetchColumn("XSHELF", b"XSHELF %d", lambda batch: [1] * len(batch.indexes)),),
)


class TableTests(SynchronousTestCase):
    def test_each_handler_takes_what_its_grammar_gives(self) -> None:
        """mypy checks it too, where it knows the types of both."""
        for name, spec in Tables.build(STANDARD).commands.items():
            with self.subTest(command=name):
                is_streamed = isinstance(spec.grammar, Streamed)
                given = get_type_hints(spec.grammar.read if is_streamed else spec.grammar)["return"]
                if is_streamed:
                    given = get_args(given)[2]
                [taken] = get_args(get_type_hints(spec.handler)["command"])
                self.assertEqual(_union(taken), _union(given))

    def test_all_that_an_extension_brings(self) -> None:
        tables = Tables.build([*STANDARD, SHELF])
        self.assertIn(b" XSHELF", tables.announced)
        self.assertIs(tables.commands["UID XSHELF"].updates, Updates.ALL)
        self.assertIs(tables.commands["XSHELF"].states, State.SIGNED_IN)
        self.assertIn(b"UID XSHELF", tables.syntax.commands)
        self.assertIn("XSHELVES", tables.syntax.status_items)
        self.assertIn(b"XSHELF", tables.syntax.fetch_names)

    def test_what_the_backend_does_not_provide_for(self) -> None:
        needy = Extension("XSHELF", capabilities=("XSHELF",), needs=frozenset({IShelf}))
        for offered, announced in ((frozenset(), False), (frozenset({IShelf}), True)):
            tables = Tables.build([*STANDARD, needy], offered)
            self.assertEqual(b" XSHELF" in tables.announced, announced)

    def test_twice_is_an_error(self) -> None:
        with self.assertRaises(ValueError) as caught:
            Tables.build([*STANDARD, SHELF, SHELF])
        self.assertEqual(str(caught.exception), "XSHELF brings the command 'XSHELF', which is there already")
        for again in (
            Extension("X", capabilities=("idle",)),
            Extension("X", status_items=SHELF.status_items),
            Extension("X", fetch_columns=SHELF.fetch_columns),
        ):
            with self.assertRaises(ValueError):
                Tables.build([*STANDARD, SHELF, again])

    def test_the_core_alone(self) -> None:
        tables = Tables.build(CORE)
        self.assertEqual(tables.announced, b"IMAP4rev1")
        self.assertNotIn("IDLE", tables.commands)
        self.assertEqual(tables.syntax.append_messages, 1)
