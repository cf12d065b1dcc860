"""Gives connections to destinations, and messages to connections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from mailproto._logger import PackageLogger
from mailproto.content import Octets
from mailproto.model import Outcome, Parameters
from mailproto.relay._carrier import Carrier
from mailproto.relay._connections import Connections, Unreachable
from mailproto.relay._conversion import Converter
from mailproto.relay._destination import Destination, Held, Lane, Result
from mailproto.relay._limits import RelayLimits
from mailproto.typing import ReactorTime

__all__ = ["Dispatcher", "Office"]


_FAULT: Final = Outcome(451, "4.3.0", "A fault of this server: its log has the traceback")


class Office(Protocol):
    """What decides about messages and destinations: the rest of the agent."""

    def prepare(self, held: Held) -> tuple[Octets, Parameters] | None:
        """What is sent of a message; None if it has its results now, and must not be sent."""

    def finish(self, held: Held) -> None:
        """Every recipient has a result."""

    def give_back(self, held: Held) -> None:
        """Nothing is tried now for the recipients without a result."""

    def pause(self, destination: Destination, why: Unreachable) -> None:
        """A destination cannot be reached: nothing is sent to it for a while."""

    def left(self, destination: Destination) -> None:
        """A destination that is being paused has no connections any more."""

    def reached(self, destination: Destination) -> None:
        """A destination that could not be reached takes messages again."""


class Dispatcher:
    """The connections in use, and who gets the next one.

    A destination that wants a connection when there is none waits in a line; those that have one give it up
    after some messages then.

    :ivar converter: for messages that a server does not take as they are.
    """

    log = PackageLogger()

    def __init__(
        self,
        clock: ReactorTime,
        connections: Connections,
        limits: RelayLimits,
        office: Office,
        converter: Converter,
    ) -> None:
        self.clock = clock
        self._limits = limits
        self._office = office
        self._line: dict[Destination, None] = {}  # those that want a connection
        self._carriers: dict[Carrier, None] = {}
        self._number = 0  # of carriers that count among the connections
        self._slow: set[Carrier] = set()  # those that have been opening for long, and do not count
        self._timers: dict[Destination, IDelayedCall] = {}  # until the rate allows the next message
        self._is_to_serve = False
        self._stopped: Callable[[], None] | None = None
        self.connections = connections
        self.converter = converter

    @property
    def is_crowded(self) -> bool:
        """Whether destinations wait for a connection."""
        return bool(self._line)

    @property
    def is_idle(self) -> bool:
        """Whether no connection is in use."""
        return not (self._number or self._slow)

    # -- connections for destinations

    def start(self, destination: Destination) -> None:
        """Give the destination's messages to its connections, and open as many as they need and may have.

        Where servers are quick, messages follow each other over few connections: then, two of them need one
        write and one read less.
        """
        for lane in list(destination.lanes.values()):
            for carrier in reversed(list(lane.quick)):  # one that takes no more may stand there again
                if not lane.waiting:
                    break
                if carrier in lane.quick:
                    carrier.go_on()
        while self._start_one(destination):
            pass

    def _start_one(self, destination: Destination, *, is_its_turn: bool = False) -> bool:
        """Open one more connection for a destination; False if it needs none, or stands in the line now."""
        if destination.is_leaving or self._stopped is not None or self._is_too_early(destination):
            return False
        for lane in list(destination.lanes.values()):
            if lane.opening < len(lane.waiting) and self._may_open(destination, lane):
                if self._number >= self._limits.connections or (self._line and not is_its_turn):
                    self._line.setdefault(destination)
                    return False
                self._carry(destination, lane)
                return True
        return False

    def _may_open(self, destination: Destination, lane: Lane) -> bool:
        """A destination has one connection until that is there; a lane without any gets one in any case.

        It never has more than are free after that, so that slow servers do not take all.
        """
        carriers = destination.carriers
        if not destination.is_proven:
            return not carriers
        if not lane.carriers:
            return True
        free = self._limits.connections - self._number
        return carriers < min(destination.concurrency.number, max(free, 1))

    def _carry(self, destination: Destination, lane: Lane) -> None:
        carrier = Carrier(self, destination, lane)
        self._number += 1
        self._carriers[carrier] = None
        carrier.start()

    def is_slow(self, carrier: Carrier) -> None:
        """A carrier has been opening its connection for long: another destination may have its place.

        Otherwise some servers that accept connections and never answer would have all places.
        """
        if len(self._slow) < self._limits.slow_connections:
            self._slow.add(carrier)
            self._number -= 1
            if self._line:
                self._serve_soon()

    def connected(self, carrier: Carrier, destination: Destination) -> None:
        """A carrier has a connection."""
        if carrier in self._slow:  # there may be more than the limit for a while
            self._slow.discard(carrier)
            self._number += 1
        if not destination.is_proven:
            destination.is_proven = True
            self.clock.callLater(0, self.start, destination)

    def ended(
        self, carrier: Carrier, destination: Destination, lane: Lane, failure: Unreachable | None
    ) -> None:
        """A carrier has ended.

        :param failure: why it had no connection.
        """
        self._carriers.pop(carrier, None)
        if carrier in self._slow:
            self._slow.discard(carrier)
        else:
            self._number -= 1
        if failure is not None:
            self._not_reached(destination, lane, failure)
        destination.tidy()
        if destination.is_leaving and not destination.carriers:
            self._office.left(destination)
        if destination.waiting:
            self._line.setdefault(destination)
        if self._line:
            self._serve_soon()
        if self._stopped is not None and self.is_idle:
            self._stopped()

    def _serve(self) -> None:
        """Give the free connections to those that wait, one to each; who wants more stands at the end."""
        self._is_to_serve = False
        for destination in list(self._line):
            if self._number >= self._limits.connections:
                break
            del self._line[destination]
            if self._start_one(destination, is_its_turn=True):
                self._line.setdefault(destination)
        if self._line and self._number < self._limits.connections:
            self._serve_soon()

    def _serve_soon(self) -> None:
        if not self._is_to_serve:
            self._is_to_serve = True
            self.clock.callLater(0, self._serve)

    def _not_reached(self, destination: Destination, lane: Lane, failure: Unreachable) -> None:
        key, outcome = lane.key, failure.outcome
        if key.require_tls and outcome.code < 500 and outcome.enhanced.startswith("4.7."):
            text = f"The message demands TLS (REQUIRETLS): {outcome.text}"
            outcome = Outcome(550, "5.7.10", text, outcome.detail)  # RFC 8689 4.2.1
        others = destination.carriers
        is_alone = others > 0 and not lane.carriers  # while connections that others may use can be made
        if key.tried or key.require_tls or outcome.code >= 500 or is_alone:
            # This is about these messages: the destination itself may be well.
            while lane.waiting:
                held = lane.waiting.popleft()
                held.fill(held.refusal or Result(outcome, failure.host))
                self._office.finish(held)
            return
        if destination.is_leaving:
            return
        destination.concurrency.failed()
        if not others:
            self._office.pause(destination, failure)
        else:
            destination.concurrency.is_full(others)

    # -- messages for connections

    def take(self, destination: Destination, lane: Lane) -> Held | None:
        """The next message of a lane, if it may be sent now."""
        if self._stopped is not None or destination.is_leaving:
            return None
        if destination.rate:
            if self._is_too_early(destination):
                return None
            destination.not_before = self.clock.seconds() + 1 / destination.rate
        while lane.waiting:
            held = lane.waiting.popleft()
            if not held.is_lost:
                return held
            self._office.give_back(held)
        return None

    def _is_too_early(self, destination: Destination) -> bool:
        """Whether the rate allows no message now; then `start` is called when it does."""
        if not destination.rate:
            return False
        wait = destination.not_before - self.clock.seconds()
        if wait <= 0.001:  # timers are no more exact than that
            return False
        if destination not in self._timers:
            self._timers[destination] = self.clock.callLater(wait, self._ring, destination)
        return True

    def _ring(self, destination: Destination) -> None:
        del self._timers[destination]
        self.start(destination)

    def prepare(self, held: Held) -> tuple[Octets, Parameters] | None:
        """See `Office.prepare`."""
        return self._office.prepare(held)

    def finish(self, held: Held) -> None:
        """See `Office.finish`."""
        self._office.finish(held)

    def again(self, held: Held) -> None:
        """A message waits for another connection."""
        destination = held.destination
        if held.is_lost or destination.is_leaving or self._stopped is not None:
            self._office.give_back(held)
            return
        destination.add(held, first=True)
        self.clock.callLater(0, self.start, destination)

    # -- how destinations do

    def succeeded(self, destination: Destination) -> None:
        """A message was answered."""
        destination.concurrency.succeeded(destination.carriers)
        if destination.failures:
            destination.failures = 0
            self._office.reached(destination)
        if destination.waiting:
            self.start(destination)

    def failed(self, destination: Destination, outcome: Outcome, host: str) -> None:
        """A connection was lost, or a message was not wanted."""
        destination.concurrency.failed()
        if destination.concurrency.is_dead and not destination.is_leaving:
            self._office.pause(destination, Unreachable(outcome, host))

    def broken(self) -> Unreachable:
        """Log the unexpected exception that is being handled."""
        self.log.failure("in the relay")
        return Unreachable(_FAULT)

    def fault(self, held: Held, failure: Failure) -> None:
        """Log an unexpected exception about a message, which is tried again later."""
        self.log.failure("in the relay, about message {id}", failure, id=held.lease.message.envelope.id)
        held.fill(Result(_FAULT))
        self._office.finish(held)

    # -- the end

    def stop(self) -> Deferred[None]:
        """Begin no more messages; fires when those that have begun are done."""
        done: Deferred[None] = Deferred()
        self._stopped = lambda: None if done.called else done.callback(None)
        self._line.clear()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for carrier in list(self._carriers):
            carrier.stop_opening()
        if self.is_idle:
            self._stopped()
        return done

    def abort(self) -> None:
        """End all connections that are in use."""
        for carrier in list(self._carriers):
            if carrier.connection is not None:
                carrier.connection.client.abort()
