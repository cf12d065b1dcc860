"""One command of a client: what is sent, and what of the server's data belongs to it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailproto.client.base import Turn
from mailproto.client.errors import ClientError
from mailproto.content import Content, Octets
from mailproto.imap.client._uid_set import UidSet
from mailproto.imap.wire._answers import BodyBegins, Continuation, Data, Fetches, StatusResponse

__all__ = ["BodyWriter", "Collector", "Command", "Literal", "Piece"]


class Literal:
    """Octets that are sent as a literal.

    :ivar binary: whether it is a literal8, which may have NUL (RFC 3516).
    """

    __slots__ = ("binary", "octets")

    def __init__(self, octets: Octets, *, binary: bool = False) -> None:
        self.octets = octets
        self.binary = binary


Piece: TypeAlias = bytes | Literal
"""A part of a command's text."""


class BodyWriter(Protocol):
    """Takes the octets of a large literal."""

    def write(self, octets: bytes) -> None:
        """Take some octets."""

    def end(self) -> Content | None:
        """All have come; returns what stands for the literal."""


class Collector:
    """Takes the data that answer a command; by itself, it takes none."""

    is_given_up = False
    """Whether nobody wants the answer any more: the command need not be sent."""

    def take(self, data: Data, uid: int | None) -> bool:
        """Take a response; False if it is no answer to this command.

        :param uid: of a FETCH response.
        """
        return False

    def take_some(self, fetches: Fetches, start: int) -> int:
        """Take responses that came together, from number ``start`` on, if that is quicker than `take`.

        :returns: how many, without a gap; 0 to be offered the first one alone.
        """
        return 0

    def body(self, begins: BodyBegins, uid: int | None) -> BodyWriter | None:
        """What takes a large literal of a response, which comes afterwards; None if it is not wanted here."""
        return None

    def note(self, status: StatusResponse) -> None:
        """An untagged OK, NO or BAD has come."""

    def fail(self, error: ClientError) -> None:
        """The connection has ended."""


class Command(Turn):
    """A command that waits for its turn, or for its answer.

    :param name: with UID, if it has that; for texts of errors.
    :param pieces: the command after its tag, without CRLF.
    :param names: the names of the responses that `collector` takes.  Two commands with the same name are not
        sent together, unless the UIDs differ, or the mailboxes.
    :param uids: the messages that it is about, if they are known.
    :param mailbox: the one that all its data name, if they do so; ``""`` is the server itself.
    :param tagged: whether all its data name its tag, as ESEARCH does.
    :param alone: whether no other command may be under way.
    :ivar result: fires with the tagged response if it is OK.
    """

    __slots__ = (
        "alone",
        "collector",
        "heard",
        "is_turn",
        "literal",
        "mailbox",
        "name",
        "names",
        "rest",
        "result",
        "tag",
        "tagged",
        "timeout",
        "uids",
    )

    def __init__(
        self,
        name: str,
        pieces: Iterable[Piece],
        collector: Collector | None = None,
        names: Collection[str] = (),
        *,
        uids: UidSet | None = None,
        mailbox: str | None = None,
        alone: bool = False,
        tagged: bool = False,
        timeout: float | None = None,
    ) -> None:
        self.name = name
        self.rest: Iterator[Piece] = iter(pieces)
        self.collector = collector
        self.names = frozenset(names)
        self.uids = uids
        self.mailbox = mailbox
        self.alone = alone
        self.tagged = tagged
        self.timeout = timeout
        self.tag = ""
        self.literal: Literal | None = None  # for which the server's permission is awaited
        self.is_turn = False  # whether others wait until it is sent
        self.heard: Deferred[Continuation | StatusResponse] | None = None  # in a dialogue: what comes next
        self.result: Deferred[StatusResponse] = Deferred()

    def may_join(self, other: Command) -> bool:
        """Whether it may be sent before ``other`` is answered (RFC 9051 5.5)."""
        if self.alone or other.alone:
            return False
        if not self.names & other.names or (self.tagged and other.tagged):
            return True
        if self.mailbox is not None and other.mailbox is not None:
            return self.mailbox != other.mailbox
        mine, others = self.uids, other.uids
        return mine is not None and others is not None and not mine.overlaps(others)

    def cancellable(self, drop: Callable[[Turn], object]) -> Deferred[StatusResponse]:
        """The result of a command that waits for its turn.

        :param drop: called if this is cancelled; a command that was sent goes on, and its answer is dropped.
        """

        def cancelled(_: Deferred[StatusResponse]) -> None:
            drop(self)

        waiting: Deferred[StatusResponse] = Deferred(cancelled)

        def answered(ending: StatusResponse) -> None:
            if not waiting.called:
                waiting.callback(ending)

        def failed(failure: Failure) -> None:
            if not waiting.called:
                waiting.errback(failure)

        self.result.addCallbacks(answered, failed)
        return waiting

    def fail(self, error: ClientError) -> None:
        """The connection ended before it was answered."""
        heard, self.heard = self.heard, None
        if heard is not None:
            heard.errback(error)
        if self.collector is not None:
            self.collector.fail(error)
        if not self.result.called:
            self.result.errback(error)
