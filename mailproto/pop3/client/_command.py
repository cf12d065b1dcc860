"""A command to a server, which need not wait for the answers to the commands before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from twisted.internet.defer import Deferred

from mailproto.client.base import Turn
from mailproto.client.errors import ClientError, CommandRefused, ProtocolViolation
from mailproto.pop3.client._sinks import NoSink, Sink
from mailproto.pop3.wire import Body, POP3Event, Reply

if TYPE_CHECKING:
    from mailproto.pop3.client._session import POP3Session

__all__ = ["Command"]

T = TypeVar("T")


class Command(Turn, Generic[T]):
    """One command with its answer.

    If its result is cancelled, it is not sent; if it was sent, its answer is read and dropped.

    :param name: the command's name, for the texts of errors.
    :param line: the whole line.
    :param read: makes the result of the first line of a positive answer; not used with ``sink``.
    :param sink: takes the lines of a positive answer, and makes the result.
    """

    __slots__ = ("_read", "_session", "_sink", "_trouble", "line", "name", "result")

    def __init__(
        self,
        session: POP3Session,
        name: str,
        line: bytes,
        *,
        read: Callable[[Reply], T] | None = None,
        sink: Sink[T] | None = None,
    ) -> None:
        self._session = session
        self.name = name
        self.line = line
        self._read = read
        self._sink: Sink[Any] | None = sink
        self._trouble: BaseException | None = None  # of the sink
        self.result: Deferred[T] = Deferred(self._cancelled)

    def begin(self) -> None:
        """Send the command."""
        session = self._session
        session.wire.expect(multiline=self._sink is not None)
        session.ask(self.name, self._on_reply, session.timeouts.command)
        session.write(self.line)

    def fail(self, error: ClientError) -> None:
        """The connection ended before its turn, or before its answer."""
        self._done(error)

    def _on_reply(self, event: POP3Event) -> None:
        if not isinstance(event, Reply):  # pragma: no cover - the wire gives no body before a reply
            raise TypeError(event)
        if not event.is_ok:
            self._answered(CommandRefused(reply=event))
        elif self._sink is not None:
            self._expect_more()
        else:
            self._answered(*self._made(lambda: self._read(event) if self._read else None))

    def _on_body(self, event: POP3Event) -> None:
        sink: Any = self._sink
        if not isinstance(event, Body):  # pragma: no cover - the wire gives a body until its end
            raise TypeError(event)
        if self._trouble is None:
            try:
                sink.take(event.octets)
            except ProtocolViolation as error:
                self._session.fail(error)
                return
            except Exception as error:  # of the application's file
                self._trouble = error
        if not event.is_last:
            self._expect_more()
        elif self._trouble is not None:
            self._answered(self._trouble)
        else:
            self._answered(*self._made(sink.end))

    def _expect_more(self) -> None:
        session = self._session
        session.connection.expect_next(self.name, self._on_body, session.timeouts.block)

    def _made(self, make: Callable[[], Any]) -> tuple[BaseException | None, Any]:
        try:
            return None, make()
        except ProtocolViolation as error:
            # What the server says is not what was asked: its other answers cannot be relied on, either.
            self._session.fail(error)
            return error, None

    def _answered(self, error: BaseException | None, value: Any = None) -> None:
        self._session.answered(self)
        self._done(error, value)
        self._session.advance()

    def _done(self, error: BaseException | None, value: Any = None) -> None:
        if self.result.called:  # it was cancelled, or has failed with the connection
            return
        if error is None:
            self.result.callback(value)
        else:
            self.result.errback(error)

    def _cancelled(self, _: Deferred[T]) -> None:
        if not self._session.drop(self) and self._sink is not None:
            self._sink = NoSink()
