"""One connection to a destination, and the messages that it carries."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from mailproto.client.errors import ClientError
from mailproto.content import Octets
from mailproto.errors import MailError
from mailproto.model import Outcome, Parameters
from mailproto.printable import printable
from mailproto.relay._connections import Connection, Unreachable, outcome_of_reply
from mailproto.relay._conversion import NotConvertible, is_binary, may_need_conversion
from mailproto.relay._destination import Destination, Held, Lane, LaneKey, Result
from mailproto.relay._header_form import with_ascii_header
from mailproto.smtp import SMTPClient
from mailproto.smtp.errors import outcome_of
from mailproto.smtp.sending import Transmission

if TYPE_CHECKING:
    from mailproto.relay._dispatcher import Dispatcher

__all__ = ["Carrier"]

PIPELINED = 2
"""Messages given to a connection at a time: the second one's commands follow the first one's content."""

TURN = 20
"""Messages after which a connection is given up if other destinations wait for one..."""

TURN_SECONDS = 5.0
"""... and seconds, whichever comes first."""

SLOW_OPENING = 5.0
"""Seconds after which a connection that is still being opened leaves its place to others."""

MOST_LOSSES = 2
"""How many new connections may be lost before any reply about a message, before that counts as an attempt."""


_Send: TypeAlias = Callable[[Octets, Parameters], Deferred[list[Outcome]]]


class _Sending:
    """A message that was given to the connection."""

    __slots__ = ("done", "held", "indexes", "transmission")

    def __init__(self, held: Held, indexes: Sequence[int]) -> None:
        self.held = held
        self.indexes = indexes
        self.transmission: Transmission
        self.done: Deferred[list[Outcome]]


class Carrier:
    """Opens a connection for a lane, and sends the messages that wait there, until none is left.

    :ivar connection: None while it is being opened.
    """

    def __init__(self, dispatcher: Dispatcher, destination: Destination, lane: Lane) -> None:
        self._dispatcher = dispatcher
        self._destination = destination
        self._lane = lane
        self._clock = dispatcher.clock
        self._began = self._clock.seconds()
        self._carried = 0
        self.connection: Connection | None = None

    async def run(self) -> None:
        """Carry messages; raises nothing."""
        dispatcher, destination, lane = self._dispatcher, self._destination, self._lane
        lane.carriers += 1
        lane.opening += 1
        failure: Unreachable | None = None
        try:
            try:
                connection = self._kept() or await self._connect()
            finally:
                lane.opening -= 1
            self.connection = connection
            dispatcher.connected(self, destination)
            try:
                await self._carry(connection)
            finally:
                dispatcher.connections.put(connection)
        except Unreachable as error:
            failure = error
        except CancelledError:
            pass
        except Exception:
            failure = dispatcher.broken()
            if self.connection is not None:
                self.connection.client.abort()
        finally:
            lane.carriers -= 1
            dispatcher.ended(self, destination, lane, failure)

    @property
    def _domain(self) -> str:
        """A domain of the destination."""
        return self._lane.waiting[0].recipients[0].recipient.address.domain

    def _kept(self) -> Connection | None:
        key = self._lane.key
        return None if key.tried else self._dispatcher.connections.kept(self._domain, key.require_tls)

    async def _connect(self) -> Connection:
        """:raises Unreachable:"""
        key = self._lane.key
        slow = self._clock.callLater(SLOW_OPENING, self._dispatcher.is_slow, self)
        try:
            return await self._dispatcher.connections.get(self._domain, key.require_tls, key.tried)
        finally:
            if slow.active():
                slow.cancel()

    async def _carry(self, connection: Connection) -> None:
        pending: deque[_Sending] = deque()
        while True:
            while len(pending) < PIPELINED and (held := self._next(connection, len(pending))) is not None:
                sending = self._begin(connection, held)
                if sending is not None:
                    pending.append(sending)
            if not pending:
                return
            sending = pending.popleft()
            try:
                outcomes = await sending.done
            except ClientError as error:
                self._unanswered(connection, sending.held, error)
            except (OSError, ValueError, MailError) as error:
                self._unsent(connection, sending.held, error)
            else:
                self._answered(connection, sending, outcomes)

    def _next(self, connection: Connection, waiting: int) -> Held | None:
        """The next message for the connection, if it takes one."""
        dispatcher = self._dispatcher
        if (
            not self._lane.waiting
            or not dispatcher.connections.is_fresh(connection)
            or not Transmission.has_room(connection.client, waiting)
            or (dispatcher.is_crowded and self._had_its_turn())
        ):
            return None
        return dispatcher.take(self._destination, self._lane)

    def _had_its_turn(self) -> bool:
        return self._carried >= TURN or self._clock.seconds() >= self._began + TURN_SECONDS

    def _begin(self, connection: Connection, held: Held) -> _Sending | None:
        """Give a message to the connection; None if it is finished without that."""
        client, message = connection.client, held.lease.message
        self._carried += 1
        connection.sent += 1
        prepared = self._dispatcher.prepare(held)
        if prepared is None:
            return None
        original, parameters = prepared
        content = with_ascii_header(original, client.capabilities, parameters)
        if not message.envelope.sender and "REQUIRETLS" in parameters and not _keeps_tls(client):
            parameters = {each: value for each, value in parameters.items() if each != "REQUIRETLS"}
        indexes = range(len(held.recipients)) if held.results.count(None) == len(held.results) else held.left
        recipients = [held.recipients[index].recipient for index in indexes]

        def send(content: Octets, parameters: Parameters) -> Deferred[list[Outcome]]:
            sending.transmission = Transmission(message.envelope.sender, recipients, content, parameters)
            return sending.transmission.begin(client)

        sending = _Sending(held, indexes)
        if may_need_conversion(client.capabilities, parameters):
            sending.done = ensureDeferred(self._converted(held, original, content, parameters, send))
        elif content is not original:
            sending.done = ensureDeferred(self._signed_again(original, content, parameters, send))
        else:
            sending.done = send(content, parameters)
        return sending

    async def _converted(
        self,
        held: Held,
        original: Octets,
        content: Octets,
        parameters: Parameters,
        send: _Send,
    ) -> list[Outcome]:
        """Send a message to a server that may not take it as it is.

        :param original: as it was signed; ``content`` may have another header.
        :raises OSError, ValueError, MailError: it cannot be read, or its new form cannot be written.
        """
        if held.converted is None:
            try:
                converter = self._dispatcher.converter
                held.converted = await converter.convert(
                    content,
                    is_binary=is_binary(parameters),
                    is_international="SMTPUTF8" in parameters,
                    original=original,
                )
            except NotConvertible as error:
                outcomes = await send(content, parameters)  # which does not send it, but says what is missing
                return [_with_reason(outcome, error) for outcome in outcomes]
        if held.converted is None:
            return await send(content, parameters)
        others = {keyword: value for keyword, value in parameters.items() if keyword != "BODY"}
        return await send(held.converted, others)

    async def _signed_again(
        self, original: Octets, content: Octets, parameters: Parameters, send: _Send
    ) -> list[Outcome]:
        """Send a message with another header.  :raises OSError, MailError: it cannot be read."""
        return await send(await self._dispatcher.converter.sign_again(original, content), parameters)

    # -- what became of it

    def _unanswered(self, connection: Connection, held: Held, error: ClientError) -> None:
        """The connection was lost before there was any reply about the message."""
        if not connection.is_reused and not connection.answered:
            held.losses += 1
            self._dispatcher.failed(self._destination, outcome_of(error), connection.host)
        if held.losses >= MOST_LOSSES:
            held.fill(connection.result(outcome_of(error)))
            self._dispatcher.finish(held)
        else:
            self._dispatcher.again(held)

    def _unsent(self, connection: Connection, held: Held, error: Exception) -> None:
        """The message could not be converted."""
        outcome = Outcome(451, "4.3.0", "This server cannot convert the message now", printable(str(error)))
        held.fill(Result(outcome))
        self._dispatcher.finish(held)

    def _answered(self, connection: Connection, sending: _Sending, outcomes: Sequence[Outcome]) -> None:
        held, transmission = sending.held, sending.transmission
        connection.answered += 1
        for index, outcome in zip(sending.indexes, outcomes, strict=True):
            result = connection.result(outcome_of_reply(outcome))
            # Without a reply the message did not go, because the server does not offer what it needs.
            held.results[index] = result if transmission.is_answered else result._replace(host="")
        refusal, error = transmission.refusal, transmission.error
        refusal = None if refusal is None else outcome_of_reply(refusal)
        if error is not None:
            self._dispatcher.failed(self._destination, outcome_of(error), connection.host)
        elif refusal is not None and refusal.code < 500:
            self._dispatcher.failed(self._destination, refusal, connection.host)
            if connection.others:
                self._elsewhere(connection, sending, refusal)
                return
        else:
            self._dispatcher.succeeded(self._destination)
            if transmission.untried:  # the server takes no more messages on this connection
                for at in transmission.untried:
                    held.results[sending.indexes[at]] = None
                self._dispatcher.again(held)
                return
        self._dispatcher.finish(held)

    def _elsewhere(self, connection: Connection, sending: _Sending, refusal: Outcome) -> None:
        """The server does not want the message now: the domain's next one may."""
        held = sending.held
        held.refusal = connection.result(refusal)
        for index in sending.indexes:
            result = held.results[index]
            if result is not None and result.outcome == refusal:
                held.results[index] = None
        held.lane = LaneKey(held.lane.require_tls, held.lane.tried | {connection.identity})
        self._dispatcher.again(held)


def _with_reason(outcome: Outcome, error: NotConvertible) -> Outcome:
    if outcome.enhanced != "5.6.3":
        return outcome
    return replace(outcome, text=f"{outcome.text}; it cannot be converted: {error}")


def _keeps_tls(client: SMTPClient) -> bool:
    """Whether the server may get REQUIRETLS (RFC 8689 4.2.1)."""
    return client.is_verified and "REQUIRETLS" in client.capabilities
