"""What a grammar reads a command's arguments with, and the tables that grammars look words up in."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

from mailproto.imap.wire._cursor import Cursor, LiteralWanted
from mailproto.imap.wire._errors import IMAPWireError
from mailproto.imap.wire._limits import IMAPWireLimits
from mailproto.imap.wire._sequence_set import SequenceSet

__all__ = [
    "NO_OPTIONS",
    "ArgumentReader",
    "CommandSyntax",
    "Grammar",
    "Option",
    "Options",
    "Steps",
    "Streamed",
    "Syntax",
    "Upload",
    "no_value",
    "own_arguments",
]

A = TypeVar("A")
T = TypeVar("T")
V = TypeVar("V")


class ArgumentReader(Cursor):
    """The arguments of a command, read from left to right.

    Each method reads one argument, with the space before it, or raises `IMAPWireError`; let that pass, and
    the client gets BAD.  Strings may be literals: their octets have arrived already.  In a list, call `open`
    first and `close` last: after a parenthesis there is no space.

    The methods with ``_here`` read no space; `take`, `follows` and `match` look at single octets.

    :ivar syntax: the words that the server knows.
    """

    __slots__ = ("_after_parenthesis", "labels", "syntax")

    def __init__(
        self,
        octets: bytes,
        literals: Sequence[bytes],
        position: int,
        *,
        limits: IMAPWireLimits,
        utf8: bool,
        syntax: Syntax,
    ) -> None:
        super().__init__(octets, literals, position, limits=limits, utf8=utf8)
        self.syntax = syntax
        self.labels = limits.fetch_labels  # octets that labels of FETCH may still have
        self._after_parenthesis = False

    def __repr__(self) -> str:
        return "<ArgumentReader>"  # without the arguments, which may be secrets

    def atom(self) -> str:
        """An atom, such as a keyword, in upper case."""
        self._space()
        return self.atom_here()

    def number(self) -> int:
        """A number, at most 2**63 - 1."""
        self._space()
        return self.number_here()

    def string(self) -> bytes:
        """A quoted string or a literal."""
        self._space()
        return self.string_here()

    def nstring(self) -> bytes | None:
        """A string, or None for NIL."""
        self._space()
        return None if self.nil() else self.string_here()

    def binary(self) -> bytes | None:
        """A string that may be a literal8 and have NUL, or None for NIL (RFC 3516)."""
        self._space()
        return None if self.nil() else self.binary_here()

    def astring(self) -> bytes:
        """An atom, a quoted string, or a literal."""
        self._space()
        return self.astring_here()

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
        return self.mailbox_here()

    def sequence_set(self) -> SequenceSet:
        """A set of message numbers or UIDs."""
        self._space()
        return self.set_here()

    def list_of(self, read: Callable[[], T]) -> list[T]:
        """A list in parentheses, which may be empty.

        :param read: reads each item, such as ``arguments.astring``.
        """
        self.open()
        items: list[T] = []
        while not self.closes():
            items.append(read())
        return items

    def open(self) -> None:
        """The parenthesis at the beginning of a list."""
        self._space()
        if not self.take(b"("):
            raise IMAPWireError("Expected a list")
        self._after_parenthesis = True

    def closes(self) -> bool:
        """Whether the list ends here; then its parenthesis is read."""
        if not self.take(b")"):
            return False
        self._after_parenthesis = False
        return True

    def options(self, table: Mapping[str, Option[Any]], what: str, *, least: int = 0) -> Options:
        """A list in parentheses of words from a table, some with a value (RFC 4466 2.1); each of them once.

        :param what: a word of the table, for the error.
        :param least: how many there must be.
        """
        self.open()
        values: dict[str, object] = {}
        while not self.closes():
            name = self.atom()
            option = table.get(name)
            if option is None:
                raise IMAPWireError(f"Unknown {what}")
            values[name] = option.read(self)
        if len(values) < least:
            raise IMAPWireError(f"Missing {what}")
        return Options(values)

    def wait(self, read: Callable[[], T]) -> Steps[T]:
        """In a grammar that is `Streamed`: read one argument, which may be a literal that has yet to come.

        Write ``mailbox = yield from arguments.wait(arguments.mailbox)``.
        """
        while True:
            before = self.position, self.taken, self._after_parenthesis
            try:
                return read()
            except LiteralWanted:
                self.position, self.taken, self._after_parenthesis = before
                yield None

    def upload(self, arguments: object, *, binary: bool = False) -> Steps[int]:
        """In a grammar that is `Streamed`: a literal that goes to the command's ``receive`` as it comes.

        :param arguments: what ``receive`` is told, such as the message's flags.
        :param binary: whether it may be a literal8.
        :returns: its octets.
        """
        self._space()
        size, is_binary = self.announced_here(binary=binary)
        yield Upload(arguments, size, is_binary)
        return size

    def _space(self) -> None:
        if self._after_parenthesis:
            self._after_parenthesis = False
        else:
            self.space()


class Upload(NamedTuple):
    """What a grammar asks for: a literal that is not kept with the arguments.

    :ivar arguments: what belongs to it.
    :ivar binary: whether it is a literal8.
    """

    arguments: object
    size: int
    binary: bool


Steps: TypeAlias = Generator[Upload | None, None, T]
"""A grammar under way: it yields an `Upload`, or None for a literal that is one of its strings.

