"""The tables of grammars and of handlers agree."""

from __future__ import annotations

from typing import Any, get_args, get_origin, get_type_hints

from twisted.trial.unittest import SynchronousTestCase

from mailproto.imap.server import _commands
from mailproto.imap.server._server import IMAPServer
from mailproto.imap.wire import _parser


def _union(annotation: Any) -> set[Any]:
    return {annotation} if get_origin(annotation) is None else set(get_args(annotation))


class TableTests(SynchronousTestCase):
    def test_each_handler_takes_what_the_grammars_of_its_command_give(self) -> None:
        given: dict[str, set[Any]] = {}
        for name, _, grammar in _parser.GRAMMARS.values():
            given.setdefault(name, set()).update(_union(get_type_hints(grammar)["return"]))
        self.assertEqual(set(given), set(_commands.COMMANDS))
        for name, rule in _commands.COMMANDS.items():
            with self.subTest(command=name):
                hints = get_type_hints(rule.handler, localns={"IMAPServer": IMAPServer})
                [arguments] = get_args(hints["command"])
                self.assertEqual(_union(arguments), given[name])
