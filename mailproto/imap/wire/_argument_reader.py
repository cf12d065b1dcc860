"""Reads the arguments of a command that is not built in."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mailproto.imap.wire._cursor import Cursor, LiteralWanted
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._sequence_set import SequenceSet

__all__ = ["ArgumentReader", "own_arguments"]

T = TypeVar("T")


class ArgumentReader:
    """The arguments of a command of your own, read from left to right.

    Each method reads one argument, with the space before it, or raises `IMAPWireError`; let that pass, and
    the client gets BAD.  Strings may be literals: their octets have arrived already.  Call `end` last, before
    the command does anything, so that a client that sends too much is told.
    """

    __slots__ = ("_after_parenthesis", "_cursor")

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._after_parenthesis = False

    def __repr__(self) -> str:
        return "<ArgumentReader>"  # without the arguments, which may be secrets

    def atom(self) -> str:
        """An atom, such as a keyword, in upper case."""
        self._space()
        return self._cursor.atom()

    def number(self) -> int:
        """A number, at most 2**63 - 1."""
        self._space()
        return self._cursor.number()

    def string(self) -> bytes:
        """A quoted string or a literal."""
        self._space()
        return self._cursor.string()

    def nstring(self) -> bytes | None:
        """A string, or None for NIL."""
        self._space()
        return None if self._cursor.nil() else self._cursor.string()

    def astring(self) -> bytes:
        """An atom, a quoted string, or a literal."""
        self._space()
        return self._cursor.astring()

    def text(self) -> str:
        """An `astring` in UTF-8, as text."""
        octets = self.astring()
        try:
            return octets.decode()
        except UnicodeDecodeError:
            raise IMAPWireError("Expected UTF-8") from None

    def mailbox(self) -> str:
        """A mailbox name, decoded."""
        self._space()
        return self._cursor.mailbox()

    def sequence_set(self) -> SequenceSet:
        """A set of message numbers or UIDs."""
        self._space()
        return self._cursor.set_of_numbers()

    def list_of(self, read: Callable[[], T]) -> list[T]:
        """A list in parentheses, which may be empty.

        :param read: reads each item, such as ``arguments.astring``.
        """
        self._space()
        if not self._cursor.take(b"("):
            raise IMAPWireError("Expected a list")
        items: list[T] = []
        if self._cursor.take(b")"):
            return items
        self._after_parenthesis = True
        items.append(read())
        while not self._cursor.take(b")"):
            items.append(read())
        return items

    def at_end(self) -> bool:
        """Whether there are no more arguments."""
        return self._cursor.at_end()

    def end(self) -> None:
        """Check that there are no more arguments."""
        self._cursor.end()

    def _space(self) -> None:
        if self._after_parenthesis:
            self._after_parenthesis = False
        else:
            self._cursor.space()


def own_arguments(cursor: Cursor) -> ArgumentReader:
    """The grammar of commands that are not built in: their handler reads the arguments."""
    if cursor.text.endswith(b"}\r\n") and not cursor.has_literals:
        raise LiteralWanted  # the wire has read the command up to its first literal
    return ArgumentReader(cursor)
