"""The relay's connections: found again for any destination that has the same server, or opened."""

from __future__ import annotations

from collections.abc import Awaitable, Collection, Hashable, Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IDelayedCall

from mailproto.awaiting import settle
from mailproto.client.errors import ClientError, GreetingRefused
from mailproto.errors import MailError
from mailproto.model import Outcome
from mailproto.relay._destination import Result
from mailproto.relay._exchange import Exchange
from mailproto.relay._limits import RelayLimits
from mailproto.smtp import SMTPClient
from mailproto.smtp.errors import outcome_of
from mailproto.smtp.sending import Transmission
from mailproto.typing import ReactorTime

__all__ = ["Connection", "Connections", "Unreachable", "Ways", "outcome_for", "outcome_of_reply"]

DEAD_FOR = 60.0
"""Seconds for which a server that could not be used is tried only after all others of its domain; each
further failure doubles them..."""

DEAD_FOR_AT_MOST = 1800.0
"""... up to this."""

MOST_DEAD = 10_000
"""The most servers that are remembered for that."""

FOUND_FOR = 2.0
"""Seconds for which a kept connection to the first server of a domain is used without finding the servers
again, which takes several questions to caches."""

MOST_FOUND = 10_000
"""The most domains of which the first server is remembered for that."""


NO_MAIL = 521
"""The greeting of a host that takes no mail (RFC 7504)."""


class Ways(Protocol):
    """Where mail goes: what `Routes`, `Exchanges` and the opener do together."""

    def find(self, domain: str, require_tls: bool | None) -> Awaitable[Sequence[Exchange]]:
        """The servers to try for a domain, the first one first.

        :raises MailError: there is none.
        """

    def open(self, exchange: Exchange) -> Awaitable[SMTPClient]:
        """A client that can send messages.

        :raises MailError: there is none.
        """


def outcome_for(error: MailError) -> Outcome:
    """The outcome of recipients because of an error, with its detail for the log."""
    if isinstance(error, ClientError):
        return outcome_of(error)
    return Outcome(error.code, error.enhanced, error.text, error.detail)


def outcome_of_opening(error: MailError) -> Outcome:
    """The outcome of recipients because a server could not be used.

    A refusal by the greeting is temporary, whatever its code: it is about this client, and often about its
    address only (a list of blocked ones, a fault), not about any message.  So it is with Postfix
    (smtp_skip_5xx_greeting).  521 is what it says: such a host never takes mail (RFC 7504 3).
    """
    outcome = outcome_for(error)
    if not isinstance(error, GreetingRefused) or outcome.code < 500 or outcome.code == NO_MAIL:
        return outcome
    return Outcome(451, f"4{outcome.enhanced[1:]}", outcome.text, outcome.detail)


def outcome_of_reply(outcome: Outcome) -> Outcome:
    """The outcome of a recipient because of a server's reply.

    530 is temporary: it says that this server must use TLS (RFC 3207 4), or sign in (RFC 4954 6), which an
    operator can mend; or TLS has failed just now, and was not used therefore.
    """
    if outcome.code != 530:
        return outcome
    return Outcome(451, "4.7.0", f"530 {outcome.enhanced} {outcome.text}", outcome.detail)


class Unreachable(Exception):
    """No server of a destination could be used.

    :ivar outcome: of the recipients: permanent only if every server says so.
    :ivar host: the server with that outcome; "" if there is none.
    """

    def __init__(self, outcome: Outcome, host: str = "") -> None:
        super().__init__(outcome.text)
        self.outcome = outcome
        self.host = host


class _Found(NamedTuple):
    """The first server of a domain.

    :ivar others: as in `Connection`.
    :ivar until: when the servers are to be found again.
    """

    identity: Hashable
    others: bool
    until: float


class Connection:
    """An open connection to a server.

    :ivar others: whether the destination has other servers that were not tried.
    :ivar host: the server's name for people.
    :ivar sent: how many messages were given to it; ``answered``: how many the server has answered.
    :ivar is_quick: whether it answered the latest one quickly.
    :ivar is_reused: whether it was kept unused before this use, so that the server may have given it up;
        ``answered`` counts this use only.
    """

    __slots__ = (
        "_about",
        "answered",
        "client",
        "exchange",
        "host",
        "identity",
        "idle_until",
        "is_quick",
        "is_reused",
        "opened_at",
        "others",
        "sent",
    )

    def __init__(self, client: SMTPClient, exchange: Exchange, now: float) -> None:
        self.client = client
        self.exchange = exchange
        self.identity: Hashable = exchange.identity
        self.opened_at = now
        self.idle_until = 0.0
        self.sent = self.answered = 0
        self.is_quick = self.is_reused = self.others = False
        self.host = exchange.host or exchange.path
        tls, capabilities = client.tls_info(), client.capabilities
        self._about = (
            self.host,
            client.peer.name,
            "" if tls is None else tls.version,
            True,
            "DSN" in capabilities,
            "DELIVERBY" in capabilities,
            exchange.is_lmtp,
        )

    def result(self, outcome: Outcome) -> Result:
        """What the server said about a recipient."""
        return Result(outcome, *self._about)