It goes on when the literal, and the line after it, have come.
"""


@dataclass(frozen=True, slots=True)
class Streamed(Generic[A]):
    """A grammar that asks for its literals one after another, as APPEND's does.

    :ivar read: a generator function; see `ArgumentReader.wait` and `ArgumentReader.upload`.
    """

    read: Callable[[ArgumentReader], Steps[A]]


Grammar: TypeAlias = Callable[[ArgumentReader], A] | Streamed[A]
"""Reads the arguments of a command, all of them.

A plain function is called when all literals have come.  It is also called at the first one, to find out
whether the command is valid so far; so it must do nothing else but read.
"""


@dataclass(frozen=True, slots=True)
class Option(Generic[V]):
    """A word that may be in a list of options, such as CHANGEDSINCE.

    :ivar name: in upper case.
    :ivar read: reads its value, with the space before it; `no_value` if it has none.
    """

    name: str
    read: Callable[[ArgumentReader], V]


class Options(Mapping[str, Any]):
    """The options that a client gave, in its order, with their values by name."""

    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self._values = values or {}

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Options({self._values!r})"

    def __hash__(self) -> int:
        return hash(tuple(self._values))

    def of(self, option: Option[V]) -> V | None:
        """The value of an option; None if it was not given."""
        value: V | None = self._values.get(option.name)
        return value


NO_OPTIONS = Options()


def no_value(arguments: ArgumentReader) -> None:
    """Reads nothing: for an `Option` without a value."""


class CommandSyntax(NamedTuple):
    """How one command is read.

    :ivar name: `Command.name`.
    :ivar full_name: with ``UID``, if it has that.
    :ivar grammar: reads all arguments.
    :ivar steps: the same in steps, if the grammar is `Streamed`.
    """

    name: str
    uid: bool
    full_name: str
    grammar: Callable[[ArgumentReader], Any]
    steps: Callable[[ArgumentReader], Steps[Any]] | None

    @classmethod
    def of(cls, full_name: str, grammar: Grammar[Any]) -> CommandSyntax:
        """The syntax of a command whose name may begin with ``UID``."""
        name = full_name.removeprefix("UID ")
        if isinstance(grammar, Streamed):
            return cls(name, name != full_name, full_name, _without_literals(grammar.read), grammar.read)
        return cls(name, name != full_name, full_name, grammar, None)


def _without_literals(read: Callable[[ArgumentReader], Steps[T]]) -> Callable[[ArgumentReader], T]:
    def grammar(arguments: ArgumentReader) -> T:
        steps = read(arguments)
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
        raise LiteralWanted

    return grammar


@dataclass(frozen=True, slots=True)
class Syntax:
    """The words that a server knows; all of them in upper case.

    :ivar commands: by full name.
    :ivar fetch_names: the items of FETCH that are one word.
    :ivar fetch_readers: those with arguments, by the word up to ``[``; they read what follows.
    :ivar fetch_macros: words that stand for several items.
    :ivar search_names: the keys of SEARCH that are one word.
    :ivar search_readers: those with arguments; they read what follows.
    :ivar search_returns: what may be in SEARCH's ``RETURN (...)``.
    :ivar search_charset: whether SEARCH may have CHARSET.
    :ivar list_selection: selection options of LIST; true if RECURSIVEMATCH may stand beside them alone.
    :ivar append_data: what may stand for a message in APPEND, by its first word; it reads what follows.
    :ivar append_messages: the most messages of one APPEND.
    :ivar unasked: the most octets of a literal that a client may send without being asked; None for no limit.
    """

    commands: Mapping[bytes, CommandSyntax]
    fetch_names: Mapping[bytes, Any] = field(default_factory=dict)
    fetch_readers: Mapping[bytes, Callable[[ArgumentReader], Any]] = field(default_factory=dict)
    fetch_macros: Mapping[bytes, tuple[Any, ...]] = field(default_factory=dict)
    fetch_modifiers: Mapping[str, Option[Any]] = field(default_factory=dict)
    store_modifiers: Mapping[str, Option[Any]] = field(default_factory=dict)
    search_names: Mapping[bytes, Any] = field(default_factory=dict)
    search_readers: Mapping[bytes, Callable[[Any], Any]] = field(default_factory=dict)
    search_returns: Mapping[str, Option[Any]] = field(default_factory=dict)
    search_charset: bool = True
    status_items: frozenset[str] = frozenset()
    select_parameters: Mapping[str, Option[Any]] = field(default_factory=dict)
    create_parameters: Mapping[str, Option[Any]] = field(default_factory=dict)
    list_selection: Mapping[str, bool] = field(default_factory=dict)
    list_returns: Mapping[str, Option[Any]] = field(default_factory=dict)
    append_data: Mapping[str, Callable[[ArgumentReader], Steps[Any]]] = field(default_factory=dict)
    append_messages: int = 1
    unasked: int | None = None


def own_arguments(arguments: ArgumentReader) -> ArgumentReader:
    """The grammar of commands whose handler reads the arguments."""
    if arguments.octets.endswith(b"}\r\n") and not arguments.literals:
        raise LiteralWanted  # the wire has read the command up to its first literal
    return arguments
