"""One connection to a destination, and the messages that it carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.python.failure import Failure

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

QUICK = 0.05
"""Seconds within which a server has answered its latest message completely, to count as quick..."""

QUICKLY = 6
"""... so that so many messages are given to its connection at a time, before another connection gets any."""

SLOW_OPENING = 5.0
"""Seconds after which a connection that is still being opened leaves its place to others."""

MOST_LOSSES = 2
"""How many new connections may be lost before any reply about a message, before that counts as an attempt."""


class _Sending:
    """A message that was given to the connection."""

    __slots__ = ("began", "held", "indexes", "transmission")

    def __init__(self, held: Held, began: float) -> None:
        self.held = held
        self.indexes: Sequence[int] = held.left if held.has_results else range(len(held.recipients))
        self.began = began
        self.transmission: Transmission

    def send(self, client: SMTPClient, content: Octets, parameters: Parameters) -> Deferred[list[Outcome]]:
        """Give it to a client."""
        held = self.held
        recipients = [held.recipients[index].recipient for index in self.indexes]
        sender = held.lease.message.envelope.sender
        self.transmission = Transmission(sender, recipients, content, parameters)
        return self.transmission.begin(client)


class Carrier:
    """Opens a connection for a lane, and sends the messages that wait there, until none is left.

    It works with callbacks, which cost less than a coroutine: on a busy relay, most carry one message or two.

    :ivar connection: None while it is being opened.
    """

    __slots__ = (
        "_began",
        "_carried",
        "_clock",
        "_destination",
        "_dispatcher",
        "_failure",
        "_is_going_on",
        "_lane",
        "_opening",
        "_pending",
        "connection",
    )

    def __init__(self, dispatcher: Dispatcher, destination: Destination, lane: Lane) -> None:
        self._dispatcher = dispatcher
        self._destination = destination
        self._lane = lane
        self._clock = dispatcher.clock
        self._began = 0.0  # when it got its connection
        self._carried = 0
        self._pending = 0  # messages that were given to the connection and are not answered
        self._is_going_on = False
        self._failure: Unreachable | None = None
        self._opening: Deferred[None] | None = None
        self.connection: Connection | None = None

    def start(self) -> None:
        """Carry messages; raises nothing, and calls `Dispatcher.ended` in the end."""
        lane = self._lane
        lane.carriers += 1
        self._destination.carriers += 1
        try:
            connection = None if lane.key.tried else self._kept()
        except Exception:
            self._failure = self._dispatcher.broken()
            self._end()
            return
        if connection is None:
            lane.opening += 1
            self._opening = ensureDeferred(self._open())
        else:
            self._carry(connection)

    def stop_opening(self) -> None:
        """End it, if it has no connection yet."""
        if self.connection is None and self._opening is not None:
            self._opening.cancel()

    @property
    def _domain(self) -> str:
        """A domain of the destination."""
        return self._lane.waiting[0].recipients[0].recipient.address.domain

    def _kept(self) -> Connection | None:
        return self._dispatcher.connections.kept(self._domain, self._lane.key.require_tls)

    async def _open(self) -> None:
        connection: Connection | None = None
        try:
            connection = await self._connect()
        except Unreachable as error:
            self._failure = error
        except CancelledError:
            pass
        except Exception:
            self._failure = self._dispatcher.broken()
        self._lane.opening -= 1
        if connection is None:
            self._end()
        else:
            self._carry(connection)

    async def _connect(self) -> Connection:
        """:raises Unreachable:"""
        key = self._lane.key
        slow = self._clock.callLater(SLOW_OPENING, self._dispatcher.is_slow, self)
        try:
            return await self._dispatcher.connections.get(self._domain, key.require_tls, key.tried)
        finally:
            if slow.active():
                slow.cancel()

    def _carry(self, connection: Connection) -> None:
        self.connection = connection
        self._began = self._clock.seconds()
        self._dispatcher.connected(self, self._destination)
        self._go_on(connection)

    def go_on(self) -> None:
        """Take what waits in the lane; only for those that are in `Lane.quick`."""
        if self.connection is not None:
            self._go_on(self.connection)

    def _go_on(self, connection: Connection) -> None:
        """Give the connection as many messages as it takes; end if it has none then."""
        if self._is_going_on:  # what it was given was answered at once
            return
        self._is_going_on = True
        self._lane.quick.pop(self, None)
        try:
            depth = QUICKLY if connection.is_quick else PIPELINED
            while self._pending < depth and self._failure is None:
                held = self._next(connection)
                if held is None:
                    break
                self._begin(connection, held)
        except Exception:
            self._broken(connection)
        self._is_going_on = False
        if not self._pending:
            if self._failure is None:
                self._dispatcher.connections.put(connection)
            self._end()
        elif connection.is_quick and self._pending < QUICKLY and self._failure is None:
            self._lane.quick[self] = None

    def _end(self) -> None:
        self._lane.carriers -= 1
        self._destination.carriers -= 1
        self._dispatcher.ended(self, self._destination, self._lane, self._failure)

    def _broken(self, connection: Connection) -> None:
        """There was an unexpected exception: end the connection."""
        self._failure = self._dispatcher.broken()
        connection.client.abort()

    def _next(self, connection: Connection) -> Held | None:
        """The next message for the connection, if it takes one."""
        dispatcher = self._dispatcher
        if (
            not self._lane.waiting
            or not dispatcher.connections.is_fresh(connection, self._pending)
            or (dispatcher.is_crowded and self._had_its_turn())
        ):
            return None
        return dispatcher.take(self._destination, self._lane)

    def _had_its_turn(self) -> bool:
        return self._carried >= TURN or self._clock.seconds() >= self._began + TURN_SECONDS

    def _begin(self, connection: Connection, held: Held) -> None:
        """Give a message to the connection, unless it is finished without that."""
        self._carried += 1
        connection.sent += 1
        sending = _Sending(held, self._clock.seconds())
        try:
            done = self._send(connection.client, sending)
        except Exception:
            self._dispatcher.fault(held, Failure())
            return
        if done is None:
            return
        self._pending += 1
        done.addCallbacks(self._answered, self._failed, (connection, sending), {}, (connection, held), {})
        done.addBoth(self._done, connection, held)

    def _send(self, client: SMTPClient, sending: _Sending) -> Deferred[list[Outcome]] | None:
        """Give a message to a client; None if it has its results without that."""
        held = sending.held
        prepared = self._dispatcher.prepare(held)
        if prepared is None:
            return None
        original, parameters = prepared
        capabilities = client.capabilities
        content = with_ascii_header(original, capabilities, parameters)
        if "REQUIRETLS" in parameters and not held.lease.message.envelope.sender and not _keeps_tls(client):
            parameters = {each: value for each, value in parameters.items() if each != "REQUIRETLS"}
        if may_need_conversion(capabilities, parameters):
            return ensureDeferred(self._converted(sending, client, original, content, parameters))
        if content is not original:
            return ensureDeferred(self._signed_again(sending, client, original, content, parameters))
        return sending.send(client, content, parameters)

    def _done(self, result: object, connection: Connection, held: Held) -> None:
        self._pending -= 1
        if isinstance(result, Failure):
            self._dispatcher.fault(held, result)
        self._go_on(connection)

    async def _converted(
        self,
        sending: _Sending,
        client: SMTPClient,
        original: Octets,
        content: Octets,
        parameters: Parameters,
    ) -> list[Outcome]:
        """Send a message to a server that may not take it as it is.

        :param original: as it was signed; ``content`` may have another header.
        :raises OSError, ValueError, MailError: it cannot be read, or its new form cannot be written.
        """
        held = sending.held
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
                # The client does not send it, but says what is missing.
                outcomes = await sending.send(client, content, parameters)
                return [_with_reason(outcome, error) for outcome in outcomes]
        if held.converted is None:
            return await sending.send(client, content, parameters)
        others = {keyword: value for keyword, value in parameters.items() if keyword != "BODY"}
        return await sending.send(client, held.converted, others)

    async def _signed_again(
        self,
        sending: _Sending,
        client: SMTPClient,
        original: Octets,
        content: Octets,
        parameters: Parameters,
    ) -> list[Outcome]:
        """Send a message with another header.  :raises OSError, MailError: it cannot be read."""
        signed = await self._dispatcher.converter.sign_again(original, content)
        return await sending.send(client, signed, parameters)

    # -- what became of it

    def _failed(self, failure: Failure, connection: Connection, held: Held) -> None:
        error = failure.value
        if isinstance(error, ClientError):
            self._unanswered(connection, held, error)
        elif isinstance(error, (OSError, ValueError, MailError)):
            self._unsent(connection, held, error)
        else:
            failure.raiseException()

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

    def _answered(self, outcomes: Sequence[Outcome], connection: Connection, sending: _Sending) -> None:
        held, transmission = sending.held, sending.transmission
        connection.answered += 1
        connection.is_quick = self._clock.seconds() - sending.began < QUICK
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