class Connections:
    """Keeps unused connections for a while, and opens new ones.

    :ivar number: how many there are, with those that are being opened.
    """

    def __init__(self, clock: ReactorTime, ways: Ways, limits: RelayLimits) -> None:
        self._clock = clock
        self._ways = ways
        self._limits = limits
        self._idle: dict[Hashable, list[Connection]] = {}
        self._timer: IDelayedCall | None = None
        self._dead: dict[Hashable, tuple[float, float]] = {}  # until when, and for how long
        self._found: dict[tuple[str, bool | None], _Found] = {}  # by what is asked of `Ways.find`
        self._is_closed = False
        self.number = 0

    # -- room

    @property
    def has_room(self) -> bool:
        """Whether one more may be opened; an unused one is closed for it."""
        return self.number < self._limits.connections or bool(self._idle)

    def is_fresh(self, connection: Connection, waiting: int = 0) -> bool:
        """Whether another message may be sent over a connection after ``waiting`` ones."""
        limits = self._limits
        return (
            connection.sent < limits.connection_messages
            and Transmission.has_room(connection.client, waiting)
            and self._clock.seconds() < connection.opened_at + limits.connection_age
        )

    # -- use

    def kept(self, domain: str, require_tls: bool | None) -> Connection | None:
        """A kept connection to the first server of a domain, if it was found a moment ago."""
        found = self._found.get((domain, require_tls))
        if found is None or self._clock.seconds() >= found.until:
            return None
        connection = self._take(found.identity)
        if connection is not None:
            connection.others = found.others
        return connection

    async def get(self, domain: str, require_tls: bool | None, tried: Collection[Hashable]) -> Connection:
        """A connection to the first server of a domain that can be used.

        :param tried: servers that are not wanted.
        :raises Unreachable: there is none.
        """
        try:
            found = await self._ways.find(domain, require_tls)
        except MailError as error:
            raise Unreachable(outcome_for(error)) from error
        left = [each for each in found[: self._limits.exchanges] if each.identity not in tried]
        now = self._clock.seconds()
        left.sort(key=lambda each: self._dead.get(each.identity, (0.0, 0.0))[0] > now)  # stable
        failures: list[Unreachable] = []
        for at, exchange in enumerate(left):
            connection = self._take(exchange.identity) or await self._open(exchange, failures)
            if connection is not None:
                connection.others = at + 1 < len(left)
                if not at and not tried:
                    self._note_found(domain, require_tls, connection)
                return connection
        if not failures:
            raise Unreachable(Outcome(451, "4.4.4", "There is no other server to try"))
        raise min(failures, key=lambda each: each.outcome.code >= 500)

    def _note_found(self, domain: str, require_tls: bool | None, first: Connection) -> None:
        self._found.pop((domain, require_tls), None)
        if len(self._found) >= MOST_FOUND:
            del self._found[next(iter(self._found))]
        until = self._clock.seconds() + FOUND_FOR
        self._found[domain, require_tls] = _Found(first.identity, first.others, until)

    def _take(self, identity: Hashable) -> Connection | None:
        kept = self._idle.get(identity)
        while kept:
            connection = kept.pop()
            if not kept:
                del self._idle[identity]
            if connection.client.is_usable:
                connection.is_reused, connection.answered = True, 0
                return connection
        return None

    async def _open(self, exchange: Exchange, failures: list[Unreachable]) -> Connection | None:
        if self.number >= self._limits.connections:
            self._close_oldest()
        self.number += 1
        try:
            client = await settle(self._ways.open(exchange))
        except MailError as error:
            self.number -= 1
            self._note_failure(exchange.identity)
            failures.append(Unreachable(outcome_of_opening(error), exchange.host or exchange.path))
            return None
        except BaseException:
            self.number -= 1
            raise
        if self._is_closed:
            client.abort()
            self.number -= 1
            raise CancelledError
        client.closed().addCallback(self._gone, exchange.identity)
        self._dead.pop(exchange.identity, None)
        return Connection(client, exchange, self._clock.seconds())

    def _note_failure(self, identity: Hashable) -> None:
        _, seconds = self._dead.pop(identity, (0.0, DEAD_FOR / 2))
        seconds = min(seconds * 2, DEAD_FOR_AT_MOST)
        if len(self._dead) >= MOST_DEAD:
            del self._dead[next(iter(self._dead))]
        self._dead[identity] = (self._clock.seconds() + seconds, seconds)

    def _gone(self, _: object, identity: Hashable) -> None:
        self.number -= 1
        kept = self._idle.get(identity)
        if kept is not None:
            kept[:] = [each for each in kept if each.client.is_usable]
            if not kept:
                del self._idle[identity]

    def put(self, connection: Connection) -> None:
        """Keep a connection that has nothing to do, or end it."""
        seconds = self._limits.connection_idle
        if not connection.client.is_usable:
            return
        if not seconds or self._is_closed or not self.is_fresh(connection):
            connection.client.quit()
            return
        connection.idle_until = self._clock.seconds() + seconds
        self._idle.setdefault(connection.identity, []).append(connection)
        if self._timer is None:
            self._timer = self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        """End the connections that were unused for too long."""
        self._timer = None
        now = self._clock.seconds()
        for identity, kept in list(self._idle.items()):
            late = [each for each in kept if each.idle_until <= now]
            kept[:] = [each for each in kept if each.idle_until > now]
            if not kept:
                del self._idle[identity]
            for each in late:
                each.client.quit()
        if self._idle:
            first = min(each.idle_until for kept in self._idle.values() for each in kept)
            self._timer = self._clock.callLater(first - now, self._look)

    def _close_oldest(self) -> None:
        if not self._idle:
            return
        identity = min(self._idle, key=lambda each: self._idle[each][0].idle_until)
        kept = self._idle[identity]
        connection = kept.pop(0)
        if not kept:
            del self._idle[identity]
        connection.client.abort()  # at once, because its place is needed

    def close(self) -> None:
        """End all unused connections, and keep none any more."""
        self._is_closed = True
        idle, self._idle = self._idle, {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for kept in idle.values():
            for each in kept:
                each.client.quit()
